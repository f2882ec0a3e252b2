"""A model is trained as a job of a real cluster, asked for over HTTP (C2, C9)."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.http_builders import free_port
from tests.image_builders import zip_bytes
from tests.image_sets import divided_set

pytestmark = pytest.mark.ray
HOME = "/diagnosis/v1"
RAY = str(Path(sys.executable).with_name("ray"))
SMALL = {"backbone": "efficientnet_lite0", "image_size": 75, "epochs_max": 1, "batch_size": 8}


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A cluster with its list of jobs; the environment to reach it.

    Its files lie apart, so that it is not taken for another cluster of this machine.
    """
    own = tempfile.mkdtemp(prefix="r")  # a short path, for the names of sockets are bounded
    folder = tmp_path_factory.mktemp("head")
    token = folder / "token"
    token.write_text("0123456789abcdef" * 4)
    token.chmod(0o600)
    ports = [free_port() for _ in range(4)]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "DAZZLE_"))}
    environment = kept | {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_TMPDIR": own,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",
        "OMP_NUM_THREADS": "1",
        "DAZZLE_DATA_DIR": str(folder / "data"),
    }
    command = [
        *(RAY, "start", "--head", "--block", "--num-cpus=2", "--dashboard-host=127.0.0.1"),
        *("--node-ip-address=127.0.0.1", "--object-store-memory=200000000"),
        *(f"--port={ports[0]}", f"--dashboard-port={ports[1]}"),
        *(f"--ray-client-server-port={ports[2]}", f"--dashboard-agent-listen-port={ports[3]}"),
    ]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout
        assert any("block forever" in line for line in started.stdout), "the head did not start"
        yield environment | {
            "RAY_ADDRESS": f"127.0.0.1:{ports[0]}",
            "RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{ports[1]}",
        }
        started.terminate()  # it stops the processes that it started, and no others
        started.communicate(timeout=60)
    shutil.rmtree(own, ignore_errors=True)


@pytest.fixture(scope="module")
def service(head: dict[str, str]) -> Iterator[httpx.Client]:
    port = free_port()
    script = Path(__file__).with_name("diagnosis_service.py")
    with subprocess.Popen(
        [sys.executable, str(script), str(port)],
        env=head | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as job:
        assert job.stdout and job.stdin
        token = job.stdout.readline().strip()
        assert token, "the service did not start"
        headers = {"Authorization": f"Bearer {token}"}
        base = f"http://127.0.0.1:{port}{HOME}"
        with httpx.Client(base_url=base, headers=headers, timeout=120) as client:
            yield client
        job.stdin.close()


def ended(service: httpx.Client, head: dict[str, str], run: str) -> dict[str, object]:
    """Follow a run to its end; return what is said of it."""
    follow = [RAY, "job", "logs", "--follow", run]
    told = subprocess.run(follow, env=head, capture_output=True, text=True, timeout=250, check=True)
    found: dict[str, object] = service.get(f"/training-runs/{run}").json()
    return found | {"log": told.stdout}


def test_a_model_is_trained_as_a_job_and_listed(
    service: httpx.Client, head: dict[str, str]
) -> None:
    content = zip_bytes(divided_set())
    headers = {"content-type": "application/zip"}
    stored = service.put("/image-sets/tints", content=content, headers=headers)
    assert stored.status_code == 200, stored.text
    order = {"data_set": "tints", "name": "tints", "weights": "none", "config": SMALL}
    keyed, order = {"Idempotency-Key": "k1"}, order | {"diseases": {"amber": "DOID:552"}}
    begun = service.post("/training-runs", json=order, headers=keyed)
    assert begun.status_code == 202, begun.text
    again = service.post("/training-runs", json=order, headers=keyed)
    assert again.json()["run"] == begun.json()["run"], "a repeat is no second run"
    other = service.post("/training-runs", json=order | {"name": "other"}, headers=keyed)
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    run = begun.json()["run"]
    assert begun.json()["state"] in ("pending", "running") and begun.json()["by"]
    listed = service.get("/training-runs").json()
    assert [(one["run"], one["name"], one["data_set"]) for one in listed] == [
        (run, "tints", "tints")
    ]
    end = ended(service, head, run)
    assert end["state"] == "succeeded", end
    assert service.get("/models", params={"disease": "DOID:552"}).json()["models"] == []
    (waiting,) = service.get("/models", params={"state": "pending"}).json()["models"]
    accepted = {"version": waiting["version"], "decision": "accept", "reason": "looked at"}
    answer = service.post("/models/tints/acceptance", json=accepted)
    assert answer.status_code == 200, answer.text
    (model,) = service.get("/models", params={"disease": "DOID:552"}).json()["models"]
    assert (model["name"], model["serving"]) == ("tints", True)
    assert service.get(f"/files/{model['version']}").status_code == 200


def test_a_run_that_fails_says_why(service: httpx.Client, head: dict[str, str]) -> None:
    assert service.post("/training-runs", json={"data_set": "no", "name": "x"}).status_code == 404
    order = {"data_set": "tints", "name": "x", "weights": "none", "config": SMALL}
    bound = {"diseases": {"pink": "DOID:552"}}
    begun = service.post("/training-runs", json=order | bound)
    assert begun.status_code == 202, begun.text
    end = ended(service, head, begun.json()["run"])
    assert end["state"] == "failed" and "no class 'pink'" in str(end["message"]), end

"""The applications on a real Ray Serve, called over a socket (A4, A5, B9)."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from serve_apps.share.examples import EVENT_BATCH, PHENOPACKET
from tests.http_builders import free_port

pytestmark = pytest.mark.ray
HOME = "/share/v1/platforms/north"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """What ``make serve`` starts, with the token that it shows."""
    folder = tmp_path_factory.mktemp("served")
    port = free_port()
    command = [sys.executable, "-m", "jobs.serve", "--port", str(port)]
    settings = ["--set", f"data_dir={folder}", "--set", "calls_burst=1000"]
    with subprocess.Popen(
        [*command, *settings], stdout=subprocess.PIPE, text=True, env=_own_ray()
    ) as job:
        assert job.stdout is not None
        for line in job.stdout:
            if "shown this once" in line:
                break
        token = job.stdout.readline().strip()
        headers = {"Authorization": f"Bearer {token}"}
        base = f"http://127.0.0.1:{port}"
        try:
            with httpx.Client(base_url=base, headers=headers, timeout=60) as client:
                yield client
        finally:
            job.send_signal(signal.SIGINT)
            job.wait(60)


def _holder(ledger: str) -> int:
    """Return the process that has a ledger open."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if b"PlatformService" in (process / "cmdline").read_bytes():
                opened = {str(one.readlink()) for one in (process / "fd").iterdir()}
                if any(one.endswith(ledger) for one in opened):
                    return int(process.name)
    text = f"nobody has {ledger} open"
    raise AssertionError(text)


def _own_ray() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}


def test_a_case_goes_in_and_is_found_over_a_socket(service: httpx.Client) -> None:
    assert service.put(HOME, json={"person_years_at_risk": 1e6}).status_code == 200
    added = service.post(f"{HOME}/cases", json=PHENOPACKET)
    assert added.json()["result"] == "added"
    found = service.post(f"{HOME}/search", json={"terms": ["HP:0001250"]})
    assert [hit["case_id"] for hit in found.json()["hits"]] == ["simulated-1"]
    wider = service.post(f"{HOME}/network-search", json={"terms": ["HP:0001250"]})
    assert [hit["case_id"] for hit in wider.json()["hits"]] == ["simulated-1"], wider.text
    assert [one["state"] for one in wider.json()["platforms"]] == ["answered"]
    taken = service.post(f"{HOME}/events", json=EVENT_BATCH["two"]["value"])
    assert taken.json()["new"] == 2
    assert service.get(f"{HOME}/cases", headers={"Authorization": "Bearer no"}).status_code == 401


def test_a_dead_platform_touches_its_own_calls_only(service: httpx.Client) -> None:
    """B9: searches of it and calls of others are answered; its own writes wait or say 503."""
    south = HOME.replace("north", "south")
    assert service.put(south, json={"person_years_at_risk": 1e6}).status_code == 200
    os.kill(_holder("platforms/north/ledger.sqlite"), signal.SIGKILL)
    assert service.post(f"{HOME}/search", json={"terms": ["HP:0001250"]}).status_code == 200
    assert service.get(f"{south}/cases").status_code == 200
    answer = service.get(f"{HOME}/cases")
    if answer.status_code != 200:
        assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    again = service.post(f"{HOME}/events", json=EVENT_BATCH["two"]["value"])
    assert again.json().get("repeated", 2) == 2, "what was acknowledged is there"


def test_the_doors_of_all_applications_are_open(service: httpx.Client) -> None:
    for path in ("/healthz", "/readyz", "/prediction/v1/models", "/diagnosis/v1/models"):
        assert service.get(path).status_code == 200, path
    test = {"filters": "HP:0001250", "testMode": "true"}
    assert service.get("/beacon/individuals", params=test).json()["responseSummary"]["exists"]


def test_what_is_not_there_is_a_problem_and_not_a_stack(service: httpx.Client) -> None:
    answer = service.get("/share/v1/platforms/nowhere/cases")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

"""What becomes of an order to train, before a cluster has it (C2, C9)."""

import shlex
from pathlib import Path

import pytest
import ray

from cluster.authorisation.roles import Role
from cluster.contracts.diagnosis import TrainingOrder
from serve_apps.diagnosis.examples import TRAINING
from serve_apps.diagnosis.ray_jobs import command_of
from tests.diagnosis_builders import DiagnosisCluster, files_of
from tests.http_builders import Client, quick
from tests.image_builders import a_set, zip_bytes

HOME = "/diagnosis/v1"
GOOD = TRAINING["small"]["value"]


def test_what_is_asked_is_words_of_one_command() -> None:
    """Nothing that a caller writes ends the command, begins another, or becomes an option."""
    hostile = "x; touch /tmp/y #$(id)`id`\n'\""
    order = TrainingOrder(
        data_set="cells", name="x", licence=f"--out={hostile}", diseases={f"--out {hostile}": "a b"}
    )
    words = shlex.split(shlex.join(command_of(order, Path("/data/run"), "kid")))
    assert words[1:3] == ["-m", "jobs.fit_inception"]
    assert words[3:] == [
        "--dataset=cells",
        "--name=x",
        f"--licence=--out={hostile}",
        "--config=/data/run/asked.json",
        "--out=/data/run",
        "--asked-by=kid",
        f"--bind=--out {hostile}=a b",
    ]


def test_an_order_that_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    cluster = DiagnosisCluster(quick(tmp_path))
    scientist = Client(cluster.app(), cluster.token(Role.SCIENTIST))
    before = files_of(tmp_path)
    for changes, status in (
        ({}, 404),  # there is no such set
        ({"weights": "/etc/passwd"}, 422),
        ({"weights": "stolen.pth"}, 422),
        ({"data_set": "../cells"}, 422),
        ({"data_set": "/etc"}, 422),
        ({"name": "--out"}, 422),
        ({"config": {"epochs_max": 10_000}}, 422),
        ({"config": {"shell": "x"}}, 422),
        ({"out": "/tmp"}, 422),
    ):
        answer = scientist("POST", f"{HOME}/training-runs", json=GOOD | changes)
        assert answer.status_code == status, (changes, answer.text)
    assert files_of(tmp_path) == before


def test_without_a_cluster_no_other_one_is_asked(tmp_path: Path) -> None:
    """A cluster that somebody else runs on this machine gets no job of ours."""
    if ray.is_initialized():
        pytest.skip("this process is part of a cluster already")
    cluster = DiagnosisCluster(quick(tmp_path))
    scientist = Client(cluster.app(), cluster.token(Role.SCIENTIST))
    headers = {"content-type": "application/zip"}
    path = f"{HOME}/image-sets/{GOOD['data_set']}"
    stored = scientist("PUT", path, content=zip_bytes(a_set()), headers=headers)
    assert stored.status_code == 200, stored.text
    answer = scientist("POST", f"{HOME}/training-runs", json=GOOD)
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert not (tmp_path / "training").exists()

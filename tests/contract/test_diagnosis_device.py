"""A real device against the application on a real port: nothing of it is changed (C4, C5, C8)."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import stamina

from cluster.clock import SystemClock
from cluster.contracts.image_models import ListedModel
from cluster.device.cache import Cache
from cluster.device.client import Device
from cluster.device.source import TOKEN_VARIABLE, open_source
from cluster.errors import PolicyRefusal, Unreachable
from tests.device_builders import COLOURS, WHITE, a_picture_of, png
from tests.diagnosis_builders import PNEUMONIA, Cutting, DiagnosisCluster
from tests.http_builders import listening, quick

HOME = "/diagnosis/v1"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> DiagnosisCluster:
    return DiagnosisCluster(quick(tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def listed(cluster: DiagnosisCluster) -> ListedModel:
    return cluster.publish_colours(padding=300_000)


@pytest.fixture
def app(cluster: DiagnosisCluster, listed: ListedModel) -> Iterator[Cutting]:
    with stamina.set_testing(True, attempts=2):
        yield Cutting(cluster.app())


def a_device(cache: Path, url: str) -> Device:
    clock = SystemClock()
    return Device(Cache(cache, clock), open_source(url + HOME), clock)


def recognised(device: Device) -> tuple[list[str], int]:
    """Labels of a red and a white picture, and how many bytes were downloaded."""
    with device.model("colours", "int8") as fetched:
        recogniser = device.recogniser(fetched)
        pictures = [a_picture_of(colour) for colour in (COLOURS["red"], WHITE)]
        found = recogniser.recognise([recogniser.pixels(one) for one in pictures])
        return [one.label for one in found], fetched.bytes_downloaded


def test_a_device_lists_fetches_recognises_and_goes_on_offline(
    app: Cutting, tmp_path: Path
) -> None:
    with listening(app) as url:
        device = a_device(tmp_path, url)
        assert [one.name for one in device.listing().models.models] == ["colours"]
        labels, downloaded = recognised(device)
        assert labels == ["red", "unknown"] and downloaded > 300_000
        assert device.answer(PNEUMONIA).kept_at is None
        again = a_device(tmp_path, url)
        assert again.listing().fresh
        assert recognised(again) == (["red", "unknown"], 0)
    offline = a_device(tmp_path, url)
    assert not offline.listing().fresh
    assert recognised(offline) == (["red", "unknown"], 0)
    assert offline.answer(PNEUMONIA).answer.disease_id == PNEUMONIA


def test_a_cut_download_goes_on_where_it_was_cut(app: Cutting, tmp_path: Path) -> None:
    with listening(app) as url:
        app.cuts = [1 << 30, 50_000]  # the bundle comes whole
        labels, _ = recognised(a_device(tmp_path, url))
        assert labels == ["red", "unknown"]
    ranges = [asked for path, asked in app.asked if asked]
    assert len(ranges) == 1 and int(ranges[0].removeprefix("bytes=").removesuffix("-")) > 0


def test_a_later_command_goes_on_too(app: Cutting, tmp_path: Path) -> None:
    with listening(app) as url:
        app.cuts = [1 << 30, 60_000, 0, 0, 0, 0]
        with pytest.raises(Unreachable):
            recognised(a_device(tmp_path, url))
        app.asked, app.cuts = [], []
        recognised(a_device(tmp_path, url))
    assert any(asked.startswith("bytes=") for _, asked in app.asked)


def test_a_version_that_is_withdrawn_is_dropped(cluster: DiagnosisCluster, tmp_path: Path) -> None:
    cluster.publish_colours("short-lived")
    with listening(cluster.app()) as url:
        device = a_device(tmp_path, url)
        with device.model("short-lived", "fp32"):
            pass
        cluster.registry_service.retire_image("short-lived", "1", "test", "wrong")
        dropped = a_device(tmp_path, url).listing().dropped
    assert [one.bundle.name for one in dropped] == ["short-lived"]


def test_a_token_that_is_not_good_is_told(
    app: Cutting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "wrong")
    with listening(app) as url, pytest.raises(PolicyRefusal):
        a_device(tmp_path, url).listing()


def test_the_command_of_a_device_works_as_it_is(app: Cutting, tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(png(a_picture_of(COLOURS["red"])))
    kept = {name: text for name, text in os.environ.items() if not name.startswith("DAZZLE_")}
    with listening(app) as url:
        words = ["--server", url + HOME, "--cache", str(tmp_path / "cache"), "--model", "colours"]
        done = subprocess.run(
            [sys.executable, "-m", "cluster.device", "recognise", "red.png", "--json", *words],
            cwd=tmp_path, env=kept | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
            timeout=100, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["label"] == "red"

"""Retries without pauses, and a device over a small public tree."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import stamina
from device_builders import COLOURS, WHITE, a_bundle, a_picture_of, listed, png, write_public

from cluster.clock import ManualClock
from cluster.contracts.image_models import Bundle
from cluster.device.__main__ import main
from cluster.device.cache import Cache
from cluster.device.client import Device
from cluster.device.source import open_source

NOW = 1_700_000_000.0
Made = Callable[..., Device]
Run = Callable[..., tuple[int, str, str]]


def _refuse_pause(seconds: float) -> None:
    if seconds:
        pytest.fail("a unit test must not sleep: time is an argument")


@pytest.fixture(autouse=True)
def _no_pauses(_no_ray_and_no_sleep: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("time.sleep", _refuse_pause)  # a retry in a test waits 0 seconds
    with stamina.set_testing(True, attempts=3):
        yield


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DAZZLE_SERVER", "DAZZLE_SERVER_TOKEN", "DAZZLE_DEVICE_CACHE", "DAZZLE_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))


@pytest.fixture
def bundle_files() -> tuple[Bundle, dict[str, bytes]]:
    return a_bundle()


@pytest.fixture
def public(tmp_path: Path, bundle_files: tuple[Bundle, dict[str, bytes]]) -> Path:
    bundle, files = bundle_files
    return write_public(tmp_path / "public", [listed(bundle)], files)


@pytest.fixture
def device(tmp_path: Path, public: Path) -> Made:
    """Makes a device over the tree, or another place; each is a command of its own."""
    clock = ManualClock(NOW)

    def make(place: str = "") -> Device:
        clock.instant += 1
        cache = Cache(tmp_path / "cache", ManualClock(clock.instant))
        return Device(cache, open_source(place or str(public)), ManualClock(clock.instant))

    return make


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*words: Any) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["device", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return command


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, Path]:
    paths = {}
    for name, colour in {**COLOURS, "white": WHITE}.items():
        paths[name] = tmp_path / f"{name}.png"
        paths[name].write_bytes(png(a_picture_of(colour, 3)))
    return paths

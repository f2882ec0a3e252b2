"""A training run of an image model that is killed in the middle."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from image_builders import write, zip_bytes
from image_sets import divided_set
from job_processes import Begin, begun_jobs

from actors.registry import RegistryService
from actors.registry_calls import ask_registry
from cluster.contracts.image_models import Bundle, State
from cluster.errors import Conflict, WeightsInvalid
from cluster.learning.sealed import unpack
from cluster.settings import load_settings
from jobs.fit_inception import main

ROOT = Path(__file__).parents[2]
DEADLINE_S = 400.0
PASSES = 3

pytestmark = [pytest.mark.ray, pytest.mark.chaos, pytest.mark.timeout(900)]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Start the same job on the same set; what is left of it ends with the test."""
    files = divided_set() | {"README.md": b"Drawn for a test. CC0-1.0"}
    path = write(tmp_path / "set.zip", zip_bytes(files))
    words = ["--dataset", str(path), "--name", "cells", "--weights", "none", "--image-size", "75"]
    words += ["--backbone", "efficientnet_lite0", "--epochs", str(PASSES - 1)]
    words += ["--out", str(tmp_path / "out"), "--set", f"data_dir={tmp_path / 'data'}"]
    with begun_jobs("fit_inception", *words) as start:
        yield start


def checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob("training/images-*/checkpoint_2*/fitting.safetensors"))


def test_a_killed_run_goes_on_and_its_model_is_listed(
    begin: Begin,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """C2 B8: after SIGKILL the same command goes on from the last pass, and publishes once, after
    which its checkpoints are gone; typed again it trains nothing, and removes what a kill before
    that left; other inputs in the same folder are refused, and absent weights before anything is
    read. Images without anything to learn make a model that waits.
    """
    out = tmp_path / "out"
    first, deadline = begin(), time.monotonic() + DEADLINE_S
    snapshot = "training/images-*/checkpoint_manager_snapshot.json"
    while not list(out.glob(snapshot)) and first.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert first.poll() is None, first.communicate()
    first.send_signal(signal.SIGKILL)
    output, _ = first.communicate()
    assert "starting the cluster" in output
    assert f"pass {PASSES}" not in output and not (out / "bundle.json").exists()
    _, progress = unpack(checkpoints(out)[0].read_bytes())
    done = progress["curve"]
    assert 0 < len(done) < PASSES

    second = begin()
    output, errors = second.communicate(timeout=DEADLINE_S)
    assert second.returncode == 0, errors
    assert f"pass {PASSES} of {PASSES}" in output and "Traceback" not in output + errors
    bundle = Bundle.model_validate_json((out / "bundle.json").read_bytes())
    assert [one.model_dump() for one in bundle.card.epochs[: len(done)]] == done
    assert len(bundle.card.epochs) == PASSES
    assert (bundle.card.weights.name, bundle.card.licence) == ("none", "CC0-1.0")
    assert {"report.html", "card.json", "data", "run.json"} <= {one.name for one in out.iterdir()}
    settings = load_settings({"data_dir": str(tmp_path / "data")})
    listed = ask_registry(settings, RegistryService.model_list, states=get_args(State)).models
    assert [(one.name, one.number, one.state) for one in listed] == [("cells", 1, "pending")]
    assert listed[0].version in output and f"does not serve: {listed[0].reason}" in output
    assert "of their commonest class" in listed[0].reason
    assert "class amber: not bound" in output
    assert not (out / "training").exists()
    left = write(out / "training" / "images-x" / "fitting.safetensors", b"of a run that was killed")

    words = {"name": "cells", "out": out, "settings": [f"data_dir={tmp_path / 'data'}"]}
    words |= {"backbone": "efficientnet_lite0", "image_size": 75, "weights": "none"}
    main(dataset="cells", epochs=PASSES - 1, **words)
    assert "nothing is trained" in capsys.readouterr().out
    assert not left.parent.parent.exists()
    again = ask_registry(settings, RegistryService.model_list, states=get_args(State)).models
    assert again == listed
    with pytest.raises(Conflict, match=f"other epochs_max: {PASSES - 1}, not 9"):
        main(dataset="cells", epochs=9, **words)
    with pytest.raises(WeightsInvalid, match=r"there is no file /no\.safetensors"):
        main(dataset="cells", **words | {"weights": "/no.safetensors"})

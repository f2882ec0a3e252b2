"""Training and forecasting on files, as their users run them."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import parquet

from cluster.flow.windows import to_bytes
from cluster.ids import sha256
from cluster.storage.trend_models import CARD, WEIGHTS, read_card, read_model
from cluster.storage.windows import read_windows
from cluster.trend.config import config_from_json
from cluster.trend.publish import fit
from tests.unit.trend.access_windows import mixed_windows

ROOT = Path(__file__).parents[2]
CONFIG = '{"epochs_max": 60, "patience": 60, "seed": 5, "network": {"width": 8}}'

pytestmark = pytest.mark.timeout(900)


def started(name: str, *words: object) -> subprocess.Popen[str]:
    """Start a job in the repository, without a terminal."""
    chosen = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "DAZZLE_"))}
    return subprocess.Popen(
        [sys.executable, "-m", f"jobs.{name}", *map(str, words)],
        cwd=ROOT,
        env=chosen,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def job(name: str, *words: object) -> tuple[int, str, str]:
    """Run a job to its end; its exit code, output and errors."""
    process = started(name, *words)
    told, errors = process.communicate(timeout=600)
    assert "Traceback" not in errors, errors
    return process.returncode, told, errors


def written(path: Path, windows: pa.Table) -> Path:
    parquet.write_table(windows, path)
    return path


def family(pid: int) -> list[int]:
    """A process and all that it has started, directly or not."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def cut_the_power_after_a_checkpoint(process: subprocess.Popen[str], training: Path) -> None:
    """Kill a job and its workers at once, without warning, when it has a checkpoint."""
    while not list(training.glob("*/checkpoint_manager_snapshot.json")):
        with pytest.raises(subprocess.TimeoutExpired):  # it must not be over before
            process.wait(timeout=0.05)
    for pid in family(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.ray
def test_a_model_of_a_file_survives_kills_and_damage(tmp_path: Path) -> None:
    """A6 A7: killed, it goes on from its checkpoint; finished, it is the model that one process
    would make, is not trained again, is not replaced by another, and forecasts.
    """
    rows = written(tmp_path / "windows.parquet", mixed_windows(150, seed=1))
    config, out = tmp_path / "config.json", tmp_path / "model"
    config.write_text(CONFIG)
    words = ("--windows", rows, "--out", out, "--config", config)
    cut_the_power_after_a_checkpoint(started("fit_trend", *words), out / "training")
    assert not (out / CARD).exists()

    checkpoints = {file: file.read_bytes() for file in out.rglob("fitting.safetensors")}
    for file, content in checkpoints.items():
        file.write_bytes(content[:-9])
    code, _, errors = job("fit_trend", *words)
    assert code == 1 and "a checkpoint cannot be used" in errors and str(out) in errors
    assert not (out / CARD).exists()

    for file, content in checkpoints.items():
        file.write_bytes(content)
    code, told, errors = job("fit_trend", *words)
    assert code == 0, errors
    windows = read_windows(rows)
    digest = sha256(to_bytes(windows))
    content, card = fit(windows, config_from_json(CONFIG), digest)
    assert read_model(out) == content
    assert read_card(out).model_copy(update={"config": ""}) == card
    assert config_from_json(read_card(out).config) == config_from_json(CONFIG)
    for said in ("60/60", "linear model", "Szabo-Huberman", "persistence", "The network is"):
        assert said in told
    assert told.count("AUPRC surge") == 3
    assert digest in (out / "report.html").read_text(encoding="utf-8")

    first = (out / WEIGHTS).stat().st_mtime_ns
    assert job("fit_trend", *words)[:2] == (0, told)
    assert (out / WEIGHTS).stat().st_mtime_ns == first
    code, _, errors = job("fit_trend", *words, "--seed", "6")
    assert code == 1 and "trained with" in errors
    written(rows, windows.slice(1))
    code, _, errors = job("fit_trend", *words)
    assert code == 1 and "trained on other windows" in errors

    forecasts = tmp_path / "forecasts.parquet"
    assert job("predict_trend", "--model", out, "--windows", rows, "--out", forecasts)[0] == 0
    assert parquet.read_table(forecasts).num_rows == windows.num_rows - 1


def test_what_cannot_be_trained_on_is_one_clear_line(tmp_path: Path) -> None:
    """A6: before anything is started: exit code 2, what is wrong, where, and what to do."""
    good = written(tmp_path / "good.parquet", mixed_windows(30, seed=1))
    empty = written(tmp_path / "empty.parquet", mixed_windows(3, seed=1).slice(0, 0))
    text = tmp_path / "text.json"
    text.write_text('{"lr": 0}')
    out = tmp_path / "model"
    for words, said in (
        (("--windows", tmp_path / "none.parquet"), "there is no such file"),
        (("--windows", empty), "there are no windows in it"),
        (("--windows", good, "--config", text), "config.lr"),
        (("--windows", good, "--config", tmp_path / "no.json"), "no.json cannot be read"),
        (("--windows", good, "--set", "train_workers=0"), "train_workers"),
        (("--config", text), "a run has a configuration and a seed of its own"),
    ):
        code, _, errors = job("fit_trend", "--out", out, *words)
        assert (code, said in errors) == (2, True), errors
    assert not (out / CARD).exists()


@pytest.mark.ray
def test_too_few_windows_are_refused(tmp_path: Path) -> None:
    """A6: windows of too few items are refused, and no model is left."""
    rows = written(tmp_path / "windows.parquet", mixed_windows(1, seed=1))
    code, _, errors = job("fit_trend", "--windows", rows, "--out", tmp_path / "model")
    assert (code, "Give windows of more items" in errors) == (2, True), errors
    assert not (tmp_path / "model" / CARD).exists()


@pytest.mark.ray
@pytest.mark.data
def test_real_windows_are_learned_and_forecast(shared_data: Path, tmp_path: Path) -> None:
    """A6 A7: a part of the real windows of four sources: better than persistence in each."""
    table = parquet.read_table(shared_data / "access" / "windows_dev.parquet")
    place = pc.rank(table["item_id"], tiebreaker="dense")
    rows = written(tmp_path / "some.parquet", table.filter(pc.equal(pc.bit_wise_and(place, 7), 3)))
    out, forecasts = tmp_path / "model", tmp_path / "forecasts.parquet"
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"epochs_max": 3}))
    code, _, errors = job("fit_trend", "--windows", rows, "--out", out, "--config", config)
    assert code == 0, errors
    shapes = read_card(out).shapes
    assert {shape.name for shape in shapes} == {"preprint", "zenodo", "wiki", "news"}
    for shape in shapes:
        assert shape.held_out.msle < shape.baselines["persistence"].msle
    assert job("predict_trend", "--model", out, "--windows", rows, "--out", forecasts)[0] == 0
    ids = parquet.read_table(forecasts)["item_id"].to_pylist()
    assert ids == parquet.read_table(rows)["sample_id"].to_pylist()

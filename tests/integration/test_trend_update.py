"""Updates of a trend model as processes, on SIMULATED and on real windows."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from cluster.contracts.trend import UpdateReport
from cluster.contracts.trend_update import UpdateComparison
from cluster.storage.trend_models import read_card, read_model, write_model
from cluster.storage.windows import read_windows
from cluster.trend.artefact import load
from cluster.trend.fit import FitConfig
from cluster.trend.publish import fit
from tests.unit.trend.access_windows import access_windows

ROOT = Path(__file__).parents[2]
CONFIG = FitConfig(epochs_max=15, seed=1)


def update(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Run the job on the files of a folder."""
    command = [sys.executable, "-m", "jobs.update_trend", "--model", folder / "first"]
    files = ["--old", folder / "old.parquet", "--new", folder / "new.parquet"]
    ended = subprocess.run(
        [*map(str, (*command, *files, *words))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended


def prepared(folder: Path, old: pa.Table, new: pa.Table) -> None:
    parquet.write_table(old, folder / "old.parquet")
    parquet.write_table(new, folder / "new.parquet")
    content, card = fit(read_windows(folder / "old.parquet"), CONFIG, "digest")
    write_model(folder / "first", content, card)


def test_a_process_updates_and_repeats_itself(tmp_path: Path) -> None:
    """A9: SIMULATED drift: accepted, the same bytes from another process; beyond the bound refused
    with exit code 3 and no model.
    """
    old = access_windows(600, seed=1)
    prepared(tmp_path, old, access_windows(600, seed=2, growth=2.0, prefix="late"))
    for name in ("a", "b"):
        ended = update(tmp_path, "--out", tmp_path / name)
        assert ended.returncode == 0, ended.stderr
    assert read_model(tmp_path / "a") == read_model(tmp_path / "b")
    assert read_card(tmp_path / "a") == read_card(tmp_path / "b")
    second = load(read_model(tmp_path / "a"))
    assert second.profile.parent == read_card(tmp_path / "first").version
    refused = update(tmp_path, "--out", tmp_path / "c", "--preset", "1")
    assert refused.returncode == 3
    assert "Nothing is published" in refused.stdout
    assert not (tmp_path / "c" / "card.json").exists()


def test_real_windows_of_a_later_time_are_learned(tmp_path: Path, shared_data: Path) -> None:
    """A9: preprints of two months, then of the next two, gated by usages, a third of them:
    the error on new ones falls, on old ones it stays within the bound, where naive learning
    forgets.
    """
    file = shared_data / "access" / "windows_dev.parquet"
    if not file.is_file():
        pytest.skip("no access windows here; set TEST_DATA_DIR to their folder")
    table = parquet.read_table(file)
    kept = np.asarray(table["track"]) == "preprint"
    kept &= np.arange(table.num_rows) % 3 == 0
    period = np.asarray(table["period"])
    old, new = (table.filter(pa.array(kept & (period == number))) for number in (1, 2))
    prepared(tmp_path, old, new)
    out = tmp_path / "second"
    ended = update(tmp_path, "--out", out, "--gate", "usages", "--compare")
    assert ended.returncode == 0, ended.stdout
    report = UpdateReport.model_validate_json((out / "update.json").read_bytes())
    assert report.new_change[1] < 0
    assert report.new_after < report.new_before - 0.02
    assert report.old_after < report.old_before + 0.015
    kept_arms = UpdateComparison.model_validate_json((out / "comparison.json").read_bytes()).arms
    arms = {arm.name: arm for arm in kept_arms}
    assert arms["naive"].old_change[0] > arms["product"].old_change[1]
    assert arms["naive"].new_change[1] > arms["product"].new_change[1]

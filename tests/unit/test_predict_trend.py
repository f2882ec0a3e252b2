"""Forecasts for a file of access windows, as a scientist asks for them."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from cluster.ids import sha256
from cluster.storage.trend_models import CARD, WEIGHTS, write_model
from cluster.trend.artefact import load
from cluster.trend.fit import FitConfig
from cluster.trend.publish import fit
from jobs import predict_trend, shell
from tests.unit.trend.access_windows import access_windows, mixed_windows, with_cell, with_column

ROWS = mixed_windows(60, seed=2)
Predict = Callable[..., int]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small model of three shapes of SIMULATED windows."""
    folder = tmp_path_factory.mktemp("model")
    content, card = fit(mixed_windows(120, seed=1), FitConfig(epochs_max=1), "digest")
    write_model(folder, content, card)
    return folder


@pytest.fixture
def predict(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Predict:
    """The job, run on windows in a file; returns its exit code."""

    def run(windows: pa.Table | bytes, model: Path = trained) -> int:
        path = tmp_path / "windows.parquet"
        if isinstance(windows, bytes):
            path.write_bytes(windows)
        else:
            parquet.write_table(windows, path)
        words = ["--model", model, "--windows", path, "--out", tmp_path / "out.parquet"]
        monkeypatch.setattr("sys.argv", ["predict_trend", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            shell.run_job(predict_trend.main)
        code = ended.value.code
        return code if isinstance(code, int) else 0

    return run


def test_each_window_has_its_forecast_in_its_place(
    predict: Predict, trained: Path, tmp_path: Path
) -> None:
    """A7: one row a window, in their order, with the figures of the service's prediction."""
    assert predict(ROWS) == 0
    found = parquet.read_table(tmp_path / "out.parquet")
    assert found.schema.names == ["item_id", "pred_log_inc", "hot_prob", "surge_prob"]
    assert all(found[name].type == pa.float64() for name in found.column_names[1:])
    said = load((trained / WEIGHTS).read_bytes()).predict(ROWS)
    assert found["item_id"].to_pylist() == ROWS["sample_id"].to_pylist()
    for name, field in (("pred_log_inc", "log_growth"), ("hot_prob", "index")):
        assert found[name].to_pylist() == [getattr(one, field) for one in said]
    assert found["surge_prob"].to_pylist() == [one.surge for one in said]


def test_the_file_of_the_weights_is_a_model_too(
    predict: Predict, trained: Path, tmp_path: Path
) -> None:
    """A7: folder and file give the same, and labels of the windows change nothing."""
    n = ROWS.num_rows
    unlabelled = with_column(ROWS, "fut_total", [None] * n).drop_columns(["hot", "surge"])
    assert predict(ROWS) == 0
    first = parquet.read_table(tmp_path / "out.parquet")
    assert predict(unlabelled, trained / WEIGHTS) == 0
    assert parquet.read_table(tmp_path / "out.parquet").equals(first)


def test_an_empty_history_is_forecast(predict: Predict, tmp_path: Path) -> None:
    """A7: a case that nobody has opened yet has a forecast like any other."""
    silent = access_windows(5, seed=1)
    for name in ("clicks", "usages"):
        silent = with_column(silent, name, [[0.0] * 8] * 5)
    assert predict(silent) == 0
    found = parquet.read_table(tmp_path / "out.parquet")
    for name in ("pred_log_inc", "hot_prob", "surge_prob"):
        assert np.isfinite(found[name].to_numpy()).all()


BAD = {
    "negative": (
        with_cell(access_windows(9, seed=1), "usages", 7, [-1.0] * 8),
        "usages has a count that is negative",
    ),
    "short": (with_column(ROWS.slice(0, 9), "n_obs", [1] * 9), "has not n_obs = 1 bins"),
    "other bins": (with_cell(ROWS, "bin_days", 7, 365.0), "the model was trained for other"),
    "no windows": (ROWS.slice(0, 0), "there are no windows in it"),
    "empty file": (b"", "cannot be read as Parquet"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_windows_are_one_clear_line(
    predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """A7: what is wrong and where, exit code 2, and no file of forecasts."""
    windows, said = BAD[name]
    assert predict(windows) == 2
    told = capsys.readouterr().err
    assert said in told and "Traceback" not in told
    assert [path.name for path in tmp_path.iterdir()] == ["windows.parquet"]


def test_windows_that_the_model_does_not_know_are_refused(
    predict: Predict, capsys: pytest.CaptureFixture[str]
) -> None:
    """A7: the first such window is named, and what the model knows."""
    n_obs = 5
    other = access_windows(3, seed=1).slice(0, 3)
    for name in ("clicks", "usages"):
        other = with_column(other, name, [[1.0] * n_obs] * 3)
    assert predict(with_column(other, "n_obs", [n_obs] * 3)) == 2
    told = capsys.readouterr().err
    assert "window 'case-0@0', row 0" in told
    assert "8 bins seen, 8 forecast" in told and "14 bins seen, 28 forecast" in told


@pytest.mark.parametrize(
    ("damage", "code", "said"),
    [
        (lambda content: content[:-1], 1, "is damaged"),
        (lambda content: content[:40], 1, "is damaged"),
        (lambda content: b"", 1, "is damaged"),
        (lambda content: content[:-1] + b"?", 1, "is damaged"),
        (None, 2, "no model can be read there"),
    ],
)
def test_a_damaged_model_is_one_clear_line(
    predict: Predict,
    trained: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[bytes], bytes] | None,
    code: int,
    said: str,
) -> None:
    """A7: a truncated, changed or missing file, in its folder or alone, forecasts nothing."""
    folder = tmp_path / "copy"
    content = (trained / WEIGHTS).read_bytes()
    folder.mkdir()
    (folder / "card.json").write_bytes((trained / "card.json").read_bytes())
    if damage:
        (folder / WEIGHTS).write_bytes(damage(content))
    assert predict(ROWS, folder) == code
    assert said in capsys.readouterr().err
    assert predict(ROWS, folder / WEIGHTS) == code
    told = capsys.readouterr().err
    assert str(folder) in told and "Traceback" not in told
    assert not (tmp_path / "out.parquet").exists()


def test_an_earlier_file_of_forecasts_survives_a_failure(predict: Predict, tmp_path: Path) -> None:
    """A7: what stands there is replaced by a whole file or not at all."""
    assert predict(ROWS) == 0
    before = sha256((tmp_path / "out.parquet").read_bytes())
    assert predict(BAD["negative"][0]) == 2
    assert sha256((tmp_path / "out.parquet").read_bytes()) == before


def test_what_is_read_is_not_written_over(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A7: windows or weights named as the output by mistake are still there afterwards."""
    path = tmp_path / "windows.parquet"
    parquet.write_table(ROWS, path)
    both = (trained, trained / WEIGHTS)
    for model, out in product(both, (path, trained / WEIGHTS, trained / CARD)):
        words = ["--model", model, "--windows", path, "--out", out]
        monkeypatch.setattr("sys.argv", ["predict_trend", *map(str, words)])
        before = out.read_bytes()
        with pytest.raises(SystemExit) as ended:
            shell.run_job(predict_trend.main)
        assert ended.value.code == 2 and out.read_bytes() == before
        assert "is what is read" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_one_clear_line(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A7: a write that fails at the end is a line with its place, not a stack."""
    path = tmp_path / "windows.parquet"
    parquet.write_table(ROWS, path)
    words = ["--model", trained, "--windows", path, "--out", "/proc/forecasts.parquet"]
    monkeypatch.setattr("sys.argv", ["predict_trend", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        shell.run_job(predict_trend.main)
    told = capsys.readouterr().err
    assert ended.value.code == 1
    assert "name another place" in told and "Traceback" not in told

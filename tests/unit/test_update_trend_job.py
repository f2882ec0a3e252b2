"""Updating a model in a folder by windows in files, as an operator asks for it."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from cluster.contracts.trend import UpdateReport
from cluster.contracts.trend_forward import ForwardStudy
from cluster.contracts.trend_update import UpdateComparison
from cluster.flow.windows import to_bytes
from cluster.ids import sha256
from cluster.storage.trend_models import CARD, WEIGHTS, read_card, write_model
from cluster.storage.windows import read_windows
from cluster.trend.artefact import load
from cluster.trend.fit import FitConfig
from cluster.trend.network import TrendNetworkConfig
from cluster.trend.publish import fit
from jobs import evaluate, shell, update_trend
from tests.unit.trend.access_windows import access_windows, with_column

OLD = access_windows(500, seed=1)
NEW = access_windows(500, seed=2, growth=2.0, prefix="late")
CONFIG = FitConfig(network=TrendNetworkConfig(width=8), epochs_max=3)
Job = Callable[..., int]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small first model of SIMULATED windows."""
    folder = tmp_path_factory.mktemp("model")
    content, card = fit(OLD, CONFIG, "digest")
    write_model(folder, content, card)
    return folder


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Job:
    """A job, run on words; returns its exit code."""

    def run(main: Callable[..., None], *words: object) -> int:
        monkeypatch.setattr("sys.argv", ["job", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            shell.run_job(main)
        code = ended.value.code
        return code if isinstance(code, int) else 0

    return run


def written(path: Path, windows: pa.Table) -> Path:
    parquet.write_table(windows, path)
    return path


@pytest.fixture
def words(trained: Path, tmp_path: Path) -> list[object]:
    old, new = written(tmp_path / "old.parquet", OLD), written(tmp_path / "new.parquet", NEW)
    out = tmp_path / "second"
    return ["--model", trained, "--old", old, "--new", new, "--out", out]


def test_an_accepted_model_is_published_with_its_lineage(
    job: Job, words: list[object], trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A9: exit code 0; the folder has the second model, whose parent is the first, its card with
    the windows' digest and the terms, the report and the page.
    """
    assert job(update_trend.main, *words) == 0
    out = tmp_path / "second"
    first, second = read_card(trained), read_card(out)
    assert (second.role, second.parent) == ("second", first.version)
    assert second.dataset_digest == sha256(to_bytes(read_windows(tmp_path / "new.parquet")))
    assert json.loads(second.config)["update"] == {
        "gate": "propagation",
        "preset": 0.2,
        "forgetting_max": 0.015,
        "seed": 1,
    }
    assert load((out / WEIGHTS).read_bytes()).version == second.version
    report = UpdateReport.model_validate_json((out / "update.json").read_bytes())
    assert report.accepted and report.propagation_preset == 0.2
    assert "second model is published" in (out / "update.html").read_text(encoding="utf-8")
    assert not (out / "comparison.json").exists()
    assert "The second model is published" in capsys.readouterr().out


def test_a_refused_model_publishes_nothing_and_says_why(
    job: Job, words: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A9: exit code 3, no model and no card; the reason is shown and kept in the report."""
    assert job(update_trend.main, *words, "--preset", "1.0", "--compare") == 3
    out = tmp_path / "second"
    assert sorted(path.name for path in out.iterdir()) == [
        "comparison.json",
        "update.html",
        "update.json",
    ]
    report = UpdateReport.model_validate_json((out / "update.json").read_bytes())
    assert not report.accepted and "0 of 20" in report.reason
    told = capsys.readouterr().out
    assert "Nothing is published: too few windows reach the propagation preset" in told
    assert CARD not in told
    assert job(update_trend.main, *words) == 0  # a folder without a model can be used again
    assert not (out / "comparison.json").exists()


def test_the_comparison_is_kept(
    job: Job, words: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A9: with --compare all six ways are in the table, the file and the page."""
    assert job(update_trend.main, *words, "--compare", "--gate", "usages", "--seed", "7") == 0
    out = tmp_path / "second"
    kept = UpdateComparison.model_validate_json((out / "comparison.json").read_bytes())
    assert (len(kept.arms), kept.seed, kept.n_old) == (6, 7, 500)
    told, page = capsys.readouterr().out, (out / "update.html").read_text(encoding="utf-8")
    for name in ("no update", "naive fine-tuning", "full retraining"):
        assert name in told and name in page


def test_settings_and_several_files_are_heard(
    job: Job, words: list[object], tmp_path: Path
) -> None:
    """A9: preset and bound are the settings' where they are not given; windows may lie in files."""
    parts = [written(tmp_path / f"{n}.parquet", NEW.slice(250 * n, 250)) for n in (0, 1)]
    asked = [*words[:4], "--new", parts[0], "--new", parts[1], *words[6:]]
    chosen = ["--set", "propagation_preset=0.4", "--set", "forgetting_max=0.03"]
    assert job(update_trend.main, *asked, *chosen) == 0
    report = UpdateReport.model_validate_json((tmp_path / "second" / "update.json").read_bytes())
    assert (report.propagation_preset, report.forgetting_max) == (0.4, 0.03)
    assert report.new_shapes[0].n_windows == 500


def test_wrong_input_is_one_clear_line(
    job: Job, words: list[object], trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A13: what is wrong, where, what to do; a model is never written over."""
    assert job(update_trend.main, *words[:6], "--out", trained) == shell.EXIT_FAULT
    assert "has a model" in capsys.readouterr().err
    both = [*words[:4], "--new", words[3], *words[6:]]
    assert job(update_trend.main, *both) == shell.EXIT_INPUT
    assert "comes twice and is among the old windows" in capsys.readouterr().err
    unlabelled = with_column(NEW, "fut_total", [None] * 500)
    written(tmp_path / "new.parquet", unlabelled)
    assert job(update_trend.main, *words) == shell.EXIT_INPUT
    assert "fut_total" in capsys.readouterr().err
    assert job(update_trend.main, "--model", tmp_path, *words[2:]) == shell.EXIT_INPUT
    assert "no card.json" in capsys.readouterr().err
    assert not (tmp_path / "second" / CARD).exists()


def test_a_study_forward_in_time_is_kept_and_shown(
    job: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A7: evaluation.json is read back whole; options of the other measure are refused."""
    file, out = written(tmp_path / "w.parquet", OLD), tmp_path / "out"
    words = ["trend", "--windows", file, "--out", out, "--from", "2024-06-01"]
    assert job(evaluate.main, *words, "--set", "train_epochs_max=2") == 0
    study = ForwardStudy.model_validate_json((out / "evaluation.json").read_bytes())
    assert (study.source, study.day) == ("w.parquet", 1717200000.0)
    assert "north" in (out / "evaluation.html").read_text(encoding="utf-8")
    assert "As of 2024-06-01: learned from" in capsys.readouterr().out
    for wrong, said in (
        (["trend", "--out", out, "--from", "2024-06-01"], "(--windows)"),
        ([*words[:5], "--from", "soon"], "'soon' is not a date"),
        ([*words, "--queries", "3"], "it has no meaning for trend (--queries)"),
        (["retrieval", "--out", out], "(--index)"),
    ):
        assert job(evaluate.main, *wrong) == shell.EXIT_INPUT
        assert said in capsys.readouterr().err

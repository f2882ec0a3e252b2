"""A search for a configuration of the trend model on a real Ray, and as its users run it."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from job_processes import Begin, begun_jobs
from pyarrow import parquet

from cluster.contracts.trend_search import Candidate, TrendSearch
from cluster.errors import Conflict, NotFound, WindowInvalid
from cluster.storage.trend_models import write_model
from cluster.trend.config import config_to_json
from cluster.trend.fit import FitConfig, Fitting
from cluster.trend.lesson import prepare
from cluster.trend.publish import fit
from cluster.trend.search import config_of, plan_search, validation_loss
from jobs.tune_trend import main
from tests.unit.trend.access_windows import access_windows, with_cell

ROOT = Path(__file__).parents[2]
ROWS = access_windows(400, seed=1)
EPOCHS = 18
DEADLINE_S = 200.0

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]


@pytest.mark.usefixtures("ray_cluster")
def test_trials_are_stopped_fail_or_finish_and_the_default_always_does(tmp_path: Path) -> None:
    """A6: ASHA stops what falls behind, a failing trial ends nothing else, the default goes on."""
    from actors.tuners.trend import GRACE_EPOCHS, search_first

    plan = plan_search(
        windows="w", dataset_digest="d", n_windows=400, n_trials=1, epochs_max=EPOCHS, seed=3
    )
    default = plan.candidates[0]
    rigged = {"good": {"lr": 0.004}, "slow": {"lr": 1e-7}, "broken": {"width": 0}}
    others = [Candidate(id=name, values=default.values | new) for name, new in rigged.items()]
    plan = plan.model_copy(update={"candidates": (default, *others)})
    told: list[tuple[str, int]] = []
    found = search_first(
        ROWS, plan, storage_path=tmp_path, tell=lambda trial, done: told.append((trial.id, done))
    )
    trials = {trial.id: trial for trial in found.trials}
    assert (trials["slow"].state, trials["slow"].epochs) == ("stopped_early", GRACE_EPOCHS)
    assert (trials["broken"].state, trials["broken"].error) == ("failed", "setting_invalid")
    assert trials[default.id].state == "finished"
    assert found.trials[-1].id == "broken" and found.trials[-2].id == "slow"
    assert [done for _, done in told] == [1, 2, 3, 4]
    assert {name for name, _ in told} == set(trials)
    assert trials[default.id].validation_loss == pytest.approx(_alone(plan.label_weight), rel=1e-6)
    assert trials[default.id].curve[-1][0] == trials[default.id].epochs


def _alone(label_weight: float) -> float:
    """Return the default's loss as one process without Ray finds it."""
    fitting = Fitting(prepare(ROWS), FitConfig(epochs_max=EPOCHS, seed=3))
    while not fitting.finished:
        fitting.run_epoch()
    return validation_loss(fitting, label_weight)


@pytest.mark.usefixtures("ray_cluster")
def test_windows_that_cannot_be_learned_from_start_no_trial(tmp_path: Path) -> None:
    """A6: a bad window is named before anything is trained."""
    from actors.tuners.trend import search_first

    plan = plan_search(
        windows="w", dataset_digest="d", n_windows=400, n_trials=2, epochs_max=3, seed=3
    )
    with pytest.raises(WindowInvalid):
        search_first(with_cell(ROWS, "fut_total", 3, None), plan, storage_path=tmp_path)
    assert not list(tmp_path.iterdir())


def write_windows(windows: pa.Table, folder: Path) -> None:
    parquet.write_table(windows, folder / "windows.parquet")


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Start the job on the same windows and folder; what is left of it ends with the test."""
    write_windows(ROWS, tmp_path)
    place = ["--windows", str(tmp_path / "windows.parquet"), "--out", str(tmp_path / "out")]
    with begun_jobs("tune_trend", *place) as start:
        yield start


def ended(job: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for a job; its exit code, output and errors."""
    output, errors = job.communicate(timeout=DEADLINE_S)
    return job.returncode, output, errors


def terminated(folder: Path) -> set[str]:
    """Which trials Ray has written down as done."""
    done = set()
    for path in folder.glob("experiment_state-*.json"):
        try:
            states = json.loads(path.read_text())["trial_data"]
        except json.JSONDecodeError:
            continue  # it is being written
        for state, _ in states:
            told = json.loads(state)
            if told["status"] == "TERMINATED":
                done.add(str(told["relative_logdir"]))
    return done


def weights(folder: Path, trials: set[str]) -> dict[str, int]:
    """When each checkpoint of these trials was written."""
    files = (path for name in trials for path in (folder / name).rglob("*.safetensors"))
    return {str(path): path.stat().st_mtime_ns for path in files}


def test_a_killed_search_goes_on_and_its_trial_is_published(
    begin: Begin,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A6 B8: after SIGKILL finished trials are not trained again, and none is lost; the result is
    given again without training, other arguments are refused, and a trial is published by its id.
    """
    words = ["--num-samples", "4", "--epochs-max", str(EPOCHS), "--seed", "3"]
    folder = tmp_path / "out" / "trials" / "search"
    first = begin(*words)
    deadline = time.monotonic() + DEADLINE_S
    while not terminated(folder) and first.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert first.poll() is None, first.communicate()
    first.send_signal(signal.SIGKILL)
    output, _ = first.communicate()
    done = terminated(folder)
    assert 0 < len(done) < 4 and "4 of 4" not in output
    before = weights(folder, done)

    code, output, errors = ended(begin(*words))
    assert code == 0, errors
    assert before and weights(folder, done) == before
    assert not any(f" of 4  {name} " in output for name in done)
    search = TrendSearch.model_validate_json((tmp_path / "out" / "search.json").read_bytes())
    assert sorted(one.id for one in search.trials) == [f"trial-0{n}" for n in range(4)]
    assert all(one.state != "failed" and one.curve for one in search.trials)
    for one in search.trials:
        epochs = [epoch for epoch, _ in one.curve]
        assert epochs == sorted(set(epochs))  # no epoch was done twice
    default = next(one for one in search.trials if one.id == "trial-00")
    assert default.state == "finished"
    assert default.validation_loss == pytest.approx(_alone(search.plan.label_weight), rel=1e-6)
    assert (tmp_path / "out" / "search.html").stat().st_size > 1_000_000
    assert "Traceback" not in output + errors

    asked = {"windows": tmp_path / "windows.parquet", "out": tmp_path / "out"}
    main(**asked, num_samples=4, epochs_max=EPOCHS, seed=3)
    repeated = capsys.readouterr().out
    assert " of 4  trial" not in repeated and search.trials[0].id in repeated
    with pytest.raises(Conflict, match="other seed: 3, not 4"):
        main(**asked, num_samples=4, epochs_max=EPOCHS, seed=4)
    with pytest.raises(NotFound, match=r"Known are best and: trial-00, .*trial-03"):
        main(**asked, publish="trial-77")
    write_windows(access_windows(400, seed=2), tmp_path)
    with pytest.raises(Conflict, match="has other windows than the search"):
        main(**asked, publish="best")

    write_windows(ROWS, tmp_path)
    # Training itself is tested beside fit_trend. A model of any other windows, configuration, seed
    # or folder would be refused, or trained with Ray: then there would be more to wait for.
    best = search.trials[0]
    config = config_of(best.values, FitConfig(epochs_max=3, seed=3))
    content, card = fit(ROWS, config, search.plan.dataset_digest)
    card = card.model_copy(update={"config": config_to_json(config)})
    write_model(tmp_path / "out" / "models" / best.id, content, card)
    main(**asked, publish="best", settings=["train_epochs_max=3"])
    assert f"{best.id}, north: 400 windows" in capsys.readouterr().out
    assert (tmp_path / "out" / "models" / best.id / "report.html").is_file()

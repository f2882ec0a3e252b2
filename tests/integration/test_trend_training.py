"""Training of the first model by Ray Train."""

from pathlib import Path

import pytest

from cluster.contracts.trend import TrendCard
from cluster.trend.artefact import load
from cluster.trend.fit import FitConfig, fit
from tests.unit.trend.access_windows import access_windows

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]

ROWS = access_windows(600, seed=1)


def train(folder: Path, workers: int) -> tuple[bytes, TrendCard]:
    from actors.trainers.trend import fit_first

    return fit_first(
        ROWS,
        workers=workers,
        epochs_max=30,
        seed=3,
        storage_path=str(folder),
        dataset_digest="digest",
        run_name="first",
    )


def test_one_worker_trains_to_convergence_and_can_be_asked_again(tmp_path: Path) -> None:
    """A6: Ray Train stops on convergence and publishes what one process would, bit by bit."""
    content, card = train(tmp_path, workers=1)
    assert card.converged
    assert card.held_out.msle < card.baselines["persistence"].msle
    assert load(content).version == card.version
    assert (content, card) == fit(ROWS, FitConfig(epochs_max=30, seed=3), "digest")
    assert train(tmp_path, workers=1) == (content, card)  # the run is finished: its result again


def test_two_workers_take_the_same_course(tmp_path: Path) -> None:
    """B8: the same code on more workers; only dropout and rounding differ."""
    _, card = train(tmp_path, workers=2)
    _, alone = fit(ROWS, FitConfig(epochs_max=30, seed=3), "digest")
    assert card.converged
    assert card.held_out.msle == pytest.approx(alone.held_out.msle, rel=0.2)
    assert card.learning_curve[0] == pytest.approx(alone.learning_curve[0], rel=0.1)

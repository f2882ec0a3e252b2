"""Training of the first model by Ray Train."""

from pathlib import Path

import pytest

from cluster.contracts.trend import TrendCard
from cluster.errors import Fault, WindowInvalid
from cluster.trend.artefact import load
from cluster.trend.fit import FitConfig
from cluster.trend.publish import fit
from tests.unit.trend.access_windows import SHAPES, mixed_windows, with_cell

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]

ROWS = mixed_windows(200, seed=1)
CONFIG = FitConfig(epochs_max=25, patience=5, seed=3)


def train(
    folder: Path, workers: int, told: list[tuple[str, int, int]] | None = None
) -> tuple[bytes, TrendCard]:
    from actors.trainers.trend import fit_first

    return fit_first(
        ROWS,
        CONFIG,
        workers=workers,
        storage_path=str(folder),
        dataset_digest="digest",
        run_name="first",
        progress=None if told is None else lambda *words: told.append(words),
    )


def test_one_worker_trains_what_one_process_would(tmp_path: Path) -> None:
    """A6: Ray Train on windows of several shapes publishes the same, bit by bit; asked again,
    it gives it again; a damaged list of checkpoints is named with its place.
    """
    told: list[tuple[str, int, int]] = []
    content, card = train(tmp_path, 1, told)
    assert (content, card) == fit(ROWS, CONFIG, "digest")
    assert load(content).version == card.version
    assert [(shape.n_obs, shape.n_fut) for shape in card.shapes] == list(SHAPES)
    assert told[-1] == ("train", card.epochs, card.epochs)
    assert all(done < CONFIG.epochs_max == total for _, done, total in told[:-1])
    assert train(tmp_path, 1) == (content, card)  # the run is finished: its result again
    (run,) = tmp_path.glob("first-*")
    (run / "checkpoint_manager_snapshot.json").write_text("")
    with pytest.raises(Fault, match="the training run failed") as failed:
        train(tmp_path, 1)
    assert failed.value.where == str(run) and "delete this folder" in failed.value.remedy


def test_two_workers_take_the_same_course(tmp_path: Path) -> None:
    """B8: the same code on more workers; only dropout and rounding differ."""
    _, card = train(tmp_path, workers=2)
    _, alone = fit(ROWS, CONFIG, "digest")
    for shape, other in zip(card.shapes, alone.shapes, strict=True):
        assert shape.baselines == other.baselines
        assert shape.held_out.msle == pytest.approx(other.held_out.msle, rel=0.2)
    assert card.learning_curve[0] == pytest.approx(alone.learning_curve[0], rel=0.1)


def test_a_bad_window_stops_before_any_worker(tmp_path: Path) -> None:
    """A6: the window is named, and no folder of a run is made."""
    from actors.trainers.trend import fit_first

    rows = with_cell(ROWS, "fut_total", 4, None)
    with pytest.raises(WindowInvalid, match="fut_total"):
        fit_first(
            rows,
            CONFIG,
            workers=1,
            storage_path=str(tmp_path),
            dataset_digest="digest",
            run_name="first",
        )
    assert not list(tmp_path.iterdir())

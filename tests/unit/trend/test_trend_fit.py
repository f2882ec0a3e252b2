"""Training to convergence, in one process."""

import numpy as np
import pytest
import torch

from cluster.contracts.trend import TrendCard
from cluster.errors import Conflict, WindowInvalid
from cluster.trend.artefact import load
from cluster.trend.features import hold_out_mask
from cluster.trend.fit import (
    FitConfig,
    Fitting,
    Shard,
    batches,
    calibrate,
    evaluate,
    fit,
    hot_threshold,
    prepare,
)
from cluster.trend.network import TrendNetworkConfig
from tests.unit.trend.access_windows import access_windows, with_cell, with_column

ROWS = access_windows(600, seed=1)
CONFIG = FitConfig(epochs_max=40, seed=3)


@pytest.fixture(scope="module")
def fitted() -> tuple[bytes, TrendCard]:
    return fit(ROWS, CONFIG, "digest")


def test_training_converges_and_beats_the_simple_forecasts(fitted: tuple[bytes, TrendCard]) -> None:
    """A6: trained to convergence, scored beside baselines on items the model never met."""
    content, card = fitted
    assert card.converged
    assert card.epochs == len(card.learning_curve) < CONFIG.epochs_max
    assert card.held_out.msle < card.baselines["szabo_huberman"].msle / 2
    assert card.held_out.msle < card.baselines["persistence"].msle / 2
    assert card.held_out.auroc_hot is not None
    assert card.held_out.auroc_hot > 0.9
    assert card.version == load(content).version
    held_out = hold_out_mask(ROWS["item_id"])
    assert card.held_out.n == held_out.sum()
    assert evaluate(load(content), ROWS.filter(held_out)) == card.held_out


def test_the_same_windows_and_seed_give_the_same_bytes(fitted: tuple[bytes, TrendCard]) -> None:
    """A6: a run can be repeated, whatever happened to torch's state before."""
    torch.manual_seed(99)
    state = torch.get_rng_state()
    assert fit(ROWS, CONFIG, "digest") == fitted
    assert torch.equal(torch.get_rng_state(), state)
    assert fit(ROWS, FitConfig(epochs_max=40, seed=4), "digest")[0] != fitted[0]


def test_held_out_items_are_never_learned_from(fitted: tuple[bytes, TrendCard]) -> None:
    """A6: whatever the labels of held-out items are, the model is the same."""
    held_out = hold_out_mask(ROWS["item_id"])
    totals = np.where(held_out, 1e6, ROWS["fut_total"].to_numpy())
    content, card = fit(with_column(ROWS, "fut_total", list(totals)), CONFIG, "digest")
    assert content == fitted[0]
    assert card.held_out.msle > fitted[1].held_out.msle


def test_a_run_that_was_interrupted_ends_like_one_that_was_not() -> None:
    """B8: a checkpoint holds all that is needed; the rest of the run gives the same weights."""
    lesson = prepare(ROWS)
    whole, first, second = (Fitting(lesson, CONFIG) for _ in range(3))
    for _ in range(4):
        whole.run_epoch()
    for _ in range(2):
        first.run_epoch()
    second.resume(first.checkpoint())
    for _ in range(2):
        second.run_epoch()
    assert second.learning_curve == whole.learning_curve
    assert second.checkpoint() == whole.checkpoint()


def test_a_checkpoint_of_another_run_is_refused() -> None:
    """B8: a run does not go on from weights that learned from other windows."""
    other = Fitting(prepare(access_windows(600, seed=2)), CONFIG)
    with pytest.raises(Conflict, match="another training run"):
        Fitting(prepare(ROWS), CONFIG).resume(other.checkpoint())


def test_a_run_never_ends_worse_than_the_regression_it_starts_from() -> None:
    """A6: the start is a candidate too; steps that only do harm are not published."""
    wild = FitConfig(lr=30.0, epochs_max=3, patience=3, network=TrendNetworkConfig(width=8))
    run = Fitting(prepare(ROWS), wild)
    start = run.best_loss
    while not run.finished:
        run.run_epoch()
    assert run.learning_curve[-1][1] > start
    assert (run.best_loss, run.best_epoch, run.converged) == (start, 0, True)


@pytest.mark.parametrize(("n", "world", "size"), [(10, 1, 4), (10, 3, 6), (7, 2, 128), (1, 4, 2)])
def test_workers_share_every_batch_and_miss_no_window(n: int, world: int, size: int) -> None:
    """B8: on 1 to n workers every window is learned from, and all take equal steps."""
    config = FitConfig(batch_size=size)
    parts = [list(batches(n, config, 2, Shard(rank, world))) for rank in range(world)]
    shapes = [[len(rows) for rows in part] for part in parts]
    assert all(shape == shapes[0] for shape in shapes)
    rows = np.concatenate([np.concatenate(part) for part in parts])
    assert set(rows.tolist()) == set(range(n))
    assert len(rows) < n + world
    again = [rows.tolist() for rows in batches(n, config, 2, Shard(0, world))]
    assert again == [rows.tolist() for rows in parts[0]]


def test_calibration_finds_the_scale_of_the_logits() -> None:
    """A6: a prediction index is a probability: over-confident logits are drawn back."""
    generator = np.random.default_rng(0)
    logit = generator.normal(-1, 2, 40_000)
    hot = generator.random(40_000) < 1 / (1 + np.exp(-(0.5 * logit + 0.7)))
    found = calibrate(logit, hot)
    assert (found.slope, found.bias) == pytest.approx((0.5, 0.7), abs=0.05)
    index = found.probability(logit)
    for low in (0.1, 0.3, 0.5):
        chosen = (index >= low) & (index < low + 0.2)
        assert hot[chosen].mean() == pytest.approx(index[chosen].mean(), abs=0.03)


def test_calibration_stays_finite_where_there_is_little_to_fit() -> None:
    """A6: one class, or two that are wholly apart, do not give certainty."""
    assert calibrate(np.array([1.0, 2.0]), np.array([False, False])).slope == 1
    apart = calibrate(np.array([-3.0, -2.0, 2.0, 3.0]), np.array([False, False, True, True]))
    assert 0.5 < apart.probability(np.array([3.0]))[0] < 0.95


def test_hot_is_the_top_decile_and_never_silence() -> None:
    """A6: the access-trend label: the top tenth, but no window without accesses."""
    y = np.arange(1.0, 101.0)
    assert (y >= hot_threshold(y)).mean() == pytest.approx(0.1, abs=0.011)
    assert hot_threshold(np.zeros(50)) == 1.0


def test_windows_of_the_future_are_not_trained_on() -> None:
    """A6: a window without a label stops the run before it starts."""
    with pytest.raises(WindowInvalid, match="fut_total"):
        prepare(with_cell(ROWS, "fut_total", 0, None))

"""Training to convergence, in one process."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from cluster.errors import Conflict, Fault, IntegrityError, WindowInvalid
from cluster.learning.shard import Shard
from cluster.trend.fit import FitConfig, Fitting, batches
from cluster.trend.folds import N_MEMBERS, fold
from cluster.trend.lesson import Lesson, prepare
from cluster.trend.network import TrendNetworkConfig
from cluster.trend.windows import Mask
from tests.unit.trend.access_windows import (
    SHAPES,
    access_windows,
    mixed_windows,
    with_cell,
    with_column,
    with_labels,
)

ROWS = with_labels(access_windows(400, seed=1))
LESSON = prepare(ROWS)
FOLDS = fold(ROWS["item_id"])
CONFIG = FitConfig(
    network=TrendNetworkConfig(width=8, depth=1),
    epochs_max=6,
    epoch_windows_min=200,
    batch_size=64,
    lr=1e-2,
    seed=3,
)


def ran(lesson: Lesson, epochs: int, config: FitConfig = CONFIG) -> Fitting:
    fitting = Fitting(lesson, config)
    for _ in range(epochs):
        fitting.run_epoch()
    return fitting


def other_outcomes(chosen_W: Mask) -> pa.Table:
    """The windows, where chosen with quite another outcome and other labels."""
    totals = np.where(chosen_W, 3.0, ROWS["fut_total"].to_numpy())
    hot = np.where(chosen_W, ~ROWS["hot"].to_numpy(), ROWS["hot"].to_numpy())
    return with_column(with_column(ROWS, "fut_total", list(totals)), "hot", hot.tolist())


def weights_of(fitting: Fitting, member: int, *, best: bool = False) -> list[torch.Tensor]:
    network = fitting.best_network() if best else fitting.network
    state = [tensor for tensor in network.state_dict().values() if len(tensor) == N_MEMBERS]
    return [tensor[member] for tensor in state]


@pytest.mark.parametrize("member", range(N_MEMBERS))
def test_a_member_never_learns_from_what_it_keeps_apart(member: int) -> None:
    """A6: whatever came after the items a member keeps apart, it is the same, bit for bit."""
    config = replace(CONFIG, epochs_max=40, patience=2)
    blind = Fitting(prepare(other_outcomes(FOLDS.member_W == member)), config)
    sighted = Fitting(LESSON, config)
    for fitting in (sighted, blind):
        while not fitting.finished:
            fitting.run_epoch()
    ours, theirs = (weights_of(fitting, member, best=True) for fitting in (sighted, blind))
    assert all(map(torch.equal, ours, theirs))
    assert blind.best_losses[member] == sighted.best_losses[member]
    others = [weights_of(each, (member + 1) % N_MEMBERS, best=True) for each in (sighted, blind)]
    assert not all(map(torch.equal, *others))


@pytest.mark.parametrize("member", [0, 4])
def test_a_member_stops_by_its_validation_items_and_learns_nothing_from_them(member: int) -> None:
    """A6: what came after validation items chooses the epoch, and moves no weight."""
    blind = ran(prepare(other_outcomes(FOLDS.validation_MW[member])), 3)
    sighted = ran(LESSON, 3)
    assert all(map(torch.equal, weights_of(sighted, member), weights_of(blind, member)))
    assert blind.best_losses[member] > sighted.best_losses[member]


def test_a_members_best_does_not_depend_on_how_long_the_others_learn() -> None:
    """A6: a member that has converged keeps its weights, even if a later epoch were better."""
    fitting = ran(LESSON, 2)
    fitting.best_epochs[1], fitting.best_losses[1] = -CONFIG.patience, 1e9
    fitting.best_epochs[2], fitting.best_losses[2] = 1, 1e9
    fitting.run_epoch()
    assert (fitting.best_epochs[1], fitting.best_losses[1]) == (-CONFIG.patience, 1e9)
    assert fitting.best_epochs[2] == 3


def test_the_members_differ_and_learn() -> None:
    """A6: five members, each of its own weights and items, all better than where they began."""
    lesson = prepare(access_windows(400, seed=1))
    start, fitting = Fitting(lesson, CONFIG), ran(lesson, 6)
    for first in range(N_MEMBERS):
        for second in range(first):
            ours, theirs = weights_of(fitting, first), weights_of(fitting, second)
            assert not any(map(torch.equal, ours, theirs))
    assert np.less(fitting.best_losses, start.best_losses).all()
    assert fitting.learning_curve[-1][0] < fitting.learning_curve[0][0]


def test_a_run_that_was_interrupted_ends_like_one_that_was_not() -> None:
    """B8: a checkpoint holds all that is needed; the rest of the run gives the same bytes."""
    whole, first, second = ran(LESSON, 4), ran(LESSON, 2), Fitting(LESSON, CONFIG)
    second.resume(first.checkpoint())
    assert second.checkpoint() == first.checkpoint()
    for _ in range(2):
        second.run_epoch()
    assert second.learning_curve == whole.learning_curve
    assert second.checkpoint() == whole.checkpoint()


def test_a_run_can_be_repeated_whatever_happened_before() -> None:
    """A6: the same windows and seed give the same bytes, and torch's state is left alone."""
    torch.manual_seed(99)
    state = torch.get_rng_state()
    first = ran(LESSON, 2).checkpoint()
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(7)
    assert ran(LESSON, 2).checkpoint() == first
    assert ran(LESSON, 2, replace(CONFIG, seed=4)).checkpoint() != first


def test_a_checkpoint_of_another_run_is_refused() -> None:
    """B8: a run does not go on from weights of other windows, items, labels or settings."""
    checkpoint = ran(LESSON, 1).checkpoint()
    renamed = with_column(ROWS, "item_id", [f"x{item}" for item in ROWS["item_id"].to_pylist()])
    relabelled = with_cell(ROWS, "surge", 3, value=not ROWS["surge"][3].as_py())
    for rows in (access_windows(400, seed=2), renamed, relabelled):
        with pytest.raises(Conflict, match="another training run"):
            Fitting(prepare(rows), CONFIG).resume(checkpoint)
    with pytest.raises(Conflict, match="another training run"):
        Fitting(LESSON, replace(CONFIG, lr=1e-3)).resume(checkpoint)
    damaged = bytearray(checkpoint)
    damaged[-5] ^= 1
    with pytest.raises(IntegrityError):
        Fitting(LESSON, CONFIG).resume(bytes(damaged))


def test_a_run_never_ends_worse_than_it_starts() -> None:
    """A6: the linear model at the start is a candidate; steps that only do harm are not kept."""
    fitting = ran(LESSON, 3, replace(CONFIG, lr=3.0, patience=3))
    start = Fitting(LESSON, CONFIG)
    assert fitting.learning_curve[-1][1] > sum(start.best_losses) / N_MEMBERS
    assert (fitting.best_losses, fitting.best_epochs) == (start.best_losses, [0] * 5)
    assert fitting.converged
    assert fitting.finished
    for member in range(N_MEMBERS):
        best = weights_of(fitting, member, best=True)
        assert all(map(torch.equal, best, weights_of(start, member)))


def test_a_run_whose_loss_is_no_number_stops() -> None:
    """A6: a learning rate that blows the weights up is named, and nothing is put away."""
    with pytest.raises(Fault, match="no longer a number in epoch 1"):
        ran(LESSON, 3, replace(CONFIG, lr=1e30))


@pytest.mark.parametrize(("world", "size"), [(1, 4), (3, 6), (2, 128), (4, 2)])
def test_workers_share_every_batch_and_take_equal_steps(world: int, size: int) -> None:
    """B8: on 1 to n workers every item is learned from, and all take as many steps."""
    item_W = np.array([0] * 20 + [1] * 6 + [2, 3, 4])
    config = FitConfig(batch_size=size, epoch_windows_min=12)
    parts = [list(batches(item_W, config, 2, Shard(rank, world))) for rank in range(world)]
    steps = [[len(rows) for rows in part] for part in parts]
    assert all(step == steps[0] for step in steps)
    assert all(0 < count * world <= max(size, world) for count in steps[0])
    shared = [np.concatenate(ranks) for ranks in zip(*parts, strict=True)]
    order = np.concatenate([np.concatenate(part) for part in parts])
    assert set(item_W[order].tolist()) == set(range(5))
    assert 15 <= len(order) < 15 + world
    whole = np.concatenate(list(batches(item_W, config, 2, Shard())))
    first = shared[0].tolist()
    assert set(first) <= set(whole[: max(size // world, 1) * world].tolist())
    again, later = (list(batches(item_W, config, epoch, Shard(0, world))) for epoch in (2, 3))
    assert [part.tolist() for part in again] == [part.tolist() for part in parts[0]]
    assert [part.tolist() for part in later] != [part.tolist() for part in again]


def test_an_item_with_many_windows_counts_no_more_than_another() -> None:
    """A6: an epoch takes one window of every item, drawn anew, in training and in the stop."""
    item_W = np.array([0] * 90 + [1] * 9 + [2])
    config = FitConfig(batch_size=3000, epoch_windows_min=3000)
    (rows,) = batches(item_W, config, 0, Shard())
    assert np.bincount(item_W[rows]).tolist() == [1000, 1000, 1000]
    assert set(rows.tolist()) == set(range(100))
    exam, before = LESSON.exam, Fitting(LESSON, CONFIG).best_losses
    twice = exam.item_codes()[exam.folds.validation_MW[1].argmax()]
    repeated = np.concatenate([np.arange(len(exam)), np.flatnonzero(exam.item_codes() == twice)])
    again = Fitting(replace(LESSON, exam=exam.at(repeated)), CONFIG)
    again.network.load_state_dict(Fitting(LESSON, CONFIG).network.state_dict())
    assert again._validation_losses() == pytest.approx(before, rel=1e-6)


def test_ranks_together_validate_what_one_process_does() -> None:
    """B8: validation is divided among the workers; summed up it is that of a single one."""
    alone = Fitting(LESSON, CONFIG).best_losses
    shared: list[torch.Tensor] = []

    def put_away(figures: torch.Tensor) -> torch.Tensor:
        shared.append(figures.clone())
        return figures

    for rank in range(3):
        Fitting(LESSON, CONFIG, Shard(rank, 3, put_away))
    totals_M, weights_M = torch.stack(shared).sum(dim=0).unbind(dim=1)
    assert (totals_M / weights_M).tolist() == pytest.approx(alone, rel=1e-6)


def test_preparing_names_every_shape_and_its_limits() -> None:
    """A6: whose windows they are, how long their bins, and each row's place among the shapes."""
    rows = mixed_windows(150, seed=2)
    lesson = prepare(rows)
    assert [known.shape for known in lesson.shapes] == list(SHAPES)
    assert [known.name for known in lesson.shapes] == ["months", "north", "places"]
    assert lesson.shapes[0].bin_days == (29.0, 31.0)
    for row in (0, 7, 300):
        shape = (rows["n_obs"][row].as_py(), rows["n_fut"][row].as_py())
        assert SHAPES[lesson.exam.place_W[row]] == shape
    known = prepare(rows, lesson.shapes[::-1])
    assert known.shapes == lesson.shapes[::-1]
    assert np.array_equal(known.exam.place_W, 2 - lesson.exam.place_W)


def test_what_cannot_be_learned_from_is_refused_before_a_run() -> None:
    """A6: too few items of one shape, no windows, or a horizon that is not over yet."""
    rows = mixed_windows(150, seed=2)
    few = pa.concat_tables([rows, access_windows(4, seed=1, shape=SHAPES[0]._replace(n_fut=9))])
    with pytest.raises(WindowInvalid, match="a member of the network has no windows") as caught:
        prepare(few)
    assert "2 bins seen, 9 forecast" in caught.value.where
    with pytest.raises(WindowInvalid, match="no windows"):
        prepare(rows.slice(0, 0))
    with pytest.raises(WindowInvalid, match="fut_total"):
        prepare(with_cell(ROWS, "fut_total", 0, None))

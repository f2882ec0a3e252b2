"""The second model: what spreads teaches the first one, without it forgetting what it knew (S540).

Windows whose propagation index reaches the preset are gated in (S541). The first model's index
on them is the third index (S542), and its loss there is the loss data (S543), which says on
which of them there is most to learn. Measured on real accesses, learning from gated windows
alone makes a model worse, because they are a biased sample. So a random sample of the others is
learned beside them, and old windows are rehearsed, half by their labels and half by the first
model's own forecasts (Buzzega et al. 2020, DER++). Of the way from the first weights to those
learned, only as much is gone as old validation items bear (Wortsman et al. 2022, interpolation).
A window shape that is new gets a linear forecast of its own first; the others keep theirs.

The second model is given out only if it is better on new windows and within a bound on old ones;
otherwise nothing changes (S544, S550). A new shape may do with its linear forecast. Every window is
judged by the member that keeps its item apart: that member never learned from it, in the first
model or in the update.

Shapes: B batch, M members, O outputs, W windows.
"""

from copy import deepcopy
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pyarrow as pa
import torch

from cluster.contracts.trend import ShapeChange, UpdateReport
from cluster.learning.chance import reproducible
from cluster.trend.artefact import Profile, ShapeProfile, TrendModel, member_outputs, save
from cluster.trend.exam import Exam
from cluster.trend.folds import N_MEMBERS
from cluster.trend.lesson import prepare
from cluster.trend.metrics import interval
from cluster.trend.network import TrendNetwork, Y, grown
from cluster.trend.publish import examine, kept_apart, recalibrated, weigh_correction
from cluster.trend.rehearsal import Choice, Recipe, choose, learn
from cluster.trend.windows import Floats, Mask, Rows

Gate = Literal["propagation", "usages", "none"]
"""Who is gated in: by propagation index; by usages, for sources without paths; or all."""
GATED_MIN: Final = 20
"""Gated windows of which at least an update is made."""
GUARD_MIN: Final = 20
"""Items that the guard set must have, of the old and of the new."""
USAGES_QUANTILE: Final = 0.75
STRIDES: Final = (1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
"""Shares of the way from the first weights to the learned ones that are tried."""
OF_SHAPES: Final = ("slope", "level", "entry_bias", "label_slope", "head_bias")
"""Weights of which each shape has its own."""
BOUND_SHARE: Final = 0.5
"""Part of the allowed rise that a stride may use on validation items, as they are a sample."""


DEFAULT: Final = Recipe()


@dataclass(frozen=True)
class Terms:
    """On what terms a model is updated."""

    preset: float
    """Propagation index from which a window is gated in."""
    forgetting_max: float
    """Rise of the MSLE on old guard windows that is allowed."""
    seed: int
    gate: Gate = "propagation"


@dataclass(frozen=True)
class Pools:
    """The windows of an update."""

    old: Exam
    new: Exam
    shapes: tuple[ShapeProfile, ...]
    """Of both, in the order of the network's."""
    n_known: int
    """Window shapes that the first model has; others come after them."""

    @property
    def met(self) -> range:
        """Places of the shapes that are new."""
        return range(self.n_known, len(self.shapes))


@dataclass(frozen=True)
class GuardErrors:
    """Squared errors on kept-apart windows, one by one."""

    old_W: Floats
    new_W: Floats
    old: float
    """Mean squared error on the old ones, shapes weighing alike."""
    new: float


@dataclass(frozen=True)
class Course:
    """What an update learned from, and what came of it."""

    choice: Choice
    pools: Pools
    before: GuardErrors
    after: GuardErrors


def update(  # noqa: PLR0913 - the model, both sets of windows, and the presets of the step
    first: TrendModel,
    *,
    old: pa.Table,
    new: pa.Table,
    preset: float,
    forgetting_max: float,
    seed: int,
    gate: Gate = "propagation",
    recipe: Recipe = DEFAULT,
) -> tuple[bytes | None, UpdateReport]:
    """Update the first model by new windows, and give the second one out only if it is better.

    Args:
        first: the model in use.
        old: windows with labels from which ``first`` was trained.
        new: windows with labels that came since; of shapes that the model knows, or of new ones.
        preset: propagation index from which a window is gated in.
        forgetting_max: rise of the MSLE on old guard windows that is allowed.
        seed: of the random choices; the same inputs and seed give the same bytes.
        gate: by what windows are gated in.
        recipe: how it is learned.

    Returns:
        The second model's bytes, or None where it is not to be published, and the report. In the
        report the errors after are those before where nothing was trained, and 0 where the guard
        set has no window.

    Raises:
        WindowInvalid: a window is not usable or has no label, or an old one is none of the model's.
    """
    terms = Terms(preset, forgetting_max, seed, gate)
    with reproducible(seed):
        start, pools = begin(first, old, new)
        choice = choose(start, pools.old, pools.new, gated(pools.new, gate, preset), recipe, seed)
        before = guard_errors(start, pools)
        reason = _obstacle(choice, pools, gate)
        if reason:
            return None, _report(terms, Course(choice, pools, before, before), reason)
        _open(start, pools)
        start.share_S[list(pools.met)] = 1.0
        learned = learn(start, pools.old, pools.new, choice, recipe, seed)
        _weigh(learned, pools)
        start.share_S.copy_(learned.share_S)
        network = _stride(start, learned, pools, forgetting_max) if recipe.is_bounded else learned
        _weigh(network, pools)
        after = guard_errors(network, pools)
        reason = _objection(before, after, pools, forgetting_max) if recipe.is_bounded else ""
        report = _report(terms, Course(choice, pools, before, after), reason)
        if reason:
            return None, report
        answers = [(exam, kept_apart(network, exam)) for exam in (pools.old, pools.new)]
        profile = Profile(
            role="second",
            parent=first.version,
            seed=seed,
            shapes=recalibrated(_widened(pools, choice), answers),
            left_out=first.profile.left_out,
        )
        return save(network, profile), report


def begin(first: TrendModel, old: pa.Table, new: pa.Table) -> tuple[TrendNetwork, Pools]:
    """Return the network that an update starts from, and the windows as it sees them.

    Raises:
        WindowInvalid: a window is not usable or has no label, or an old one is none of the model's.
    """
    lesson = prepare(new, first.profile.shapes, first.profile.left_out)
    pools = Pools(examine(first, old), lesson.exam, lesson.shapes, len(first.profile.shapes))
    return _start(first, pools), pools


def gated(new: Exam, gate: Gate, preset: float) -> Mask:
    """Say which new windows are gated in, shape [W] (S541)."""
    if gate == "none":
        return np.ones(len(new), dtype=bool)
    if gate == "propagation":
        return np.asarray(new.features.propagation_W >= preset)
    usages_W, gated_W = new.features.usages_mean_W, np.zeros(len(new), dtype=bool)
    for place in np.unique(new.place_W):
        rows = new.place_W == place
        least = np.quantile(usages_W[rows], USAGES_QUANTILE)
        gated_W[rows] = (usages_W[rows] >= least) & (usages_W[rows] > 0)
    return gated_W


def _start(first: TrendModel, pools: Pools) -> TrendNetwork:
    """Return the first network, with a linear forecast for each shape that is new."""
    n_shapes = len(pools.shapes)
    places = [place if place < pools.n_known else None for place in range(n_shapes)]
    network = grown(first.trainable_network(), places)
    for place in pools.met:
        part = pools.new.at(pools.new.place_W == place)
        inputs_RF, y_R = (
            torch.from_numpy(part.features.inputs_WF),
            torch.from_numpy(part.labels.y_W),
        )
        network.learn_shape(place, inputs_RF, y_R, part.folds.training_MW)
        network.share_S[place] = 0.0  # what the layers have learned is of other shapes
    return network.eval()


def _open(network: TrendNetwork, pools: Pools) -> None:
    """Let features count that vary in the new windows and did not in the old ones."""
    for place in range(pools.n_known):
        part = pools.new.at(pools.new.place_W == place)
        if len(part):
            network.open_inputs(place, torch.from_numpy(part.features.inputs_WF))


def _weigh(network: TrendNetwork, pools: Pools) -> None:
    """Add as much of the correction to the linear forecast of a new shape as holds."""
    network.share_S[list(pools.met)] = 1.0
    weigh_correction(network, pools.new, pools.met)


def guard_errors(network: TrendNetwork, pools: Pools) -> GuardErrors:
    """Return the squared errors of the guard set: each window by the member that keeps it apart."""
    old_W, new_W = (
        (kept_apart(network, exam)[:, Y] - exam.labels.y_W) ** 2 for exam in (pools.old, pools.new)
    )
    return GuardErrors(old_W, new_W, _by_shape(old_W, pools.old), _by_shape(new_W, pools.new))


def _by_shape(error_W: Floats, exam: Exam) -> float:
    """Return the mean of a figure, window shapes weighing alike; 0 where there is no window."""
    means = [float(error_W[exam.place_W == place].mean()) for place in np.unique(exam.place_W)]
    return sum(means) / len(means) if means else 0.0


def _validation_errors(network: TrendNetwork, exam: Exam) -> Floats:
    """Return each member's error on the windows by which it stops, shapes alike, shape [M]."""
    part = exam.at(np.asarray(exam.folds.validation_MW.any(axis=0)))
    outputs_MW = member_outputs(network, part.features, part.place_W)[..., Y]
    error_MW = (outputs_MW - part.labels.y_W) ** 2
    return np.array(
        [
            _by_shape(error_MW[member, rows_W], part.at(rows_W))
            for member, rows_W in enumerate(part.folds.validation_MW)
        ]
    )


def _obstacle(choice: Choice, pools: Pools, gate: Gate) -> str:
    """Say why no update can be made, if it cannot."""
    if len(choice.gated) < GATED_MIN:
        whose = {
            "propagation": "windows reach the propagation preset",
            "usages": "windows are in the top quarter by usages",
            "none": "new windows",
        }[gate]
        return f"too few {whose}: {len(choice.gated)} of {GATED_MIN}"
    n_old, n_new = (len(exam.items.unique()) for exam in (pools.old, pools.new))
    if min(n_old, n_new) < GUARD_MIN:
        return f"too few items to guard by: {n_old} old and {n_new} new of {GUARD_MIN} each"
    return ""


def _objection(before: GuardErrors, after: GuardErrors, pools: Pools, forgetting_max: float) -> str:
    """Say why the second model is not accepted, if it is not."""
    # Of a shape that is new the first model says nothing: its linear forecast is a gain by itself.
    is_better = after.new <= before.new if pools.met else after.new < before.new
    if not is_better:
        return f"no better on new windows: MSLE {before.new:.4f} before, {after.new:.4f} after"
    if not after.old <= before.old + forgetting_max:
        return (
            f"forgets too much: MSLE on old windows {before.old:.4f} before, {after.old:.4f} "
            f"after, allowed {forgetting_max:.4f} more"
        )
    return ""


def _stride(
    start: TrendNetwork, learned: TrendNetwork, pools: Pools, forgetting_max: float
) -> TrendNetwork:
    """Go from the start towards the learned weights as far as is best for validation items.

    Each member goes as far as its own say. Best is the lowest sum of the errors on old and new
    ones, so that little is not gained for much, among the strides that keep the rise on old ones
    within a part of the bound; where none does, the shortest.
    """
    bound_M = _validation_errors(start, pools.old) + BOUND_SHARE * forgetting_max
    old, new = [], []
    for share in STRIDES:
        network = _between(start, learned, np.full(N_MEMBERS, share), pools.met)
        old.append(_validation_errors(network, pools.old))
        new.append(_validation_errors(network, pools.new))
    old_KM, new_KM = np.array(old), np.array(new)
    within_KM = old_KM <= bound_M
    within_KM[-1] |= ~within_KM.any(axis=0)
    chosen_M = np.where(within_KM, old_KM + new_KM, np.inf).argmin(axis=0)
    return _between(start, learned, np.array(STRIDES)[chosen_M], pools.met)


def _between(
    start: TrendNetwork, learned: TrendNetwork, share_M: Floats, met: range
) -> TrendNetwork:
    """Return the network whose members lie these shares of the way between two others.

    What belongs to a shape that is new goes all the way: no other forecast depends on it.
    """
    network = deepcopy(start)
    ahead, places = dict(learned.named_parameters()), list(met)
    with torch.no_grad():
        for name, weights in network.named_parameters():
            for member, share in enumerate(share_M.tolist()):
                weights[member] = torch.lerp(weights[member], ahead[name][member], share)
            if name in OF_SHAPES:
                weights[:, places] = ahead[name][:, places]
    return network.eval()


def _widened(pools: Pools, choice: Choice) -> tuple[ShapeProfile, ...]:
    """Return the shapes with the lengths of bins that the update has learned from."""
    learned = pools.new.at(np.concatenate([choice.gated, choice.random]))
    found = list(pools.shapes)
    for place in np.unique(learned.place_W).tolist():
        days = learned.features.bin_days_W[learned.place_W == place]
        shortest, longest = found[place].bin_days
        ends = (min(shortest, float(days.min())), max(longest, float(days.max())))
        found[place] = found[place].model_copy(update={"bin_days": ends})
    return tuple(found)


def _report(terms: Terms, course: Course, reason: str) -> UpdateReport:
    """Report what was done; an empty reason means that nothing spoke against the second model."""
    choice, pools, before, after = course.choice, course.pools, course.before, course.after
    return UpdateReport(
        accepted=not reason,
        reason=reason or "better on new windows and within the bound on old ones",
        n_gated=len(choice.gated),
        n_random=len(choice.random),
        n_rehearsal=len(choice.rehearsal),
        gate=terms.gate,
        propagation_preset=terms.preset,
        forgetting_max=terms.forgetting_max,
        loss_data_mean=float(choice.loss_data_MG.mean()) if len(choice.gated) else 0.0,
        old_before=before.old,
        old_after=after.old,
        new_before=before.new,
        new_after=after.new,
        old_change=change(pools.old, before.old_W, after.old_W),
        new_change=change(pools.new, before.new_W, after.new_W),
        old_shapes=shape_changes(pools.shapes, pools.old, before.old_W, after.old_W),
        new_shapes=shape_changes(pools.shapes, pools.new, before.new_W, after.new_W),
    )


def change(exam: Exam, before_W: Floats, after_W: Floats) -> tuple[float, float]:
    """Return the 95 % interval of the change of the error, items drawn anew, shapes alike."""
    if not len(exam):
        return 0.0, 0.0
    counts_S = np.bincount(exam.place_W)
    weight_W = len(exam) / (np.count_nonzero(counts_S) * counts_S[exam.place_W])
    return interval(exam.items, weight_W * (after_W - before_W))


def shape_changes(
    shapes: tuple[ShapeProfile, ...], exam: Exam, before_W: Floats, after_W: Floats
) -> tuple[ShapeChange, ...]:
    """Return the change of the error on windows of each shape that occurs."""
    found = []
    for place in np.unique(exam.place_W).tolist():
        rows: Rows = np.flatnonzero(exam.place_W == place)
        known = shapes[place]
        found.append(
            ShapeChange(
                name=known.name,
                n_obs=known.n_obs,
                n_fut=known.n_fut,
                n_windows=len(rows),
                before=float(before_W[rows].mean()),
                after=float(after_W[rows].mean()),
                change=interval(exam.items.take(rows), (after_W - before_W)[rows]),
            )
        )
    return tuple(found)

"""The second model: what spreads teaches the first one, without it forgetting what it knew (S540).

Windows whose propagation index reaches the preset are gated in (S541). The first model's index
on them is the third index (S542), and its loss there is the loss data (S543), which says on
which of them there is most to learn. Measured on real accesses, learning from gated windows
alone makes a model worse, because they are a biased sample. So a random sample of the others is
learned beside them, and old windows are rehearsed, half by their labels and half by the first
model's own forecasts (Buzzega et al. 2020, DER++). Of the way from the first weights to those
learned, only as much is gone as old validation items bear (Wortsman et al. 2022, interpolation).

The second model is given out only if it is better on new windows and within a bound on old ones,
on items that neither model has learned from; otherwise nothing changes (S544, S550).

Shapes: B batch, F features, W windows.
"""

import math
from copy import deepcopy
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from cluster.contracts.trend import UpdateReport
from cluster.trend.artefact import Profile, TrendModel, network_outputs, save
from cluster.trend.features import (
    VALIDATION_SALT,
    Floats,
    Mask,
    hold_out_mask,
    labels,
    windows_to_features,
)
from cluster.trend.fit import GRADIENT_NORM_MAX, calibrate
from cluster.trend.metrics import msle
from cluster.trend.network import TrendNetwork, reproducible, window_loss

GATED_MIN: Final = 20
"""Gated windows of which at least an update is made."""
GUARD_MIN: Final = 20
"""Windows that the guard set must have, of the old and of the new."""
LOSS_WEIGHT_RANGE: Final = (0.5, 2.0)
"""Bounds of a gated window's weight: its loss over their mean."""
REHEARSAL_SHARE: Final = 0.1
"""Share of the old windows that is rehearsed, if that is more than the windows learned."""
DISTILLATION: Final = 0.5
"""Part of the loss on rehearsed windows that asks to stay with the first model."""
HOT_WEIGHT: Final = 1.0
LR: Final = 1e-3
WEIGHT_DECAY: Final = 1e-3
BATCH_SIZE: Final = 64
EPOCHS: Final = 12
STEPS_MIN: Final = 120
"""Where there are few windows, more epochs make up for it."""
STRIDES: Final = (1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
"""Shares of the way from the first weights to the learned ones that are tried."""
BOUND_SHARE: Final = 0.5
"""Part of the allowed rise that a stride may use on validation items, as they are a sample."""


@dataclass(frozen=True)
class _Pool:
    """Old or new windows as arrays."""

    inputs_WF: NDArray[np.float32]
    y_W: Floats
    guard_W: Mask
    """Items held out from every training and every choice."""
    validation_W: Mask
    """Items on which the stride is chosen."""
    propagation_W: Floats
    period_days_W: Floats

    @property
    def training_W(self) -> Mask:
        """Items that may be learned from."""
        return ~self.guard_W & ~self.validation_W


@dataclass(frozen=True)
class _Lesson:
    """What the update learns from; for each window its targets and its weight."""

    inputs_BF: Tensor
    y_B: Tensor
    hot_B: Tensor
    weight_B: Tensor
    distilled_B: Tensor
    """Part of the loss that is distance from the first model, 0 to 1."""
    first_y_B: Tensor
    first_probability_B: Tensor


@dataclass(frozen=True)
class _Choice:
    """Rows that were chosen for the update."""

    gated: NDArray[np.int64]
    random: NDArray[np.int64]
    rehearsal: NDArray[np.int64]
    loss_data: Floats
    """Loss of the third index on each gated window."""


def update(
    first: TrendModel,
    *,
    old: pa.Table,
    new: pa.Table,
    preset: float,
    forgetting_max: float,
    seed: int,
) -> tuple[bytes | None, UpdateReport]:
    """Update the first model by new windows, and give the second one out only if it is better.

    Args:
        first: the model in use.
        old: windows with labels from which ``first`` was trained, its held-out items included.
        new: windows with labels and propagation indexes that came since.
        preset: propagation index from which a window is gated in.
        forgetting_max: rise of the MSLE on old guard windows that is allowed.
        seed: of the random choices; the same inputs and seed give the same bytes.

    Returns:
        The second model's bytes, or None where it is not to be published, and the report. In the
        report the errors after are those before where nothing was trained, and 0 where the guard
        set has no window.

    Raises:
        WindowInvalid: a window is not usable or has no label.
    """
    with reproducible(seed):
        old_pool, new_pool = _pool(old), _pool(new)
        choice = _choose(first, old_pool, new_pool, preset, seed)
        before = _guard_errors(first.network, old_pool, new_pool)
        reason = _obstacle(choice, old_pool, new_pool)
        if reason:
            return None, _report(choice, preset, before, before, reason=reason)
        start = first.trainable_network()
        lesson = _lesson(first, old_pool, new_pool, choice)
        start.open_inputs(lesson.inputs_BF.numpy())
        learned = _train(start, lesson, seed)
        network = _stride(start, learned, old_pool, new_pool, forgetting_max)
        after = _guard_errors(network, old_pool, new_pool)
        reason = _objection(before, after, forgetting_max)
        if reason:
            return None, _report(choice, preset, before, after, reason=reason)
        content = save(network, _profile(first, network, old_pool, new_pool, seed))
        return content, _report(choice, preset, before, after, reason="")


def _pool(windows: pa.Table) -> _Pool:
    features = windows_to_features(windows)
    guard_W = hold_out_mask(windows["item_id"])
    return _Pool(
        inputs_WF=features.inputs_WF,
        y_W=labels(windows),
        guard_W=guard_W,
        validation_W=hold_out_mask(windows["item_id"], salt=VALIDATION_SALT) & ~guard_W,
        propagation_W=features.propagation_W,
        period_days_W=features.period_days_W,
    )


def _choose(first: TrendModel, old: _Pool, new: _Pool, preset: float, seed: int) -> _Choice:
    """Gate the new windows (S541), and draw as many others and old ones to go with them."""
    generator = np.random.default_rng([seed, 0])
    is_gated_W = new.propagation_W >= preset
    gated = np.flatnonzero(is_gated_W & new.training_W)
    others = np.flatnonzero(~is_gated_W & new.training_W)
    random = generator.choice(others, min(len(gated), len(others)), replace=False)
    known = np.flatnonzero(old.training_W)
    wanted = max(len(gated) + len(random), math.ceil(REHEARSAL_SHARE * len(known)))
    rehearsal = generator.choice(known, min(wanted, len(known)), replace=False)
    return _Choice(gated, random, rehearsal, _loss_data(first, new, gated))


def _loss_data(first: TrendModel, new: _Pool, gated: NDArray[np.int64]) -> Floats:
    """Return the loss of the third index on each gated window (S542, S543)."""
    y_B, logit_B = first.outputs(new.inputs_WF[gated])
    calibration = first.profile.calibration
    outputs = (
        torch.from_numpy(y_B),
        torch.from_numpy(calibration.slope * logit_B + calibration.bias),
    )
    target_B = new.y_W[gated]
    hot_B = (target_B >= first.profile.hot_threshold_log2).astype(np.float64)
    loss_B = window_loss(outputs, torch.from_numpy(target_B), torch.from_numpy(hot_B), HOT_WEIGHT)
    return np.asarray(loss_B.numpy(), dtype=np.float64)


def _guard_errors(network: TrendNetwork, old: _Pool, new: _Pool) -> tuple[float, float]:
    """Return the MSLE on old and on new guard windows."""
    return _error(network, old, old.guard_W), _error(network, new, new.guard_W)


def _error(network: TrendNetwork, pool: _Pool, rows_W: Mask) -> float:
    """Return the MSLE on these rows; 0 where there are none."""
    if not rows_W.any():
        return 0.0
    y_W, _ = network_outputs(network, pool.inputs_WF[rows_W])
    return msle(pool.y_W[rows_W], y_W)


def _obstacle(choice: _Choice, old: _Pool, new: _Pool) -> str:
    """Say why no update can be made, if it cannot."""
    if len(choice.gated) < GATED_MIN:
        return f"too few windows reach the propagation preset: {len(choice.gated)} of {GATED_MIN}"
    guards = int(old.guard_W.sum()), int(new.guard_W.sum())
    if min(guards) < GUARD_MIN:
        return f"too few guard windows: {guards[0]} old and {guards[1]} new of {GUARD_MIN} each"
    if len(choice.rehearsal) == 0:
        return "no old windows to rehearse"
    return ""


def _objection(
    before: tuple[float, float], after: tuple[float, float], forgetting_max: float
) -> str:
    """Say why the second model is not accepted, if it is not."""
    if not after[1] < before[1]:
        return f"no better on new windows: MSLE {before[1]:.4f} before, {after[1]:.4f} after"
    if not after[0] <= before[0] + forgetting_max:
        return (
            f"forgets too much: MSLE on old windows {before[0]:.4f} before, {after[0]:.4f} after, "
            f"allowed {forgetting_max:.4f} more"
        )
    return ""


def _lesson(first: TrendModel, old: _Pool, new: _Pool, choice: _Choice) -> _Lesson:
    """Put the gated, random and rehearsed windows together."""
    n_new = len(choice.gated) + len(choice.random)
    n_old = len(choice.rehearsal)
    rows = np.concatenate([choice.gated, choice.random])
    inputs_BF = np.concatenate([new.inputs_WF[rows], old.inputs_WF[choice.rehearsal]])
    y_B = np.concatenate([new.y_W[rows], old.y_W[choice.rehearsal]])
    relative = choice.loss_data / max(float(choice.loss_data.mean()), 1e-12)
    gated_weight = np.clip(relative, *LOSS_WEIGHT_RANGE)
    weight_B = np.concatenate([gated_weight, np.ones(len(choice.random) + n_old)])
    first_y_B, first_logit_B = first.outputs(inputs_BF)
    arrays = (
        inputs_BF,
        y_B,
        y_B >= first.profile.hot_threshold_log2,
        weight_B,
        np.repeat([0.0, DISTILLATION], [n_new, n_old]),
        first_y_B,
        0.5 * (1 + np.tanh(0.5 * first_logit_B)),
    )
    return _Lesson(*(torch.tensor(array, dtype=torch.float32) for array in arrays))


def _train(start: TrendNetwork, lesson: _Lesson, seed: int) -> TrendNetwork:
    """Return the network after learning the lesson (S544)."""
    network = deepcopy(start).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=LR, weight_decay=WEIGHT_DECAY)
    generator = np.random.default_rng([seed, 1])
    n = len(lesson.y_B)
    epochs = max(EPOCHS, math.ceil(STEPS_MIN / math.ceil(n / BATCH_SIZE)))
    for _ in range(epochs):
        order = torch.from_numpy(generator.permutation(n))
        for row in range(0, n, BATCH_SIZE):
            loss = _lesson_loss(network, lesson, order[row : row + BATCH_SIZE])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_NORM_MAX)
            optimizer.step()
    return network.eval()


def _stride(
    start: TrendNetwork, learned: TrendNetwork, old: _Pool, new: _Pool, forgetting_max: float
) -> TrendNetwork:
    """Go from the start towards the learned weights as far as is best for validation items.

    Best is the lowest error on new ones among the strides that keep the rise on old ones within
    a part of the bound; where none does, the shortest.
    """
    candidates = [_between(start, learned, share) for share in STRIDES]
    bound = _error(start, old, old.validation_W) + BOUND_SHARE * forgetting_max
    within = [network for network in candidates if _error(network, old, old.validation_W) <= bound]
    return min(
        within or candidates[-1:], key=lambda network: _error(network, new, new.validation_W)
    )


def _between(start: TrendNetwork, learned: TrendNetwork, share: float) -> TrendNetwork:
    """Return the network with weights that lie this share of the way between two others."""
    network = deepcopy(start)
    ahead = learned.state_dict()
    network.load_state_dict(
        {
            name: torch.lerp(tensor, ahead[name], share)
            for name, tensor in start.state_dict().items()
        }
    )
    return network.eval()


def _lesson_loss(network: TrendNetwork, lesson: _Lesson, rows: Tensor) -> Tensor:
    """Return the weighted mean of label loss and distance from the first model."""
    outputs = network(lesson.inputs_BF[rows])
    label_B = window_loss(outputs, lesson.y_B[rows], lesson.hot_B[rows], HOT_WEIGHT)
    first_B = window_loss(
        outputs, lesson.first_y_B[rows], lesson.first_probability_B[rows], HOT_WEIGHT
    )
    distilled_B = lesson.distilled_B[rows]
    return (lesson.weight_B[rows] * torch.lerp(label_B, first_B, distilled_B)).mean()


def _profile(
    first: TrendModel, network: TrendNetwork, old: _Pool, new: _Pool, seed: int
) -> Profile:
    """Calibrate the second model on all windows that may be learned from."""
    inputs_WF = np.concatenate([pool.inputs_WF[~pool.guard_W] for pool in (old, new)])
    y_W = np.concatenate([pool.y_W[~pool.guard_W] for pool in (old, new)])
    _, logit_W = network_outputs(network, inputs_WF)
    shortest, longest = first.profile.period_days
    period_days = new.period_days_W[~new.guard_W]
    return Profile(
        role="second",
        parent=first.version,
        seed=seed,
        calibration=calibrate(logit_W, y_W >= first.profile.hot_threshold_log2),
        hot_threshold_log2=first.profile.hot_threshold_log2,
        period_days=(
            min(shortest, float(period_days.min())),
            max(longest, float(period_days.max())),
        ),
    )


def _report(
    choice: _Choice,
    preset: float,
    before: tuple[float, float],
    after: tuple[float, float],
    *,
    reason: str,
) -> UpdateReport:
    """Report what was done; an empty reason means that nothing spoke against the second model."""
    return UpdateReport(
        accepted=not reason,
        reason=reason or "better on new windows and within the bound on old ones",
        n_gated=len(choice.gated),
        n_random=len(choice.random),
        n_rehearsal=len(choice.rehearsal),
        propagation_preset=preset,
        loss_data_mean=float(choice.loss_data.mean()) if len(choice.loss_data) else 0.0,
        old_before=before[0],
        old_after=after[0],
        new_before=before[1],
        new_after=after[1],
    )

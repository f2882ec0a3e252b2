"""What an update learns from, and the learning itself (S541-S544).

Chosen are gated windows, a random sample of the others, and old ones to rehearse. Gated windows
weigh by the loss data: what the first model already knew counts little. Rehearsed ones are learned
half by their labels and half by the first model's own forecasts. Each member learns only from
windows whose items it may learn from: nothing that steers its weights looks at the others.

Shapes: B batch, M members, O outputs, W windows.
"""

import math
from copy import deepcopy
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from cluster.trend.artefact import member_outputs
from cluster.trend.exam import Exam
from cluster.trend.fit import GRADIENT_NORM_MAX
from cluster.trend.folds import N_MEMBERS
from cluster.trend.network import HOT, TrendNetwork, limit_gradients, window_loss
from cluster.trend.windows import Floats, Mask, Rows

LOSS_WEIGHT_RANGE: Final = (0.5, 2.0)
"""Bounds of a gated window's weight: its loss over their mean."""
LABEL_WEIGHT: Final = 1.0


@dataclass(frozen=True)
class Recipe:
    """How an update learns."""

    random_share: float = 1.0
    """Random ungated windows for each gated one."""
    rehearsal_share: float = 0.1
    """Share of the old windows that is rehearsed, at the least."""
    rehearsal_ratio: float = 1.0
    """Old windows rehearsed for each new one learned, at the least."""
    is_rehearsed: bool = True
    """Old windows are rehearsed at all."""
    distillation: float = 0.5
    """Part of the loss on rehearsed windows that asks to stay with the first model."""
    is_bounded: bool = True
    """Only as far towards the learned weights as old validation items bear, and guarded."""
    lr: float = 1e-3
    weight_decay: float = 1e-3
    batch_size: int = 128
    epochs: int = 12
    steps_min: int = 120
    """Where there are few windows, more epochs make up for it."""


@dataclass(frozen=True)
class Choice:
    """Rows that were chosen for the update."""

    gated: Rows
    random: Rows
    rehearsal: Rows
    loss_data_MG: Floats
    """Loss of every member's third index on each gated window."""


@dataclass(frozen=True)
class _Lesson:
    """What the update learns from; for each window its targets, its weight, and for whom it is."""

    inputs_BF: Tensor
    place_B: Tensor
    targets_BO: Tensor
    first_MBO: Tensor
    """What the first model says; labels as probabilities."""
    weight_MB: Tensor
    distilled_B: Tensor
    """Part of the loss that is distance from the first model, 0 to 1."""


def choose(
    first: TrendNetwork, old: Exam, new: Exam, gated_W: Mask, recipe: Recipe, seed: int
) -> Choice:
    """Gate the new windows (S541), and draw others and old ones to go with them."""
    generator = np.random.default_rng([seed, 0])
    gated, others = np.flatnonzero(gated_W), np.flatnonzero(~gated_W)
    n_random = min(round(recipe.random_share * len(gated)), len(others))
    random = generator.choice(others, n_random, replace=False)
    n_old = len(old.place_W)
    beside = round(recipe.rehearsal_ratio * (len(gated) + len(random)))
    wanted = max(beside, math.ceil(recipe.rehearsal_share * n_old))
    n_rehearsed = min(wanted, n_old) if recipe.is_rehearsed else 0
    rehearsal = generator.choice(n_old, n_rehearsed, replace=False)
    return Choice(gated, random, rehearsal, _loss_data(first, new, gated))


def learn(
    start: TrendNetwork, old: Exam, new: Exam, choice: Choice, recipe: Recipe, seed: int
) -> TrendNetwork:
    """Return the network after learning what was chosen (S544).

    The linear forecast of a shape without old windows has just been fitted, and stays.
    """
    lesson = _lesson(start, old, new, choice, recipe)
    network = deepcopy(start).train()
    fitted = np.setdiff1d(new.place_W, old.place_W).tolist()
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay
    )
    generator = np.random.default_rng([seed, 1])
    n, size = len(lesson.place_B), recipe.batch_size
    for _ in range(max(recipe.epochs, math.ceil(recipe.steps_min / math.ceil(n / size)))):
        order = torch.from_numpy(generator.permutation(n))
        for rows in torch.split(order, size):
            loss = _lesson_loss(network, lesson, rows)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            limit_gradients(network, GRADIENT_NORM_MAX)
            optimizer.step()
            with torch.no_grad():
                network.slope[:, fitted] = start.slope[:, fitted]
                network.level[:, fitted] = start.level[:, fitted]
    return network.eval()


def loss_weights(loss_data_MG: Floats, may_MG: Mask) -> Floats:
    """Return how much each gated window counts for each member, shape [M, G].

    A window counts by its loss over the mean loss of those that the member may learn from.

    Args:
        loss_data_MG: loss of the member's third index on each gated window.
        may_MG: the member may learn from the window.
    """
    mean_M = (may_MG * loss_data_MG).sum(axis=1) / np.maximum(may_MG.sum(axis=1), 1)
    relative_MG = loss_data_MG / np.maximum(mean_M, 1e-12)[:, None]
    return np.asarray(np.clip(relative_MG, *LOSS_WEIGHT_RANGE))


def _loss_data(first: TrendNetwork, new: Exam, gated: Rows) -> Floats:
    """Return the loss of every member's third index on each gated window (S542, S543), [M, G]."""
    part = new.at(gated)
    outputs_MBO = torch.from_numpy(member_outputs(first, part.features, part.place_W))
    targets_MBO = torch.from_numpy(part.targets_WO().astype(np.float64)).expand(N_MEMBERS, -1, -1)
    error_MB = first.error_MS[:, torch.from_numpy(part.place_W)].double()
    loss_MB = window_loss(outputs_MBO, targets_MBO, error_MB, LABEL_WEIGHT)
    return np.asarray(loss_MB.numpy(), dtype=np.float64)


def _lesson(start: TrendNetwork, old: Exam, new: Exam, choice: Choice, recipe: Recipe) -> _Lesson:
    """Put the gated, random and rehearsed windows together."""
    fresh, known = new.at(np.concatenate([choice.gated, choice.random])), old.at(choice.rehearsal)
    may_MB = np.concatenate([fresh.folds.training_MW, known.folds.training_MW], axis=1)
    weight_MB, n_gated = may_MB.astype(np.float64), len(choice.gated)
    weight_MB[:, :n_gated] *= loss_weights(choice.loss_data_MG, may_MB[:, :n_gated])
    first_MBO = np.concatenate(
        [member_outputs(start, part.features, part.place_W) for part in (fresh, known)], axis=1
    )
    first_MBO[..., HOT:] = 0.5 * (1 + np.tanh(0.5 * first_MBO[..., HOT:]))
    parts = (fresh, known)
    return _Lesson(
        inputs_BF=torch.from_numpy(np.concatenate([part.features.inputs_WF for part in parts])),
        place_B=torch.from_numpy(np.concatenate([part.place_W for part in parts])),
        targets_BO=torch.from_numpy(np.concatenate([part.targets_WO() for part in parts])),
        first_MBO=torch.from_numpy(first_MBO).float(),
        weight_MB=torch.from_numpy(weight_MB).float(),
        distilled_B=torch.from_numpy(
            np.repeat([0.0, recipe.distillation], [len(fresh.place_W), len(known.place_W)])
        ).float(),
    )


def _lesson_loss(network: TrendNetwork, lesson: _Lesson, rows: Tensor) -> Tensor:
    """Return the weighted mean of label loss and distance from the first model, over members."""
    place_B = lesson.place_B[rows]
    outputs_MBO = network(lesson.inputs_BF[rows], place_B)
    error_MB = network.error_MS[:, place_B]
    targets_MBO = lesson.targets_BO[rows].expand(N_MEMBERS, -1, -1)
    label_MB = window_loss(outputs_MBO, targets_MBO, error_MB, LABEL_WEIGHT)
    first_MB = window_loss(outputs_MBO, lesson.first_MBO[:, rows], error_MB, LABEL_WEIGHT)
    loss_MB = torch.lerp(label_MB, first_MB, lesson.distilled_B[rows])
    weight_MB = lesson.weight_MB[:, rows]
    mean_M = (weight_MB * loss_MB).sum(dim=1) / weight_MB.sum(dim=1).clamp_min(1)
    return mean_M.mean()

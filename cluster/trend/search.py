"""Which configurations of a first model a search tries, and by what it judges them (S600).

How values are drawn from ``SPACE`` is in ``cluster.learning.search``. Trials are judged by
validation items only; what a member keeps apart is not looked at. The loss that a trial is trained
with depends on its ``label_weight``, so it cannot be compared with another's: all are judged with
one weight, that of the plan.

Shapes: M members, O outputs, W windows, V of them that a member stops by.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

import numpy as np
import torch

from cluster.contracts.trend_search import Parameter, SearchPlan, Value
from cluster.learning.search import candidates_of
from cluster.trend.artefact import member_outputs
from cluster.trend.config import config_from_json
from cluster.trend.fit import FitConfig, Fitting
from cluster.trend.folds import N_MEMBERS
from cluster.trend.network import window_loss

SPACE: Final = (
    Parameter(name="lr", meaning="step of AdamW", scale="log", low=1e-4, high=1e-2),
    Parameter(
        name="weight_decay", meaning="of AdamW, per unit of lr", scale="log", low=1e-4, high=1.0
    ),
    Parameter(
        name="width",
        meaning="units of a layer",
        scale="choice",
        low=16,
        high=256,
        choices=(16, 32, 64, 128, 256),
    ),
    Parameter(
        name="depth", meaning="residual blocks", scale="choice", low=1, high=4, choices=(1, 2, 3, 4)
    ),
    Parameter(name="dropout", meaning="share of units", scale="linear", low=0.0, high=0.6),
    Parameter(
        name="label_weight",
        meaning="weight of the label losses beside that of the accesses",
        scale="log",
        low=0.03,
        high=3.0,
    ),
    Parameter(
        name="batch_size",
        meaning="windows of a step",
        scale="choice",
        low=64,
        high=1024,
        choices=(64, 128, 256, 512, 1024),
    ),
)
"""What is searched. The default lies inside."""

_DEFAULT: Final = FitConfig()


def plan_search(
    *, windows: str, dataset_digest: str, n_windows: int, n_trials: int, epochs_max: int, seed: int
) -> SearchPlan:
    """Return the plan of a search: the default, and as many drawn configurations as are missing."""
    return SearchPlan(
        windows=windows,
        dataset_digest=dataset_digest,
        n_windows=n_windows,
        epochs_max=epochs_max,
        seed=seed,
        label_weight=_DEFAULT.label_weight,
        space=SPACE,
        candidates=candidates_of(SPACE, values_of(_DEFAULT), n_trials, seed),
    )


def values_of(config: FitConfig) -> dict[str, Value]:
    """Return a configuration's values of the parameters of ``SPACE``."""
    fields = asdict(config)
    flat: dict[str, Value] = {**fields.pop("network"), **fields}
    return {parameter.name: flat[parameter.name] for parameter in SPACE}


def config_of(values: Mapping[str, Value], base: FitConfig) -> FitConfig:
    """Return a configuration with other values of some fields, its network's among them.

    Raises:
        SettingInvalid: a field is unknown or out of its bounds.
    """
    in_network = asdict(base.network)
    fields: dict[str, object] = {k: v for k, v in values.items() if k not in in_network}
    network = {name: value for name, value in values.items() if name in in_network}
    return config_from_json(json.dumps(fields | ({"network": network} if network else {})), base)


def validation_loss(fitting: Fitting, label_weight: float) -> float:
    """Return the loss of the best weights so far on the windows that members stop by.

    It is the mean over members and over each one's items: squared error of log2(1 + accesses) in
    units of the linear forecast's, and the weighted cross entropy of both labels in nats. Of the
    best weights, as these would be published; what a trial does after them is no reason to stop it.
    """
    network, whole = fitting.best_network(), fitting.lesson.exam
    item_W = whole.item_codes()
    weight_MW = whole.folds.validation_MW / np.bincount(item_W)[item_W]
    rows = np.flatnonzero(weight_MW.any(axis=0))
    exam, weight_MV = whole.at(rows), weight_MW[:, rows]
    outputs_MVO = torch.from_numpy(member_outputs(network, exam.features, exam.place_W))
    targets_MVO = torch.from_numpy(exam.targets_WO()).double().expand(N_MEMBERS, -1, -1)
    error_MV = network.error_MS[:, torch.from_numpy(exam.place_W)].double()
    loss_MV = window_loss(outputs_MVO, targets_MVO, error_MV, label_weight).numpy()
    return float(((loss_MV * weight_MV).sum(axis=1) / weight_MV.sum(axis=1)).mean())

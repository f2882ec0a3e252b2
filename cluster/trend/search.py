"""Which configurations of a first model a search tries, and by what it judges them (S600).

All that is drawn comes from ``SPACE``, and from nothing but the seed and the number of the trial
(Sobol's points, scrambled as by Owen): a search with more trials begins with the same ones. The
first trial is always the default.

Trials are judged by validation items only; what a member keeps apart is not looked at. The loss
that a trial is trained with depends on its ``label_weight``, so it cannot be compared with
another's: all are judged with one weight, that of the plan.

Shapes: N configurations, P parameters, M members, O outputs, W windows, V of them that a member
stops by.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Final

import numpy as np
import torch
from scipy.stats import qmc

from cluster.contracts.trend_search import (
    Candidate,
    Parameter,
    SearchPlan,
    TrendSearch,
    Trial,
    Value,
)
from cluster.errors import Conflict, NotFound
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

DEFAULT_ID: Final = "trial-00"
BEST: Final = "best"
"""Stands for the id of the trial with the least validation loss."""
DIGITS: Final = 3
"""Significant digits of a drawn value: as many as a person copies."""
_DEFAULT: Final = FitConfig()


def plan_search(
    *, windows: str, dataset_digest: str, n_windows: int, n_trials: int, epochs_max: int, seed: int
) -> SearchPlan:
    """Return the plan of a search: the default, and as many drawn configurations as are missing."""
    drawn = (
        Candidate(id=f"trial-{number:02d}", values=values)
        for number, values in enumerate(_draw(n_trials - 1, seed), start=1)
    )
    return SearchPlan(
        windows=windows,
        dataset_digest=dataset_digest,
        n_windows=n_windows,
        epochs_max=epochs_max,
        seed=seed,
        label_weight=_DEFAULT.label_weight,
        space=SPACE,
        candidates=(Candidate(id=DEFAULT_ID, values=values_of(_DEFAULT)), *drawn),
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


def ranked(trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """Put trials in order: the least validation loss first, those that failed last."""

    def rank(trial: Trial) -> tuple[bool, float, str]:
        loss = trial.validation_loss
        return trial.state == "failed", float("inf") if loss is None else loss, trial.id

    return tuple(sorted(trials, key=rank))


def chosen(search: TrendSearch, trial_id: str) -> Trial:
    """Return the trial of this id, or the best one for ``BEST``.

    Raises:
        NotFound: there is no such trial, or none that did not fail.
        Conflict: the trial failed.
    """
    usable = [trial for trial in search.trials if trial.state != "failed"]
    if trial_id == BEST and usable:
        return usable[0]
    found = [trial for trial in search.trials if trial.id == trial_id]
    if not found:
        what = f"there is no trial {trial_id!r}"
        known = ", ".join(sorted(trial.id for trial in search.trials))
        remedy = f"Known are {BEST} and: {known}." if known else "Run the search to its end first."
        raise NotFound(what, "the search", remedy)
    if found[0].state == "failed":
        what = f"{trial_id} failed ({found[0].error})"
        raise Conflict(what, "the search", "Choose another trial, or start the search again.")
    return found[0]


def _draw(n: int, seed: int) -> list[dict[str, Value]]:
    """Draw n points of a scrambled Sobol sequence: a few trials already lie all over the space."""
    sequence = qmc.Sobol(len(SPACE), rng=np.random.default_rng(seed))
    shares_NP = sequence.random_base2(max(n - 1, 0).bit_length())[:n]
    return [
        {one.name: _value(one, share) for one, share in zip(SPACE, shares_P, strict=True)}
        for shares_P in shares_NP.tolist()
    ]


def _value(parameter: Parameter, share: float) -> Value:
    """Return the value at a share, 0 to 1, of the way through a parameter's range."""
    low, high = parameter.low, parameter.high
    if parameter.scale == "choice":
        return parameter.choices[int(share * len(parameter.choices))]
    value = low * (high / low) ** share if parameter.scale == "log" else low + (high - low) * share
    return min(max(float(f"{value:.{DIGITS}g}"), low), high)

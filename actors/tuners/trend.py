"""A search for a configuration of the first trend model with Ray Tune (S600).

How trials are run, stopped and gone on with is in ``actors.tuners.halving``; what is drawn, and by
what trials are judged, is decided in ``cluster.trend.search``.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import ray
from ray import tune

from actors.tuners.halving import Pace, gone_on, report_trial, search
from cluster.contracts.trend_search import SearchPlan, TrendSearch, Trial
from cluster.learning.search import ranked
from cluster.trend.fit import FitConfig, Fitting
from cluster.trend.lesson import prepare
from cluster.trend.search import config_of, validation_loss

EPOCHS_PER_REPORT: Final = 3
"""A report costs Ray 10 ms and the loss of all validation windows about an epoch's time."""
GRACE_EPOCHS: Final = 9
"""Epochs that every trial has before it is compared with others."""
CPUS_PER_TRIAL: Final = 0.5
"""A trial has one thread; there are no more trials than processors. The half leaves room for
whatever else must be placed on the cluster meanwhile."""

Tell = Callable[[Trial, int], None]
"""Is told of each trial that ended, and how many have."""


def search_first(
    windows: pa.Table, plan: SearchPlan, *, storage_path: Path, tell: Tell | None = None
) -> TrendSearch:
    """Try configurations of a first model, and put them in order by validation items.

    Args:
        windows: windows with labels.
        plan: of the search. A configuration that fails is shown as such and ends nothing else.
        storage_path: folder that all nodes reach; what is there of the same search is gone on with.
        tell: is told of each trial that ends.

    Returns:
        The search with all its trials, best first.

    Raises:
        WindowInvalid: a window is not usable or has no label, or there are too few items.
        Fault: Ray lost a trial.
    """
    prepare(windows)  # refuses bad windows before any process is started
    resources = ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray does not type it
    n_gpus = int(resources.get("GPU", 0))
    trainable = tune.with_resources(
        tune.with_parameters(
            train_trial, windows=windows, plan=plan, device="cuda" if n_gpus else "cpu"
        ),
        {"cpu": CPUS_PER_TRIAL, "gpu": 1 if n_gpus else 0},
    )
    concurrent = n_gpus or max(int(resources.get("CPU", 1)), 1)
    found = search(
        trainable,
        plan.candidates,
        storage_path,
        Pace(plan.epochs_max, GRACE_EPOCHS, concurrent),
        (lambda fields, done: tell(Trial(**fields), done)) if tell else None,
    )
    return TrendSearch(plan=plan, trials=ranked(Trial(**fields) for fields in found))


def train_trial(
    config: dict[str, Any], *, windows: pa.Table, plan: SearchPlan, device: str
) -> None:
    """Train one configuration to its end, and report every few epochs."""
    base = FitConfig(epochs_max=plan.epochs_max, seed=plan.seed)
    chosen = config_of(config["trial"]["values"], base)
    fitting = Fitting(prepare(windows), chosen, device=device)
    curve = gone_on(fitting)
    if fitting.finished:
        report_trial(fitting, curve)  # its process died between the last report and the end
    while not fitting.finished:
        fitting.run_epoch()
        if fitting.finished or fitting.epochs % EPOCHS_PER_REPORT == 0:
            curve.append((fitting.epochs, validation_loss(fitting, plan.label_weight)))
            report_trial(fitting, curve)

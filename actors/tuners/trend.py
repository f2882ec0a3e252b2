"""A search for a configuration of the first trend model with Ray Tune (S600).

Every trial is a plain function that runs ``cluster.trend.fit.Fitting`` in one process, as a run of
Ray Train takes longer to start than a small network takes to learn. The asynchronous successive
halving of Li et al. (2020) stops trials that fall behind; the default is never stopped, so that no
search ends with less than it. What is drawn, and by what trials are judged, is decided in
``cluster.trend.search``.

Ray keeps the state of the search in a folder. Started again with the same plan after a kill, the
search goes on there: finished trials are not trained again, others go on from their last report.
"""

import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler, TrialScheduler

from cluster.contracts.trend_search import Candidate, SearchPlan, State, TrendSearch, Trial
from cluster.errors import DazzleError, Fault
from cluster.trend.fit import FitConfig, Fitting
from cluster.trend.lesson import prepare
from cluster.trend.search import DEFAULT_ID, config_of, ranked, validation_loss

EPOCHS_PER_REPORT: Final = 3
"""A report costs Ray 10 ms and the loss of all validation windows about an epoch's time."""
GRACE_EPOCHS: Final = 9
"""Epochs that every trial has before it is compared with others."""
REDUCTION: Final = 3
"""Of so many trials that reach a rung about one goes on, and the next rung is so much higher."""
FAILURES_MAX: Final = 1
"""Times that a trial goes on from its last report after its process died or it failed."""
CPUS_PER_TRIAL: Final = 0.5
"""A trial has one thread; there are no more trials than processors. The half leaves room for
whatever else must be placed on the cluster meanwhile."""
STATE_EVERY_S: Final = 2
"""Seconds between two writings of the search's state."""
FITTING_FILE: Final = "fitting.safetensors"
RUN: Final = "search"
EPOCHS, LOSS, CURVE, FINISHED = "epochs", "validation_loss", "curve", "finished"

Tell = Callable[[Trial, int], None]
"""Is told of each trial that ended, and how many have."""

_listener: ContextVar[Tell | None] = ContextVar("listener", default=None)


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
    with _quiet(), _listening(tell):
        results = _tuner(windows, plan, storage_path.resolve()).fit()
    found = {
        # A trial that is begun anew has our id and more as its folder's name.
        Path(result.path).name.partition("_")[0]: _outcome(result.metrics or {}, result.error)
        for result in (results[place] for place in range(len(results)))
    }
    lost = [one.id for one in plan.candidates if one.id not in found]
    if lost:
        what = f"Ray lost {', '.join(lost)}"
        raise Fault(what, str(storage_path), "Start the search again in another folder.")
    trials = (Trial(**one.model_dump(), **found[one.id]) for one in plan.candidates)
    return TrendSearch(plan=plan, trials=ranked(trials))


def train_trial(
    config: dict[str, Any], *, windows: pa.Table, plan: SearchPlan, device: str
) -> None:
    """Train one configuration to its end, and report every few epochs."""
    base = FitConfig(epochs_max=plan.epochs_max, seed=plan.seed)
    chosen = config_of(config["trial"]["values"], base)
    fitting = Fitting(prepare(windows), chosen, device=device)
    curve: list[tuple[int, float]] = []
    checkpoint = tune.get_checkpoint()
    if checkpoint is not None:
        with checkpoint.as_directory() as folder:
            fitting.resume(Path(folder, FITTING_FILE).read_bytes())
        curve = [(epochs, loss) for epochs, loss in checkpoint.get_metadata()[CURVE]]
    if fitting.finished:
        _report(fitting, curve)  # its process died between the last report and the end
    while not fitting.finished:
        fitting.run_epoch()
        if fitting.finished or fitting.epochs % EPOCHS_PER_REPORT == 0:
            curve.append((fitting.epochs, validation_loss(fitting, plan.label_weight)))
            _report(fitting, curve)


class Halving(ASHAScheduler):
    """Successive halving that spares the default, and remembers what was reported before a kill."""

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:  # noqa: ANN401 - Ray's
        """Take up a trial, with what it has reported so far."""
        super().on_trial_add(tune_controller, trial)
        for epochs, loss in (trial.last_result or {}).get(CURVE, ()):
            super().on_trial_result(tune_controller, trial, {EPOCHS: epochs, LOSS: loss})

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:  # noqa: ANN401 - Ray's
        """Decide whether a trial goes on."""
        action = super().on_trial_result(tune_controller, trial, result)
        return TrialScheduler.CONTINUE if trial_id(trial) == DEFAULT_ID else action


class Announcer(tune.Callback):
    """Tells of each trial that ends.

    Ray keeps it in the search's folder and reads it back from there, so it holds nothing itself.
    """

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **about: Any) -> None:  # noqa: ANN401 - Ray's
        """Tell of a trial that was finished or stopped."""
        self._tell(trials, trial, None)

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **about: Any) -> None:  # noqa: ANN401 - Ray's
        """Tell of a trial that failed."""
        self._tell(trials, trial, trial.get_pickled_error() or trial.get_error())

    def _tell(self, trials: Any, trial: Any, error: Exception | None) -> None:  # noqa: ANN401 - Ray's
        tell = _listener.get()
        if tell is not None:
            ended = {trial_id(one) for one in trials if one.is_finished()} | {trial_id(trial)}
            candidate = Candidate(**trial.config["trial"])
            outcome = _outcome(trial.last_result or {}, error)
            tell(Trial(**candidate.model_dump(), **outcome), len(ended))


def trial_id(trial: Any) -> str:  # noqa: ANN401 - Ray's trial
    """Return our id of one of Ray's trials; it names its folder too."""
    return str(trial.config["trial"]["id"])


def _tuner(windows: pa.Table, plan: SearchPlan, storage_path: Path) -> tune.Tuner:
    """Return Ray's search: a new one, or the one in the folder."""
    resources = ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray does not type it
    n_gpus = int(resources.get("GPU", 0))
    trainable = tune.with_resources(
        tune.with_parameters(
            train_trial, windows=windows, plan=plan, device="cuda" if n_gpus else "cpu"
        ),
        {"cpu": CPUS_PER_TRIAL, "gpu": 1 if n_gpus else 0},
    )
    folder = storage_path / RUN
    if tune.Tuner.can_restore(str(folder)) and any(folder.glob("experiment_state-*.json")):
        return tune.Tuner.restore(
            str(folder), trainable, resume_unfinished=True, restart_errored=True
        )
    shutil.rmtree(folder, ignore_errors=True)  # killed before Ray wrote what could be gone on with
    return tune.Tuner(
        trainable,
        param_space={"trial": tune.grid_search([one.model_dump() for one in plan.candidates])},
        tune_config=tune.TuneConfig(
            metric=LOSS,
            mode="min",
            scheduler=Halving(
                time_attr=EPOCHS,
                max_t=plan.epochs_max,
                grace_period=min(GRACE_EPOCHS, plan.epochs_max),
                reduction_factor=REDUCTION,
            ),
            max_concurrent_trials=n_gpus or max(int(resources.get("CPU", 1)), 1),
            reuse_actors=True,
            trial_dirname_creator=trial_id,
        ),
        run_config=tune.RunConfig(
            name=RUN,
            storage_path=str(storage_path),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=FAILURES_MAX),
            checkpoint_config=tune.CheckpointConfig(num_to_keep=2),
            callbacks=[Announcer()],
        ),
    )


def _report(fitting: Fitting, curve: list[tuple[int, float]]) -> None:
    figures = {EPOCHS: fitting.epochs, CURVE: curve, FINISHED: fitting.finished}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, FITTING_FILE).write_bytes(fitting.checkpoint())
        checkpoint = tune.Checkpoint.from_directory(folder)
        checkpoint.set_metadata({CURVE: curve})
        tune.report({LOSS: curve[-1][1], **figures}, checkpoint=checkpoint)


def _outcome(metrics: dict[str, Any], error: Exception | None) -> dict[str, Any]:
    """Return what came of a trial, as the fields of ``Trial``."""
    state: State = "finished" if metrics.get(FINISHED) else "stopped_early"
    return {
        "state": "failed" if error is not None else state,
        "epochs": metrics.get(EPOCHS, 0),
        "validation_loss": metrics.get(LOSS),
        "curve": metrics.get(CURVE, ()),
        "seconds": metrics.get("time_total_s", 0.0),
        "error": "" if error is None else _code(error),
    }


def _code(error: Exception) -> str:
    """Return the code of an error, or the name of its class: never its text."""
    cause = getattr(error, "cause", None) or error
    return cause.code if isinstance(cause, DazzleError) else type(cause).__name__


@contextmanager
def _listening(tell: Tell | None) -> Iterator[None]:
    token = _listener.set(tell)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Ray's own tables away, its state fresh, and an interrupt what it is elsewhere."""
    wanted = {
        "RAY_AIR_NEW_OUTPUT": "0",
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "TUNE_DISABLE_SIGINT_HANDLER": "1",  # else an interrupted search looks like an ended one
        "TUNE_GLOBAL_CHECKPOINT_S": str(STATE_EVERY_S),
    }
    before = {name: os.environ.get(name) for name in wanted}
    loggers = [logging.getLogger(name) for name in ("ray.tune", "ray.train")]
    levels = [logger.level for logger in loggers]
    os.environ.update(wanted)
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

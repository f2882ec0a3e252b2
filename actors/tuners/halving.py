"""What every search by Ray Tune has in common: trials, stopping early, going on after a kill (B7).

Every trial is a plain function in one process, as a run of Ray Train takes longer to start. The
asynchronous successive halving of Li et al. (2020) stops trials that fall behind; the default is
never stopped, so that no search ends with less than it.

Ray keeps the state of the search in a folder. Started again with the same plan after a kill, the
search goes on there: finished trials are not trained again, others go on from their last report.
"""

import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ray import tune
from ray.tune.schedulers import ASHAScheduler, TrialScheduler

from cluster.contracts.trend_search import Candidate, State
from cluster.errors import DazzleError, Fault
from cluster.learning.resumable import Resumable
from cluster.learning.search import DEFAULT_ID

REDUCTION: Final = 3
"""Of so many trials that reach a rung about one goes on, and the next rung is so much higher."""
FAILURES_MAX: Final = 1
"""Times that a trial goes on from its last report after its process died or it failed."""
STATE_EVERY_S: Final = 2
"""Seconds between two writings of the search's state."""
FITTING_FILE: Final = "fitting.safetensors"
RUN: Final = "search"
EPOCHS, LOSS, CURVE, FINISHED, MORE = "epochs", "validation_loss", "curve", "finished", "more"

Fields = dict[str, Any]
"""Fields of a ``Trial``, with further ones where a search has them."""
Tell = Callable[[Fields, int], None]
"""Is told of each trial that ended, and how many have."""

_listener: ContextVar[Tell | None] = ContextVar("listener", default=None)


@dataclass(frozen=True)
class Pace:
    """How the trials of a search are run."""

    epochs_max: int
    """Of a trial."""
    grace_epochs: int
    """That every trial has before it is compared with others."""
    concurrent: int
    """Trials side by side, at the most."""


def search(
    trainable: Any,  # noqa: ANN401 - a function with Ray's resources and parameters around it
    candidates: Sequence[Candidate],
    storage_path: Path,
    pace: Pace,
    tell: Tell | None,
) -> list[Fields]:
    """Try configurations, and return what came of each, in their order.

    Args:
        trainable: the function of a trial, which is told its candidate as ``config["trial"]``.
        candidates: what is tried. One that fails is shown as such and ends nothing else.
        storage_path: folder that all nodes reach; what is there of the same search is gone on with.
        pace: how the trials are run.
        tell: is told of each trial that ends.

    Raises:
        Fault: Ray lost a trial.
    """
    with _quiet(), _listening(tell):
        results = _tuner(trainable, candidates, storage_path.resolve(), pace).fit()
    found = {
        # A trial that is begun anew has our id and more as its folder's name.
        Path(result.path).name.partition("_")[0]: _outcome(result.metrics or {}, result.error)
        for result in (results[place] for place in range(len(results)))
    }
    lost = [one.id for one in candidates if one.id not in found]
    if lost:
        what = f"Ray lost {', '.join(lost)}"
        raise Fault(what, str(storage_path), "Start the search again in another folder.")
    return [one.model_dump() | found[one.id] for one in candidates]


# --- as a trial ---------------------------------------------------------------------------------


def gone_on(fitting: Resumable) -> list[tuple[int, float]]:
    """Go on from the trial's last report, if there is one, and return the curve until there."""
    checkpoint = tune.get_checkpoint()
    if checkpoint is None:
        return []
    with checkpoint.as_directory() as folder:
        fitting.resume(Path(folder, FITTING_FILE).read_bytes())
    return [(epochs, loss) for epochs, loss in checkpoint.get_metadata()[CURVE]]


def report_trial(
    fitting: Resumable, curve: list[tuple[int, float]], more: Fields | None = None
) -> None:
    """Report the last loss of a curve, with all that is needed to go on from here.

    Args:
        fitting: the training.
        curve: epochs and validation loss of every report until now.
        more: further fields of the trial, or other values than those of the last report.
    """
    figures = {EPOCHS: fitting.epochs, CURVE: curve, FINISHED: fitting.finished, MORE: more or {}}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, FITTING_FILE).write_bytes(fitting.checkpoint())
        checkpoint = tune.Checkpoint.from_directory(folder)
        checkpoint.set_metadata({CURVE: curve})
        tune.report({LOSS: curve[-1][1], **figures}, checkpoint=checkpoint)


# --- as Ray's search ----------------------------------------------------------------------------


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
            tell(trial.config["trial"] | _outcome(trial.last_result or {}, error), len(ended))


def trial_id(trial: Any) -> str:  # noqa: ANN401 - Ray's trial
    """Return our id of one of Ray's trials; it names its folder too."""
    return str(trial.config["trial"]["id"])


def _tuner(
    trainable: Any,  # noqa: ANN401 - a function with Ray's resources and parameters around it
    candidates: Sequence[Candidate],
    storage_path: Path,
    pace: Pace,
) -> tune.Tuner:
    """Return Ray's search: a new one, or the one in the folder."""
    folder = storage_path / RUN
    if tune.Tuner.can_restore(str(folder)) and any(folder.glob("experiment_state-*.json")):
        return tune.Tuner.restore(
            str(folder), trainable, resume_unfinished=True, restart_errored=True
        )
    shutil.rmtree(folder, ignore_errors=True)  # killed before Ray wrote what could be gone on with
    return tune.Tuner(
        trainable,
        param_space={"trial": tune.grid_search([one.model_dump() for one in candidates])},
        tune_config=tune.TuneConfig(
            metric=LOSS,
            mode="min",
            scheduler=Halving(
                time_attr=EPOCHS,
                max_t=pace.epochs_max,
                grace_period=min(pace.grace_epochs, pace.epochs_max),
                reduction_factor=REDUCTION,
            ),
            max_concurrent_trials=pace.concurrent,
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


def _outcome(metrics: dict[str, Any], error: Exception | None) -> Fields:
    """Return what came of a trial."""
    state: State = "finished" if metrics.get(FINISHED) else "stopped_early"
    return {
        "state": "failed" if error is not None else state,
        "epochs": metrics.get(EPOCHS, 0),
        "validation_loss": metrics.get(LOSS),
        "curve": metrics.get(CURVE, ()),
        "seconds": metrics.get("time_total_s", 0.0),
        "error": "" if error is None else _code(error),
        **metrics.get(MORE, {}),
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

"""Training of the first trend model on one or many workers with Ray Train (S600-S640).

The arithmetic is in ``cluster.trend.fit``; here are only the workers, the checkpoints and the
way back. Every few epochs a checkpoint (safetensors) goes to the run's folder. A run that was
interrupted goes on from there when it is started again under its name with the same windows; it
repeats some epochs, with the same result.
"""

from dataclasses import asdict
from typing import Any, Final, cast

import pyarrow as pa
import ray
from ray.train.torch import get_device

from actors.trainers.course import (
    Progress,
    TrainRun,
    can_go_on,
    followed,
    own_shard,
    parallel,
    report_pass,
    take_up,
    train,
)
from cluster.contracts.trend import TrendCard
from cluster.ids import key_of
from cluster.trend.artefact import FORMAT
from cluster.trend.fit import FitConfig, Fitting
from cluster.trend.lesson import prepare
from cluster.trend.publish import publish

EPOCHS_PER_CHECKPOINT: Final = 10
"""A report costs Ray about 2 seconds, an epoch of a small network much less."""
STEP: Final = "train"


def fit_first(  # noqa: PLR0913 - each is a separate choice of the caller
    windows: pa.Table,
    config: FitConfig,
    *,
    workers: int,
    storage_path: str,
    dataset_digest: str,
    run_name: str,
    progress: Progress | None = None,
) -> tuple[bytes, TrendCard]:
    """Train a first model to convergence and score it beside the baselines (A6).

    Every worker takes its share of each batch, so the number of workers changes the speed and not
    the course. With one worker the same windows and seed give the same bytes on one machine.

    Args:
        windows: windows with labels.
        config: how it is trained.
        workers: processes that train together, with a GPU each where the cluster has them.
        storage_path: folder or URI that all nodes reach; checkpoints lie there.
        dataset_digest: what names the windows.
        run_name: name of the run; started again with the same arguments it goes on or, if it was
            finished, gives its result again.
        progress: told of the epochs that are done, a few times a second.

    Returns:
        The model's bytes and its card.

    Raises:
        WindowInvalid: a window is not usable or has no label, or there are too few items.
        IntegrityError: the run's last checkpoint is damaged.
        Fault: the run failed, or ended without a checkpoint.
    """
    # Bad windows are refused before any process is started.
    lesson = prepare(windows, left_out=config.left_out)
    # Other inputs under the same name are another run: its checkpoints would not fit.
    name = f"{run_name}-{key_of(FORMAT, dataset_digest, *_texts(config))[:12]}"
    run = TrainRun(name, storage_path, workers)

    def tell(epochs: int) -> None:
        if progress:  # the last epoch is told at the end, when it is known that no more follow
            progress(STEP, min(epochs, config.epochs_max - 1), config.epochs_max)

    with followed(0, tell if progress else None) as course:
        told = {"windows": ray.put(windows), "config": config, "course": course}
        checkpoint = train(train_worker, told, run)
    fitting = Fitting(lesson, config)
    take_up(fitting, checkpoint, run.place)
    if progress:
        progress(STEP, fitting.epochs, fitting.epochs)
    return publish(fitting, dataset_digest)


def train_worker(told: dict[str, Any]) -> None:
    """Train as one of the run's workers; all report, the first one with a file."""
    windows = cast("pa.Table", ray.get(told["windows"]))
    shard, config = own_shard(), cast("FitConfig", told["config"])
    lesson = prepare(windows, left_out=config.left_out)
    fitting = Fitting(lesson, config, shard, device=str(get_device()), wrap=parallel)
    if not can_go_on(fitting):
        return
    is_first, course = shard.rank == 0, told["course"]
    while not fitting.finished:
        fitting.run_epoch()
        if is_first and course is not None:
            course.reached.remote(fitting.epochs)
        if fitting.finished or fitting.epochs % EPOCHS_PER_CHECKPOINT == 0:
            training_loss, validation_loss = fitting.learning_curve[-1]
            losses = {"training_loss": training_loss, "validation_loss": validation_loss}
            report_pass(fitting, losses, is_first=is_first)


def _texts(config: FitConfig) -> list[str]:
    return [f"{name}={value}" for name, value in asdict(config).items()]

"""Training of the first trend model on one or many workers with Ray Train (S600-S640).

The arithmetic is in ``cluster.trend.fit``; here are only the workers, the checkpoints and the
way back. Every few epochs a checkpoint (safetensors) goes to the run's folder. A run that was
interrupted goes on from there when it is started again under its name with the same windows; it
repeats some epochs, with the same result.
"""

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, cast

import pyarrow as pa
import ray
from ray.exceptions import RayError
from ray.train import (
    Checkpoint,
    CheckpointConfig,
    FailureConfig,
    RunConfig,
    ScalingConfig,
    TrainingFailedError,
    get_checkpoint,
    get_context,
    report,
)
from ray.train.torch import TorchConfig, TorchTrainer, get_device, prepare_model
from torch import Tensor, distributed, nn

from cluster.contracts.trend import TrendCard
from cluster.errors import DazzleError, Fault, IntegrityError
from cluster.ids import key_of
from cluster.trend.artefact import FORMAT
from cluster.trend.fit import FitConfig, Fitting, Shard
from cluster.trend.lesson import prepare
from cluster.trend.publish import publish

CHECKPOINT_FILE: Final = "fitting.safetensors"
CHECKPOINTS_KEPT: Final = 2
EPOCHS_PER_CHECKPOINT: Final = 10
"""A report costs Ray about 2 seconds, an epoch of a small network much less."""
FAILURES_MAX: Final = 2
"""Times that Ray starts the workers again after one of them died."""
CPUS_PER_WORKER: Final = 0.5
TOLD_EVERY_S: Final = 0.5
STEP: Final = "train"

Progress = Callable[[str, int, int], None]
"""Called with the name of a step, how many of its parts are done, and how many there are."""


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
    run = RunConfig(
        name=name,
        storage_path=storage_path,
        failure_config=FailureConfig(max_failures=FAILURES_MAX),
        checkpoint_config=CheckpointConfig(num_to_keep=CHECKPOINTS_KEPT),
    )
    with _course(config, progress) as course:
        settings = {"windows": ray.put(windows), "config": config, "course": course}
        checkpoint = _train(settings, run, workers)
    fitting = Fitting(lesson, config)
    _take_up(fitting, checkpoint, f"{storage_path}/{name}")
    if progress:
        progress(STEP, fitting.epochs, fitting.epochs)
    return publish(fitting, dataset_digest)


def _take_up(fitting: Fitting, checkpoint: bytes, place: str) -> None:
    """Bring a fitting to the end of the run.

    Raises:
        IntegrityError: the checkpoint is damaged.
        Fault: it is not the last one.
    """
    try:
        fitting.resume(checkpoint)
    except IntegrityError as error:
        what = f"a checkpoint cannot be used: {error.what}"
        raise IntegrityError(what, place, "Delete this folder, and start again.") from None
    if not fitting.finished:
        what = f"the training run ended after {fitting.epochs} epochs, before it was finished"
        raise Fault(what, place, "Start again: it goes on from there.")


def _train(settings: dict[str, Any], run: RunConfig, workers: int) -> bytes:
    """Run the workers to the end, and return the last checkpoint."""
    resources = ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray does not type it
    use_gpu = resources.get("GPU", 0) >= workers
    trainer = TorchTrainer(
        train_worker,
        train_loop_config=settings,
        torch_config=TorchConfig(backend="nccl" if use_gpu else "gloo"),
        scaling_config=ScalingConfig(
            num_workers=workers,
            use_gpu=use_gpu,
            resources_per_worker=None if use_gpu else {"CPU": CPUS_PER_WORKER},
        ),
        run_config=run,
    )
    place = f"{run.storage_path}/{run.name}"
    try:
        checkpoint = trainer.fit().checkpoint
    except (TrainingFailedError, RayError) as error:
        raise _cause(error, place) from None
    if checkpoint is None:
        what = "the training run ended without a checkpoint"
        raise Fault(what, place, "See the logs of its workers.")
    return _read(checkpoint)


def train_worker(settings: dict[str, Any]) -> None:
    """Train as one of the run's workers; all report, the first one with a file."""
    windows = cast("pa.Table", ray.get(settings["windows"]))
    context = get_context()
    world = context.get_world_size()
    shard = Shard(context.get_world_rank(), world, _sum) if world > 1 else Shard()
    config: FitConfig = settings["config"]
    lesson = prepare(windows, left_out=config.left_out)
    fitting = Fitting(lesson, config, shard, device=str(get_device()), wrap=_parallel)
    checkpoint = get_checkpoint()
    if checkpoint is not None:
        try:
            fitting.resume(_read(checkpoint))
        except IntegrityError:
            return  # it stays the run's last one, so whoever waits finds it; trying again is vain
    is_first, course = shard.rank == 0, settings["course"]
    while not fitting.finished:
        fitting.run_epoch()
        if is_first and course is not None:
            course.reached.remote(fitting.epochs)
        if fitting.finished or fitting.epochs % EPOCHS_PER_CHECKPOINT == 0:
            _report(fitting, is_first=is_first)


class Course:
    """How far the workers of a run are; they tell it, and whoever waits for them asks."""

    def __init__(self) -> None:
        self._epochs = 0

    def reached(self, epochs: int) -> None:
        """Keep the number of epochs that are done."""
        self._epochs = epochs

    def epochs(self) -> int:
        """Return the number of epochs that are done."""
        return self._epochs


@contextmanager
def _course(config: FitConfig, progress: Progress | None) -> Iterator[Any]:
    """Pass on what the workers tell, from a thread: the main one waits for Ray's trainer."""
    if progress is None:
        yield None
        return
    course: Any = ray.remote(num_cpus=0)(Course).remote()
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.wait(TOLD_EVERY_S):
            done = ray.get(course.epochs.remote())
            # The last epoch is told at the end, when it is known that no more follow.
            progress(STEP, min(done, config.epochs_max - 1), config.epochs_max)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    try:
        yield course
    finally:
        is_over.set()
        asking.join()
        ray.kill(course)


def _cause(error: Exception, place: str) -> DazzleError:
    """Return what a worker said, or else that the run failed."""
    failures = getattr(error, "worker_failures", {}).values()
    causes = [getattr(failure, "_base_exc", failure) for failure in failures]
    known = [cause for cause in causes if isinstance(cause, DazzleError)]
    if known:
        return known[0]
    told = " ".join(str(next(iter(causes), error)).split())[-300:]
    remedy = "Start again: it goes on. If that fails too, delete this folder first."
    return Fault(f"the training run failed: {told}", place, remedy)


def _texts(config: FitConfig) -> list[str]:
    return [f"{name}={value}" for name, value in asdict(config).items()]


def _parallel(network: nn.Module) -> nn.Module:
    return prepare_model(network)


def _sum(figures: Tensor) -> Tensor:
    distributed.all_reduce(figures)
    return figures


def _report(fitting: Fitting, *, is_first: bool) -> None:
    """Hand the last losses to Ray, and the first worker's state as a checkpoint."""
    training_loss, validation_loss = fitting.learning_curve[-1]
    losses = {"training_loss": training_loss, "validation_loss": validation_loss}
    if not is_first:
        report(losses)
        return
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, CHECKPOINT_FILE).write_bytes(fitting.checkpoint())
        report(losses, checkpoint=Checkpoint.from_directory(folder))


def _read(checkpoint: Checkpoint) -> bytes:
    with checkpoint.as_directory() as folder:
        return Path(folder, CHECKPOINT_FILE).read_bytes()

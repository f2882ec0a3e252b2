"""Training of the first trend model on one or many workers with Ray Train (S600-S640).

The arithmetic is in ``cluster.trend.fit``; here are only the workers, the checkpoints and the
way back. Every few epochs a checkpoint (safetensors) goes to the run's folder. A run that was
interrupted goes on from there when it is started again under its name with the same windows; it
repeats some epochs, with the same result.
"""

import tempfile
from pathlib import Path
from typing import Any, Final, cast

import pyarrow as pa
import ray
from ray.train import (
    Checkpoint,
    CheckpointConfig,
    FailureConfig,
    RunConfig,
    ScalingConfig,
    get_checkpoint,
    get_context,
    report,
)
from ray.train.torch import TorchConfig, TorchTrainer, get_device, prepare_model
from torch import Tensor, distributed, nn

from cluster.contracts.trend import TrendCard
from cluster.errors import Fault
from cluster.ids import key_of
from cluster.trend.fit import FitConfig, Fitting, Shard, prepare, publish

CHECKPOINT_FILE: Final = "fitting.safetensors"
CHECKPOINTS_KEPT: Final = 2
EPOCHS_PER_CHECKPOINT: Final = 10
"""A report costs Ray about 2 seconds, an epoch of a small network much less."""
FAILURES_MAX: Final = 2
"""Times that Ray starts the workers again after one of them died."""
CPUS_PER_WORKER: Final = 0.5


def fit_first(  # noqa: PLR0913 - what names a run: its windows, its size, its seed, its place
    windows: pa.Table,
    *,
    workers: int,
    epochs_max: int,
    seed: int,
    storage_path: str,
    dataset_digest: str,
    run_name: str,
) -> tuple[bytes, TrendCard]:
    """Train a first model to convergence and score it beside the baselines (A6).

    Every worker takes its share of each batch, so the number of workers changes the speed and not
    the course. With one worker the same windows and seed give the same bytes on one machine.

    Args:
        windows: windows with labels; items that are held out are split off here.
        workers: processes that train together, with a GPU each where the cluster has them.
        epochs_max: epochs after which the run ends if it has not converged.
        seed: of weights, order and dropout.
        storage_path: folder or URI that all nodes reach; checkpoints lie there.
        dataset_digest: what names the windows.
        run_name: name of the run; started again with the same arguments it goes on or, if it was
            finished, gives its result again.

    Returns:
        The model's bytes and its card.

    Raises:
        WindowInvalid: a window is not usable or has no label, or there are too few items.
        Fault: the run ended without a checkpoint.
    """
    config = FitConfig(epochs_max=epochs_max, seed=seed)
    lesson = prepare(windows)  # refuses bad windows before any process is started
    resources = ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray does not type it
    use_gpu = resources.get("GPU", 0) >= workers
    trainer = TorchTrainer(
        train_worker,
        train_loop_config={"windows": ray.put(windows), "config": config},
        torch_config=TorchConfig(backend="nccl" if use_gpu else "gloo"),
        scaling_config=ScalingConfig(
            num_workers=workers,
            use_gpu=use_gpu,
            resources_per_worker=None if use_gpu else {"CPU": CPUS_PER_WORKER},
        ),
        run_config=RunConfig(
            # Other inputs under the same name are another run: its checkpoints would not fit.
            name=f"{run_name}-{key_of(dataset_digest, epochs_max, seed)[:12]}",
            storage_path=storage_path,
            failure_config=FailureConfig(max_failures=FAILURES_MAX),
            checkpoint_config=CheckpointConfig(num_to_keep=CHECKPOINTS_KEPT),
        ),
    )
    checkpoint = trainer.fit().checkpoint
    if checkpoint is None:
        what = "the training run ended without a checkpoint"
        raise Fault(what, run_name, "See the logs of its workers.")
    fitting = Fitting(lesson, config)
    fitting.resume(_read(checkpoint))
    return publish(windows, fitting, dataset_digest)


def train_worker(settings: dict[str, Any]) -> None:
    """Train as one of the run's workers; all report, the first one with a file."""
    windows = cast("pa.Table", ray.get(settings["windows"]))
    context = get_context()
    world = context.get_world_size()
    shard = Shard(context.get_world_rank(), world, _sum) if world > 1 else Shard()
    fitting = Fitting(
        prepare(windows), settings["config"], shard, device=str(get_device()), wrap=_parallel
    )
    checkpoint = get_checkpoint()
    if checkpoint is not None:
        fitting.resume(_read(checkpoint))
    while not fitting.finished:
        fitting.run_epoch()
        if fitting.finished or fitting.epochs % EPOCHS_PER_CHECKPOINT == 0:
            _report(fitting, is_first=shard.rank == 0)


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

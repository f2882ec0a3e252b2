"""What every training by Ray Train has in common: workers, checkpoints, progress, errors (B8).

A trainer brings the function that its workers run. They learn together (gloo on processors, NCCL on
GPUs); all report after a pass, and the first one hands its state over as a checkpoint. A run that
was interrupted goes on from the last one when it is started again under its name.
"""

import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

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
from ray.train.torch import TorchConfig, TorchTrainer, prepare_model
from torch import Tensor, distributed, nn

from cluster.errors import DazzleError, Fault, IntegrityError
from cluster.learning.resumable import Resumable
from cluster.learning.shard import Shard

CHECKPOINT_FILE: Final = "fitting.safetensors"
CHECKPOINTS_KEPT: Final = 2
FAILURES_MAX: Final = 2
"""Times that Ray starts the workers again after one of them died."""
CPUS_LEAST: Final = 0.5
"""Of a worker that mostly waits, or where there are more workers than processors."""
TOLD_EVERY_S: Final = 0.5

Progress = Callable[[str, int, int], None]
"""Called with the name of a step, how many of its parts are done, and how many there are."""


@dataclass(frozen=True)
class TrainRun:
    """A run of Ray Train, and who takes part in it."""

    name: str
    storage_path: str
    """Folder or URI that all nodes reach; checkpoints lie there, under the name."""
    workers: int
    """Processes that train together, with a GPU each where the cluster has them."""
    cpus: float = CPUS_LEAST
    """Processors of a worker."""

    @property
    def place(self) -> str:
        """Where its checkpoints are."""
        return f"{self.storage_path}/{self.name}"


def has_gpus(workers: int) -> bool:
    """Say whether every worker gets a GPU."""
    resources = ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray does not type it
    return bool(resources.get("GPU", 0) >= workers)


def nodes_here() -> list[tuple[float, float]]:
    """Return processors and GPUs of every node of the cluster."""
    return [(one.get("CPU", 0.0), one.get("GPU", 0.0)) for one in _resources()]


def most_memory() -> float:
    """Return the bytes that Ray gives away on the largest node."""
    return max(one.get("memory", 0.0) for one in _resources())


def _resources() -> list[dict[str, float]]:
    nodes = ray.nodes()  # type: ignore[no-untyped-call]  # Ray does not type it
    return [node["Resources"] for node in nodes if node["Alive"]]


def share_of_cpus(nodes: Sequence[tuple[float, float]], n: int, *, use_gpu: bool) -> float:
    """Return the most whole processors that each of n processes can have side by side.

    Args:
        nodes: processors and GPUs of each.
        n: processes; one lies on one node.
        use_gpu: whether each also needs a GPU.
    """
    for share in range(int(max(cpus for cpus, _ in nodes)), 0, -1):
        places = sum(min(cpus // share, gpus if use_gpu else n) for cpus, gpus in nodes)
        if places >= n:
            return float(share)
    return CPUS_LEAST


def train(
    worker: Callable[[dict[str, Any]], None],  # Any: what the workers are told
    told: dict[str, Any],
    run: TrainRun,
) -> bytes:
    """Run workers to the end, and return the last checkpoint.

    Raises:
        DazzleError: what a worker raised.
        Fault: the run failed, or ended without a checkpoint.
    """
    use_gpu = has_gpus(run.workers)
    resources = {"CPU": run.cpus} | ({"GPU": 1} if use_gpu else {})
    trainer = TorchTrainer(
        worker,
        train_loop_config=told,
        torch_config=TorchConfig(backend="nccl" if use_gpu else "gloo"),
        scaling_config=ScalingConfig(
            num_workers=run.workers, use_gpu=use_gpu, resources_per_worker=resources
        ),
        run_config=RunConfig(
            name=run.name,
            storage_path=run.storage_path,
            failure_config=FailureConfig(max_failures=FAILURES_MAX),
            checkpoint_config=CheckpointConfig(num_to_keep=CHECKPOINTS_KEPT),
        ),
    )
    try:
        checkpoint = trainer.fit().checkpoint
    except (TrainingFailedError, RayError) as error:
        raise _cause(error, run.place) from None
    if checkpoint is None:
        what = "the training run ended without a checkpoint"
        raise Fault(what, run.place, "See the logs of its workers.")
    return _read(checkpoint)


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


def take_up(fitting: Resumable, checkpoint: bytes, place: str) -> None:
    """Bring a fitting to the end of a run.

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


# --- as one of the workers ----------------------------------------------------------------------


def own_shard() -> Shard:
    """Return which part of the work this worker takes."""
    context = get_context()
    world = context.get_world_size()
    return Shard(context.get_world_rank(), world, _sum) if world > 1 else Shard()


def parallel(network: nn.Module) -> nn.Module:
    """Make a network learn together with those of the other workers."""
    return prepare_model(network)


def can_go_on(fitting: Resumable) -> bool:
    """Go on from the run's last checkpoint, if there is one; False where it is damaged.

    A damaged one stays the last, so whoever waits for the run finds it; trying again is vain.
    """
    checkpoint = get_checkpoint()
    if checkpoint is not None:
        try:
            fitting.resume(_read(checkpoint))
        except IntegrityError:
            return False
    return True


def report_pass(fitting: Resumable, figures: Mapping[str, float], *, is_first: bool) -> None:
    """Hand figures to Ray, and the first worker's state as a checkpoint."""
    if not is_first:
        report(dict(figures))
        return
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, CHECKPOINT_FILE).write_bytes(fitting.checkpoint())
        report(dict(figures), checkpoint=Checkpoint.from_directory(folder))


def _sum(figures: Tensor) -> Tensor:
    distributed.all_reduce(figures)
    return figures


def _read(checkpoint: Checkpoint) -> bytes:
    with checkpoint.as_directory() as folder:
        return Path(folder, CHECKPOINT_FILE).read_bytes()


# --- how far it is ------------------------------------------------------------------------------


class Course:
    """How far the workers of a run are; they tell it, and whoever waits for them asks."""

    def __init__(self, start: Any) -> None:  # noqa: ANN401 - each trainer tells what it has
        self._state = start

    def reached(self, state: Any) -> None:  # noqa: ANN401 - the same
        """Keep what is done."""
        self._state = state

    def state(self) -> Any:  # noqa: ANN401 - the same
        """Return what is done."""
        return self._state


@contextmanager
def followed(start: Any, tell: Callable[[Any], None] | None) -> Iterator[Any]:  # noqa: ANN401 - the same
    """Pass on what the workers tell, from a thread: the main one waits for Ray's trainer.

    Args:
        start: what is told until a worker says more.
        tell: called a few times a second; None where nobody asks, and then no course is yielded.
    """
    if tell is None:
        yield None
        return
    course: Any = ray.remote(num_cpus=0)(Course).remote(start)
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.wait(TOLD_EVERY_S):
            tell(ray.get(course.state.remote()))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    try:
        yield course
    finally:
        is_over.set()
        asking.join()
        ray.kill(course)

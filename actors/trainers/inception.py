"""Training of an image model on one or many workers with Ray Train (C2, B8).

The arithmetic is in ``cluster.imaging.fit``. Images lie in the blob store that all nodes reach, and
every worker reads its own; starting weights go to each node once. After each pass a checkpoint
(safetensors) goes to the run's folder, from which an interrupted run goes on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import ray
import torch
from ray.train.torch import get_device
from torch import nn

from actors.trainers.course import (
    TrainRun,
    can_go_on,
    followed,
    has_gpus,
    nodes_here,
    own_shard,
    parallel,
    report_pass,
    share_of_cpus,
    take_up,
    train,
)
from cluster.contracts.image_models import Epoch
from cluster.contracts.image_training import ImageFitConfig
from cluster.contracts.images import ImageSetManifest
from cluster.ids import key_of, sha256
from cluster.images.examine import manifest_bytes
from cluster.imaging.fit import ImageFitting
from cluster.imaging.lesson import Lesson
from cluster.imaging.network import ImageNetwork, build
from cluster.imaging.weights import load_into
from cluster.learning.shard import Shard
from cluster.settings import Settings
from cluster.storage.image_sets import ImageSets
from cluster.storage.starting_weights import ResolvedWeights

FORMAT: Final = "1"
"""Of checkpoints; raised where older ones can no longer be gone on with."""

PARTS_TOLD: Final = 4
"""Of the images whose features are made, before the first pass is done."""

Tell = Callable[[int, int, Epoch], None]
"""Is told of each pass that is done: its number from 1 on, how many there are at most, figures."""
TellFeatures = Callable[[int, int], None]
"""Is told how many images have their features, and of how many."""


@dataclass(frozen=True)
class Reached:
    """How far a run is."""

    features: int = 0
    """Images that the network without its head has seen, about, in the first pass."""
    curve: tuple[Epoch, ...] = ()


@dataclass(frozen=True)
class ImageTask:
    """What a model learns from, and how; it goes to workers as it is."""

    manifest: ImageSetManifest
    weights: ResolvedWeights
    settings: Settings
    """Where the images are."""

    @property
    def digest(self) -> str:
        """Of the images, as their store names them."""
        return sha256(manifest_bytes(self.manifest))

    def lesson(self, size: int) -> Lesson:
        """Return the images at a size.

        Raises:
            ImageSetRefused: a class has too few images.
        """
        return Lesson(self.manifest, ImageSets.of(self.settings).image, size)

    def network(self, config: ImageFitConfig) -> ImageNetwork:
        """Return the network as training begins with it, the same wherever it is made.

        Raises:
            WeightsInvalid: the starting weights do not fit.
        """
        card = self.weights.card
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            network = build(
                config.backbone,
                len(self.manifest.labels),
                pads_counted=card.pads_counted,
                aux=config.has_aux,
            )
        if self.weights.tensors:
            load_into(network.get_submodule("net"), self.weights.tensors, card.name)
        return network

    def begin(
        self,
        config: ImageFitConfig,
        shard: Shard | None = None,
        device: str = "cpu",
        wrap: Callable[[nn.Module], nn.Module] = lambda network: network,
    ) -> ImageFitting:
        """Begin to train; see ``ImageFitting``."""
        lesson, network = self.lesson(config.image_size), self.network(config)
        return ImageFitting(lesson, network, config, shard, device=device, wrap=wrap)


def fit_images(
    task: ImageTask,
    config: ImageFitConfig,
    *,
    workers: int,
    storage_path: str,
    tell: Tell,
    tell_features: TellFeatures = lambda done, total: None,
) -> ImageFitting:
    """Train an image model to its end.

    Every worker takes its share of each batch. With one worker the same images, weights and seed
    give the same course on one machine.

    Args:
        task: images and starting weights.
        config: how it is trained.
        workers: processes that train together, with a GPU each where the cluster has them; else
            they share its processors.
        storage_path: folder or URI that all nodes reach; checkpoints lie there. Started again with
            the same task and configuration, a run goes on; a finished one gives its result again.
        tell: is told of each pass, also of those that were done before an interruption.
        tell_features: is told a few times of the first pass, in which the head is fitted.

    Raises:
        ImageSetRefused: a class has too few images.
        WeightsInvalid: the starting weights do not fit.
        IntegrityError: the run's last checkpoint is damaged.
        Fault: the run failed, or ended without a checkpoint.
    """
    fitting = task.begin(config)  # what cannot be learned from starts no process
    weights = task.weights.card
    key = key_of(FORMAT, task.digest, weights.name, weights.sha256, config.model_dump_json())
    share = share_of_cpus(nodes_here(), workers, use_gpu=has_gpus(workers))
    run = TrainRun(f"images-{key[:12]}", storage_path, workers, share)
    heard: list[Epoch] = []
    total, parts = _images_of_head(fitting.lesson), 0

    def hear(reached: Reached) -> None:
        nonlocal parts
        if not reached.curve and reached.features * PARTS_TOLD // total > parts:
            parts = reached.features * PARTS_TOLD // total
            tell_features(reached.features, total)
        for number, epoch in enumerate(reached.curve[len(heard) :], start=len(heard) + 1):
            heard.append(epoch)
            tell(number, fitting.epochs_max, epoch)

    with followed(Reached(), hear) as course:
        told = {"task": ray.put(task), "config": config, "course": course, "cpus": share}
        checkpoint = train(train_worker, told, run)
    take_up(fitting, checkpoint, run.place)
    hear(Reached(curve=tuple(fitting.curve)))
    return fitting


def _images_of_head(lesson: Lesson) -> int:
    return len(lesson.rows_of("training")) + len(lesson.rows_of("validation"))


def train_worker(told: dict[str, Any]) -> None:
    """Train as one of the run's workers; all report, the first one with a file."""
    torch.set_num_threads(max(int(told["cpus"]), 1))
    task: ImageTask = ray.get(told["task"])
    shard = own_shard()
    fitting = task.begin(told["config"], shard, str(get_device()), parallel)
    if not can_go_on(fitting):
        return
    is_first = shard.rank == 0
    if is_first and not fitting.curve:
        _follow_features(fitting, shard.world, told["course"])
    while not fitting.finished:
        fitting.run_epoch()
        if is_first:
            told["course"].reached.remote(Reached(curve=tuple(fitting.curve)))
        figures = fitting.curve[-1].model_dump(exclude={"stage"})
        report_pass(fitting, figures, is_first=is_first)


def _follow_features(fitting: ImageFitting, world: int, course: Any) -> None:  # noqa: ANN401 - a handle, which Ray does not type
    """Tell how many images the network has seen for its head; workers go on side by side."""
    total, seen = _images_of_head(fitting.lesson), 0

    def count(number: int) -> None:
        nonlocal seen
        seen = min(seen + number * world, total)
        if not fitting.curve:
            course.reached.remote(Reached(features=seen))

    fitting.lesson.seen = count

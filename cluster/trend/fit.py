"""Training of the first model to convergence, the same in one process and on many (S600-S640).

A run is a ``Fitting``: network, optimiser and how far it came. It can be put away after every
epoch and taken up again with the same result, because the order of the windows and the dropout
depend on the seed, the epoch and the rank only. A member has converged when its validation loss
has not improved for some epochs; of each member the weights of its best epoch until then are kept.
So a member's weights do not depend on what came after the windows that it keeps apart, except
through the thresholds of labels that the source does not give.

Shapes: B batch, F features, M members, O outputs, S window shapes, W windows.
"""

import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import Final, cast

import numpy as np
import torch
from torch import Tensor, nn

from cluster.contracts.trend import Channel
from cluster.errors import Conflict, Fault
from cluster.ids import canonical_json, sha256
from cluster.learning.chance import reproducible
from cluster.learning.optimizers import restore_state, state_tensors, under
from cluster.learning.sealed import pack, unpack
from cluster.learning.shard import Shard
from cluster.trend.folds import N_MEMBERS
from cluster.trend.lesson import Lesson
from cluster.trend.network import (
    TrendNetwork,
    TrendNetworkConfig,
    limit_gradients,
    window_loss,
)
from cluster.trend.windows import Rows

GRADIENT_NORM_MAX: Final = 5.0
"""Of a member's gradients, before a step."""


@dataclass(frozen=True)
class FitConfig:
    """How a first model is trained."""

    network: TrendNetworkConfig = field(default_factory=TrendNetworkConfig)
    lr: float = 1e-3
    weight_decay: float = 1e-2
    batch_size: int = 256
    """Windows of a step, over all workers together."""
    epoch_windows_min: int = 2000
    """An epoch takes one window of every item, drawn anew, so often that it has at least so many.
    Windows of one item are alike: an item with many does not count for more."""
    epochs_max: int = 60
    patience: int = 12
    """Epochs without a better validation loss after which a member has converged."""
    improvement_min: float = 1e-4
    """A lower validation loss counts as better from this difference on."""
    label_weight: float = 0.3
    """Weight of the label losses beside the squared error of log2(1 + accesses)."""
    seed: int = 0
    left_out: tuple[Channel, ...] = ()
    """Channels that the model does not look at, of ``CHANNELS``."""


class Fitting:
    """One training run, which may be one of many processes that train together."""

    def __init__(
        self,
        lesson: Lesson,
        config: FitConfig,
        shard: Shard | None = None,
        *,
        device: str = "cpu",
        wrap: Callable[[nn.Module], nn.Module] = lambda network: network,
    ) -> None:
        self.config = config
        self.lesson = lesson
        self.shard = shard or Shard()
        self.device = torch.device(device)
        with reproducible(config.seed):
            self.network = start_network(lesson, config.network)
        self.network.to(self.device)
        self._parallel = wrap(self.network)
        self._optimizer = torch.optim.AdamW(
            [weights for weights in self.network.parameters() if weights.requires_grad],
            lr=config.lr,
            weight_decay=config.weight_decay,
        )
        self._tensors = _Tensors.of(lesson, self.device)
        self._item_W = lesson.exam.item_codes()
        self._validation = self._tensors.validation_MW.any(dim=0).nonzero().squeeze(1)
        self.learning_curve: list[tuple[float, float]] = []
        self.best_epochs = [0] * N_MEMBERS
        with reproducible(config.seed):
            self.best_losses = self._validation_losses()
        self._best = _weights(self.network)

    @property
    def epochs(self) -> int:
        """Epochs done."""
        return len(self.learning_curve)

    @property
    def converged(self) -> bool:
        """Every member has been without a better validation loss for ``patience`` epochs."""
        return self.epochs - max(self.best_epochs) >= self.config.patience

    @property
    def finished(self) -> bool:
        """Converged, or at the limit of epochs."""
        return self.converged or self.epochs >= self.config.epochs_max

    def run_epoch(self) -> None:
        """Learn from an epoch's windows, then validate; all ranks reach the same state.

        Raises:
            Fault: a loss is no longer a number.
        """
        epoch = self.epochs
        seeds = np.random.SeedSequence([self.config.seed, epoch, self.shard.rank])
        with reproducible(int(seeds.generate_state(1)[0])):
            training_loss = self._train(epoch)
            losses_M = self._validation_losses()
        if not np.isfinite([training_loss, *losses_M]).all():
            what = f"the loss is no longer a number in epoch {epoch + 1}"
            raise Fault(what, "trend training", "Lower the learning rate.")
        self.learning_curve.append((training_loss, sum(losses_M) / N_MEMBERS))
        for member, loss in enumerate(losses_M):
            if epoch - self.best_epochs[member] >= self.config.patience:
                continue  # it has converged, however long the others learn
            if loss < self.best_losses[member] - self.config.improvement_min:
                self.best_losses[member], self.best_epochs[member] = loss, self.epochs
                for name, weights in self.network.named_parameters():
                    self._best[name][member] = weights.detach()[member]

    def best_network(self) -> TrendNetwork:
        """Return the network with every member's weights of its best epoch."""
        network = deepcopy(self.network)
        network.load_state_dict(self._best, strict=False)
        return network.cpu().eval()

    def checkpoint(self) -> bytes:
        """Write all that is needed to go on after this epoch, as sealed safetensors."""
        tensors = {
            **{f"network/{name}": tensor for name, tensor in _weights(self.network).items()},
            **{f"best/{name}": tensor for name, tensor in self._best.items()},
            **state_tensors(self._optimizer),
        }
        progress = {
            "lesson": self._lesson_digest(),
            "curve": self.learning_curve,
            "best_epochs": self.best_epochs,
            "best_losses": self.best_losses,
        }
        return pack(tensors, progress)

    def resume(self, checkpoint: bytes) -> None:
        """Go on from a checkpoint.

        Raises:
            IntegrityError: the checkpoint is damaged.
            Conflict: it belongs to a run on other windows or with another configuration.
        """
        tensors, progress = unpack(checkpoint)
        if progress.get("lesson") != self._lesson_digest():
            what = "the checkpoint is of another training run"
            raise Conflict(what, "trend training", "Give the run another name.")
        self.network.load_state_dict(under("network/", tensors), strict=False)
        self._best = under("best/", tensors)
        restore_state(self._optimizer, tensors)
        self.learning_curve = [(training, valid) for training, valid in progress["curve"]]
        self.best_epochs, self.best_losses = progress["best_epochs"], progress["best_losses"]

    def _train(self, epoch: int) -> float:
        """Return the mean training loss over all ranks."""
        self._parallel.train()
        figures = torch.zeros(2, dtype=torch.float64, device=self.device)
        for rows in batches(self._item_W, self.config, epoch, self.shard):
            chosen = torch.from_numpy(rows).to(self.device)
            loss_MB, counts_MB = self._loss(self._parallel, chosen), self._tensors.training(chosen)
            total, count = (loss_MB * counts_MB).sum(), counts_MB.sum()
            self._optimizer.zero_grad()
            torch.autograd.backward(total / count.clamp_min(1))
            limit_gradients(self.network, GRADIENT_NORM_MAX)
            self._optimizer.step()
            figures += torch.stack([total.detach().double(), count.double()])
        loss, n = self.shard.sum_over_ranks(figures).tolist()
        return cast("float", loss / n)

    @torch.no_grad()
    def _validation_losses(self) -> list[float]:
        """Return each member's mean loss, items weighing alike; ranks share the windows."""
        self._parallel.eval()
        figures_M2 = torch.zeros(N_MEMBERS, 2, dtype=torch.float64, device=self.device)
        mine = self._validation[self.shard.rank :: self.shard.world]
        for rows in torch.split(mine, 8 * self.config.batch_size):
            weight_MB = self._tensors.validation_MW[:, rows].double()
            loss_MB = self._loss(self.network, rows).double()
            figures_M2 += torch.stack([(weight_MB * loss_MB).sum(1), weight_MB.sum(1)], dim=1)
        totals_M, weights_M = self.shard.sum_over_ranks(figures_M2).unbind(dim=1)
        return cast("list[float]", (totals_M / weights_M).tolist())

    def _loss(self, network: nn.Module, rows: Tensor) -> Tensor:
        """Return every member's loss of these windows, shape [M, B]."""
        inputs_BF, shape_B, targets_BO = self._tensors.batch(rows)
        on_gpu = self.device.type == "cuda"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=on_gpu):
            outputs_MBO = network(inputs_BF, shape_B)
        error_MB = self.network.error_MS[:, shape_B]
        targets_MBO = targets_BO.expand(N_MEMBERS, -1, -1)
        return window_loss(outputs_MBO.float(), targets_MBO, error_MB, self.config.label_weight)

    def _lesson_digest(self) -> str:
        """Name the windows and the configuration of this run."""
        exam, shapes = self.lesson.exam, self.lesson.shapes
        arrays = (
            exam.features.inputs_WF,
            exam.targets_WO(),
            exam.place_W,
            exam.item_codes(),
            exam.folds.training_MW,
            exam.folds.validation_MW,
        )
        about = [asdict(self.config), [shape.model_dump(mode="json") for shape in shapes]]
        digests = [sha256(np.ascontiguousarray(array).tobytes()) for array in arrays]
        return sha256(canonical_json([about, digests]))


def start_network(lesson: Lesson, config: TrendNetworkConfig) -> TrendNetwork:
    """Return a network that is the linear model so far; that part is not trained further."""
    network = TrendNetwork(config, len(lesson.shapes))
    inputs_WF, y_W = (
        torch.from_numpy(lesson.exam.features.inputs_WF),
        torch.tensor(lesson.exam.labels.y_W),
    )
    for place in range(len(lesson.shapes)):
        rows = np.flatnonzero(lesson.exam.place_W == place)
        chosen = torch.from_numpy(rows)
        training_MR = lesson.exam.folds.training_MW[:, rows]
        network.learn_shape(place, inputs_WF[chosen], y_W[chosen], training_MR)
    network.slope.requires_grad = False
    network.level.requires_grad = False
    return network


def batches(item_W: Rows, config: FitConfig, epoch: int, shard: Shard) -> Iterator[Rows]:
    """Yield this rank's rows of every batch of an epoch.

    The order is drawn from seed and epoch, so that all ranks agree. It is filled up from its own
    start to a multiple of the ranks: each rank gets as many rows, as often.

    Args:
        item_W: number of each window's item.
        config: size of a batch and of an epoch.
        epoch: number of the epoch.
        shard: which part this process takes.
    """
    generator = np.random.default_rng([config.seed, epoch])
    order = np.empty(0, dtype=np.int64)
    while len(order) < config.epoch_windows_min:
        order = np.concatenate([order, one_of_each(item_W, generator)])
    order = np.resize(order, math.ceil(len(order) / shard.world) * shard.world)
    size = max(config.batch_size // shard.world, 1) * shard.world
    for start in range(0, len(order), size):
        yield order[start : start + size][shard.rank :: shard.world]


def one_of_each(item_W: Rows, generator: np.random.Generator) -> Rows:
    """Draw one window of every item, in random order."""
    shuffled = generator.permutation(len(item_W))
    _, first = np.unique(item_W[shuffled], return_index=True)
    return np.asarray(shuffled[np.sort(first)])


@dataclass(frozen=True)
class _Tensors:
    """The windows of a lesson on the device where they are needed."""

    inputs_WF: Tensor
    shape_W: Tensor
    targets_WO: Tensor
    training_MW: Tensor
    validation_MW: Tensor

    @classmethod
    def of(cls, lesson: Lesson, device: torch.device) -> "_Tensors":
        item_W = lesson.exam.item_codes()
        windows_of_item_W = np.bincount(item_W)[item_W]
        arrays = (
            lesson.exam.features.inputs_WF,
            lesson.exam.place_W,
            lesson.exam.targets_WO(),
            lesson.exam.folds.training_MW.astype(np.float32),
            (lesson.exam.folds.validation_MW / windows_of_item_W).astype(np.float32),
        )
        return cls(*(torch.from_numpy(array).to(device) for array in arrays))

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.inputs_WF[rows], self.shape_W[rows], self.targets_WO[rows]

    def training(self, rows: Tensor) -> Tensor:
        return self.training_MW[:, rows]


def _weights(network: TrendNetwork) -> dict[str, Tensor]:
    return {name: weights.detach().clone() for name, weights in network.named_parameters()}

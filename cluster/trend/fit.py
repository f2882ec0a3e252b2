"""Training of the first model to convergence, the same in one process and on many (S600-S640).

A run is a ``Fitting``: network, optimiser and how far it came. It can be put away after every
epoch and taken up again with the same result, because the order of the windows and the dropout
depend on the seed, the epoch and the rank only. It has converged when the validation error has
not improved for some epochs; the weights of the best epoch are kept.

Shapes: B batch, F features, W windows.
"""

import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import Any, Final, cast

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor, nn

from cluster.contracts.trend import TrendCard, TrendMetrics
from cluster.errors import Conflict
from cluster.ids import canonical_json, sha256
from cluster.trend.artefact import (
    Calibration,
    Profile,
    TrendModel,
    load,
    network_outputs,
    pack,
    save,
    unpack,
)
from cluster.trend.baselines import score_baselines
from cluster.trend.features import Floats, labels, split_windows, windows_to_features
from cluster.trend.metrics import measure
from cluster.trend.network import TrendNetwork, TrendNetworkConfig, reproducible, window_loss

HOT_SHARE: Final = 0.1
HOT_THRESHOLD_MIN_LOG2: Final = 1.0
"""A window with no access to come is never hot."""
SLOPE_RANGE: Final = (0.05, 20.0)
BIAS_RANGE: Final = (-20.0, 20.0)
GRADIENT_NORM_MAX: Final = 5.0


@dataclass(frozen=True)
class FitConfig:
    """How a first model is trained."""

    network: TrendNetworkConfig = field(default_factory=TrendNetworkConfig)
    lr: float = 2e-3
    weight_decay: float = 1e-3
    batch_size: int = 128
    """Windows of a step, over all workers together."""
    epochs_max: int = 60
    patience: int = 8
    """Epochs without a better validation loss after which the run has converged."""
    improvement_min: float = 1e-4
    """A lower validation loss counts as better from this difference on."""
    hot_weight: float = 1.0
    """Weight of the hot loss beside the squared error of log2(1 + accesses)."""
    seed: int = 0


@dataclass(frozen=True)
class Shard:
    """Which part of every batch this process takes."""

    rank: int = 0
    world: int = 1
    sum_over_ranks: Callable[[Tensor], Tensor] = lambda figures: figures
    """Adds figures over all processes and gives every one the sum."""


@dataclass(frozen=True)
class Samples:
    """Windows with what came after them, as arrays."""

    inputs_WF: NDArray[np.float32]
    y_W: Floats
    hot_W: NDArray[np.bool_]


@dataclass(frozen=True)
class Lesson:
    """What a first model learns from."""

    training: Samples
    validation: Samples
    hot_threshold_log2: float
    period_days: tuple[float, float]
    """Shortest and longest first period in the training windows."""


def hot_threshold(y_W: Floats) -> float:
    """Return the log2(1 + accesses) from which a window is in the top decile (S620)."""
    top = float(np.quantile(y_W, 1 - HOT_SHARE, method="higher"))
    return max(top, HOT_THRESHOLD_MIN_LOG2)


def samples_of(windows: pa.Table, hot_threshold_log2: float) -> Samples:
    """Return the windows as arrays.

    Raises:
        WindowInvalid: a window is not usable or has no label.
    """
    y_W = labels(windows)
    return Samples(windows_to_features(windows).inputs_WF, y_W, y_W >= hot_threshold_log2)


def prepare(windows: pa.Table) -> Lesson:
    """Leave out the held-out items and part the rest into training and validation by item.

    Raises:
        WindowInvalid: a window is not usable, or there are too few items.
    """
    parts = split_windows(windows)
    threshold = hot_threshold(labels(parts.training))
    period_days = windows_to_features(parts.training).period_days_W
    return Lesson(
        training=samples_of(parts.training, threshold),
        validation=samples_of(parts.validation, threshold),
        hot_threshold_log2=threshold,
        period_days=(float(period_days.min()), float(period_days.max())),
    )


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
        training = lesson.training
        with reproducible(config.seed):
            self.network = TrendNetwork(config.network)
            self.network.initialise(training.inputs_WF, training.y_W, lesson.hot_threshold_log2)
        self.network.to(self.device)
        self._parallel = wrap(self.network)
        self._optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=config.lr, weight_decay=config.weight_decay
        )
        self._training = self._tensors(training)
        self._validation = self._tensors(lesson.validation)
        self.learning_curve: list[tuple[float, float]] = []
        self.best_epoch = 0
        with reproducible(config.seed):
            self.best_loss = self._validation_loss()
        self._best = deepcopy(self.network.state_dict())

    @property
    def epochs(self) -> int:
        """Epochs done."""
        return len(self.learning_curve)

    @property
    def converged(self) -> bool:
        """No better validation loss for ``patience`` epochs."""
        return self.epochs - self.best_epoch >= self.config.patience

    @property
    def finished(self) -> bool:
        """Converged, or at the limit of epochs."""
        return self.converged or self.epochs >= self.config.epochs_max

    def run_epoch(self) -> None:
        """Learn from every training window once, then validate; all ranks reach the same state."""
        epoch = self.epochs
        seeds = np.random.SeedSequence([self.config.seed, epoch, self.shard.rank])
        with reproducible(int(seeds.generate_state(1)[0])):
            training_loss = self._train(epoch)
            validation_loss = self._validation_loss()
        self.learning_curve.append((training_loss, validation_loss))
        if validation_loss < self.best_loss - self.config.improvement_min:
            self.best_loss, self.best_epoch = validation_loss, self.epochs
            self._best = deepcopy(self.network.state_dict())

    def best_network(self) -> TrendNetwork:
        """Return the network with the weights of the best epoch."""
        network = deepcopy(self.network)
        network.load_state_dict(self._best)
        return network.cpu().eval()

    def checkpoint(self) -> bytes:
        """Write all that is needed to go on after this epoch, as sealed safetensors."""
        optimizer = self._optimizer.state_dict()["state"]
        tensors = {
            **{f"network/{name}": tensor for name, tensor in self.network.state_dict().items()},
            **{f"best/{name}": tensor for name, tensor in self._best.items()},
            **{
                f"optimizer/{index}/{name}": tensor
                for index, state in optimizer.items()
                for name, tensor in state.items()
            },
        }
        progress = {
            "lesson": self._lesson_digest(),
            "curve": self.learning_curve,
            "best_epoch": self.best_epoch,
            "best_loss": self.best_loss,
        }
        return pack(tensors, progress)

    def resume(self, checkpoint: bytes) -> None:
        """Go on from a checkpoint.

        Raises:
            IntegrityError: the checkpoint is damaged.
            Conflict: it belongs to a run on other windows or with another configuration.
        """
        tensors, progress = unpack(checkpoint)
        if progress["lesson"] != self._lesson_digest():
            what = "the checkpoint is of another training run"
            raise Conflict(what, "trend training", "Give the run another name.")
        self.network.load_state_dict(_under("network/", tensors))
        self._best = _under("best/", tensors)
        states: dict[int, dict[str, Tensor]] = {}
        for path, tensor in _under("optimizer/", tensors).items():
            index, name = path.split("/")
            states.setdefault(int(index), {})[name] = tensor
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": states, "param_groups": groups})
        self.learning_curve = [(training, valid) for training, valid in progress["curve"]]
        self.best_epoch, self.best_loss = progress["best_epoch"], progress["best_loss"]

    def _train(self, epoch: int) -> float:
        """Return the mean training loss over all ranks."""
        self._parallel.train()
        inputs_WF, y_W, hot_W = self._training
        figures = torch.zeros(2, dtype=torch.float64, device=self.device)
        for rows in batches(len(y_W), self.config, epoch, self.shard):
            loss = self._loss(inputs_WF[rows], y_W[rows], hot_W[rows])
            self._optimizer.zero_grad()
            torch.autograd.backward(loss.mean())
            nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_NORM_MAX)
            self._optimizer.step()
            figures += torch.stack([loss.detach().double().sum(), figures.new_tensor(len(loss))])
        total, count = self.shard.sum_over_ranks(figures).tolist()
        return cast("float", total / count)

    @torch.no_grad()
    def _validation_loss(self) -> float:
        """Return the mean validation loss; each rank does its part of the windows."""
        self._parallel.eval()
        rows = slice(self.shard.rank, None, self.shard.world)
        inputs_WF, y_W, hot_W = (tensor[rows] for tensor in self._validation)
        figures = torch.zeros(2, dtype=torch.float64, device=self.device)
        if len(y_W) > 0:
            outputs = self.network(inputs_WF)
            loss = window_loss(outputs, y_W, hot_W, self.config.hot_weight)
            figures += torch.stack([loss.double().sum(), figures.new_tensor(len(loss))])
        total, count = self.shard.sum_over_ranks(figures).tolist()
        return cast("float", total / count)

    def _loss(self, inputs_BF: Tensor, y_B: Tensor, hot_B: Tensor) -> Tensor:
        on_gpu = self.device.type == "cuda"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=on_gpu):
            y_predicted_B, logit_B = self._parallel(inputs_BF)
        outputs = y_predicted_B.float(), logit_B.float()
        return window_loss(outputs, y_B, hot_B, self.config.hot_weight)

    def _tensors(self, samples: Samples) -> tuple[Tensor, Tensor, Tensor]:
        arrays = (samples.inputs_WF, samples.y_W, samples.hot_W)
        inputs_WF, y_W, hot_W = (
            torch.tensor(array, dtype=torch.float32, device=self.device) for array in arrays
        )
        return inputs_WF, y_W, hot_W

    def _lesson_digest(self) -> str:
        """Name the windows and the configuration of this run."""
        training = self.lesson.training
        content = training.inputs_WF.tobytes() + training.y_W.tobytes()
        return sha256(canonical_json(asdict(self.config)).encode() + content)


def batches(n: int, config: FitConfig, epoch: int, shard: Shard) -> Iterator[NDArray[np.int64]]:
    """Yield this rank's rows of every batch of an epoch.

    The order is drawn from seed and epoch, so that all ranks agree. It is filled up from its own
    start to a multiple of the ranks: each rank gets as many rows, as often.
    """
    order = np.random.default_rng([config.seed, epoch]).permutation(n)
    order = np.resize(order, math.ceil(n / shard.world) * shard.world)
    size = max(config.batch_size // shard.world, 1) * shard.world
    for start in range(0, len(order), size):
        yield order[start : start + size][shard.rank :: shard.world]


def calibrate(logit_W: Floats, hot_W: NDArray[np.bool_]) -> Calibration:
    """Fit slope and bias so that sigmoid(slope * logit + bias) is the chance of hot.

    Uses the smoothed targets of Platt (1999), so that separable logits do not give certainty.
    With one class only there is nothing to fit, and the logits stay as they are.
    """
    n_hot, n_cold = int(hot_W.sum()), int((~hot_W).sum())
    if min(n_hot, n_cold) == 0:
        return Calibration()
    target_W = np.where(hot_W, (n_hot + 1) / (n_hot + 2), 1 / (n_cold + 2))

    def loss(parameters: Floats) -> tuple[float, Floats]:
        score_W = parameters[0] * logit_W + parameters[1]
        error_W = 0.5 * (1 + np.tanh(0.5 * score_W)) - target_W
        value = float(np.mean(np.logaddexp(0, score_W) - target_W * score_W))
        return value, np.array([np.mean(error_W * logit_W), np.mean(error_W)])

    found: Any = minimize(
        loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[SLOPE_RANGE, BIAS_RANGE]
    )
    return Calibration(slope=float(found.x[0]), bias=float(found.x[1]))


def evaluate(model: TrendModel, windows: pa.Table) -> TrendMetrics:
    """Score a model on windows whose horizon has passed.

    Raises:
        WindowInvalid: a window is not usable or has no label, or there is none.
    """
    y_W, logit_W = model.outputs(windows_to_features(windows).inputs_WF)
    index_W = model.profile.calibration.probability(logit_W)
    return measure(labels(windows), y_W, index_W, model.profile.hot_threshold_log2)


def publish(windows: pa.Table, fitting: Fitting, dataset_digest: str) -> tuple[bytes, TrendCard]:
    """Calibrate the best network, seal it, and score it beside the baselines on held-out items.

    Args:
        windows: all windows the run was given, held-out items included.
        fitting: the finished run.
        dataset_digest: what names these windows.

    Returns:
        The model's bytes and its card.
    """
    lesson, network = fitting.lesson, fitting.best_network()
    with reproducible(fitting.config.seed):
        _, logit_W = network_outputs(network, lesson.validation.inputs_WF)
        profile = Profile(
            role="first",
            seed=fitting.config.seed,
            calibration=calibrate(logit_W, lesson.validation.hot_W),
            hot_threshold_log2=lesson.hot_threshold_log2,
            period_days=lesson.period_days,
        )
        content = save(network, profile)
        model = load(content)
        parts = split_windows(windows)
        held_out = evaluate(model, parts.held_out)
    known = pa.concat_tables([parts.training, parts.validation])
    card = TrendCard(
        version=model.version,
        role="first",
        dataset_digest=dataset_digest,
        seed=fitting.config.seed,
        epochs=fitting.epochs,
        converged=fitting.converged,
        hot_threshold_log2=lesson.hot_threshold_log2,
        period_days=lesson.period_days,
        n_train=len(lesson.training.y_W),
        held_out=held_out,
        baselines=score_baselines(
            known, parts.held_out, hot_threshold_log2=lesson.hot_threshold_log2
        ),
        learning_curve=fitting.learning_curve,
    )
    return content, card


def fit(windows: pa.Table, config: FitConfig, dataset_digest: str) -> tuple[bytes, TrendCard]:
    """Train a first model in this process, without Ray.

    Raises:
        WindowInvalid: a window is not usable or has no label, or there are too few items.
    """
    fitting = Fitting(prepare(windows), config)
    while not fitting.finished:
        fitting.run_epoch()
    return publish(windows, fitting, dataset_digest)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose name has the prefix, without it."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }

"""Training of an image model in two stages, the same in one process and on many (C2, B8).

First the head alone, on features that are made once. Then the network, as deep as is asked for, on
images that change a little each time; what is judged and kept is a running average of its weights
(Polyak 1992), at the pass with the lowest validation loss. A run can be put away after every pass
and taken up again, because order and changes depend on the seed, the pass and the rank only.

With several workers each takes its share of every batch. A batch is normalised by the statistics
of the share; what is kept of them is their mean over the workers. Training is in bfloat16 where the
processor or GPU computes in it, validation always in float32: the two differ by up to 0.75 points.

Shapes: B batch, N images, K classes, P what the head takes.
"""

import math
import time
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cluster.contracts.image_models import Epoch
from cluster.contracts.image_training import ImageFitConfig
from cluster.errors import Conflict, Fault
from cluster.ids import canonical_json, sha256
from cluster.imaging.augmentation import Augmentation
from cluster.imaging.head import fit_head
from cluster.imaging.lesson import Ints, Lesson
from cluster.imaging.network import ImageNetwork, Outputs
from cluster.imaging.schedule import batches, rate_share
from cluster.learning.optimizers import restore_state, state_tensors, under
from cluster.learning.sealed import pack, unpack
from cluster.learning.shard import Shard

EVALUATED_AT_ONCE: Final = 64
AUX_WEIGHT: Final = 0.4
"""Of the auxiliary head's loss (Szegedy 2016)."""
FOLLOWED: Final = 33
"""Steps that the average looks back at the most."""
GRADIENT_NORM_MAX: Final = 5.0
CLASS_WEIGHT_MAX: Final = 10.0
WHERE: Final = "image training"


class ImageFitting:
    """One training run, which may be one of many processes that train together."""

    def __init__(
        self,
        lesson: Lesson,
        network: ImageNetwork,
        config: ImageFitConfig,
        shard: Shard | None = None,
        *,
        device: str = "cpu",
        wrap: Callable[[nn.Module], nn.Module] = lambda network: network,
    ) -> None:
        """Begin a run.

        Args:
            lesson: the images, of the configured size.
            network: with its starting weights.
            config: how it is trained.
            shard: which part of every batch this process takes.
            device: of torch.
            wrap: makes the network learn together with those of other processes.
        """
        self.lesson, self.config, self.shard = lesson, config, shard or Shard()
        self.device = torch.device(device)
        self.network = network.to(self.device).to(memory_format=torch.channels_last)
        self._frozen = list(network.lower()) if config.depth == "upper" else []
        for module in self._frozen:
            module.requires_grad_(requires_grad=False)
        self._parallel = wrap(self.network)
        self._optimizer = torch.optim.AdamW(self._groups(), lr=config.learning_rate)
        self._weight_K = self._class_weights().to(self.device)
        self._training = lesson.rows_of("training")
        self._validation = lesson.rows_of("validation")
        self.curve: list[Epoch] = []
        self._average = _state(self.network)
        self._best = self._average
        self._best_at, self._best_loss = 0, math.inf
        self._start = sha256(b"".join(_bytes(t) for t in self._average.values()))

    @property
    def epochs(self) -> int:
        """Passes done, that of the head among them."""
        return len(self.curve)

    @property
    def epochs_max(self) -> int:
        """Passes at most."""
        return 1 if self.config.depth == "head" else 1 + self.config.epochs_max

    @property
    def finished(self) -> bool:
        """At the last pass, or for ``patience`` passes without a better validation loss."""
        stale = self.epochs - max(self._best_at, 1) >= self.config.patience
        return self.epochs >= self.epochs_max or stale

    def run_epoch(self) -> None:
        """Do the next pass; all ranks reach the same state.

        Raises:
            Fault: a loss is no longer a number.
        """
        began = time.perf_counter()
        if not self.curve:
            stage, training_loss = "head", self._fit_head()
            self._average = _state(self.network)
        else:
            if self.epochs == 1:
                self._forget_head()
            stage, training_loss = "fine-tuning", self._pass(self.epochs - 1)
        loss, accuracy = self._validate()
        if not np.isfinite([training_loss, loss]).all():
            what = f"the loss is no longer a number in pass {self.epochs + 1}"
            raise Fault(what, WHERE, "Lower the learning rate.")
        told = {
            "stage": stage,
            "training_loss": training_loss,
            "validation_loss": loss,
            "validation_accuracy": accuracy,
            "seconds": time.perf_counter() - began,
        }
        self.curve.append(Epoch.model_validate(told))
        if loss < self._best_loss:
            self._best_loss, self._best_at = loss, self.epochs
            self._best = {name: tensor.clone() for name, tensor in self._average.items()}

    def best_network(self) -> ImageNetwork:
        """Return the network with the weights of its best pass, for float32 on the CPU."""
        self.network.load_state_dict(self._best)
        self.network.eval()
        return self.network.cpu()

    # --- the head ---------------------------------------------------------------------------

    def _fit_head(self) -> float:
        """Fit the head on pooled features, and return its training loss."""
        rows = np.concatenate([self._training, self._validation])
        pooled_NP = torch.zeros(len(rows), self.network.pooled_size, device=self.device)
        mine = np.arange(len(rows))[self.shard.rank :: self.shard.world]
        for chosen in _chunks(mine, EVALUATED_AT_ONCE):
            pixels = self._float(self.lesson.batch(rows[chosen]))
            self.network.eval()
            with torch.no_grad(), self._autocast():
                pooled_NP[chosen] = self.network.pooled(pixels)[0].float()
        pooled = self.shard.sum_over_ranks(pooled_NP).cpu().numpy()
        n = len(self._training)
        truth = self.lesson.truth_N[rows]
        head = fit_head(
            (pooled[:n], truth[:n]), (pooled[n:], truth[n:]), self._weight_K.cpu().numpy()
        )
        with torch.no_grad():
            # One rank's solution is everyone's: solvers may differ in the last bits.
            for target, found in (
                (self.network.head.weight, head.weight_KP),
                (self.network.head.bias, head.bias_K),
            ):
                mine_or_0 = torch.from_numpy(found).to(target) * (self.shard.rank == 0)
                target.copy_(self.shard.sum_over_ranks(mine_or_0))
        return head.training_loss

    @torch.no_grad()
    def _forget_head(self) -> None:
        """Let the head begin anew at 0, as it learns with the network.

        The fitted one knows the features with the statistics of the starting weights. Those of a
        batch are others: beginning with it cost 8 points of accuracy on blood cells.
        """
        for parameter in self.network.head.parameters():
            parameter.zero_()
        self._average = _state(self.network)

    # --- fine-tuning ------------------------------------------------------------------------

    def _pass(self, number: int) -> float:
        """Learn from every training image once, and return the mean loss over all ranks."""
        self._parallel.train()
        for module in self._frozen:
            module.eval()
        per_pass = sum(1 for _ in self._batches(0))
        augmentation = Augmentation(self.config.augmentation, self.config.image_size)
        figures = torch.zeros(2, dtype=torch.float64, device=self.device)
        for step, rows in enumerate(self._batches(number)):
            self._set_rate(number * per_pass + step, self.config.epochs_max * per_pass)
            seed = np.random.SeedSequence([self.config.seed, number, step, self.shard.rank])
            drawn = int(seed.generate_state(1)[0])
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(drawn)  # of dropout
                loss = self._loss(augmentation(self.lesson.batch(rows), drawn), rows)
            self._optimizer.zero_grad()
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_NORM_MAX)
            self._optimizer.step()
            self._follow(1.0 / per_pass)
            figures += torch.tensor([loss.item() * len(rows), len(rows)], device=self.device)
        self._share_statistics()
        total, count = self.shard.sum_over_ranks(figures).tolist()
        return float(total / count)

    def _share_statistics(self) -> None:
        """Give all ranks one average: each has normalised its own share of the images."""
        for name, _ in self.network.named_buffers():
            if self._average[name].is_floating_point():
                mine = self._average[name] / self.shard.world
                self._average[name] = self.shard.sum_over_ranks(mine)

    def _loss(self, pixels: Tensor, rows: Ints) -> Tensor:
        truth = torch.from_numpy(self.lesson.truth_N[rows]).to(self.device)
        with self._autocast():
            outputs: Outputs = self._parallel(self._float(pixels))
        heads = [(outputs.logits, 1.0)]
        if outputs.aux is not None:
            heads.append((outputs.aux, AUX_WEIGHT))
        smooth = self.config.label_smoothing
        losses = [
            share
            * functional.cross_entropy(z.float(), truth, self._weight_K, label_smoothing=smooth)
            for z, share in heads
        ]
        return torch.stack(losses).sum()

    def _follow(self, share: float) -> None:
        """Let the average follow the weights, over about a pass or ``FOLLOWED`` steps."""
        share = max(share, 1 / FOLLOWED)
        with torch.no_grad():
            for name, tensor in self.network.state_dict().items():
                if tensor.is_floating_point():
                    self._average[name].lerp_(tensor.detach(), share)
                else:
                    self._average[name].copy_(tensor)

    def _set_rate(self, step: int, steps: int) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = self.config.learning_rate * rate_share(step / max(steps - 1, 1))

    def _batches(self, number: int) -> Iterator[Ints]:
        return batches(self._training, self.config, number, self.shard)

    # --- validation -------------------------------------------------------------------------

    def _validate(self) -> tuple[float, float]:
        """Return loss and accuracy of the average on the validation part, over all ranks."""
        now = _state(self.network)
        self.network.load_state_dict(self._average)
        self.network.eval()
        figures = torch.zeros(3, dtype=torch.float64, device=self.device)
        for rows in _chunks(
            self._validation[self.shard.rank :: self.shard.world], EVALUATED_AT_ONCE
        ):
            truth = torch.from_numpy(self.lesson.truth_N[rows]).to(self.device)
            with torch.no_grad():
                z = self.network(self._float(self.lesson.batch(rows))).logits
            loss = functional.cross_entropy(z, truth, reduction="sum")
            hits = (z.argmax(1) == truth).sum()
            figures += torch.stack(
                [loss.double(), hits.double(), hits.new_tensor(len(rows)).double()]
            )
        self.network.load_state_dict(now)
        loss, hits, count = self.shard.sum_over_ranks(figures).tolist()
        return loss / count, hits / count

    # --- going on later ---------------------------------------------------------------------

    def checkpoint(self) -> bytes:
        """Write all that is needed to go on after this pass, as sealed safetensors."""
        states = {"network": _state(self.network), "average": self._average, "best": self._best}
        tensors = {
            **{f"{key}/{name}": t for key, state in states.items() for name, t in state.items()},
            **state_tensors(self._optimizer),
        }
        progress = {
            "run": self._run_digest(),
            "curve": [one.model_dump() for one in self.curve],
            "best_at": self._best_at,
            "best_loss": self._best_loss,
        }
        return pack(tensors, progress)

    def resume(self, checkpoint: bytes) -> None:
        """Go on from a checkpoint.

        Raises:
            IntegrityError: the checkpoint is damaged.
            Conflict: it is of other images, starting weights or another configuration.
        """
        tensors, progress = unpack(checkpoint)
        if progress.get("run") != self._run_digest():
            what = "the checkpoint is of another training run"
            raise Conflict(what, WHERE, "Give the run another name.")
        self.network.load_state_dict(under("network/", tensors))
        self._average = {n: t.to(self.device) for n, t in under("average/", tensors).items()}
        self._best = {n: t.to(self.device) for n, t in under("best/", tensors).items()}
        restore_state(self._optimizer, tensors)
        self.curve = [Epoch.model_validate(one) for one in progress["curve"]]
        self._best_at, self._best_loss = progress["best_at"], progress["best_loss"]

    def _run_digest(self) -> str:
        images = [(one.digest, one.label, one.split) for one in self.lesson.images]
        return sha256(canonical_json([self.config.model_dump(), images, self._start]))

    # --- small parts ------------------------------------------------------------------------

    def _groups(self) -> list[dict[str, object]]:
        """Return the parameters that learn; biases and normalisation do not decay."""
        learning = [one for one in self.network.parameters() if one.requires_grad]
        decay = self.config.weight_decay
        return [
            {"params": [one for one in learning if one.ndim > 1], "weight_decay": decay},
            {"params": [one for one in learning if one.ndim <= 1], "weight_decay": 0.0},
        ]

    def _class_weights(self) -> Tensor:
        """Return [K]: the inverse of each class's share, of mean 1 over images, within limits."""
        truth = self.lesson.truth_N[self.lesson.rows_of("training")]
        count_K = np.bincount(truth, minlength=len(self.lesson.labels))
        if not self.config.class_weights:
            return torch.ones(len(count_K))
        weight_K = np.minimum(count_K.sum() / (len(count_K) * count_K), CLASS_WEIGHT_MAX)
        return torch.from_numpy(weight_K / (weight_K @ count_K / count_K.sum())).float()

    def _float(self, pixels_B3HW: Tensor) -> Tensor:
        return pixels_B3HW.to(self.device).float().contiguous(memory_format=torch.channels_last)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(
            self.device.type, torch.bfloat16, enabled=computes_bfloat16(self.device)
        )


def computes_bfloat16(device: torch.device) -> bool:
    """Say whether bfloat16 is computed by the hardware, and not slowly imitated."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    # Torch has no public name for it.
    return torch.ops.mkldnn._is_mkldnn_bf16_supported() is True


def _chunks(rows: Ints, size: int) -> Iterator[Ints]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _state(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def _bytes(tensor: Tensor) -> bytes:
    return tensor.cpu().contiguous().numpy().tobytes()

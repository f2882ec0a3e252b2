"""The trend network: a linear regression, and layers that learn what it misses (S600).

The linear part sees all features, the log of recent accesses among them, as in the regression of
Szabo and Huberman (2010). The network starts as its ridge solution and learns the rest, so it is
never far from a sound forecast. Depth and width are configuration.

Shapes: B batch, F features, H hidden width.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from cluster.errors import SettingInvalid
from cluster.trend.features import N_FEATURES, Floats

LOGISTIC_PER_NORMAL: Final = 1.702
"""The logistic curve at 1.702 x is within 0.01 of the normal distribution at x."""
DEVIATION_MIN: Final = 1e-4
"""A feature that varies less than this did not vary."""
RIDGE: Final = 1.0
"""Penalty of the regression at the start, in windows."""
ERROR_MIN_LOG2: Final = 0.1
"""Least error that the regression is believed to have."""


@dataclass(frozen=True)
class TrendNetworkConfig:
    """Shape of a trend network."""

    width: int = 64
    """Units of a layer."""
    depth: int = 2
    """Residual blocks, each of one layer."""
    dropout: float = 0.1
    input_limit: float = 5.0
    """Standard deviations at which an input is clipped, so that an outlier cannot run away."""

    def __post_init__(self) -> None:
        """Refuse a shape that cannot be built."""
        if min(self.width, self.depth) < 1 or not 0 <= self.dropout < 1 or self.input_limit <= 0:
            remedy = "Width and depth are 1 or more, dropout is below 1, the limit is positive."
            raise SettingInvalid(f"{self}", "trend network", remedy)  # noqa: EM102 - the values


class ResidualBlock(nn.Module):
    """One layer of width H that adds to what came in."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Dropout(dropout)
        )

    def forward(self, hidden_BH: Tensor) -> Tensor:
        """Return hidden values, shape [B, H]."""
        return hidden_BH + cast("Tensor", self.layers(hidden_BH))


class TrendNetwork(nn.Module):
    """Two forecasts of a window: log2(1 + accesses over the horizon), and the logit of hot."""

    mean_F: Tensor
    inverse_scale_F: Tensor

    def __init__(self, config: TrendNetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("mean_F", torch.zeros(N_FEATURES))
        self.register_buffer("inverse_scale_F", torch.zeros(N_FEATURES))
        self.entry = nn.Linear(N_FEATURES, config.width)
        self.blocks = nn.Sequential(
            *(ResidualBlock(config.width, config.dropout) for _ in range(config.depth))
        )
        self.heads = nn.Linear(config.width, 2)
        self.linear = nn.Linear(N_FEATURES, 2)
        nn.init.zeros_(self.heads.weight)
        nn.init.zeros_(self.heads.bias)

    def forward(self, inputs_BF: Tensor) -> tuple[Tensor, Tensor]:
        """Return (y_B, hot_logit_B) of raw features; standardisation is inside."""
        standard_BF = (inputs_BF - self.mean_F) * self.inverse_scale_F
        limit = self.config.input_limit
        hidden_BH = self.blocks(self.entry(standard_BF.clamp(-limit, limit)))
        y_B, hot_logit_B = (self.heads(hidden_BH) + self.linear(standard_BF)).unbind(dim=1)
        return y_B, hot_logit_B

    @torch.no_grad()
    def initialise(
        self, inputs_BF: NDArray[np.float32], y_B: Floats, hot_threshold_log2: float
    ) -> None:
        """Standardise by these windows, and start from their ridge regression.

        The hot logit starts as the chance that the regression's normal error carries y over the
        threshold. A feature that does not vary here is switched off: nothing was learned of it.
        """
        mean_F, inverse_F = _standardisation(inputs_BF)
        self.mean_F.copy_(mean_F)
        self.inverse_scale_F.copy_(inverse_F)
        standard_BF = (torch.from_numpy(inputs_BF).double() - mean_F) * inverse_F
        target_B = torch.from_numpy(y_B)
        level = target_B.mean()
        gram_FF = standard_BF.T @ standard_BF + RIDGE * torch.eye(N_FEATURES).double()
        slope_F = torch.linalg.solve(gram_FF, standard_BF.T @ (target_B - level))
        error = (target_B - level - standard_BF @ slope_F).square().mean().sqrt()
        steepness = LOGISTIC_PER_NORMAL / error.clamp_min(ERROR_MIN_LOG2)
        self.linear.weight.copy_(torch.stack([slope_F, slope_F * steepness]))
        self.linear.bias.copy_(torch.stack([level, (level - hot_threshold_log2) * steepness]))

    @torch.no_grad()
    def open_inputs(self, inputs_BF: NDArray[np.float32]) -> None:
        """Switch on features that vary only in these windows, without changing any forecast.

        Their weights start at zero and are learned from here on.
        """
        mean_F, inverse_F = _standardisation(inputs_BF)
        opened_F = (inverse_F > 0) & (self.inverse_scale_F == 0)
        self.mean_F[opened_F] = mean_F.to(self.mean_F)[opened_F]
        self.inverse_scale_F[opened_F] = inverse_F.to(self.mean_F)[opened_F]
        self.entry.weight[:, opened_F] = 0.0
        self.linear.weight[:, opened_F] = 0.0


def window_loss(
    outputs: tuple[Tensor, Tensor], y_B: Tensor, hot_B: Tensor, weight: float
) -> Tensor:
    """Return for each window the squared error of y plus the weighted hot loss, shape [B]."""
    y_predicted_B, logit_B = outputs
    hot_loss_B = binary_cross_entropy_with_logits(logit_B, hot_B, reduction="none")
    return (y_predicted_B - y_B) ** 2 + weight * hot_loss_B


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Seed torch and bind it to one thread; put both back afterwards.

    With several threads the order of additions, and so the last bits, would depend on the load.
    """
    threads = torch.get_num_threads()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def _standardisation(inputs_BF: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
    """Return mean and inverse deviation of each feature; the latter is 0 where nothing varies."""
    exact_BF = torch.from_numpy(inputs_BF).double()
    deviation_F = exact_BF.std(dim=0, correction=0)
    inverse_F = torch.where(deviation_F > DEVIATION_MIN, 1 / deviation_F, 0.0)
    return exact_BF.mean(dim=0), inverse_F

"""The trend network: a linear forecast, and layers that learn what it misses (S600).

Five members of one form are trained at once, each on its own part of the items; a forecast is
their mean. To each member belongs a ridge regression of every window shape (its features hold the
log of recent accesses, as in Szabo and Huberman 2010), and a residual network over all shapes
that adds a correction, in units of the regression's error. So the network starts as the linear
model, which stays readable inside it. Width, depth and dropout are configuration.

Shapes: B batch, F features, H hidden width, M members, S window shapes, O outputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from cluster.errors import SettingInvalid
from cluster.trend.features import CALENDAR, FEATURE_NAMES, N_FEATURES
from cluster.trend.folds import N_MEMBERS
from cluster.trend.windows import Mask

Y, HOT, SURGE = 0, 1, 2
"""Outputs: log2(1 + accesses to come), and the logits of the two labels."""
N_OUTPUTS: Final = 3
TOP_DECILE_LOGIT: Final = -2.197
"""Logit of one in ten, where the labels start."""
DEVIATION_MIN: Final = 1e-4
"""A feature that varies less than this did not vary."""
WIDTH_MAX: Final = 4096
DEPTH_MAX: Final = 64
RIDGE: Final = 30.0
"""Penalty of the regression, in windows."""
ERROR_MIN_LOG2: Final = 0.1
"""Least error that a regression is believed to have."""
_FIRST_MONTH: Final = FEATURE_NAMES.index(CALENDAR[0])
_MONTHS: Final = slice(_FIRST_MONTH, _FIRST_MONTH + len(CALENDAR))


@dataclass(frozen=True)
class TrendNetworkConfig:
    """Shape of a trend network."""

    width: int = 64
    """Units of a layer."""
    depth: int = 2
    """Residual blocks, each of one layer."""
    dropout: float = 0.2
    input_limit: float = 6.0
    """Standard deviations at which an input of the layers is clipped: no outlier runs away."""

    def __post_init__(self) -> None:
        """Refuse a shape that cannot be built."""
        sizes_fit = 1 <= self.width <= WIDTH_MAX and 1 <= self.depth <= DEPTH_MAX
        if not sizes_fit or not 0 <= self.dropout < 1 or self.input_limit <= 0:
            remedy = (
                f"Width is 1 to {WIDTH_MAX}, depth 1 to {DEPTH_MAX}, dropout from 0 and below 1, "
                "the limit positive."
            )
            raise SettingInvalid(f"{self}", "trend network", remedy)  # noqa: EM102 - the values


class TrendNetwork(nn.Module):
    """Forecasts of windows: log2(1 + accesses over the horizon), and the logits of the labels.

    All weights have the member as their first dimension: a member can be taken out or put back.
    """

    mean_SF: Tensor
    inverse_scale_SF: Tensor
    share_S: Tensor
    error_MS: Tensor

    def __init__(self, config: TrendNetworkConfig, n_shapes: int) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.register_buffer("mean_SF", torch.zeros(n_shapes, N_FEATURES))
        self.register_buffer("inverse_scale_SF", torch.zeros(n_shapes, N_FEATURES))
        self.register_buffer("share_S", torch.ones(n_shapes))
        self.register_buffer("error_MS", torch.ones(N_MEMBERS, n_shapes))
        self.slope = _zeros(n_shapes, N_FEATURES)
        self.level = _zeros(n_shapes)
        self.entry = _uniform(N_FEATURES, width, fan_in=N_FEATURES)
        self.entry_bias = _uniform(n_shapes, width, fan_in=N_FEATURES)
        self.blocks = nn.ParameterList(
            [_uniform(width, width, fan_in=width) for _ in range(config.depth)]
        )
        self.block_biases = nn.ParameterList([_zeros(1, width) for _ in range(config.depth)])
        self.label_slope = _zeros(n_shapes, N_FEATURES, N_OUTPUTS - HOT)
        self.heads = _zeros(width, N_OUTPUTS)
        self.head_bias = _zeros(n_shapes, N_OUTPUTS)
        with torch.no_grad():
            self.head_bias[..., HOT:] = TOP_DECILE_LOGIT

    @property
    def n_shapes(self) -> int:
        """Window shapes that it knows."""
        return len(self.share_S)

    def forward(self, inputs_BF: Tensor, shape_B: Tensor) -> Tensor:
        """Return every member's outputs of raw features, shape [M, B, O].

        Args:
            inputs_BF: features; NaN where a source tells nothing.
            shape_B: place of each window's shape among those of the network.
        """
        standard_BF = self._standardised(inputs_BF, shape_B)
        linear_MB = (self.slope[:, shape_B] * standard_BF).sum(dim=-1) + self.level[:, shape_B]
        limit, width = self.config.input_limit, self.config.width
        hidden_MBH = standard_BF.clamp(-limit, limit) @ self.entry + self.entry_bias[:, shape_B]
        for block, bias in zip(self.blocks, self.block_biases, strict=True):
            normal_MBH = functional.layer_norm(hidden_MBH, (width,))
            added_MBH = functional.gelu(torch.baddbmm(bias, normal_MBH, block))
            hidden_MBH = hidden_MBH + functional.dropout(
                added_MBH, self.config.dropout, self.training
            )
        outputs_MBO = torch.bmm(hidden_MBH, self.heads) + self.head_bias[:, shape_B]
        scale_MB = self.share_S[shape_B] * self.error_MS[:, shape_B]
        y_MB = linear_MB + scale_MB * outputs_MBO[..., Y]
        straight_MBL = torch.einsum("bf,mbfl->mbl", standard_BF, self.label_slope[:, shape_B])
        return torch.cat([y_MB.unsqueeze(-1), outputs_MBO[..., HOT:] + straight_MBL], dim=-1)

    def linear(self, inputs_BF: Tensor, shape_B: Tensor) -> Tensor:
        """Return every member's linear forecast alone, shape [M, B]."""
        standard_BF = self._standardised(inputs_BF, shape_B)
        return (self.slope[:, shape_B] * standard_BF).sum(dim=-1) + self.level[:, shape_B]

    @torch.no_grad()
    def learn_shape(self, shape: int, inputs_RF: Tensor, y_R: Tensor, training_MR: Mask) -> None:
        """Standardise one shape by its windows, and regress each member on its own part of them.

        A feature that does not vary here is switched off: nothing was learned of it.

        Args:
            shape: its place.
            inputs_RF: features of all its windows.
            y_R: what came after them.
            training_MR: from which of them each member learns; from one at least.
        """
        exact_RF = inputs_RF.double()
        mean_F, inverse_F = _standardisation(exact_RF)
        self.mean_SF[shape], self.inverse_scale_SF[shape] = mean_F, inverse_F
        standard_RF = ((exact_RF - mean_F) * inverse_F).nan_to_num(0.0)
        for member, rows_R in enumerate(torch.from_numpy(training_MR)):
            slope_F, level, error = _ridge(standard_RF[rows_R], y_R.double()[rows_R])
            self.slope[member, shape], self.level[member, shape] = slope_F, level
            self.error_MS[member, shape] = error

    @torch.no_grad()
    def open_inputs(self, shape: int, inputs_RF: Tensor) -> None:
        """Switch on features that vary only in these windows, without changing other forecasts.

        They count from the value that they always had. The linear part knows nothing of them yet,
        nor do the layers if they had them from no other shape.
        """
        mean_F, inverse_F = (part.to(self.mean_SF) for part in _standardisation(inputs_RF.double()))
        opened_F = (inverse_F > 0) & (self.inverse_scale_SF[shape] == 0)
        never_told_F = opened_F & self.mean_SF[shape].isnan()
        self.mean_SF[shape, never_told_F] = mean_F[never_told_F]
        self.entry[:, opened_F & (self.inverse_scale_SF == 0).all(dim=0)] = 0.0
        self.inverse_scale_SF[shape, opened_F] = inverse_F[opened_F]
        self.slope[:, shape, opened_F] = 0.0
        self.label_slope[:, shape, opened_F] = 0.0

    def _standardised(self, inputs_BF: Tensor, shape_B: Tensor) -> Tensor:
        """Return features as deviations from the mean of their shape; NaN is the mean."""
        inverse_BF = self.inverse_scale_SF[shape_B]
        standard_BF = ((inputs_BF - self.mean_SF[shape_B]) * inverse_BF).nan_to_num(0.0)
        # No month at all is not the average month; a month that was not learned from is.
        is_learned_BC = (inputs_BF[:, _MONTHS] > 0) & (inverse_BF[:, _MONTHS] > 0)
        standard_BF[:, _MONTHS] *= is_learned_BC.any(dim=1, keepdim=True)
        return standard_BF


def window_loss(
    outputs_MBO: Tensor, targets_MBO: Tensor, error_MB: Tensor, label_weight: float
) -> Tensor:
    """Return every member's loss of each window, shape [M, B].

    The squared error of y counts in units of the linear forecast's, so that sources of unlike
    scatter weigh alike; to it comes the weighted cross entropy of both labels.
    """
    squared_MB = ((outputs_MBO[..., Y] - targets_MBO[..., Y]) / error_MB) ** 2
    entropy_MBL = functional.binary_cross_entropy_with_logits(
        outputs_MBO[..., HOT:], targets_MBO[..., HOT:], reduction="none"
    )
    return squared_MB + label_weight * entropy_MBL.sum(dim=-1)


def limit_gradients(network: nn.Module, norm_max: float) -> None:
    """Scale the gradients of each member to a norm of at most this, each by its own.

    Were they scaled together, what a member keeps apart would steer it through the others.
    """
    gradients = [each.grad for each in network.parameters() if each.grad is not None]
    norms_M = [each.reshape(len(each), -1).norm(dim=1) for each in gradients]
    norm_M = torch.stack(norms_M).norm(dim=0)
    scale_M = (norm_max / norm_M.clamp_min(1e-6)).clamp(max=1.0)
    for each in gradients:
        each.mul_(scale_M.view(-1, *[1] * (each.dim() - 1)))


def grown(network: TrendNetwork, shapes: Sequence[int | None]) -> TrendNetwork:
    """Return a network of other shapes: each is taken from this one, or new where None."""
    made = TrendNetwork(network.config, len(shapes))
    kept = [place for place, source in enumerate(shapes) if source is not None]
    sources = [source for source in shapes if source is not None]
    state = made.state_dict()
    for name, tensor in network.state_dict().items():
        if name in _BY_SHAPE:
            state[name][kept] = tensor[sources].to(state[name])
        elif name in _BY_MEMBER_AND_SHAPE:
            state[name][:, kept] = tensor[:, sources].to(state[name])
        else:
            state[name] = tensor.to(state[name])
    made.load_state_dict(state)
    return made


_BY_SHAPE: Final = ("mean_SF", "inverse_scale_SF", "share_S")
_BY_MEMBER_AND_SHAPE: Final = (
    "error_MS",
    "slope",
    "level",
    "label_slope",
    "entry_bias",
    "head_bias",
)


def _zeros(*size: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(N_MEMBERS, *size))


def _uniform(*size: int, fan_in: int) -> nn.Parameter:
    bound = fan_in**-0.5
    return nn.Parameter(torch.empty(N_MEMBERS, *size).uniform_(-bound, bound))


def _standardisation(exact_RF: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and inverse deviation of each feature.

    The mean is NaN where the feature is never told, the latter 0 where it does not vary.
    """
    count_F = exact_RF.isfinite().sum(dim=0)
    mean_F = exact_RF.nan_to_num(0.0).sum(dim=0) / count_F
    deviation_F = ((exact_RF - mean_F).nan_to_num(0.0).square().mean(dim=0)).sqrt()
    inverse_F = torch.where(deviation_F > DEVIATION_MIN, 1 / deviation_F, 0.0)
    return mean_F, inverse_F


def _ridge(standard_RF: Tensor, y_R: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return slope, level and root mean squared error of a ridge regression."""
    mean_F, level = standard_RF.mean(dim=0), y_R.mean()
    centred_RF = standard_RF - mean_F
    gram_FF = centred_RF.T @ centred_RF + RIDGE * torch.eye(N_FEATURES).double()
    slope_F = torch.linalg.solve(gram_FF, centred_RF.T @ (y_R - level))
    error = (y_R - level - centred_RF @ slope_F).square().mean().sqrt()
    return slope_F, level - mean_F @ slope_F, error.clamp_min(ERROR_MIN_LOG2)

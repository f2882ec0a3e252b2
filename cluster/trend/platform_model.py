"""A trend model made ready for the windows of platforms: the same forecasts, faster (A7).

All windows of a call have one shape, so the weights of that shape are taken out once, the linear
parts of the members are added up beforehand, and features that never varied are left out. All is
in float64 as in ``TrendModel``, and only the order of additions differs, which does not show in
a published index of 6 decimals.

Shapes: W windows, K features that varied, M members, H hidden width, N units of all members,
O outputs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from torch.nn import functional

from cluster.contracts.trend import N_FUT, N_OBS, PLACES
from cluster.trend.artefact import DECIMALS, Forecast, TrendModel, calibrated
from cluster.trend.features import CALENDAR, FEATURE_NAMES, Features
from cluster.trend.folds import N_MEMBERS
from cluster.trend.network import TrendNetwork, Y
from cluster.trend.windows import Floats, Mask, Shape

PLATFORM_SHAPE: Final = Shape(N_OBS, N_FUT)
ROWS_AT_ONCE: Final = 256
"""Windows whose hidden units fit into a processor's cache."""
_GROUP_OF: Final[Mapping[str, str]] = {
    **dict.fromkeys(CALENDAR, "calendar"),
    **dict.fromkeys(("log_period_days", "log_horizon_days"), "period"),
    **dict.fromkeys(("propagation", "propagation_known"), "propagation"),
    **dict.fromkeys(
        (
            "log_age_days",
            "log_ahead_since_first_seen",
            "log_share_since_first_seen",
            "share_since_first_access",
            "log_bins_since_first_access",
            "log_total_by_share_seen",
            "log_total_by_share_since_first_access",
        ),
        "age",
    ),
    **dict.fromkeys(
        (
            "log_ahead_if_last_bin",
            "log_ahead_if_newest_1_of_2",
            "log_ahead_if_newest_1_of_4",
            "log_ahead_if_newest_1_of_12",
            "share_since_last_access",
            "centre_of_accesses",
            "last_to_mean",
            "late_to_early",
        ),
        "recent_accesses",
    ),
    "usages_to_clicks": "usages",
}
_GROUP_OF_BEGINNING: Final[Mapping[str, str]] = {
    **dict.fromkeys(PLACES, "places"),
    **dict.fromkeys(("log_clicks_", "log_total_clicks"), "clicks"),
    **dict.fromkeys(("log_usages_", "log_total_usages"), "usages"),
}


def group_of(feature: str) -> str:
    """Return the group of inputs that a feature belongs to; what is in no other is accesses."""
    beginnings = (group for text, group in _GROUP_OF_BEGINNING.items() if feature.startswith(text))
    return _GROUP_OF.get(feature) or next(beginnings, "accesses")


GROUPS: Final[Mapping[str, list[int]]] = {
    group: [place for place, name in enumerate(FEATURE_NAMES) if group_of(name) == group]
    for group in sorted({group_of(name) for name in FEATURE_NAMES})
}
"""Places of the features of each group."""


@dataclass(frozen=True)
class _Weights:
    """The weights of one shape."""

    kept_K: Tensor
    """Places of the features that varied."""
    months: slice
    """Where the months are among them."""
    mean_K: Tensor
    inverse_K: Tensor
    straight_KO: Tensor
    """The linear parts, mean of the members."""
    level_O: Tensor
    entry_KN: Tensor
    entry_bias_N: Tensor
    blocks: tuple[tuple[Tensor, Tensor], ...]
    heads_NO: Tensor
    """Of each member as it counts in the mean."""
    limit: float


@dataclass(frozen=True)
class PlatformModel:
    """A trend model that forecasts windows of platforms."""

    model: TrendModel
    place: int
    """Of their shape in the model; -1 where it has not learned from any."""
    weights: _Weights | None

    @classmethod
    def of(cls, model: TrendModel) -> "PlatformModel":
        """Make a model ready."""
        shapes = [known.shape for known in model.profile.shapes]
        if PLATFORM_SHAPE not in shapes:
            return cls(model, -1, None)
        place = shapes.index(PLATFORM_SHAPE)
        with torch.no_grad():
            return cls(model, place, _weights(model.network, place))

    @property
    def version(self) -> str:
        """Version of the model."""
        return self.model.version

    @property
    def role(self) -> Literal["first", "second"]:
        """Whether it gives first or second indexes."""
        return self.model.profile.role

    def features(self, windows: pa.Table) -> Features:
        """Return what the model reads of windows; see ``TrendModel``."""
        return self.model.features(windows)

    def covers(self, features: Features) -> Mask:
        """Say which windows are of a shape and period that the model was trained for, [W]."""
        return self.model.covers(features)

    def forecast(self, features: Features) -> Forecast:
        """Forecast windows that are covered, rounded as they are published."""
        place_W = np.full(len(features.inputs_WF), self.place)
        exact = calibrated(self.model.profile, place_W, self._outputs(features))
        parts = (exact.y_W, exact.hot_W, exact.surge_W)
        return Forecast(*(np.round(part, DECIMALS) for part in parts))

    def moved(self, features: Features) -> dict[str, Floats]:
        """Return how each group of inputs moved the index, shape [W] each.

        That is the index less what it were if the group's features were as in the average window
        that the model learned from.
        """
        index_W = self.forecast(features).hot_W
        found = {}
        for group, places in GROUPS.items():
            inputs_WF = features.inputs_WF.copy()
            inputs_WF[:, places] = np.nan
            without_W = self.forecast(replace(features, inputs_WF=inputs_WF)).hot_W
            found[group] = np.round(index_W - without_W, DECIMALS)
        return found

    def _outputs(self, features: Features) -> Floats:
        """Return the mean outputs of the members, shape [W, O]."""
        if self.weights is None:
            text = "a model was asked for windows of a shape that it does not cover"
            raise ValueError(text)
        with torch.inference_mode():
            inputs_WF = torch.from_numpy(features.inputs_WF)
            starts = range(0, max(len(inputs_WF), 1), ROWS_AT_ONCE)
            parts = (inputs_WF[start : start + ROWS_AT_ONCE] for start in starts)
            return torch.cat([_forward(self.weights, part) for part in parts]).numpy()


def _weights(network: TrendNetwork, place: int) -> _Weights:
    """Take out the weights of one shape."""
    kept_K = (network.inverse_scale_SF[place] > 0).nonzero().squeeze(1)
    is_month = [FEATURE_NAMES[feature] in CALENDAR for feature in kept_K.tolist()]
    first_month = is_month.index(True) if any(is_month) else 0
    scale_M = network.share_S[place] * network.error_MS[:, place]
    heads_MHO, head_bias_MO = network.heads.clone(), network.head_bias[:, place].clone()
    heads_MHO[..., Y] *= scale_M[:, None]
    head_bias_MO[:, Y] *= scale_M
    head_bias_MO[:, Y] += network.level[:, place]
    slope_MFO = torch.cat(
        [network.slope[:, place].unsqueeze(-1), network.label_slope[:, place]], dim=-1
    )
    pairs = zip(network.blocks, network.block_biases, strict=True)
    return _Weights(
        kept_K=kept_K,
        months=slice(first_month, first_month + sum(is_month)),
        mean_K=network.mean_SF[place, kept_K],
        inverse_K=network.inverse_scale_SF[place, kept_K],
        straight_KO=slope_MFO.mean(dim=0)[kept_K].contiguous(),
        level_O=head_bias_MO.mean(dim=0),
        entry_KN=network.entry[:, kept_K].transpose(0, 1).flatten(1),
        entry_bias_N=network.entry_bias[:, place].flatten(),
        blocks=tuple((weight.detach(), bias.detach()) for weight, bias in pairs),
        heads_NO=heads_MHO.flatten(0, 1) / N_MEMBERS,
        limit=network.config.input_limit,
    )


def _forward(weights: _Weights, inputs_WF: Tensor) -> Tensor:
    """Run the network as ``TrendNetwork`` does, and return the mean of the members, [W, O]."""
    told_WK = inputs_WF[:, weights.kept_K].double()
    standard_WK = ((told_WK - weights.mean_K) * weights.inverse_K).nan_to_num(0.0)
    is_learned_W1 = (told_WK[:, weights.months] > 0).any(dim=1, keepdim=True)
    standard_WK[:, weights.months] *= is_learned_W1
    clipped_WK = standard_WK.clamp(-weights.limit, weights.limit)
    flat_WN = torch.addmm(weights.entry_bias_N, clipped_WK, weights.entry_KN)
    size = flat_WN.shape[1] // N_MEMBERS
    hidden_WMH = flat_WN.view(-1, N_MEMBERS, size)  # the same memory: what is added shows in both
    for block, bias in weights.blocks:
        normal_WMH = functional.layer_norm(hidden_WMH, (size,))
        added_MWH = functional.gelu(torch.baddbmm(bias, normal_WMH.transpose(0, 1), block))
        hidden_WMH += added_MWH.transpose(0, 1)
    outputs_WO = torch.addmm(weights.level_O, flat_WN, weights.heads_NO)
    return outputs_WO.addmm_(standard_WK, weights.straight_KO)

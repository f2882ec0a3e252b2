"""A trend model as bytes, and the model that is read back from them (S640, S700).

The format is safetensors: numbers and a JSON text, never code. All that a prediction depends on
is inside (network shape, weights, calibration, thresholds), sealed by a digest. The same model
always gives the same bytes, and its version is their SHA-256.

Shapes: W windows, M members, O outputs.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Final, Literal

import numpy as np
import pyarrow as pa
import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationError
from torch import Tensor

from cluster.contracts.trend import BIN_TOLERANCE, LABELS, WINDOWS, Channel, Prediction
from cluster.errors import DazzleError, IntegrityError
from cluster.ids import canonical_json, sha256
from cluster.learning.sealed import pack, unpack
from cluster.trend.calibration import Calibration
from cluster.trend.features import FEATURE_NAMES, Features, windows_to_features
from cluster.trend.folds import N_MEMBERS
from cluster.trend.labels import Thresholds
from cluster.trend.network import HOT, N_OUTPUTS, SURGE, TrendNetwork, TrendNetworkConfig, Y
from cluster.trend.windows import Floats, Mask, Rows, Shape, conformed, refuse, without

FORMAT: Final = "dazzle-trend/2"
DECIMALS: Final = 6
"""Digits of a published index; far coarser than the rounding of the arithmetic."""
MAY_BE_UNTOLD: Final = "mean_SF"
ROWS_MAX: Final = 4096
"""Windows that go through the network at once."""
INPUT_COLUMNS: Final = [name for name in WINDOWS.names if name not in LABELS]


class ShapeProfile(BaseModel):
    """What a model knows of windows of one shape, beside its weights."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    """The sources of its windows, or how many there are."""
    n_obs: int = Field(ge=1)
    n_fut: int = Field(ge=1)
    bin_days: tuple[PositiveFloat, PositiveFloat]
    """Shortest and longest bin in the training windows."""
    hot_threshold_log2: float
    surge_threshold_log2: float
    hot: Calibration = Calibration()
    surge: Calibration = Calibration()

    @property
    def shape(self) -> Shape:
        """How many bins are seen and forecast."""
        return Shape(self.n_obs, self.n_fut)

    @property
    def thresholds(self) -> Thresholds:
        """From where on a window has a label."""
        return Thresholds(self.hot_threshold_log2, self.surge_threshold_log2)


class Profile(BaseModel):
    """What a trend model is, beside its weights."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    role: Literal["first", "second"]
    parent: str | None = None
    """Version that this one was updated from."""
    seed: int
    shapes: tuple[ShapeProfile, ...] = Field(min_length=1)
    """In the order of the network's."""
    left_out: tuple[Channel, ...] = ()
    """Channels that it does not look at."""


@dataclass(frozen=True)
class Forecast:
    """What a model says of W windows; no figure depends on the other windows."""

    y_W: Floats
    """log2(1 + accesses over the horizon); never below 0, which is none."""
    hot_W: Floats
    """Calibrated probability of hot: the prediction index."""
    surge_W: Floats
    """Calibrated probability of a surge."""

    def at(self, rows: Mask) -> "Forecast":
        """Return what is said of some of the windows."""
        return Forecast(self.y_W[rows], self.hot_W[rows], self.surge_W[rows])


@dataclass(frozen=True)
class TrendModel:
    """A trend model that is ready to predict."""

    network: TrendNetwork
    """In float64 and evaluation mode."""
    profile: Profile
    version: str
    """SHA-256 of the bytes it was read from."""

    def trainable_network(self) -> TrendNetwork:
        """Return a copy of the network in float32, for an update."""
        return deepcopy(self.network).float()

    def features(self, windows: pa.Table) -> Features:
        """Return what the model reads of windows.

        Raises:
            WindowInvalid: a row cannot be a window; the message names the first such row.
        """
        return windows_to_features(without(windows, self.profile.left_out))

    def covers(self, features: Features) -> Mask:
        """Say which windows are of a shape and period that the model was trained for, [W]."""
        return self._places(features) >= 0

    def places(self, windows: pa.Table, features: Features) -> Rows:
        """Return the place of each window's shape in the network, shape [W].

        Raises:
            WindowInvalid: a window is of another shape or period than those learned from.
        """
        place_W = self._places(features)
        trained = "; ".join(
            f"{known.name}: {known.shape}, of {known.bin_days[0]:.3g} to {known.bin_days[1]:.3g} d"
            for known in self.profile.shapes
        )
        unlike_W = place_W < 0
        if unlike_W.any():
            row = int(unlike_W.argmax())
            asked = f"{features.shapes[features.shape_W[row]]}, of {features.bin_days_W[row]:.3g} d"
            what = f"the model was trained for other windows ({trained}) than this one ({asked})"
            refuse(windows, what, unlike_W)
        return place_W

    def forecast(self, windows: pa.Table, features: Features) -> Forecast:
        """Forecast windows by the mean of all members.

        Raises:
            WindowInvalid: a window is of another shape or period than those learned from.
        """
        place_W = self.places(windows, features)
        mean_WO = member_outputs(self.network, features, place_W).mean(axis=0)
        return calibrated(self.profile, place_W, mean_WO)

    def predict(self, windows: pa.Table) -> list[Prediction]:
        """Return the prediction index of each window, in their order (S700).

        A row's result does not depend on the other rows: the arithmetic is in float64 and the
        result is rounded to 6 decimals, so that the order of additions does not show.

        Args:
            windows: rows of the ``WINDOWS`` schema; the labels are not looked at.

        Raises:
            WindowInvalid: a row cannot be a window, or the model was trained for others.
        """
        features = self.features(windows)
        forecast = self.forecast(windows, features)
        rows = zip(
            windows["item_id"].to_pylist(),
            windows["sample_id"].to_pylist(),
            np.round(forecast.hot_W, DECIMALS).tolist(),
            np.round(forecast.surge_W, DECIMALS).tolist(),
            np.round(forecast.y_W, DECIMALS).tolist(),
            features.clicks_mean_W.tolist(),
            features.usages_mean_W.tolist(),
            input_digests(windows),
            strict=True,
        )
        return [
            Prediction(
                item_id=item_id,
                sample_id=sample_id,
                model_version=self.version,
                index=index,
                surge=surge,
                log_growth=log_growth,
                clicks=clicks,
                usages=usages,
                inputs_digest=digest,
            )
            for item_id, sample_id, index, surge, log_growth, clicks, usages, digest in rows
        ]

    def _places(self, features: Features) -> Rows:
        """Return the place of each window's shape in the network, -1 where it is not covered."""
        known = {profile.shape: place for place, profile in enumerate(self.profile.shapes)}
        place_S = np.array([known.get(shape, -1) for shape in features.shapes], dtype=np.int64)
        place_W = place_S[features.shape_W] if len(place_S) else np.empty(0, dtype=np.int64)
        limits_P2 = np.array([profile.bin_days for profile in self.profile.shapes])
        shortest_W, longest_W = limits_P2[place_W].T
        inside_W = (features.bin_days_W >= shortest_W / BIN_TOLERANCE) & (
            features.bin_days_W <= longest_W * BIN_TOLERANCE
        )
        return np.where(inside_W, place_W, -1)


def calibrated(profile: Profile, place_W: Rows, outputs_WO: Floats) -> Forecast:
    """Turn outputs into forecasts by the calibration of each window's shape."""
    y_W = outputs_WO[:, Y]
    hot_W, surge_W = np.empty(len(y_W)), np.empty(len(y_W))
    for place, known in enumerate(profile.shapes):
        rows = place_W == place
        hot_W[rows] = known.hot.probability(outputs_WO[rows, HOT], y_W[rows])
        surge_W[rows] = known.surge.probability(outputs_WO[rows, SURGE], y_W[rows])
    return Forecast(np.maximum(y_W, 0.0), hot_W, surge_W)


def member_outputs(network: TrendNetwork, features: Features, place_W: Rows) -> Floats:
    """Run a network as it will run once it is published: in float64, shape [M, W, O]."""
    exact = deepcopy(network).cpu().double().eval()
    return _in_parts(exact, np.empty((N_MEMBERS, len(place_W), N_OUTPUTS)), features, place_W)


def linear_outputs(network: TrendNetwork, features: Features, place_W: Rows) -> Floats:
    """Return every member's linear forecast of y alone, in float64, shape [M, W]."""
    exact = deepcopy(network).cpu().double().eval()
    return _in_parts(exact.linear, np.empty((N_MEMBERS, len(place_W))), features, place_W)


def _in_parts(
    run: Callable[[Tensor, Tensor], Tensor], found_MW: Floats, features: Features, place_W: Rows
) -> Floats:
    """Fill an array of shape [M, W, ...] with what is found of some windows at a time."""
    with torch.inference_mode():
        for start in range(0, len(place_W), ROWS_MAX):
            rows = slice(start, start + ROWS_MAX)
            inputs_BF = torch.from_numpy(features.inputs_WF[rows].astype(np.float64))
            found_MW[:, rows] = run(inputs_BF, torch.from_numpy(place_W[rows])).numpy()
    return found_MW


def input_digests(windows: pa.Table) -> list[str]:
    """Return for each row the SHA-256 of its inputs as canonical JSON, without the labels."""
    rows = conformed(windows).select(INPUT_COLUMNS).to_pylist()
    return [sha256(canonical_json(row)) for row in rows]


def save(network: TrendNetwork, profile: Profile) -> bytes:
    """Write a trend model; the same weights and profile give the same bytes."""
    about = {
        "format": FORMAT,
        "features": FEATURE_NAMES,
        "network": asdict(network.config),
        "profile": profile.model_dump(mode="json"),
    }
    return pack(network.state_dict(), about)


def load(content: bytes) -> TrendModel:
    """Read a trend model.

    Raises:
        IntegrityError: the bytes are damaged, of another format, or for other features.
    """
    tensors, about = unpack(content)
    if about.get("format") != FORMAT or about.get("features") != list(FEATURE_NAMES):
        what = f"not a {FORMAT} model with the features of this version"
        raise IntegrityError(what, "trend model", "Train it again with this version.")
    try:
        profile = Profile.model_validate(about["profile"])
        with torch.device("meta"):  # no random weights are drawn only to be replaced
            network = TrendNetwork(TrendNetworkConfig(**about["network"]), len(profile.shapes))
        _require_finite(tensors)
        network.load_state_dict(tensors, assign=True)
    except (KeyError, TypeError, RuntimeError, ValidationError, DazzleError) as error:
        what = f"the parts of the model do not fit together: {error}"
        raise IntegrityError(what, "trend model", "Publish it again.") from None
    return TrendModel(network.double().eval(), profile, sha256(content))


def _require_finite(tensors: Mapping[str, Tensor]) -> None:
    """Check that weights are numbers in float32; only the mean of what is never told is none.

    Raises:
        TypeError: one is not.
    """
    for name, tensor in tensors.items():
        usable = tensor.isfinite() | (tensor.isnan() if name == MAY_BE_UNTOLD else False)
        if tensor.dtype != torch.float32 or not bool(usable.all()):
            what = f"{name} is not made of finite numbers in float32"
            raise TypeError(what)

"""A trend model as bytes, and the model that is read back from them (S640, S700).

The format is safetensors: numbers and a JSON text, never code. All that a prediction depends on
is inside (network shape, weights, calibration, threshold), sealed by a digest. The same model
always gives the same bytes, and its version is their SHA-256.
"""

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import safetensors.torch
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from cluster.contracts.trend import WINDOWS, Prediction
from cluster.errors import DazzleError, IntegrityError
from cluster.ids import canonical_json, sha256
from cluster.trend.features import (
    FEATURE_NAMES,
    Floats,
    conformed,
    windows_to_features,
)
from cluster.trend.network import TrendNetwork, TrendNetworkConfig

FORMAT: Final = "dazzle-trend/1"
DECIMALS: Final = 6
"""Digits of a published index; far coarser than the rounding of the arithmetic."""
ROWS_MAX: Final = 8192
"""Windows that go through the network at once."""
INPUT_COLUMNS: Final = [name for name in WINDOWS.names if name != "fut_total"]


class Calibration(BaseModel):
    """Platt scaling: P(hot) = sigmoid(slope * logit + bias)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    slope: float = Field(1.0, gt=0)
    bias: float = 0.0

    def probability(self, logit_B: Floats) -> Floats:
        """Return calibrated probabilities, shape [B]."""
        return np.asarray(0.5 * (1 + np.tanh(0.5 * (self.slope * logit_B + self.bias))))


class Profile(BaseModel):
    """What a trend model is, beside its weights."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    role: Literal["first", "second"]
    parent: str | None = None
    """Version that this one was updated from."""
    seed: int
    calibration: Calibration
    hot_threshold_log2: float
    period_days: tuple[float, float]
    """Shortest and longest first period in the training windows."""


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

    def outputs(self, inputs_WF: NDArray[np.float32]) -> tuple[Floats, Floats]:
        """Return (y_W, hot_logit_W), not calibrated, in float64."""
        return _run(self.network, inputs_WF)

    def predict(self, windows: pa.Table) -> list[Prediction]:
        """Return the prediction index of each window, in their order (S700).

        A row's result does not depend on the other rows: the arithmetic is in float64 and the
        result is rounded to 6 decimals, so that the order of additions does not show.

        Args:
            windows: rows of the ``WINDOWS`` schema; ``fut_total`` is not looked at.

        Raises:
            WindowInvalid: a row cannot be a window.
        """
        features = windows_to_features(windows)
        y_W, logit_W = self.outputs(features.inputs_WF)
        index_W = self.profile.calibration.probability(logit_W)
        rows = zip(
            windows["item_id"].to_pylist(),
            windows["sample_id"].to_pylist(),
            np.round(index_W, DECIMALS).tolist(),
            np.round(y_W, DECIMALS).tolist(),
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
                log_growth=log_growth,
                clicks=clicks,
                usages=usages,
                inputs_digest=digest,
            )
            for item_id, sample_id, index, log_growth, clicks, usages, digest in rows
        ]


def network_outputs(network: TrendNetwork, inputs_WF: NDArray[np.float32]) -> tuple[Floats, Floats]:
    """Run a network as it will run once it is published: (y_W, hot_logit_W), in float64."""
    return _run(deepcopy(network).cpu().double().eval(), inputs_WF)


def _run(exact: TrendNetwork, inputs_WF: NDArray[np.float32]) -> tuple[Floats, Floats]:
    y_W, logit_W = np.empty(len(inputs_WF)), np.empty(len(inputs_WF))
    with torch.inference_mode():
        for start in range(0, len(inputs_WF), ROWS_MAX):
            rows = slice(start, start + ROWS_MAX)
            inputs_BF = torch.from_numpy(inputs_WF[rows].astype(np.float64))
            y_B, logit_B = exact(inputs_BF)
            y_W[rows], logit_W[rows] = y_B.numpy(), logit_B.numpy()
    return y_W, logit_W


def input_digests(windows: pa.Table) -> list[str]:
    """Return for each row the SHA-256 of its inputs as canonical JSON, without ``fut_total``."""
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
        with torch.device("meta"):  # no random weights are drawn only to be replaced
            network = TrendNetwork(TrendNetworkConfig(**about["network"]))
        network.load_state_dict(tensors, assign=True)
        profile = Profile.model_validate(about["profile"])
    except (KeyError, TypeError, RuntimeError, ValidationError, DazzleError) as error:
        what = f"the parts of the model do not fit together: {error}"
        raise IntegrityError(what, "trend model", "Publish it again.") from None
    return TrendModel(network.double().eval(), profile, sha256(content))


def pack(tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> bytes:
    """Write tensors and a JSON text as safetensors, sealed by a digest of both."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    sealed = canonical_json({"about": about, "sha256": _digest(plain, about)})
    # One key only: the order of several is not defined, and the bytes must be.
    return bytes(safetensors.torch.save(plain, metadata={"dazzle": sealed}))


def unpack(content: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read back what ``pack`` wrote.

    Raises:
        IntegrityError: a byte was changed, added or lost.
    """
    try:
        tensors: dict[str, Tensor] = safetensors.torch.load(content)
        length = int.from_bytes(content[:8], "little")
        sealed = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["dazzle"])
        about: dict[str, Any] = sealed["about"]
        intact = sealed["sha256"] == _digest(tensors, about)
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError):
        intact = False
    if not intact:
        what = "the bytes are damaged or are not a file of Dazzle"
        raise IntegrityError(what, "safetensors", "Restore the file or publish it again.")
    return tensors, about


def _digest(tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> str:
    """Return the SHA-256 of names, types, shapes, numbers and JSON text."""
    parts = {
        name: [str(tensor.dtype), list(tensor.shape), sha256(tensor.numpy().tobytes())]
        for name, tensor in tensors.items()
    }
    return sha256(canonical_json({"about": about, "tensors": parts}))

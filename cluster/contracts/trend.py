"""Access windows: what a trend model sees of one case at one cut, and what came after it (S600)."""

from typing import Any, Final, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

N_OBS: Final = 8
"""Bins into which a first preset period is divided."""
N_FUT: Final = 8
"""Bins of the horizon, as long as those of the period."""

_FIELDS: Final[list["pa.Field[Any]"]] = [
    pa.field("sample_id", pa.string(), nullable=False),
    pa.field("item_id", pa.string(), nullable=False),  # the case; held-out splits go by it
    pa.field("platform", pa.string(), nullable=False),  # its home
    pa.field("cut", pa.float64(), nullable=False),  # end of the window, seconds since the epoch
    pa.field("bin_days", pa.float64(), nullable=False),
    pa.field("n_obs", pa.int32(), nullable=False),
    pa.field("n_fut", pa.int32(), nullable=False),
    pa.field("age_days", pa.float64(), nullable=False),  # from the case's first event to the cut
    pa.field("clicks", pa.list_(pa.float64()), nullable=False),  # a count for each of n_obs bins
    pa.field("usages", pa.list_(pa.float64()), nullable=False),
    pa.field("propagation", pa.float64()),  # propagation index at the cut; null: not known
    pa.field("fut_total", pa.float64()),  # accesses in the n_fut bins after the cut; null: future
]

WINDOWS: Final = pa.schema(_FIELDS)


class Prediction(BaseModel):
    """A prediction index with what it was made from."""

    model_config = ConfigDict(frozen=True)

    item_id: str
    sample_id: str
    model_version: str
    index: float
    """Calibrated probability that the case will be hot over the horizon, 0 to 1."""
    log_growth: float
    """Predicted log2(1 + accesses over the horizon)."""
    clicks: float
    """Mean clicks a bin in the period."""
    usages: float
    """Mean usages a bin in the period."""
    inputs_digest: str
    """SHA-256 of the window that went in."""


class TrendMetrics(BaseModel):
    """Figures on items that the model never met."""

    model_config = ConfigDict(frozen=True)

    n: int
    msle: float
    """Mean squared difference of log2(1 + accesses)."""
    spearman: float | None = None
    auroc_hot: float | None = None
    auprc_hot: float | None = None
    brier: float | None = None
    base_rate_hot: float | None = None


class TrendCard(BaseModel):
    """What is known of one version of the trend model."""

    model_config = ConfigDict(frozen=True)

    version: str
    """SHA-256 of the weights file."""
    role: Literal["first", "second"]
    parent: str | None = None
    """Version that this one was updated from."""
    dataset_digest: str
    seed: int
    epochs: int
    converged: bool
    hot_threshold_log2: float
    """A window is hot from this log2(1 + accesses over the horizon) on."""
    period_days: tuple[float, float]
    """Shortest and longest first period in the training windows."""
    n_train: int
    held_out: TrendMetrics
    baselines: dict[str, TrendMetrics]
    config: str = ""
    """Names the settings that it was made with."""
    learning_curve: list[tuple[float, float]]
    """(training loss, validation loss) by epoch."""


class UpdateReport(BaseModel):
    """What the incremental update did (S541-S550)."""

    model_config = ConfigDict(frozen=True)

    accepted: bool
    reason: str
    n_gated: int
    n_random: int
    n_rehearsal: int
    propagation_preset: float
    loss_data_mean: float
    """Mean loss of the third index on the gated windows."""
    old_before: float
    old_after: float
    new_before: float
    new_after: float
    """MSLE on the guard set: old and new windows of held-out items, first and second model."""

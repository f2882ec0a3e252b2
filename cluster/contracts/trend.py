"""Access windows: what a trend model sees of one case at one cut, and what came after it (S600)."""

from typing import Any, Final, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

N_OBS: Final = 8
"""Bins into which a platform divides a first preset period."""
N_FUT: Final = 8
"""Bins of a platform's horizon, as long as those of the period."""
BIN_TOLERANCE: Final = 1.25
"""Factor by which bins may be shorter or longer than any that a model learned from."""
PLACES: Final = ("plat_a", "plat_b", "plat_c")
"""Columns of the accesses by place. A platform's own windows have two: at home, and elsewhere."""

_COUNTS: Final = pa.list_(pa.float64())
_FIELDS: Final[list["pa.Field[Any]"]] = [
    pa.field("sample_id", pa.string(), nullable=False),
    pa.field("item_id", pa.string(), nullable=False),  # the case; what is held out goes by it
    pa.field("platform", pa.string(), nullable=False),  # its home, or the source of the history
    pa.field("cut", pa.float64()),  # end of the window, seconds since the epoch; null: not known
    pa.field("bin_days", pa.float64(), nullable=False),
    pa.field("n_obs", pa.int32(), nullable=False),
    pa.field("n_fut", pa.int32(), nullable=False),
    pa.field("age_days", pa.float64()),  # from the case's first event to the cut; null: not known
    pa.field("first_seen", pa.float64()),  # bins of the window before the case was there
    pa.field("clicks", _COUNTS),  # a count for each of n_obs bins; null: the source tells none
    pa.field("usages", _COUNTS),
    *(pa.field(place, _COUNTS) for place in PLACES),
    pa.field("propagation", pa.float64()),  # propagation index at the cut; null: not known
    pa.field("fut_total", pa.float64()),  # accesses in the n_fut bins after the cut; null: future
    pa.field("hot", pa.bool_()),  # label given by the source; null: from the model's threshold
    pa.field("surge", pa.bool_()),
]

WINDOWS: Final = pa.schema(_FIELDS)
Channel = Literal["clicks", "usages", "places", "age", "calendar", "propagation"]
"""Something that a source may tell of its windows."""
CHANNELS: Final[dict[Channel, tuple[str, ...]]] = {
    "clicks": ("clicks",),
    "usages": ("usages",),
    "places": PLACES,
    "age": ("age_days", "first_seen"),
    "calendar": ("cut",),
    "propagation": ("propagation",),
}
"""Columns that a model may be trained without, by the name of what they tell."""
LABELS: Final = ("fut_total", "hot", "surge")
"""Columns that no prediction looks at."""


class Prediction(BaseModel):
    """A prediction index with what it was made from."""

    model_config = ConfigDict(frozen=True)

    item_id: str
    sample_id: str
    model_version: str
    index: float
    """Calibrated probability that the case will be hot over the horizon, 0 to 1."""
    surge: float = 0.0
    """Calibrated probability that its accesses will surge, 0 to 1."""
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
    msle_interval: tuple[float, float] | None = None
    """95 %, items drawn anew."""
    mape_log: float | None = None
    """Mean of the difference of logs over log2(2 + accesses)."""
    median_ape: float | None = None
    """Median relative error of the accesses."""
    spearman: float | None = None
    auroc_hot: float | None = None
    auprc_hot: float | None = None
    brier: float | None = None
    base_rate_hot: float | None = None
    auroc_surge: float | None = None
    auprc_surge: float | None = None
    f1_trend: float | None = None
    """Macro F1 of rising, flat and falling."""


class ReliabilityBin(BaseModel):
    """Windows or images whose stated chance lies in one bin, and what came of them."""

    model_config = ConfigDict(frozen=True)

    n: int
    stated: float
    """Mean of the stated chances, 0 to 1."""
    found: float
    """Share of which it came true: that was hot, or was of the class; 0 to 1."""


class ShapeCard(BaseModel):
    """What a trend model knows of windows of one shape, and how good it is there."""

    model_config = ConfigDict(frozen=True)

    name: str
    """The sources of its windows, or how many there are."""
    n_obs: int
    n_fut: int
    bin_days: tuple[float, float]
    """Shortest and longest bin in the training windows."""
    n_windows: int
    n_items: int
    hot_threshold_log2: float
    """A window is hot from this log2(1 + accesses over the horizon) on, if no label is given."""
    correction_share: float
    """Part of the network's correction that is added to the linear forecast, 0 to 1."""
    held_out: TrendMetrics
    """Every item is scored by the one member that neither learned from it nor stopped by it."""
    baselines: dict[str, TrendMetrics]
    """The same windows by simple forecasts, fitted on the same items."""
    better_than_linear: tuple[float, float] | None = None
    """95 % interval of the linear model's MSLE less the network's, items drawn anew."""

    def covers(self, bin_days: float) -> bool:
        """Say whether the model was trained for bins of this length."""
        shortest, longest = self.bin_days
        return shortest / BIN_TOLERANCE <= bin_days <= longest * BIN_TOLERANCE

    hot_reliability: tuple[ReliabilityBin, ...] = ()
    """Tenths of the stated chance in which there are windows, rising; items kept apart."""


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
    n_train: int
    """Windows with labels."""
    shapes: tuple[ShapeCard, ...] = ()
    """None in a card of a release that knew one shape only."""
    config: str = ""
    """Names the settings that it was made with."""
    learning_curve: list[tuple[float, float]]
    """(training loss, validation loss) by epoch."""


class ShapeChange(BaseModel):
    """How the error on guard windows of one shape changed by an update."""

    model_config = ConfigDict(frozen=True)

    name: str
    """The sources of its windows, or how many there are."""
    n_obs: int
    n_fut: int
    n_windows: int
    before: float
    """MSLE of the first model; for a shape that it has not met, of a linear forecast."""
    after: float
    change: tuple[float, float]
    """95 % interval of the change, items drawn anew."""


class UpdateReport(BaseModel):
    """What the incremental update did (S541-S550)."""

    model_config = ConfigDict(frozen=True)

    accepted: bool
    reason: str
    gate: str = "propagation"
    """By what windows were gated in: propagation, usages, or none."""
    n_gated: int
    n_random: int
    n_rehearsal: int
    propagation_preset: float
    """Index from which a window is gated in, where the gate is by propagation."""
    forgetting_max: float = 0.0
    """Rise of the MSLE on old guard windows that was allowed."""
    loss_data_mean: float
    """Mean loss of the third index on the gated windows."""
    old_before: float
    old_after: float
    new_before: float
    new_after: float
    """MSLE on the guard set: held-out old and new windows, first and second model; window shapes
    weigh alike."""
    old_change: tuple[float, float] = (0.0, 0.0)
    """95 % interval of the change on old windows, items drawn anew; above 0 is forgetting."""
    new_change: tuple[float, float] = (0.0, 0.0)
    """The same on new ones; below 0 is a gain."""
    old_shapes: tuple[ShapeChange, ...] = ()
    new_shapes: tuple[ShapeChange, ...] = ()

    @property
    def n_learned(self) -> int:
        """Windows that the update learned from."""
        return self.n_gated + self.n_random + self.n_rehearsal

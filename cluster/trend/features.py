"""Inputs of the trend network: what of an access window goes in, in which order and scale (S610).

Also decides which items are kept apart: the split is by item and never by window, so that no
case is both learned from and scored on.

Shapes: W windows, T bins of the period, F features.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cluster.clock import DAY_S
from cluster.contracts.trend import N_OBS, WINDOWS
from cluster.errors import WindowInvalid

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

FEATURE_NAMES: Final = (
    *(f"log_clicks_{t}" for t in range(N_OBS)),
    *(f"log_usages_{t}" for t in range(N_OBS)),
    "log_mean_clicks",
    "log_mean_usages",
    "weekday_sin",
    "weekday_cos",
    "log_age_days",
    "log_period_days",
    "log_horizon_days",
    "propagation",
    "propagation_known",
    "persistence_log2",
)
N_FEATURES: Final = len(FEATURE_NAMES)
PERSISTENCE: Final = FEATURE_NAMES.index("persistence_log2")

COUNT_MAX: Final = 2.0**53
"""Above it a count is no longer a whole number in a float64."""
HELD_OUT_SHARE: Final = 0.2
HELD_OUT_SALT: Final = "held-out"
VALIDATION_SALT: Final = "validation"


@dataclass(frozen=True)
class Features:
    """What the network reads of W windows, in their order."""

    inputs_WF: NDArray[np.float32]
    """Columns as in ``FEATURE_NAMES``."""
    clicks_mean_W: Floats
    """Mean clicks a bin."""
    usages_mean_W: Floats
    """Mean usages a bin."""
    period_days_W: Floats
    propagation_W: Floats
    """Propagation index; NaN where it is not known."""

    @property
    def persistence_log2_W(self) -> Floats:
        """log2(1 + accesses over the horizon) if the mean of the period just went on."""
        return self.inputs_WF[:, PERSISTENCE].astype(np.float64)


def conformed(windows: pa.Table) -> pa.Table:
    """Return the windows with the columns and types of ``WINDOWS``.

    Raises:
        WindowInvalid: a column is missing, has another type, or lacks a value it must have.
    """
    missing = sorted(set(WINDOWS.names) - set(windows.column_names))
    if missing:
        what = f"no column {', '.join(missing)}"
        raise WindowInvalid(what, "access windows", "Give every column of the windows schema.")
    try:
        return windows.select(WINDOWS.names).cast(WINDOWS)
    except (ValueError, NotImplementedError) as error:
        what = f"columns do not fit the windows schema: {error}"
        raise WindowInvalid(what, "access windows", "Cast them first.") from None


def windows_to_features(windows: pa.Table) -> Features:
    """Turn access windows into what the network reads (S610).

    Counts enter as log(1 + count) for each bin, beside the log of their means; then the weekday
    of the cut, the case's age, the lengths of period and horizon, and the propagation index with
    a flag that says whether it is known.

    Args:
        windows: W rows of the ``WINDOWS`` schema; ``fut_total`` is not looked at.

    Raises:
        WindowInvalid: a row cannot be a window; the message names the first such row.
    """
    table = conformed(windows)
    bin_days = _numbers(table, "bin_days")
    n_fut = _numbers(table, "n_fut")
    age_days = _numbers(table, "age_days")
    cut = _numbers(table, "cut")
    propagation = _numbers(table, "propagation")
    known = np.asarray(pc.is_valid(table["propagation"]).to_numpy(), dtype=bool)
    _refuse(table, f"n_obs is not {N_OBS}", _numbers(table, "n_obs") != N_OBS)
    _refuse(table, "n_fut is not positive", n_fut < 1)
    _refuse(table, "bin_days is not positive", ~((bin_days > 0) & np.isfinite(bin_days)))
    _refuse(table, "age_days is negative or not a number", ~((age_days >= 0) & (age_days < np.inf)))
    _refuse(table, "cut is not a number", ~np.isfinite(cut))
    outside = known & ~((propagation >= 0) & (propagation <= 1))
    _refuse(table, "propagation is not between 0 and 1", outside)
    clicks_WT = _bins(table, "clicks")
    usages_WT = _bins(table, "usages")
    clicks_mean = clicks_WT.mean(axis=1)
    usages_mean = usages_WT.mean(axis=1)
    phase = 2 * np.pi * (cut / DAY_S % 7.0) / 7.0
    columns = [
        np.log1p(clicks_mean),
        np.log1p(usages_mean),
        np.sin(phase),
        np.cos(phase),
        np.log1p(age_days),
        np.log(bin_days * N_OBS),
        np.log(bin_days * n_fut),
        np.where(known, propagation, 0.0),
        known.astype(np.float64),
        np.log2(1 + (clicks_mean + usages_mean) * n_fut),
    ]
    inputs = np.column_stack([np.log1p(clicks_WT), np.log1p(usages_WT), *columns])
    return Features(
        inputs_WF=inputs.astype(np.float32),
        clicks_mean_W=clicks_mean,
        usages_mean_W=usages_mean,
        period_days_W=bin_days * N_OBS,
        propagation_W=propagation,
    )


def labels(windows: pa.Table) -> Floats:
    """Return y = log2(1 + accesses over the horizon), shape [W] (S620).

    Raises:
        WindowInvalid: a total is not known yet, negative or not a number.
    """
    table = conformed(windows)
    total = _numbers(table, "fut_total")
    _refuse(table, "fut_total is null, negative or not finite", ~((total >= 0) & (total < np.inf)))
    return np.log2(1 + total)


def hold_out_mask(
    item_ids: "pa.Array[Any] | pa.ChunkedArray[Any]",
    share: float = HELD_OUT_SHARE,
    salt: str = HELD_OUT_SALT,
) -> Mask:
    """Say which rows belong to items that are kept apart, shape [W].

    An item is kept apart where the SHA-256 of salt and item id, read as a fraction of its range,
    is below the share: the same for every table, process and time.
    """
    encoded = pa.chunked_array([item_ids]) if isinstance(item_ids, pa.Array) else item_ids
    dictionary = pc.unique(encoded)
    prefix = f"{len(salt)}:{salt}".encode()
    heads = b"".join(
        hashlib.sha256(prefix + str(item).encode()).digest()[:8] for item in dictionary.to_pylist()
    )
    kept_apart = np.frombuffer(heads, dtype=">u8") / 2.0**64 < share
    index = pc.index_in(encoded, value_set=dictionary).to_numpy()
    return np.asarray(kept_apart[index], dtype=bool)


@dataclass(frozen=True)
class Split:
    """The windows of a table, parted by item."""

    training: pa.Table
    validation: pa.Table
    """For early stopping and calibration."""
    held_out: pa.Table
    """For scores only."""


def split_windows(windows: pa.Table) -> Split:
    """Part windows by item into training, validation and held-out (about 64, 16 and 20 %).

    Raises:
        WindowInvalid: one of the parts would be empty.
    """
    held_out = hold_out_mask(windows["item_id"])
    validation = hold_out_mask(windows["item_id"], salt=VALIDATION_SALT) & ~held_out
    parts = Split(
        training=windows.filter(pa.array(~held_out & ~validation)),
        validation=windows.filter(pa.array(validation)),
        held_out=windows.filter(pa.array(held_out)),
    )
    sizes = parts.training.num_rows, parts.validation.num_rows, parts.held_out.num_rows
    if min(sizes) == 0:
        what = "{} training, {} validation and {} held-out windows".format(*sizes)
        raise WindowInvalid(what, "split by item", "Give windows of more items.")
    return parts


def _numbers(table: pa.Table, column: str) -> Floats:
    """Return a numeric column, shape [W]; null becomes NaN."""
    return _numbers_of(table[column])


def _numbers_of(values: "pa.Array[Any] | pa.ChunkedArray[Any]") -> Floats:
    return np.asarray(values.cast(pa.float64()).to_numpy(), dtype=np.float64)


def _bins(table: pa.Table, column: str) -> Floats:
    """Return a list column as counts, shape [W, T]."""
    lengths_W = _numbers_of(pc.list_value_length(table[column]))
    _refuse(table, f"{column} has not {N_OBS} bins", lengths_W != N_OBS)
    counts_WT = _numbers_of(pc.list_flatten(table[column])).reshape(-1, N_OBS)
    bad_WT = ~((counts_WT >= 0) & (counts_WT <= COUNT_MAX))
    bad_W = np.asarray(bad_WT.any(axis=1), dtype=bool)
    _refuse(table, f"{column} has a count that is negative or no number", bad_W)
    return counts_WT


def _refuse(table: pa.Table, what: str, bad_W: Mask) -> None:
    """Raise for the first bad row, if there is one."""
    if bad_W.any():
        row = int(bad_W.argmax())
        where = f"window {table['sample_id'][row].as_py()!r}, row {row}"
        raise WindowInvalid(what, where, "Correct or leave out the window.")

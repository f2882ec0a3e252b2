"""Access windows from counts that a caller tells, as a platform cuts them from events (A7).

Shapes: W items, T bins of the period.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import numpy as np
import pyarrow as pa

from cluster.clock import DAY_S
from cluster.contracts.prediction import CountedItem
from cluster.contracts.trend import N_FUT, N_OBS, WINDOWS
from cluster.errors import InputError
from cluster.trend.windows import Floats, Mask

_NONE: Final = [np.nan] * N_OBS


@dataclass(frozen=True)
class Counted:
    """The items of one call as columns."""

    clicks_WT: Floats
    usages_WT: Floats
    elsewhere_WT: Floats
    """NaN where the caller does not know."""
    first_access_W: Floats
    """Seconds since the epoch; NaN where there was none yet."""
    propagation_W: Floats
    """NaN where it is not known."""
    period_end: float
    """Seconds since the epoch."""
    period_days: float


def counted(items: Sequence[CountedItem], period_end: float, period_days: float) -> Counted:
    """Turn items into columns.

    Args:
        items: W of them.
        period_end: seconds since the epoch.
        period_days: length of the period before it.

    Raises:
        InputError: what is told of an item contradicts itself; ``where`` names the first such one.
    """
    made = Counted(
        _bins([item["clicks"] for item in items]),
        _bins([item["usages"] for item in items]),
        _bins([item.get("elsewhere") or _NONE for item in items]),
        np.array([item["first_access"] for item in items], dtype=np.float64),
        np.array([item.get("propagation") for item in items], dtype=np.float64),
        period_end,
        period_days,
    )
    accesses_WT = made.clicks_WT + made.usages_WT
    too_many_W = (made.elsewhere_WT - accesses_WT).max(axis=1) > 0
    _refuse("elsewhere", "more accesses are elsewhere than there are", too_many_W)
    is_new_W = np.isnan(made.first_access_W)
    used_W = accesses_WT.max(axis=1) > 0
    _refuse("first_access", "there are accesses, but no first one", is_new_W & used_W)
    late_W = made.first_access_W > period_end
    _refuse("first_access", "the first access is after the period", late_W)
    return made


def windows_of(columns: Counted) -> pa.Table:
    """Cut the window of each item, as ``cluster.flow.accesses`` does from events.

    Returns:
        W rows of ``WINDOWS`` that name nobody.
    """
    n, cut, length = len(columns.clicks_WT), columns.period_end, columns.period_days * DAY_S
    bin_s = length / N_OBS
    born_W = np.where(np.isnan(columns.first_access_W), np.inf, columns.first_access_W)
    age_W = np.where(np.isfinite(born_W), (cut - born_W) / DAY_S, 0.0)
    home_WT = columns.clicks_WT + columns.usages_WT - columns.elsewhere_WT
    nobody = pa.repeat("", n)
    told: dict[str, pa.Array[Any]] = {
        "sample_id": nobody,
        "item_id": nobody,
        "platform": nobody,
        "cut": pa.array(np.full(n, cut)),
        "bin_days": pa.array(np.full(n, bin_s / DAY_S)),
        "n_obs": pa.array(np.full(n, N_OBS, np.int32)),
        "n_fut": pa.array(np.full(n, N_FUT, np.int32)),
        "age_days": pa.array(np.maximum(age_W, 0.0)),
        "first_seen": pa.array(np.clip((born_W - (cut - length)) / bin_s, 0.0, N_OBS)),
        "clicks": _lists(columns.clicks_WT),
        "usages": _lists(columns.usages_WT),
        "plat_a": _lists(home_WT),
        "plat_b": _lists(columns.elsewhere_WT),
        "propagation": pa.array(columns.propagation_W, from_pandas=True),
    }
    arrays = [told[f.name] if f.name in told else pa.nulls(n, f.type) for f in WINDOWS]
    return pa.Table.from_arrays(arrays, schema=WINDOWS)


def digests(columns: Counted) -> list[str]:
    """Return for each item the SHA-256 of what was told of it, its id aside.

    That is of 28 little-endian float64: clicks, usages, elsewhere (8 each), first access,
    propagation, end and length of the period; NaN where nothing is told.
    """
    n = len(columns.clicks_WT)
    parts = [columns.clicks_WT, columns.usages_WT, columns.elsewhere_WT]
    parts += [columns.first_access_W[:, None], columns.propagation_W[:, None]]
    period_W2 = np.full((n, 2), (columns.period_end, columns.period_days))
    content = memoryview(np.hstack([*parts, period_W2]).astype("<f8").tobytes())
    size = len(content) // max(n, 1)
    return [
        hashlib.sha256(content[start : start + size]).hexdigest()
        for start in range(0, len(content), size)
    ]


def _bins(counts: Sequence[Sequence[float]]) -> Floats:
    flat = np.fromiter(chain.from_iterable(counts), np.float64, len(counts) * N_OBS)
    return flat.reshape(-1, N_OBS)


def _lists(counts_WT: Floats) -> "pa.ListArray[Any]":
    """Return one list a row; none where the row is NaN."""
    n, size = counts_WT.shape
    offsets = pa.array(np.arange(0, (n + 1) * size, size), pa.int32())
    values = pa.array(counts_WT.ravel(), pa.float64())
    return pa.ListArray.from_arrays(offsets, values, mask=pa.array(np.isnan(counts_WT[:, 0])))


def _refuse(field: str, what: str, bad_W: Mask) -> None:
    """Raise for the first bad item, if there is one.

    Raises:
        InputError: names the item and the field.
    """
    if bad_W.any():
        raise InputError(what, f"items.{int(bad_W.argmax())}.{field}", "Correct the item.")

"""Inputs of the trend network: what of an access window goes in, in which order and scale (S610).

A window of any number of bins is drawn together to twelve, so that all windows have the same
features; a feature that its source does not tell is NaN, which the network reads as the average
of windows of that shape. Counts enter as log2(1 + count).

Shapes: W windows of a table, R rows of one shape, T bins of the period, F features.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cluster.contracts.trend import PLACES
from cluster.trend.windows import (
    Floats,
    Histories,
    Rows,
    Shape,
    conformed,
    histories,
    known_numbers,
    numbers,
    refuse,
    shapes_of,
)

COARSE: Final = 12
"""Bins to which a window is drawn together."""
COARSE_PLACES: Final = 3
MONTHS: Final = 12
CUT_MAX_S: Final = 1e11
"""Some three thousand years from the epoch; a cut beyond is in another unit."""
PARTS: Final = (2, 4, 12)
"""The newest half, quarter and twelfth of a window, whose rates are features."""

_SERIES: Final = ("accesses", "clicks", "usages")
_PLACE_FEATURES: Final = (
    "log_total",
    "log_last",
    "is_used",
    "late_to_early",
    *(f"log_{t}" for t in range(COARSE_PLACES)),
)
CALENDAR: Final = tuple(f"is_month_{month:02d}" for month in range(1, MONTHS + 1))
"""Month of the cut: one that was not learned from is read as the average of those that were."""
FEATURE_NAMES: Final = (
    *(f"log_{series}_{t}" for series in _SERIES for t in range(COARSE)),
    *(f"log_total_{series}" for series in _SERIES),
    "persistence_log2",
    "log_ahead_if_last_bin",
    *(f"log_ahead_if_newest_1_of_{part}" for part in PARTS),
    "log_ahead_since_first_seen",
    "log_share_since_first_seen",
    "log_max",
    "log_deviation",
    "log_variation",
    "share_of_bins_used",
    "log_bins_used",
    "is_silent",
    "share_since_first_access",
    "log_bins_since_first_access",
    "share_since_last_access",
    "centre_of_accesses",
    "last_to_mean",
    "late_to_early",
    "usages_to_clicks",
    "log_total_squared",
    "log_total_by_share_seen",
    "log_total_by_share_since_first_access",
    *(f"{place}_{feature}" for place in PLACES for feature in _PLACE_FEATURES),
    *CALENDAR,
    "log_age_days",
    "log_period_days",
    "log_horizon_days",
    "propagation",
    "propagation_known",
)
N_FEATURES: Final = len(FEATURE_NAMES)
PERSISTENCE: Final = FEATURE_NAMES.index("persistence_log2")


@dataclass(frozen=True)
class Features:
    """What the network reads of W windows, in their order."""

    inputs_WF: NDArray[np.float32]
    """Columns as in ``FEATURE_NAMES``; NaN where the source tells nothing."""
    shapes: tuple[Shape, ...]
    """Shapes that occur."""
    shape_W: Rows
    """Place of each window's shape in ``shapes``."""
    clicks_mean_W: Floats
    """Mean clicks a bin; 0 where the source tells none."""
    usages_mean_W: Floats
    """Mean usages a bin; 0 where the source tells none."""
    bin_days_W: Floats
    propagation_W: Floats
    """Propagation index; NaN where it is not known."""

    @property
    def persistence_log2_W(self) -> Floats:
        """log2(1 + accesses over the horizon) if the mean of the period just went on."""
        return self.inputs_WF[:, PERSISTENCE].astype(np.float64)


def windows_to_features(windows: pa.Table) -> Features:
    """Turn access windows into what the network reads (S610).

    Args:
        windows: W rows of the ``WINDOWS`` schema; the labels are not looked at.

    Raises:
        WindowInvalid: a row cannot be a window; the message names the first such row.
    """
    table = conformed(windows)
    shapes, shape_W = shapes_of(table)
    context_WC = _context(table)
    inputs_WF = np.empty((table.num_rows, N_FEATURES), dtype=np.float32)
    means_W2 = np.zeros((table.num_rows, 2))
    for part in histories(table):
        columns = [*_level(part), *_places(part)]
        own_RF = np.column_stack([*columns, context_WC[part.rows]])
        inputs_WF[part.rows] = own_RF
        means_W2[part.rows, 0] = np.nan_to_num(part.clicks_RT).mean(axis=1)
        means_W2[part.rows, 1] = np.nan_to_num(part.usages_RT).mean(axis=1)
    return Features(
        inputs_WF=inputs_WF,
        shapes=shapes,
        shape_W=shape_W,
        clicks_mean_W=means_W2[:, 0],
        usages_mean_W=means_W2[:, 1],
        bin_days_W=numbers(table, "bin_days"),
        propagation_W=numbers(table, "propagation"),
    )


def coarse(counts_RT: Floats, n_bins: int) -> Floats:
    """Draw the bins of a window together to others, shape [R, n_bins]: the mean count a bin.

    Where there are fewer bins than asked, each is repeated in proportion.
    """
    n_obs = counts_RT.shape[1]
    edges = np.linspace(0, n_obs, n_bins + 1)
    starts, ends = edges[:-1], edges[1:]
    bins_T = np.arange(n_obs)[:, None]
    overlap_TB = np.clip(np.minimum(ends, bins_T + 1) - np.maximum(starts, bins_T), 0, None)
    return np.asarray(counts_RT @ (overlap_TB / overlap_TB.sum(axis=0)))


def _context(table: pa.Table) -> Floats:
    """Return calendar, age, lengths and propagation, the last features, shape [W, C]."""
    bin_days, age_days = numbers(table, "bin_days"), known_numbers(table, "age_days")
    cut, propagation = known_numbers(table, "cut"), known_numbers(table, "propagation")
    n_obs, n_fut = numbers(table, "n_obs"), numbers(table, "n_fut")
    refuse(table, "bin_days is not positive", ~((bin_days > 0) & np.isfinite(bin_days)))
    refuse(table, "age_days is negative", age_days < 0)
    refuse(table, "cut is no time", np.abs(cut) > CUT_MAX_S)
    outside = (propagation < 0) | (propagation > 1)
    refuse(table, "propagation is not between 0 and 1", outside)
    return np.column_stack(
        [
            _months(cut),
            np.log1p(age_days),
            np.log(bin_days) + np.log(n_obs),
            np.log(bin_days) + np.log(n_fut),
            propagation,
            np.isfinite(propagation),
        ]
    )


def _months(cut_W: Floats) -> Floats:
    """Return for each month of the year whether the cut lies in it, shape [W, 12]; NaN: unknown."""
    told_W = np.isfinite(cut_W)
    day_W = np.where(told_W, cut_W, 0.0).astype("datetime64[s]")
    month_W = day_W.astype("datetime64[M]").astype(np.int64) % MONTHS
    is_month_WM = (month_W[:, None] == np.arange(MONTHS)).astype(np.float64)
    return np.where(told_W[:, None], is_month_WM, np.nan)


def _log2(counts: Floats) -> Floats:
    return np.log2(1 + counts)


def _level(part: Histories) -> Iterator[Floats]:
    """Yield the features of all accesses: their course, level, recent rates and rhythm."""
    n_obs, n_fut = part.shape
    accesses_RT = part.accesses_RT
    for counts_RT in (accesses_RT, part.clicks_RT, part.usages_RT):
        yield _log2(coarse(counts_RT, COARSE))
    total_R = accesses_RT.sum(axis=1)
    clicks_R, usages_R = part.clicks_RT.sum(axis=1), part.usages_RT.sum(axis=1)
    mean_R, last_R = total_R / n_obs, accesses_RT[:, -1]
    seen_R = np.maximum(n_obs - part.first_seen_R, 1.0)
    log_share_seen_R = np.log2(seen_R / n_obs)
    since_first_R, since_last_R = _first_and_last(accesses_RT)
    place_T = np.arange(n_obs) / n_obs
    yield from (_log2(total_R), _log2(clicks_R), _log2(usages_R))
    yield from (_log2(mean_R * n_fut), _log2(last_R * n_fut))
    yield from (_log2(_newest(accesses_RT, part_of) * n_fut) for part_of in PARTS)
    yield from (_log2(total_R / seen_R * n_fut), log_share_seen_R)
    yield from (_log2(accesses_RT.max(axis=1)), _log2(accesses_RT.std(axis=1)))
    yield _log2(np.abs(np.diff(accesses_RT, axis=1)).sum(axis=1))
    used_R = (accesses_RT > 0).sum(axis=1).astype(np.float64)
    yield from (used_R / n_obs, _log2(used_R), (total_R == 0).astype(np.float64))
    yield from (since_first_R / n_obs, _log2(since_first_R), since_last_R / n_obs)
    yield accesses_RT @ place_T / np.maximum(total_R, 1e-9)
    yield from (np.log2((last_R + 1) / (mean_R + 1)), _late_to_early(accesses_RT))
    yield np.log2((usages_R + 1) / (clicks_R + 1))
    yield from (_log2(total_R) ** 2 / 10, _log2(total_R) * log_share_seen_R)
    yield _log2(total_R) * since_first_R / n_obs


def _places(part: Histories) -> Iterator[Floats]:
    """Yield the features of the accesses by place."""
    for counts_RT in part.places_RT:
        total_R = counts_RT.sum(axis=1)
        is_used_R = np.where(np.isnan(total_R), np.nan, total_R > 0)
        yield from (_log2(total_R), _log2(counts_RT[:, -1]), is_used_R)
        yield from (_late_to_early(counts_RT), _log2(coarse(counts_RT, COARSE_PLACES)))


def _newest(counts_RT: Floats, part_of: int) -> Floats:
    """Return the mean count a bin of the newest part of a window, shape [R]."""
    newest = max(1, counts_RT.shape[1] // part_of)
    return np.asarray(counts_RT[:, -newest:].mean(axis=1))


def _late_to_early(counts_RT: Floats) -> Floats:
    """Return log2 of the newer half's accesses over those before, shape [R]."""
    late = max(1, counts_RT.shape[1] // 2)
    return np.asarray(
        np.log2((counts_RT[:, -late:].sum(axis=1) + 1) / (counts_RT[:, :-late].sum(axis=1) + 1))
    )


def _first_and_last(counts_RT: Floats) -> tuple[Floats, Floats]:
    """Return the bins from the first access on, and those after the last, each of shape [R]."""
    used_RT = counts_RT > 0
    any_R, n_obs = used_RT.any(axis=1), counts_RT.shape[1]
    since_first_R = np.where(any_R, n_obs - used_RT.argmax(axis=1), 0)
    since_last_R = np.where(any_R, used_RT[:, ::-1].argmax(axis=1), n_obs)
    return since_first_R.astype(np.float64), since_last_R.astype(np.float64)

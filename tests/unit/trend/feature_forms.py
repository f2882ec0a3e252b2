"""The features of one window, computed anew: by name, in plain Python, without arrays."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from typing import Any

from cluster.contracts.trend import PLACES

Counts = Sequence[float] | None


def feature_forms(window: dict[str, Any]) -> dict[str, float]:
    """Every feature of a window by its name; NaN where the source tells nothing."""
    n_obs, n_fut = window["n_obs"], window["n_fut"]
    clicks, usages = window["clicks"], window["usages"]
    accesses = [
        (0.0 if clicks is None else clicks[t]) + (0.0 if usages is None else usages[t])
        for t in range(n_obs)
    ]
    total, mean = sum(accesses), sum(accesses) / n_obs
    forms = _series({"accesses": accesses, "clicks": clicks, "usages": usages})
    forms |= _ahead(accesses, n_fut, window["first_seen"])
    used = [t for t, count in enumerate(accesses) if count > 0]
    since_first = n_obs - used[0] if used else 0
    since_last = n_obs - 1 - used[-1] if used else n_obs
    variance = sum((count - mean) ** 2 for count in accesses) / n_obs
    seen = forms["log_share_since_first_seen"]
    moved = sum(abs(b - a) for a, b in pairwise(accesses))
    ratio = math.nan
    if clicks is not None and usages is not None:
        ratio = math.log2((sum(usages) + 1) / (sum(clicks) + 1))
    forms |= {
        "log_max": lg(max(accesses)),
        "log_deviation": lg(math.sqrt(variance)),
        "log_variation": lg(moved),
        "share_of_bins_used": len(used) / n_obs,
        "log_bins_used": lg(len(used)),
        "is_silent": float(total == 0),
        "share_since_first_access": since_first / n_obs,
        "log_bins_since_first_access": lg(since_first),
        "share_since_last_access": since_last / n_obs,
        "centre_of_accesses": sum(t / n_obs * accesses[t] for t in used) / max(total, 1e-9),
        "last_to_mean": math.log2((accesses[-1] + 1) / (mean + 1)),
        "late_to_early": late_to_early(accesses),
        "usages_to_clicks": ratio,
        "log_total_squared": lg(total) ** 2 / 10,
        "log_total_by_share_seen": lg(total) * seen,
        "log_total_by_share_since_first_access": lg(total) * since_first / n_obs,
    }
    for place in PLACES:
        forms |= _place(place, window[place])
    return forms | _context(window)


def lg(count: float) -> float:
    """The scale of counts."""
    return math.log2(1 + count)


def resampled(counts: Sequence[float], n_bins: int) -> list[float]:
    """Mean count a bin, exactly: every bin is cut into ``n_bins`` pieces, joined again by n_obs."""
    pieces = [Fraction(count) for count in counts for _ in range(n_bins)]
    size = len(counts)
    return [float(sum(pieces[b * size : (b + 1) * size]) / size) for b in range(n_bins)]


def late_to_early(counts: Sequence[float]) -> float:
    """Growth from the older to the newer half; an odd middle bin is old, a single bin new."""
    start = len(counts) - max(1, len(counts) // 2)
    return math.log2((sum(counts[start:]) + 1) / (sum(counts[:start]) + 1))


def _series(series: dict[str, Counts]) -> dict[str, float]:
    forms = {}
    for name, counts in series.items():
        told = counts is not None
        forms[f"log_total_{name}"] = lg(sum(counts)) if counts is not None else math.nan
        for t in range(12):
            forms[f"log_{name}_{t}"] = lg(resampled(counts, 12)[t]) if told else math.nan
    return forms


def _ahead(accesses: Sequence[float], n_fut: int, first_seen: float | None) -> dict[str, float]:
    n_obs, total = len(accesses), sum(accesses)
    bins_seen = max(n_obs - min(first_seen or 0.0, n_obs), 1)
    forms = {
        "persistence_log2": lg(total / n_obs * n_fut),
        "log_ahead_if_last_bin": lg(accesses[-1] * n_fut),
        "log_ahead_since_first_seen": lg(total / bins_seen * n_fut),
        "log_share_since_first_seen": math.log2(bins_seen / n_obs),
    }
    for part in (2, 4, 12):
        newest = accesses[-max(1, n_obs // part) :]
        forms[f"log_ahead_if_newest_1_of_{part}"] = lg(sum(newest) / len(newest) * n_fut)
    return forms


def _place(place: str, counts: Counts) -> dict[str, float]:
    names = ("log_total", "log_last", "is_used", "late_to_early", "log_0", "log_1", "log_2")
    values = [math.nan] * 7
    if counts is not None:
        course = [lg(count) for count in resampled(counts, 3)]
        total = sum(counts)
        values = [lg(total), lg(counts[-1]), float(total > 0), late_to_early(counts), *course]
    return {f"{place}_{name}": value for name, value in zip(names, values, strict=True)}


def _context(window: dict[str, Any]) -> dict[str, float]:
    cut, age, index = window["cut"], window["age_days"], window["propagation"]
    month = None if cut is None else datetime.fromtimestamp(cut, UTC).month
    forms = {
        f"is_month_{number:02d}": math.nan if month is None else float(month == number)
        for number in range(1, 13)
    }
    return forms | {
        "log_age_days": math.nan if age is None else math.log(1 + age),
        "log_period_days": math.log(window["bin_days"] * window["n_obs"]),
        "log_horizon_days": math.log(window["bin_days"] * window["n_fut"]),
        "propagation": math.nan if index is None else index,
        "propagation_known": float(index is not None),
    }

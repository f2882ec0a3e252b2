"""What came after a window, and whether it was hot or a surge (S620).

Hot is the top decile of the accesses to come, surge that of their growth: log2 of the accesses a
bin to come over those of the window. A source that has labels of its own (as one that ranks the
items of a month among each other) gives them with the windows; elsewhere the thresholds are those
of all windows of the shape.

Shapes: W windows of a table, R rows of one shape.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from cluster.errors import WindowInvalid
from cluster.trend.features import Features
from cluster.trend.windows import Floats, Mask, Shape, conformed, numbers, refuse

TOP_SHARE: Final = 0.1
HOT_THRESHOLD_MIN_LOG2: Final = 1.0
"""A window with no access to come is never hot."""


@dataclass(frozen=True)
class Thresholds:
    """From where on a window of one shape has a label, in log2."""

    hot: float
    surge: float


@dataclass(frozen=True)
class Labels:
    """What came after W windows."""

    y_W: Floats
    """log2(1 + accesses over the horizon)."""
    growth_W: Floats
    """log2 of accesses a bin to come over those seen, each plus one."""
    hot_W: Mask
    surge_W: Mask


def outcomes(windows: pa.Table) -> Floats:
    """Return y = log2(1 + accesses over the horizon), shape [W] (S620).

    Raises:
        WindowInvalid: a total is not known yet, negative or not a number.
    """
    table = conformed(windows)
    if table.num_rows and table["fut_total"].null_count == table.num_rows:
        what = "no window tells fut_total, the accesses that came after it"
        raise WindowInvalid(what, "access windows", "To train or score, give that column.")
    total = numbers(table, "fut_total")
    refuse(table, "fut_total is null, negative or not finite", ~((total >= 0) & (total < np.inf)))
    return np.log2(1 + total)


def growth(y_W: Floats, features: Features) -> Floats:
    """Return log2 of the accesses a bin to come over those of the window, shape [W]."""
    n_fut_W = np.array([shape.n_fut for shape in features.shapes] or [1])[features.shape_W]
    to_come_W = (2.0**y_W - 1) / n_fut_W
    return np.asarray(np.log2(to_come_W + 1) - np.log2(1 + _mean(features)))


def thresholds(y_W: Floats, features: Features) -> dict[Shape, Thresholds]:
    """Return the top deciles of accesses and growth of each shape."""
    growth_W = growth(y_W, features)
    found = {}
    for place, shape in enumerate(features.shapes):
        rows = features.shape_W == place
        hot, surge = _top_decile(y_W[rows]), _top_decile(growth_W[rows])
        found[shape] = Thresholds(max(hot, HOT_THRESHOLD_MIN_LOG2), surge)
    return found


def _top_decile(values_R: Floats) -> float:
    """Return from where on a value is in the top tenth; where most are equal, above them."""
    limit = float(np.quantile(values_R, 1 - TOP_SHARE, method="higher"))
    many = float(np.mean(values_R >= limit)) > 2 * TOP_SHARE
    return math.nextafter(limit, math.inf) if many else limit


def labels(windows: pa.Table, features: Features, known: dict[Shape, Thresholds]) -> Labels:
    """Return what came after the windows (S620).

    Args:
        windows: rows whose horizon has passed.
        features: of the same windows.
        known: thresholds of every shape that occurs.

    Raises:
        WindowInvalid: a total is not known yet, negative or not a number.
    """
    y_W = outcomes(windows)
    growth_W = growth(y_W, features)
    limits_S2 = np.array([[known[s].hot, known[s].surge] for s in features.shapes]).reshape(-1, 2)
    hot_W, surge_W = limits_S2[features.shape_W].T
    return Labels(
        y_W=y_W,
        growth_W=growth_W,
        hot_W=_given(windows, "hot", y_W >= hot_W),
        surge_W=_given(windows, "surge", growth_W >= surge_W),
    )


def _mean(features: Features) -> Floats:
    return features.clicks_mean_W + features.usages_mean_W


def _given(windows: pa.Table, column: str, otherwise_W: Mask) -> Mask:
    """Return a label as the source gives it, or else as it follows from the threshold."""
    given_W = numbers(windows, column)
    return np.where(np.isnan(given_W), otherwise_W, given_W > 0)

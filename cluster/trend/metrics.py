"""How good forecasts are: the figures by which trend models and baselines are compared (A6).

The error is on log2(1 + accesses), as in the literature on information cascades. Intervals draw
items anew, not windows: the windows of one item are alike.

Shapes: W windows, D drawings, I items.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import average_precision_score, brier_score_loss, f1_score, roc_auc_score

from cluster.contracts.trend import TrendMetrics
from cluster.errors import WindowInvalid
from cluster.trend.labels import Labels
from cluster.trend.windows import Floats, Mask

FLAT_LOG2: Final = float(np.log2(1.25))
"""Growth between this and its negative is flat."""
DRAWINGS: Final = 1000
INTERVAL: Final = (2.5, 97.5)


@dataclass(frozen=True)
class Scores:
    """Forecasts of W windows, as a model or a baseline makes them."""

    y_W: Floats
    growth_W: Floats
    """As it follows from y and what was seen."""
    hot_W: Floats
    """Higher for windows more likely to be hot."""
    surge_W: Floats | None = None
    is_probability: bool = True
    """The hot score is a probability, so that its Brier score has a meaning."""


def msle(y_W: Floats, y_predicted_W: Floats) -> float:
    """Return the mean squared difference of log2(1 + accesses)."""
    return float(np.mean((y_W - y_predicted_W) ** 2))


def measure(
    came: Labels, said: Scores, item_W: "pa.Array[Any] | pa.ChunkedArray[Any]"
) -> TrendMetrics:
    """Score forecasts against what came.

    Args:
        came: what came after the windows.
        said: what was forecast.
        item_W: the windows' items, by which intervals are drawn.

    Returns:
        The figures; those that need two classes, or values that vary, are None where there are
        none.

    Raises:
        WindowInvalid: there is no window to score.
    """
    y_W, hot_W = came.y_W, came.hot_W
    if y_W.size == 0:
        what = "no windows to score"
        raise WindowInvalid(what, "trend metrics", "Give windows of held-out items.")
    varied = bool(np.ptp(y_W) > 0 and np.ptp(said.y_W) > 0)
    spearman = cast("float", stats.spearmanr(y_W, said.y_W).statistic) if varied else None
    brier = brier_score_loss(hot_W, said.hot_W, pos_label=True) if said.is_probability else None
    return TrendMetrics(
        n=int(y_W.size),
        msle=msle(y_W, said.y_W),
        msle_interval=interval(item_W, (y_W - said.y_W) ** 2),
        mape_log=float(np.mean(np.abs(y_W - said.y_W) / np.log2(1 + 2.0**y_W))),
        median_ape=_median_relative_error(y_W, said.y_W),
        spearman=None if spearman is None else float(spearman),
        auroc_hot=_if_two(roc_auc_score, hot_W, said.hot_W),
        auprc_hot=_if_two(average_precision_score, hot_W, said.hot_W),
        brier=None if brier is None else float(brier),
        base_rate_hot=float(hot_W.mean()),
        auroc_surge=_if_two(roc_auc_score, came.surge_W, said.surge_W),
        auprc_surge=_if_two(average_precision_score, came.surge_W, said.surge_W),
        f1_trend=float(
            f1_score(_trend(came.growth_W), _trend(said.growth_W), average="macro", zero_division=0)
        ),
    )


def interval(
    item_W: "pa.Array[Any] | pa.ChunkedArray[Any]", figure_W: Floats
) -> tuple[float, float]:
    """Return the 95 % interval of the mean of a figure, items drawn anew (percentile bootstrap)."""
    encoded = pa.chunked_array([item_W]) if isinstance(item_W, pa.Array) else item_W
    item = pc.index_in(encoded, value_set=pc.unique(encoded)).to_numpy()
    counts_I = np.bincount(item).astype(np.float64)
    sums_I = np.bincount(item, weights=figure_W)
    generator = np.random.default_rng(0)
    means_D = np.empty(DRAWINGS)
    for drawing in range(DRAWINGS):
        chosen: NDArray[np.int64] = generator.integers(0, len(counts_I), len(counts_I))
        means_D[drawing] = sums_I[chosen].sum() / counts_I[chosen].sum()
    low, high = np.percentile(means_D, INTERVAL)
    return float(low), float(high)


def _trend(growth_W: Floats) -> NDArray[np.int64]:
    """Return 1 for rising, 0 for flat, -1 for falling."""
    return (growth_W > FLAT_LOG2).astype(np.int64) - (growth_W < -FLAT_LOG2)


def _median_relative_error(y_W: Floats, y_predicted_W: Floats) -> float | None:
    came_W, said_W = 2.0**y_W - 1, 2.0**y_predicted_W - 1
    some_W = came_W > 0
    if not some_W.any():
        return None
    return float(np.median(np.abs(said_W[some_W] - came_W[some_W]) / came_W[some_W]))


def _if_two(
    figure: Callable[[Mask, Floats], float], true_W: Mask, score_W: Floats | None
) -> float | None:
    """Return a figure that needs both classes, or None."""
    if score_W is None or true_W.all() or not true_W.any():
        return None
    return float(figure(true_W, score_W))

"""How good forecasts are: the figures by which trend models and baselines are compared (A6).

The error is on log2(1 + accesses), as in the literature on information cascades.
"""

from typing import cast

import numpy as np
from scipy import stats
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from cluster.contracts.trend import TrendMetrics
from cluster.errors import WindowInvalid
from cluster.trend.features import Floats


def msle(y_W: Floats, y_predicted_W: Floats) -> float:
    """Return the mean squared difference of log2(1 + accesses)."""
    return float(np.mean((y_W - y_predicted_W) ** 2))


def measure(
    y_W: Floats,
    y_predicted_W: Floats,
    hot_score_W: Floats,
    hot_threshold_log2: float,
    *,
    is_probability: bool = True,
) -> TrendMetrics:
    """Score forecasts against what came.

    Args:
        y_W: log2(1 + accesses) that came.
        y_predicted_W: the same as it was forecast.
        hot_score_W: higher for windows more likely to be hot.
        hot_threshold_log2: a window is hot where y is at or above it.
        is_probability: the score is a probability, so that its Brier score has a meaning.

    Returns:
        The figures; those that need two classes, or values that vary, are None where there are
        none.

    Raises:
        WindowInvalid: there is no window to score.
    """
    if y_W.size == 0:
        what = "no windows to score"
        raise WindowInvalid(what, "trend metrics", "Give windows of held-out items.")
    hot_W = y_W >= hot_threshold_log2
    two_classes = bool(hot_W.any() and not hot_W.all())
    varied = bool(np.ptp(y_W) > 0 and np.ptp(y_predicted_W) > 0)
    spearman = cast("float", stats.spearmanr(y_W, y_predicted_W).statistic) if varied else None
    return TrendMetrics(
        n=int(y_W.size),
        msle=msle(y_W, y_predicted_W),
        spearman=None if spearman is None else float(spearman),
        auroc_hot=float(roc_auc_score(hot_W, hot_score_W)) if two_classes else None,
        auprc_hot=float(average_precision_score(hot_W, hot_score_W)) if two_classes else None,
        brier=float(brier_score_loss(hot_W, hot_score_W, pos_label=True))
        if is_probability
        else None,
        base_rate_hot=float(hot_W.mean()),
    )

"""Simple forecasts that the trend network has to beat, on the same held-out items (A6).

Three: the period goes on as it was; a log-linear regression on its accesses (Szabo and Huberman
2010); linear models on all features of the network. On some data the last is the best of all, so
it stays beside every version as a challenger.
"""

import numpy as np
import pyarrow as pa
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cluster.contracts.trend import TrendMetrics
from cluster.trend.features import Floats, Mask, labels, windows_to_features
from cluster.trend.metrics import measure


def score_baselines(
    training: pa.Table, held_out: pa.Table, *, hot_threshold_log2: float
) -> dict[str, TrendMetrics]:
    """Fit each baseline on the training windows and score it on the held-out ones.

    Args:
        training: windows with labels, of items that may be learned from.
        held_out: windows with labels, of other items.
        hot_threshold_log2: a window is hot where log2(1 + accesses) is at or above it.

    Returns:
        Metrics of ``persistence``, ``szabo_huberman`` and ``linear``.

    Raises:
        WindowInvalid: a window is not usable, or a table is empty.
    """
    known, asked = windows_to_features(training), windows_to_features(held_out)
    y_known, y_asked = labels(training), labels(held_out)
    hot_known = y_known >= hot_threshold_log2
    recent_known = known.persistence_log2_W[:, None]
    recent_asked = asked.persistence_log2_W[:, None]
    wide_known = known.inputs_WF.astype(np.float64)
    wide_asked = asked.inputs_WF.astype(np.float64)
    return {
        "persistence": measure(
            y_asked,
            asked.persistence_log2_W,
            asked.persistence_log2_W,
            hot_threshold_log2,
            is_probability=False,
        ),
        "szabo_huberman": measure(
            y_asked,
            _regress(Ridge(alpha=1e-6), recent_known, y_known, recent_asked),
            _hot_probability(recent_known, hot_known, recent_asked),
            hot_threshold_log2,
        ),
        "linear": measure(
            y_asked,
            _regress(Ridge(alpha=1.0), wide_known, y_known, wide_asked),
            _hot_probability(wide_known, hot_known, wide_asked),
            hot_threshold_log2,
        ),
    }


def _regress(model: Ridge, known_WF: Floats, y_W: Floats, asked_WF: Floats) -> Floats:
    """Fit on known windows, forecast the asked ones."""
    fitted = make_pipeline(StandardScaler(), model).fit(known_WF, y_W)
    return np.asarray(fitted.predict(asked_WF), dtype=np.float64)


def _hot_probability(known_WF: Floats, hot_W: Mask, asked_WF: Floats) -> Floats:
    """Return the chance of hot by logistic regression, or the base rate of one class."""
    if hot_W.all() or not hot_W.any():
        return np.full(len(asked_WF), float(hot_W.mean()))
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return np.asarray(model.fit(known_WF, hot_W).predict_proba(asked_WF)[:, 1], dtype=np.float64)

"""Simple forecasts that the trend network has to beat, on the same kept-apart items (A6).

Three: the period goes on as it was; a log-linear regression on its accesses (Szabo and Huberman
2010); linear models on all features of the network. On some data the last is the best of all, so
it stays beside every version as a challenger.

Beside the network each is fitted five times: on the windows that one member learns from, to be
scored on those that it keeps apart.

Shapes: W windows of one shape, F features.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cluster.errors import WindowInvalid
from cluster.trend.folds import N_MEMBERS, Folds
from cluster.trend.windows import Floats, Mask

PERSISTENCE: Final = "persistence"
SZABO_HUBERMAN: Final = "szabo_huberman"
LINEAR: Final = "linear"
RIDGE: Final = 30.0
"""Penalty of the linear model, in windows; that of the network's own regression."""

Fit = Callable[[Mask, Mask], Floats]
"""Learns from some windows, forecasts others."""
Tasks = Sequence[tuple[Mask, Mask]]
"""Windows to learn from, and others to be asked about; each window is asked about at most once."""


def tasks_of(folds: Folds) -> Tasks:
    """Return what each member of the network learns from, and what it keeps apart."""
    return [(folds.training_MW[member], folds.member_W == member) for member in range(N_MEMBERS)]


def forecasts(
    inputs_WF: Floats, persistence_W: Floats, y_W: Floats, tasks: Tasks
) -> dict[str, Floats]:
    """Return each baseline's forecast of y for windows that it did not learn from.

    Args:
        inputs_WF: features; NaN where a source tells nothing.
        persistence_W: log2(1 + accesses) if the period just went on.
        y_W: what came.
        tasks: who is asked about what, knowing what; NaN where nobody is.
    """
    filled_WF, recent_W1 = _filled(inputs_WF), persistence_W[:, None]
    return {
        PERSISTENCE: persistence_W,
        SZABO_HUBERMAN: _answers(tasks, len(persistence_W), _regression(1e-6, recent_W1, y_W)),
        LINEAR: _answers(tasks, len(persistence_W), _regression(RIDGE, filled_WF, y_W)),
    }


def chances(
    inputs_WF: Floats, persistence_W: Floats, is_label_W: Mask, tasks: Tasks
) -> dict[str, Floats]:
    """Return the chance of a label by logistic regressions on what each baseline sees."""
    filled_WF, recent_W1 = _filled(inputs_WF), persistence_W[:, None]
    return {
        PERSISTENCE: persistence_W,
        SZABO_HUBERMAN: _answers(tasks, len(persistence_W), _classification(recent_W1, is_label_W)),
        LINEAR: _answers(tasks, len(persistence_W), _classification(filled_WF, is_label_W)),
    }


def _answers(tasks: Tasks, n_windows: int, fit: Fit) -> Floats:
    forecast_W = np.full(n_windows, np.nan)
    for known_W, asked_W in tasks:
        if asked_W.any() and not known_W.any():
            what = "a baseline has no windows to learn from"
            raise WindowInvalid(what, "trend baselines", "Give windows of more items.")
        if asked_W.any():
            forecast_W[asked_W] = fit(known_W, asked_W)
    return forecast_W


def _regression(penalty: float, inputs_WF: Floats, y_W: Floats) -> Fit:
    def fit(known_W: Mask, asked_W: Mask) -> Floats:
        model = make_pipeline(StandardScaler(), Ridge(alpha=penalty))
        fitted = model.fit(inputs_WF[known_W], y_W[known_W])
        return np.asarray(fitted.predict(inputs_WF[asked_W]), dtype=np.float64)

    return fit


def _classification(inputs_WF: Floats, is_label_W: Mask) -> Fit:
    def fit(known_W: Mask, asked_W: Mask) -> Floats:
        told_W = is_label_W[known_W]
        if told_W.all() or not told_W.any():
            return np.full(int(asked_W.sum()), float(told_W.mean()))
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300))
        fitted = model.fit(inputs_WF[known_W], told_W)
        return np.asarray(fitted.predict_proba(inputs_WF[asked_W])[:, 1], dtype=np.float64)

    return fit


def _filled(inputs_WF: Floats) -> Floats:
    """Put each feature's mean where it is not told; 0 where it never is."""
    told_WF = np.isfinite(inputs_WF)
    mean_F = np.nan_to_num(inputs_WF).sum(axis=0) / np.maximum(told_WF.sum(axis=0), 1)
    return np.where(told_WF, inputs_WF, mean_F)

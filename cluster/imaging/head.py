"""The head of a network fitted on features that were made once (C2)."""

import warnings
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

Floats = NDArray[np.float32]
STRENGTHS: Final = (1e-4, 1e-3, 1e-2)
"""Inverse penalties that are tried."""
STEPS_MAX: Final = 150
"""Where it has not converged by then, it ends there: validation judges it all the same."""
SPREAD_MIN: Final = 1e-6


@dataclass(frozen=True)
class Head:
    """A linear layer."""

    weight_KP: Floats
    bias_K: Floats
    training_loss: float


def fit_head(
    training: tuple[Floats, NDArray[np.int64]],
    validation: tuple[Floats, NDArray[np.int64]],
    weight_K: Floats,
) -> Head:
    """Fit a logistic regression on centred features, as strict as validation likes it best.

    Args:
        training: features [N, P] and classes [N]; every class is there.
        validation: the same of images that choose the penalty.
        weight_K: weight of each class.
    """
    (x_NP, y_N), (u_MP, v_M) = training, validation
    # One scale for all features: a scale each would blow up those that hardly ever answer.
    mean_P, spread = x_NP.mean(0), max(float(x_NP.std(0).mean()), SPREAD_MIN)
    x_NP, u_MP = (x_NP - mean_P) / spread, (u_MP - mean_P) / spread
    classes = np.arange(len(weight_K))
    fits = []
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=STEPS_MAX)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x_NP, y_N, sample_weight=weight_K[y_N])
        fits.append((float(log_loss(v_M, model.predict_proba(u_MP), labels=classes)), model))
    best = min(fits, key=lambda one: one[0])[1]
    weight_KP, bias_K = _rows(best.coef_), _rows(best.intercept_)
    weight_KP = weight_KP / spread
    return Head(
        weight_KP=weight_KP.astype(np.float32),
        bias_K=(bias_K - weight_KP @ mean_P).astype(np.float32),
        training_loss=float(log_loss(y_N, best.predict_proba(x_NP), labels=classes)),
    )


def _rows(found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the first of two classes its half, which the library leaves out."""
    return np.concatenate([-found / 2, found / 2]) if len(found) == 1 else found

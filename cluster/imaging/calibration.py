"""Probabilities that mean what they say: one temperature (C10; Guo 2017)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

LOG_RANGE: Final = (-2.5, 2.5)


def fit_temperature(logits_NK: NDArray[np.float32], truth_N: NDArray[np.int64]) -> float:
    """Return T > 0 with which softmax(logits / T) is likeliest on these images.

    Args:
        logits_NK: of images that the network did not learn from.
        truth_N: their classes.
    """

    def loss(log_t: float) -> float:
        log_p_NK = log_softmax(logits_NK.astype(np.float64) / np.exp(log_t), axis=1)
        return -float(log_p_NK[np.arange(len(truth_N)), truth_N].mean())

    return float(np.exp(minimize_scalar(loss, bounds=LOG_RANGE, method="bounded").x))

"""Probabilities that mean what they say: one temperature (C10; Guo 2017)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

LOG_RANGE: Final = (-2.5, 2.5)
AT_BOUND: Final = 0.01
"""Of the logarithm: what ends so near a bound was stopped by it."""


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


def is_fitted(temperature: float) -> bool:
    """Say whether a temperature is where the likelihood is highest, and not only a bound.

    At the upper bound the logits say nothing of the class; at the lower one no image was wrong, so
    how sure the network should be is not known.
    """
    log_t = np.log(temperature)
    return bool(LOG_RANGE[0] + AT_BOUND < log_t < LOG_RANGE[1] - AT_BOUND)

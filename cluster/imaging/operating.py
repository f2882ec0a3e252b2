"""Where the line between classes is drawn, chosen on validation images (C10).

A network that calls one class too often is put right by a weight for each class: the decision is
for the highest weight x probability. The weights are those of bias-corrected temperature scaling
(Alexandari 2020), held back by a penalty, as a few images say little.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

PENALTY: Final = 5.0
"""On the squared log of a weight, in images."""


def operating_weights(
    logits_NK: NDArray[np.floating], truth_N: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return weights [K] > 0 of geometric mean 1.

    Args:
        logits_NK: calibrated, of validation images.
        truth_N: their classes. Each class counts alike, however many images it has.
    """
    n_classes = logits_NK.shape[1]
    count_K = np.bincount(truth_N, minlength=n_classes)
    weight_N = 1 / np.maximum(count_K, 1)[truth_N] * len(truth_N) / max((count_K > 0).sum(), 1)
    onehot_NK = np.eye(n_classes)[truth_N]

    def loss(bias_K: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        log_p_NK = log_softmax(logits_NK + bias_K, axis=1)
        nll = -float(weight_N @ log_p_NK[np.arange(len(truth_N)), truth_N])
        slope_K = weight_N @ (np.exp(log_p_NK) - onehot_NK)
        return nll + PENALTY * float(bias_K @ bias_K), slope_K + 2 * PENALTY * bias_K

    bias_K = minimize(loss, np.zeros(n_classes), jac=True, method="L-BFGS-B").x
    return np.asarray(np.exp(bias_K - bias_K.mean()), np.float64)

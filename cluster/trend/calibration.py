"""From a logit to a probability, for one label and one window shape (A6).

Shapes: W windows.
"""

from typing import Any, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.optimize import minimize

from cluster.trend.windows import Floats, Mask

SLOPE_MAX: Final = 20.0
BIAS_MAX: Final = 200.0


class Calibration(BaseModel):
    """Platt scaling over two scores: P = sigmoid(slope * logit + growth_slope * y + bias)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    slope: float = Field(1.0, ge=0)
    growth_slope: float = Field(0.0, ge=0)
    """Per log2 of the accesses that are forecast."""
    bias: float = 0.0

    def probability(self, logit_W: Floats, y_W: Floats) -> Floats:
        """Return calibrated probabilities, shape [W]."""
        score_W = self.slope * logit_W + self.growth_slope * y_W + self.bias
        return np.asarray(0.5 * (1 + np.tanh(0.5 * score_W)))


def calibrate(logit_W: Floats, y_W: Floats, is_label_W: Mask) -> Calibration:
    """Fit the chance of a label to the network's logit and its forecast of the accesses.

    Uses the smoothed targets of Platt (1999), so that separable scores do not give certainty.
    With one class only there is nothing to fit, and the logits stay as they are.

    Args:
        logit_W: logits of windows that were not learned from.
        y_W: forecasts of log2(1 + accesses) of the same windows.
        is_label_W: whether the label came true.
    """
    n_true, n_false = int(is_label_W.sum()), int((~is_label_W).sum())
    if min(n_true, n_false) == 0:
        return Calibration()
    target_W = np.where(is_label_W, (n_true + 1) / (n_true + 2), 1 / (n_false + 2))
    level = float(y_W.mean())  # the fit is easier about the mean
    scores_W3 = np.column_stack([logit_W, y_W - level, np.ones(len(y_W))])

    def loss(weights_3: Floats) -> tuple[float, Floats]:
        score_W = scores_W3 @ weights_3
        error_W = 0.5 * (1 + np.tanh(0.5 * score_W)) - target_W
        value = float(np.mean(np.logaddexp(0, score_W) - target_W * score_W))
        return value, error_W @ scores_W3 / len(score_W)

    bounds = [(0, SLOPE_MAX), (0, SLOPE_MAX), (-BIAS_MAX, BIAS_MAX)]
    found: Any = minimize(loss, np.array([1.0, 0.0, 0.0]), jac=True, bounds=bounds)
    slope, growth_slope, bias = (float(weight) for weight in found.x)
    return Calibration(slope=slope, growth_slope=growth_slope, bias=bias - growth_slope * level)

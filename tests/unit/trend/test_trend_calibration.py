"""From a logit to a probability."""

import numpy as np
import pytest

from cluster.trend.calibration import BIAS_MAX, SLOPE_MAX, calibrate


def sigmoid(score: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-score))


def test_calibration_finds_the_law_of_the_label() -> None:
    """A6: a prediction index is a probability: what is stated is what comes true, in each tenth."""
    generator = np.random.default_rng(0)
    logit, y = generator.normal(-1, 2, 40_000), generator.normal(8, 2, 40_000)
    is_hot = generator.random(40_000) < sigmoid(0.5 * logit + 0.6 * y - 5)
    found = calibrate(logit, y, is_hot)
    assert (found.slope, found.growth_slope) == pytest.approx((0.5, 0.6), abs=0.05)
    assert found.bias == pytest.approx(-5, abs=0.3)
    index = found.probability(logit, y)
    for low in np.arange(0, 1, 0.2):
        chosen = (index >= low) & (index < low + 0.2)
        assert is_hot[chosen].mean() == pytest.approx(index[chosen].mean(), abs=0.03)


def test_a_score_that_speaks_against_the_label_is_not_turned_round() -> None:
    """A6: more accesses forecast, or a higher logit, never lower the chance."""
    generator = np.random.default_rng(1)
    logit, y = generator.normal(0, 1, 3000), generator.normal(5, 1, 3000)
    found = calibrate(logit, y, generator.random(3000) < sigmoid(-2 * logit - y + 5))
    assert (found.slope, found.growth_slope) == pytest.approx((0, 0), abs=1e-6)
    assert found.probability(logit, y) == pytest.approx(0.5, abs=0.1)


def test_calibration_stays_finite_where_there_is_little_to_fit() -> None:
    """A6: one class, none, or two that are wholly apart, do not give certainty."""
    y = np.zeros(4)
    for labels in (np.zeros(4, dtype=bool), np.ones(4, dtype=bool)):
        assert calibrate(np.arange(4.0), y, labels).slope == 1
    assert calibrate(y[:0], y[:0], np.zeros(0, dtype=bool)).bias == 0
    apart = calibrate(np.array([-3.0, -2.0, 2.0, 3.0]), y, np.array([False, False, True, True]))
    assert 0.5 < apart.probability(np.array([3.0]), y[:1])[0] < 0.95


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e6])
def test_wild_scores_give_a_probability_still(scale: float) -> None:
    """A6: whatever the scale of the logits, the fit is bounded and the index within 0 and 1."""
    generator = np.random.default_rng(2)
    logit, y = scale * generator.normal(0, 1, 500), scale * generator.normal(0, 1, 500)
    found = calibrate(logit, y, logit + y > 0)
    assert 0 <= found.slope <= SLOPE_MAX
    assert 0 <= found.growth_slope <= SLOPE_MAX
    assert abs(found.bias) <= BIAS_MAX * 1e6
    index = found.probability(np.array([-1e300, 0.0, 1e300]), np.zeros(3))
    assert ((index >= 0) & (index <= 1)).all()

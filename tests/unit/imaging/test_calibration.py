"""C10: probabilities mean what they say, and images of another kind are told."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from cluster.imaging.calibration import fit_temperature, is_fitted
from cluster.imaging.head import fit_head
from cluster.imaging.operating import operating_weights
from cluster.imaging.rejection import fit_rejection, threshold_of


def drawn(n: int, n_classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and classes that are drawn by exactly the probabilities that they say."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 2, (n, n_classes)).astype(np.float32)
    p = softmax(logits, axis=1)
    truth = (p.cumsum(1) < generator.random((n, 1))).sum(1).clip(0, n_classes - 1)
    return logits, truth.astype(np.int64)


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_the_temperature_undoes_false_certainty(factor: float) -> None:
    """C10: logits that are a factor too large get that factor as their temperature."""
    logits, truth = drawn(20_000, 4)
    found = fit_temperature(logits * factor, truth)
    assert found == pytest.approx(factor, rel=0.05) and is_fitted(found)


def test_a_temperature_that_a_bound_stopped_is_not_fitted() -> None:
    """C10: neither where every image is right, nor where the logits say nothing of the class."""
    logits, _ = drawn(400, 4)
    assert not is_fitted(fit_temperature(logits, logits.argmax(1).astype(np.int64)))
    assert not is_fitted(fit_temperature(logits, logits.argmin(1).astype(np.int64)))


@given(st.integers(2, 6), st.integers(0, 50))
def test_operating_weights_are_positive_of_mean_one(n_classes: int, seed: int) -> None:
    """C10: weights are above 0 and of geometric mean 1, also where a class has no image."""
    logits, truth = drawn(40, n_classes, seed)
    weight = operating_weights(logits, truth)
    assert (weight > 0).all()
    assert np.log(weight).sum() == pytest.approx(0, abs=1e-6)


def test_a_class_that_is_called_too_rarely_gets_more_weight() -> None:
    """C10: a shift of one logit is undone by the weights, and the decisions are as before."""
    logits, truth = drawn(5_000, 3)
    shifted = logits - np.asarray([2.0, 0, 0], np.float32)
    weight = operating_weights(shifted, truth)
    decided = (softmax(shifted, axis=1) * weight).argmax(1)
    assert (decided == truth).mean() > (shifted.argmax(1) == truth).mean() + 0.05


def test_other_kinds_of_images_lie_far_away() -> None:
    """C10: features of another kind are beyond the threshold, own ones that were not learned are
    kept, and a class that nobody is near still has a distance.
    """
    generator = np.random.default_rng(1)
    centres = generator.normal(0, 3, (3, 40))

    def own(n: int) -> tuple[np.ndarray, np.ndarray]:
        truth = np.arange(n) % 3
        return (centres[truth] + generator.normal(0, 1, (n, 40))).astype(np.float32), truth

    features, truth = own(300)
    rejection = fit_rejection(features, truth, 3)
    validation, _ = own(200)
    threshold = threshold_of(rejection.distance(validation))
    fresh, _ = own(1000)
    other = generator.normal(0, 12, (300, 40)).astype(np.float32)
    assert (rejection.distance(fresh) > threshold).mean() < 0.05
    assert (rejection.distance(other) > threshold).all()


def test_the_distance_does_not_depend_on_scales() -> None:
    """C10: a feature measured in another unit changes no distance."""
    generator = np.random.default_rng(2)
    truth = np.arange(60) % 2
    features = (generator.normal(0, 1, (60, 5)) + truth[:, None]).astype(np.float32)
    one = fit_rejection(features, truth, 2).distance(features)
    moved = fit_rejection(features + 7, truth, 2).distance(features + 7)
    assert moved == pytest.approx(one, rel=1e-3)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_head_is_a_linear_layer_for_raw_features(n_classes: int) -> None:
    """C2: the fitted layer takes features as they are, of two classes as of many."""
    generator = np.random.default_rng(3)
    truth = np.arange(120) % n_classes
    features = generator.normal(0, 1, (120, 30)).astype(np.float32)
    features[:, :n_classes] += 6 * np.eye(n_classes)[truth]
    features = 5 * features + 100
    half = (features[:60], truth[:60]), (features[60:], truth[60:])
    head = fit_head(*half, np.ones(n_classes, np.float32))
    said = (features[60:] @ head.weight_KP.T + head.bias_K).argmax(1)
    assert head.weight_KP.shape == (n_classes, 30)
    assert (said == truth[60:]).mean() > 0.95

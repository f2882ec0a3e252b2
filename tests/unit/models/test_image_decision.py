"""What is decided from probabilities and a distance."""

import math

import numpy as np
import pytest
from device_builders import DISEASE, OUTSIDE_ABOVE, a_bundle
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cluster.contracts.image_models import UNKNOWN, Bundle, Variant
from cluster.errors import Fault
from cluster.models.decision import best_classes, decide, outside

TINY, _ = a_bundle()


def a_model(weights: tuple[float, ...] = (1, 1, 1)) -> tuple[Bundle, Variant]:
    labels = tuple(
        label.model_copy(update={"weight": weight})
        for label, weight in zip(TINY.labels, weights, strict=True)
    )
    return TINY.model_copy(update={"labels": labels}), TINY.variants[0]


def test_the_highest_probability_is_decided_for() -> None:
    """C6: class, disease and probability of an image inside."""
    bundle, variant = a_model()
    found = decide([0.7, 0.2, 0.1], 0.5 * OUTSIDE_ABOVE, bundle, variant)
    assert (found.label, found.disease_id, found.outside) == ("red", DISEASE, False)
    assert found.probability == 0.7 and found.distance_ratio == pytest.approx(0.5)


def test_the_operating_point_moves_the_decision() -> None:
    """C10: the class of the highest weight x probability, with its own probability."""
    bundle, variant = a_model((1, 4, 1))
    found = decide([0.7, 0.2, 0.1], 0.1, bundle, variant)
    assert (found.label, found.disease_id, found.probability) == ("green", "", 0.2)


def test_far_images_are_outside() -> None:
    """C10: over the threshold nothing is claimed, whatever the probability; at it, it is kept."""
    bundle, variant = a_model((1, 4, 1))
    found = decide([0.7, 0.2, 0.1], OUTSIDE_ABOVE * 1.01, bundle, variant)
    assert (found.label, found.disease_id, found.outside) == (UNKNOWN, "", True)
    assert found.probability == 0.7 and found.distance_ratio == pytest.approx(1.01)
    assert not decide([0.7, 0.2, 0.1], OUTSIDE_ABOVE, bundle, variant).outside
    assert decide([0.7, 0.2, 0.1], math.inf, bundle, variant).distance_ratio == 1e6


def test_a_model_without_distance_rejects_nothing() -> None:
    """C10: a model that measures no distance says so with None."""
    bundle, variant = a_model()
    bare = variant.model_copy(update={"outside_above": None})
    found = decide([0.7, 0.2, 0.1], None, bundle, bare)
    assert (found.outside, found.distance_ratio) == (False, None)


@pytest.mark.parametrize(
    ("probabilities", "distance"),
    [
        ([0.7, 0.2], 0.1),
        ([0.7, 0.2, 0.3], 0.1),
        ([math.nan, 0.5, 0.5], 0.1),
        ([1.2, -0.1, -0.1], 0.1),
        ([0.7, 0.2, 0.1], math.nan),
        ([0.7, 0.2, 0.1], None),
    ],
)
def test_a_broken_model_decides_nothing(probabilities: list[float], distance: float | None) -> None:
    """C6: what are no probabilities, or no distance where one is promised, is an error."""
    bundle, variant = a_model()
    with pytest.raises(Fault):
        decide(probabilities, distance, bundle, variant)


SHARES = hnp.arrays(np.float64, (5, 3), elements=st.floats(0.01, 1))


@given(SHARES, st.lists(st.floats(0.1, 10), min_size=3, max_size=3), st.floats(0.1, 9))
def test_one_and_many_are_decided_alike(
    raw_NK: np.ndarray, weights: list[float], above: float
) -> None:
    """C10: the decision over a set, of which figures are made, is that for each image."""
    p_NK = raw_NK / raw_NK.sum(axis=1, keepdims=True)
    distance_N = raw_NK[:, 0] * 10
    bundle, variant = a_model((weights[0], weights[1], weights[2]))
    variant = variant.model_copy(update={"outside_above": above})
    many = zip(best_classes(p_NK, weights), outside(distance_N, above), strict=True)
    for n, (best, is_outside) in enumerate(many):
        found = decide(p_NK[n], float(distance_N[n]), bundle, variant)
        assert (found.best, found.outside) == (best, is_outside)
        assert found.outside == (found.distance_ratio is not None and found.distance_ratio > 1)

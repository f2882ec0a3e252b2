"""Decides what a model says about an image: a class, or that the image is outside (C6, C10).

Training's metrics, the registry's probes and every device decide by these lines, so a figure in a
card is a figure of what a user sees.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cluster.contracts.image_models import UNKNOWN, Bundle, Variant
from cluster.errors import Fault

SUM_TOLERANCE: Final = 1e-3
RATIO_MAX: Final = 1e6
"""Ratios above it say no more, and an overflowing distance still has one."""


@dataclass(frozen=True)
class Decision:
    """What is decided for one image."""

    label: str
    """The decided class, or ``unknown`` where the image is outside."""
    disease_id: str
    """Of the decided class; empty where it has none, and outside."""
    probability: float
    """Of the decided class; the highest one where the image is outside."""
    outside: bool
    distance_ratio: float | None
    """Distance over the threshold; above 1 is outside, None where the model measures none."""
    best: int
    """Place of the class that the probabilities alone lead to, in the order of the labels."""


def best_classes(p_NK: ArrayLike, weight_K: ArrayLike) -> NDArray[np.int64]:
    """Return the class of the highest weight x probability; the first one of equals (C10).

    Args:
        p_NK: probabilities [images, classes].
        weight_K: operating point, ``LabelCard.weight`` of each class.
    """
    weighted_NK = np.asarray(p_NK, np.float64) * np.asarray(weight_K, np.float64)
    return np.asarray(weighted_NK.argmax(axis=1), np.int64)


def outside(distance_N: ArrayLike, outside_above: float) -> NDArray[np.bool_]:
    """Say which images are outside of what a model knows: farther than its threshold (C10)."""
    return np.asarray(distance_N, np.float64) > outside_above


def decide(
    probabilities: ArrayLike, distance: float | None, bundle: Bundle, variant: Variant
) -> Decision:
    """Decide for one image from what the graph gave (C6, C10).

    Args:
        probabilities: [classes], in the order of the bundle's labels.
        distance: second output of the graph; None where it has none.
        bundle: for the labels and their weights.
        variant: the file that was run; each has a threshold of its own.

    Raises:
        Fault: these are no probabilities of that bundle, or the distance is missing.
    """
    p_K = np.asarray(probabilities, np.float64)
    _check(p_K, distance, bundle, variant)
    best = int(best_classes(p_K[None], [one.weight for one in bundle.labels])[0])
    ratio = None
    is_outside = False
    if variant.outside_above is not None and distance is not None:
        is_outside = bool(outside([distance], variant.outside_above)[0])
        ratio = _ratio(distance, variant.outside_above)
    card = bundle.labels[best]
    return Decision(
        label=UNKNOWN if is_outside else card.label,
        disease_id="" if is_outside else card.disease_id,
        probability=min(1.0, float(p_K.max() if is_outside else p_K[best])),
        outside=is_outside,
        distance_ratio=ratio,
        best=best,
    )


def _check(
    p_K: NDArray[np.float64], distance: float | None, bundle: Bundle, variant: Variant
) -> None:
    fits = p_K.shape == (len(bundle.labels),)
    fits = fits and bool(np.isfinite(p_K).all() and (p_K >= 0).all())
    if not fits or abs(float(p_K.sum()) - 1) > SUM_TOLERANCE:
        what = f"the model gives no probabilities of its {len(bundle.labels)} classes"
        raise Fault(what, where=bundle.name)
    if variant.outside_above is not None and (distance is None or np.isnan(distance)):
        what = "the model gives no distance, by which images of another kind are told"
        raise Fault(what, where=bundle.name)


def _ratio(distance: float, outside_above: float) -> float:
    """Return distance over threshold, above 1 exactly where the image is outside."""
    if outside_above <= 0:
        return RATIO_MAX if distance > outside_above else 0.0
    return float(min(distance / outside_above, RATIO_MAX))

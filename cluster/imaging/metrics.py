"""How good a model of images is on images that it never learned from (C2, C10).

All figures come from the probabilities, the true classes and the decisions; nothing is drawn, so
the same answers give the same figures. A figure that cannot be had is None, not a guess.

Shapes: N images, K classes, B bins.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from cluster.contracts.image_models import ClassFigures, ImageMetrics, Interval
from cluster.contracts.trend import ReliabilityBin
from cluster.errors import InputError

BINS: Final = 15
"""Of the highest probability, all equally wide (Guo 2017)."""
Z: Final = float(stats.norm.ppf(0.975))
"""Half the width of a 95 % interval, in standard errors."""

Floats = NDArray[np.floating]
Indices = NDArray[np.integer]
Mask = NDArray[np.bool_]


def examine(
    p_NK: Floats, truth_N: Indices, labels: tuple[str, ...], decided_N: Indices, outside_N: Mask
) -> ImageMetrics:
    """Score a model's answers on images kept apart (C2).

    Args:
        p_NK: probabilities; rows sum to 1.
        truth_N: true classes, as places in ``labels``.
        labels: the classes.
        decided_N: decided classes, as if no image were refused.
        outside_N: images that the model refuses as outside of what it knows.

    Returns:
        The figures. A class without images has an interval of 0 to 1 and no AUROC.

    Raises:
        InputError: there is no image, or the shapes do not fit together.
    """
    _check(p_NK, truth_N, labels, decided_N, outside_N)
    n, n_labels = p_NK.shape
    confusion_KK = np.bincount(truth_N * n_labels + decided_N, minlength=n_labels**2)
    confusion_KK = confusion_KK.reshape(n_labels, n_labels)
    hits_K, true_K, decided_K = (
        confusion_KK.diagonal(),
        confusion_KK.sum(axis=1),
        confusion_KK.sum(axis=0),
    )
    auroc_K = one_against_rest(p_NK, truth_N)
    known = auroc_K[~np.isnan(auroc_K)]
    return ImageMetrics(
        images=n,
        accuracy=wilson(int(hits_K.sum()), n),
        macro_auroc=float(known.mean()) if known.size else None,
        ece=calibration_error(reliability(p_NK, truth_N)),
        nll=negative_log_likelihood(p_NK, truth_N),
        kept=wilson(n - int(np.count_nonzero(outside_N)), n),
        classes=tuple(
            ClassFigures(
                label=label,
                sensitivity=wilson(int(hits_K[k]), int(true_K[k])),
                specificity=wilson(
                    int(n - true_K[k] - decided_K[k] + hits_K[k]), int(n - true_K[k])
                ),
                auroc=None if np.isnan(auroc_K[k]) else float(auroc_K[k]),
            )
            for k, label in enumerate(labels)
        ),
        confusion=tuple(tuple(row) for row in confusion_KK.tolist()),
    )


def wilson(hits: int, of: int) -> Interval:
    """Return a share with its 95 % score interval (Wilson 1927); of nothing, 0 to 1."""
    if of == 0:
        return Interval(share=0.0, low=0.0, high=1.0, hits=0, of=0)
    share = hits / of
    middle = (share + Z**2 / (2 * of)) / (1 + Z**2 / of)
    half = Z * np.sqrt(share * (1 - share) / of + Z**2 / (4 * of**2)) / (1 + Z**2 / of)
    # Rounding must not put the share out of its own interval where it is 0 or 1.
    low, high = min(max(middle - half, 0.0), share), max(min(middle + half, 1.0), share)
    return Interval(share=share, low=float(low), high=float(high), hits=hits, of=of)


def one_against_rest(p_NK: Floats, truth_N: Indices) -> NDArray[np.float64]:
    """Return the AUROC of each class [K] by mid-ranks; NaN where all images or none are of it."""
    n, n_labels = p_NK.shape
    is_true_NK = truth_N[:, None] == np.arange(n_labels)
    true_K = is_true_NK.sum(axis=0)
    ranks_NK = stats.rankdata(p_NK, axis=0)
    above_K = (ranks_NK * is_true_NK).sum(axis=0) - true_K * (true_K + 1) / 2
    pairs_K = true_K * (n - true_K)
    auroc_K = np.full(n_labels, np.nan)
    np.divide(above_K, pairs_K, out=auroc_K, where=pairs_K > 0)
    return auroc_K


def reliability(p_NK: Floats, truth_N: Indices, bins: int = BINS) -> tuple[ReliabilityBin, ...]:
    """Return how often the class with the highest probability was right, by that probability.

    Args:
        p_NK: probabilities; rows sum to 1.
        truth_N: true classes, as places in a row.
        bins: equal parts of 0 to 1; each has its upper end and not its lower one.

    Returns:
        The bins that have images, rising.
    """
    stated_N = p_NK.max(axis=1).astype(np.float64)
    right_N = p_NK.argmax(axis=1) == truth_N
    bin_N = np.clip(np.ceil(stated_N * bins).astype(np.int64) - 1, 0, bins - 1)
    n_B = np.bincount(bin_N, minlength=bins)
    stated_B = np.bincount(bin_N, weights=stated_N, minlength=bins)
    right_B = np.bincount(bin_N, weights=right_N, minlength=bins)
    return tuple(
        ReliabilityBin(n=int(n), stated=float(stated / n), found=float(right / n))
        for n, stated, right in zip(n_B, stated_B, right_B, strict=True)
        if n
    )


def calibration_error(bins: tuple[ReliabilityBin, ...]) -> float:
    """Return the mean gap between stated and found, weighted by images (ECE; Guo 2017)."""
    n = sum(one.n for one in bins)
    return sum(one.n * abs(one.stated - one.found) for one in bins) / n


def negative_log_likelihood(p_NK: Floats, truth_N: Indices) -> float:
    """Return the mean of -ln p of the true class, nats; p is at least the precision of its type."""
    p_N = p_NK[np.arange(len(truth_N)), truth_N]
    return float(-np.log(np.maximum(p_N, np.finfo(p_NK.dtype).eps), dtype=np.float64).mean())


def _check(
    p_NK: Floats, truth_N: Indices, labels: tuple[str, ...], decided_N: Indices, outside_N: Mask
) -> None:
    shapes = (p_NK.shape, truth_N.shape, decided_N.shape, outside_N.shape)
    n = len(truth_N)
    if n == 0:
        what = "no images to score"
        raise InputError(what, "image metrics", "Give images that the model did not learn from.")
    if shapes != ((n, len(labels)), (n,), (n,), (n,)):
        what = f"probabilities, classes and decisions of shapes {shapes} for {len(labels)} labels"
        raise InputError(what, "image metrics", "Give one row for each image.")
    ends = (min(truth_N.min(), decided_N.min()), max(truth_N.max(), decided_N.max()))
    if ends[0] < 0 or ends[1] >= len(labels):
        what = f"classes from {ends[0]} to {ends[1]} where there are {len(labels)} labels"
        raise InputError(what, "image metrics", "Give classes as places in the labels.")

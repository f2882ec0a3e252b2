"""What the figures of an image model are, worked out by hand."""

import math

import numpy as np
import pytest

from cluster.contracts.image_models import ImageMetrics
from cluster.errors import InputError
from cluster.imaging.metrics import calibration_error, examine, reliability, wilson

LABELS = ("a", "b", "c")
P_NK = np.array([[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.6, 0.3, 0.1]])
TRUTH_N = np.array([0, 1, 1, 0])
DECIDED_N = np.array([0, 1, 1, 0])
"""The second by an operating point: its highest probability is of another class."""


def figures() -> ImageMetrics:
    return examine(P_NK, TRUTH_N, LABELS, DECIDED_N, np.array([False, True, False, False]))


def test_decisions_and_probabilities_are_scored_apart() -> None:
    """C2: accuracy, sensitivity and confusion go by the decision; calibration by the highest
    probability.
    """
    found = figures()
    assert (found.accuracy.hits, found.accuracy.of) == (4, 4)
    assert found.confusion == ((2, 0, 0), (0, 2, 0), (0, 0, 0))
    # 0.7, 0.5, 0.8 and 0.6 lie in bins of their own; the second is wrong.
    assert found.ece == pytest.approx((0.3 + 0.5 + 0.2 + 0.4) / 4)
    assert found.nll == pytest.approx(-sum(map(math.log, (0.7, 0.3, 0.8, 0.6))) / 4)
    assert (found.kept.hits, found.kept.of) == (3, 4)


def test_a_class_without_images_has_no_figure_made_up() -> None:
    """C2: no AUROC where a side is empty, and an interval that says nothing."""
    found = figures()
    empty = found.classes[2]
    assert (empty.auroc, empty.sensitivity.of) == (None, 0)
    assert (empty.sensitivity.low, empty.sensitivity.high) == (0, 1)
    assert found.macro_auroc == np.mean([one.auroc for one in found.classes[:2]])
    one_class = examine(P_NK[:1], TRUTH_N[:1], LABELS, DECIDED_N[:1], np.array([False]))
    assert one_class.macro_auroc is None


def test_auroc_counts_equal_scores_half() -> None:
    """C2: 0.5 and 0.5 in both classes are half a pair won."""
    p_NK = np.array([[0.5, 0.5], [0.5, 0.5], [0.9, 0.1]])
    none = np.zeros(3, bool)
    found = examine(p_NK, np.array([0, 1, 0]), ("a", "b"), np.array([0, 0, 0]), none)
    assert found.classes[0].auroc == 0.75  # one pair won, one tied


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_intervals_are_wilsons(hits: int, of: int, low: float, high: float) -> None:
    """C2: figures of the literature (81 of 263: Newcombe 1998), also at both ends."""
    found = wilson(hits, of)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_bins_have_their_upper_end() -> None:
    """C10: 15 equal bins, right-closed as Guo 2017 has them; empty ones are left out."""
    p_NK = np.array([[1.0, 0.0], [0.6, 0.4], [0.61, 0.39], [0.66, 0.34]])
    bins = reliability(p_NK, np.array([0, 0, 1, 0]))
    assert [one.n for one in bins] == [1, 2, 1]  # 0.6 is the end of a bin, 0.66 is within
    assert bins[1].stated == pytest.approx(0.635)
    assert bins[1].found == 0.5
    assert calibration_error(bins) == pytest.approx((0.4 + 2 * 0.135 + 0) / 4)


@pytest.mark.parametrize(
    ("rows", "labels", "truth"),
    [(0, LABELS, TRUTH_N[:0]), (4, ("a", "b"), TRUTH_N), (4, LABELS, TRUTH_N + 2)],
)
def test_what_does_not_fit_is_refused(
    rows: int, labels: tuple[str, ...], truth: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> None:
    """C2: no images, other labels than probabilities, or classes without a label."""
    outside_N = np.zeros(rows, bool)
    with pytest.raises(InputError):
        examine(P_NK[:rows], truth, labels, DECIDED_N[:rows], outside_N)

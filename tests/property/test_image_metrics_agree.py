"""The figures of an image model are those of scikit-learn and scipy, for any answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, log_loss, recall_score, roc_auc_score

from cluster.imaging.metrics import examine, reliability, wilson

N_LABELS = 4
LABELS = tuple("abcd")


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 60), digits=st.integers(1, 6))
def test_figures_agree(seed: int, n: int, digits: int) -> None:
    """C2: AUROC with ties, log loss, confusion, sensitivity and specificity."""
    generator = np.random.default_rng(seed)
    p_NK = np.round(generator.dirichlet(np.ones(N_LABELS), n), digits) + 10.0**-digits
    p_NK /= p_NK.sum(axis=1, keepdims=True)
    truth_N, decided_N = generator.integers(0, N_LABELS, (2, n))
    found = examine(p_NK, truth_N, LABELS, decided_N, generator.random(n) < 0.1)
    every = list(range(N_LABELS))
    assert np.array_equal(found.confusion, confusion_matrix(truth_N, decided_N, labels=every))
    assert found.nll == pytest.approx(log_loss(truth_N, p_NK, labels=every))
    for label, one in enumerate(found.classes):
        is_true_N, is_decided_N = truth_N == label, decided_N == label
        if is_true_N.any() and not is_true_N.all():
            assert one.auroc == pytest.approx(roc_auc_score(is_true_N, p_NK[:, label]))
        else:
            assert one.auroc is None
        for interval, positive in ((one.sensitivity, True), (one.specificity, False)):
            share = recall_score(is_true_N, is_decided_N, pos_label=positive, zero_division=0.0)
            assert interval.share == pytest.approx(share)


@given(of=st.integers(1, 10_000), part=st.floats(0, 1))
def test_intervals_agree(of: int, part: float) -> None:
    """C2: Wilson's interval, which holds its share."""
    hits = round(part * of)
    theirs = binomtest(hits, of).proportion_ci(method="wilson")
    ours = wilson(hits, of)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert ours.low <= ours.share <= ours.high


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 200), bins=st.integers(1, 30))
def test_no_image_is_lost_between_bins(seed: int, n: int, bins: int) -> None:
    """C10: every image is in one bin, and the means over bins are those over images."""
    generator = np.random.default_rng(seed)
    p_NK = generator.dirichlet(np.full(N_LABELS, 0.3), n).astype(np.float32)
    truth_N = generator.integers(0, N_LABELS, n)
    found = reliability(p_NK, truth_N, bins)
    assert sum(one.n for one in found) == n
    stated = sum(one.n * one.stated for one in found) / n
    assert stated == pytest.approx(p_NK.max(axis=1).mean(dtype=float))
    right = sum(one.n * one.found for one in found) / n
    assert right == pytest.approx((p_NK.argmax(axis=1) == truth_N).mean())

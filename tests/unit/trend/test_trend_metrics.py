"""The figures by which forecasts are compared."""

import numpy as np
import pytest

from cluster.errors import WindowInvalid
from cluster.trend.baselines import score_baselines
from cluster.trend.features import labels, split_windows
from cluster.trend.metrics import measure
from tests.unit.trend.access_windows import access_windows, with_column


def test_metrics_are_those_computed_by_hand() -> None:
    """A6: error, rank, discrimination and calibration of four windows, by hand."""
    y = np.array([0.0, 1.0, 2.0, 4.0])
    predicted = np.array([1.0, 0.0, 2.0, 2.0 + 1e-9])
    index = np.array([0.1, 0.6, 0.4, 0.8])
    found = measure(y, predicted, index, 2.0)
    assert found.n == 4
    assert found.msle == pytest.approx((1 + 1 + 0 + 4) / 4)
    assert found.spearman == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert found.auroc_hot == pytest.approx(3 / 4)  # of 2 x 2 pairs one is the wrong way
    assert found.auprc_hot == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert found.brier == pytest.approx((0.1**2 + 0.6**2 + 0.6**2 + 0.2**2) / 4)
    assert found.base_rate_hot == 0.5


def test_figures_without_meaning_are_left_out() -> None:
    """A6: one class has no AUROC, equal values no rank, a plain score no Brier score."""
    y = np.array([1.0, 1.0])
    found = measure(y, y, np.array([3.0, 5.0]), 2.0, is_probability=False)
    assert (found.msle, found.spearman, found.auroc_hot, found.brier) == (0, None, None, None)
    with pytest.raises(WindowInvalid, match="no windows"):
        measure(y[:0], y[:0], y[:0], 2.0)


def test_baselines_find_a_law_they_can_express() -> None:
    """A6: where accesses just go on, persistence is exact; on a scaled law only regression is."""
    rows = access_windows(300, seed=1)
    for factor, persists in ((1.0, True), (8.0, False)):
        means = [
            sum(clicks) / 8 + sum(usages) / 8
            for clicks, usages in zip(
                rows["clicks"].to_pylist(), rows["usages"].to_pylist(), strict=True
            )
        ]
        exact = with_column(rows, "fut_total", [factor * (1 + mean * 8) - 1 for mean in means])
        parts = split_windows(exact)
        threshold = float(np.quantile(labels(parts.training), 0.9))
        found = score_baselines(parts.training, parts.held_out, hot_threshold_log2=threshold)
        assert set(found) == {"persistence", "szabo_huberman", "linear"}
        assert found["szabo_huberman"].msle < 1e-6
        assert found["persistence"].msle == pytest.approx(0 if persists else 9, abs=1e-6)
        assert found["persistence"].brier is None
        assert found["linear"].brier is not None

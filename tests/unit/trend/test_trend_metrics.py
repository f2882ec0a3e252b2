"""The figures by which forecasts are compared."""

import math
import statistics
from itertools import product

import numpy as np
import pyarrow as pa
import pytest

from cluster.errors import WindowInvalid
from cluster.trend.labels import Labels
from cluster.trend.metrics import Scores, interval, measure
from cluster.trend.windows import Floats

N = 60


def case() -> tuple[Labels, Scores]:
    """Forecasts of 60 windows, with no ties among scores."""
    generator = np.random.default_rng(4)
    d, said_d = generator.choice(400, N, replace=False), np.abs(generator.normal(150, 120, N))
    growth, said_growth = generator.normal(0, 0.6, N), generator.normal(0, 0.6, N)
    came = Labels(np.log2(1 + d), growth, d > 300, growth > 0.5)
    hot, surge = generator.random(N), generator.random(N)
    return came, Scores(np.log2(1 + said_d), said_growth, hot, surge)


def items(n: int = N) -> pa.Array:
    return pa.array([f"case-{row}" for row in range(n)])


def auroc(label: list[bool], score: list[float]) -> float:
    high = [s for s, is_true in zip(score, label, strict=True) if is_true]
    low = [s for s, is_true in zip(score, label, strict=True) if not is_true]
    return statistics.mean(float(a > b) for a, b in product(high, low))


def auprc(label: list[bool], score: list[float]) -> float:
    ranked = [is_true for _, is_true in sorted(zip(score, label, strict=True), reverse=True)]
    precisions = [sum(ranked[: k + 1]) / (k + 1) for k, is_true in enumerate(ranked) if is_true]
    return statistics.mean(precisions)


def macro_f1(came: list[str], said: list[str]) -> float:
    found = []
    for name in sorted({*came, *said}):
        both = sum(a == b == name for a, b in zip(came, said, strict=True))
        found.append(2 * both / (came.count(name) + said.count(name)))
    return statistics.mean(found)


def rank(values: list[float]) -> list[int]:
    return [sorted(values).index(value) for value in values]


def trend(growth: float) -> str:
    limit = math.log2(1.25)
    return "rising" if growth > limit else "falling" if growth < -limit else "flat"


def test_every_figure_follows_its_definition() -> None:
    """A6: errors, ranks, discrimination, calibration and trend, each anew in plain Python."""
    came, said = case()
    found = measure(came, said, items())
    d, y, y_said = [round(2**y) - 1 for y in came.y_W], came.y_W.tolist(), said.y_W.tolist()
    pairs = list(zip(y, y_said, strict=True))
    assert found.n == N
    assert found.msle == pytest.approx(statistics.mean((a - b) ** 2 for a, b in pairs))
    logs = [abs(a - b) / math.log2(2 + n) for (a, b), n in zip(pairs, d, strict=True)]
    assert found.mape_log == pytest.approx(statistics.mean(logs))
    relative = [abs(2**b - 1 - n) / n for (_, b), n in zip(pairs, d, strict=True) if n > 0]
    assert found.median_ape == pytest.approx(statistics.median(relative))
    ranks = zip(rank(y), rank(y_said), strict=True)
    apart = sum((a - b) ** 2 for a, b in ranks)
    assert found.spearman == pytest.approx(1 - 6 * apart / (N * (N**2 - 1)))
    for is_true_W, score_W, figures in (
        (came.hot_W, said.hot_W, (found.auroc_hot, found.auprc_hot)),
        (came.surge_W, said.surge_W, (found.auroc_surge, found.auprc_surge)),
    ):
        assert score_W is not None
        arguments = is_true_W.tolist(), score_W.tolist()
        assert figures == pytest.approx((auroc(*arguments), auprc(*arguments)))
    assert found.brier == pytest.approx(np.mean((said.hot_W - came.hot_W) ** 2))
    assert found.base_rate_hot == came.hot_W.mean()
    classes = [[trend(value) for value in growth] for growth in (came.growth_W, said.growth_W)]
    assert found.f1_trend == pytest.approx(macro_f1(*classes))


def test_the_relative_error_of_the_log_by_hand() -> None:
    """A6: |log2(1 + d) - log2(1 + d^)| over log2(2 + d): 1 of 2 for d = 2 and d^ = 5."""
    came = Labels(np.log2([3.0]), np.zeros(1), np.array([True]), np.array([True]))
    found = measure(came, Scores(np.log2([6.0]), np.zeros(1), np.ones(1)), items(1))
    assert found.mape_log == pytest.approx(0.5)
    assert found.median_ape == pytest.approx(1.5)


@pytest.mark.parametrize(("factor", "name"), [(1.26, "rising"), (1.24, "flat"), (1 / 1.24, "flat")])
def test_flat_is_within_a_quarter(factor: float, name: str) -> None:
    """A6: a trend rises from 1.25 times the accesses on, and falls below 1 / 1.25 of them."""
    growth_W = np.log2([factor, 1 / 1.26, 1.5, 1.0])
    came = Labels(np.ones(4), growth_W, np.zeros(4, dtype=bool), np.zeros(4, dtype=bool))
    said_W = np.array([{"rising": 1.0, "flat": 0.0}[name], -1.0, 1.0, 0.0])
    assert measure(came, Scores(np.ones(4), said_W, np.zeros(4)), items(4)).f1_trend == 1.0


def test_figures_without_meaning_are_left_out() -> None:
    """A6: one class has no AUROC, equal values no rank, a plain score no Brier score."""
    y, no = np.zeros(2), np.zeros(2, dtype=bool)
    said = Scores(y, y, np.array([3.0, 5.0]), is_probability=False)
    found = measure(Labels(y, y, no, no), said, items(2))
    assert (found.msle, found.spearman, found.auroc_hot, found.brier) == (0, None, None, None)
    assert (found.median_ape, found.auprc_surge) == (None, None)
    with pytest.raises(WindowInvalid, match="no windows"):
        measure(Labels(y[:0], y[:0], no[:0], no[:0]), Scores(y[:0], y[:0], y[:0]), items(0))


def test_the_interval_covers_a_known_mean_as_often_as_it_says() -> None:
    """A6: of 100 samples of items about 95 have the true mean within their 95 % interval."""
    generator = np.random.default_rng(8)
    covered = 0
    for _ in range(100):
        low, high = interval(items(), generator.normal(3.0, 1.0, N))
        covered += low <= 3.0 <= high
    assert 88 <= covered <= 100


def width(item: pa.Array | pa.ChunkedArray, figure: Floats) -> float:
    low, high = interval(item, figure)
    return high - low


def test_the_interval_draws_items_and_not_windows() -> None:
    """A6: forty like windows of each item tell no more than one; windows of their own would."""
    figure = np.random.default_rng(1).normal(0, 1, N)
    once = width(items(), figure)
    repeated = pa.array([f"case-{row}" for row in range(N) for _ in range(40)])
    assert width(repeated, np.repeat(figure, 40)) == pytest.approx(once, rel=1e-9)
    assert width(items(40 * N), np.repeat(figure, 40)) < once / 4
    low, high = interval(items(), figure)
    assert low < figure.mean() < high
    chunked = pa.chunked_array([items()[:7], items()[7:]])
    assert interval(chunked, figure) == (low, high)
    assert interval(items(1), np.array([2.0])) == (2.0, 2.0)

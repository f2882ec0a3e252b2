"""The figures by which ways of ranking are compared."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cluster.retrieval.evaluation import (
    Answer,
    Answers,
    Queries,
    Resampling,
    certainty_of,
    compare,
    precision_at_first,
    rank_of,
    read,
    stratify,
)

NEVER = np.inf


def some_answers(*ranks: float, **more: float) -> Answers:
    return Answers.of([Answer(rank, ms=1.0, **more) for rank in ranks])


def some_queries(n: int, **more: list[int]) -> Queries:
    ones = {name: np.ones(n, np.int64) for name in ("disease", "n_usable", "n_observed")}
    columns = {"publication": np.arange(n), **ones} | {k: np.array(v) for k, v in more.items()}
    return Queries(**columns)


def a_resampling(n: int, publication: list[int] | None = None) -> Resampling:
    codes = np.arange(n) if publication is None else np.array(publication)
    return Resampling(codes, np.random.default_rng(0))


def test_ties_count_against_a_method() -> None:
    """A12: all that score as high as the right one go before it; the best right one counts."""
    scores = np.array([0.5, 0.9, 0.5, 0.5, 0.1, -np.inf])
    assert rank_of(scores, np.array([1, 0, 0, 0, 1, 0], bool)) == 4
    assert rank_of(scores, np.array([0, 0, 0, 0, 1, 1], bool)) == 5


def test_what_is_not_in_the_list_has_no_place() -> None:
    """A12: neither a score of minus infinity nor nothing at all is a find."""
    scores = np.array([0.5, -np.inf])
    assert rank_of(scores, np.array([False, True])) == NEVER
    assert rank_of(scores, np.array([False, False])) == NEVER
    assert rank_of(np.empty(0), np.empty(0, bool)) == NEVER


def test_precision_is_of_ten_places() -> None:
    """A12: the wrong of equals go first, empty places are no hits, left-out cases neither."""
    is_right = np.array([1] * 6 + [0] * 6, bool)
    assert precision_at_first(np.ones(12), is_right) == pytest.approx(0.4)
    assert precision_at_first(np.arange(12, 0, -1.0), is_right) == pytest.approx(0.6)
    assert precision_at_first(np.array([1.0, -np.inf]), np.array([True, True])) == 0.1


def test_measures_by_hand() -> None:
    """A12: top-1, top-5, top-10, reciprocal rank; what is not named counts as missed."""
    reading = read(some_answers(1, 2, 7, NEVER), some_queries(4), a_resampling(4))
    values = {name: one.value for name, one in reading.diseases.items()}
    assert values["top_1"] == 0.25 and values["top_5"] == 0.5 and values["top_10"] == 0.75
    assert values["mrr"] == pytest.approx((1 + 1 / 2 + 1 / 7) / 4, abs=1e-6)
    assert reading.cases == {}


def test_the_macro_figure_gives_every_disease_the_same_voice() -> None:
    """A12: three queries of one disease count as much as one of another."""
    queries = some_queries(4, disease=[5, 5, 5, 8])
    reading = read(some_answers(1, 1, 1, 2), queries, a_resampling(4))
    assert reading.diseases["macro_top_1"].value == pytest.approx(0.5)
    assert reading.diseases["top_1"].value == pytest.approx(0.75)


def test_queries_of_one_publication_stand_or_fall_together() -> None:
    """A12: a hundred queries of four publications say no more than four publications do."""
    hits = np.repeat([1.0, 1.0, 0.0, 0.0], 25)[:, None]
    (apart,) = a_resampling(100).mean(hits)
    (together,) = a_resampling(100, np.repeat(range(4), 25).tolist()).mean(hits)
    assert apart.value == together.value == 0.5
    assert 0.15 < apart.high - apart.low < 0.25
    assert together.high - together.low > 0.7


def test_a_comparison_is_of_the_same_queries() -> None:
    """A12: exact McNemar on the queries that only one gets right: 5 against 0 gives 2 / 2**5."""
    one, other = np.ones(8), np.array([1, 1, 1, 0, 0, 0, 0, 0.0])
    found = compare(("a", "b"), "disease_top_1", (one, other), a_resampling(8))
    assert (found.only_method, found.only_other) == (5, 0)
    assert found.mcnemar_p == pytest.approx(2 / 2**5)
    assert found.difference.value == pytest.approx(5 / 8)
    assert found.difference.low > 0


def test_equal_methods_do_not_differ() -> None:
    """A12: no query tells them apart, so p is 1 and the interval is nothing."""
    same = np.array([1.0, 0.0, 1.0])
    found = compare(("a", "b"), "case_top_1", (same, same), a_resampling(3))
    assert found.mcnemar_p == 1
    assert found.difference.low == found.difference.high == 0


def test_a_measure_that_is_a_share_has_no_mcnemar_test() -> None:
    """A12: P@10 is compared by its interval alone, even where all values are 0 or 1."""
    pair = np.zeros(3), np.ones(3)
    found = compare(("a", "b"), "case_precision_10", pair, a_resampling(3))
    assert (found.only_method, found.mcnemar_p) == (None, None)
    assert found.difference.value == -1


def test_every_query_is_in_one_stratum_of_each_kind() -> None:
    """A12: bounds are inclusive; a stratum without a query has no figures."""
    queries = some_queries(4, n_usable=[1, 4, 5, 900], n_observed=[2, 3, 20, 21])
    strata = stratify({"m": some_answers(1, 2, 11, 1)}, queries)
    number = {(one.name, one.low): one.n for one in strata}
    assert [number["usable cases", low] for low in (1, 2, 5, 20)] == [1, 1, 1, 1]
    assert [number["observed terms", low] for low in (1, 3, 6, 11, 21)] == [1, 1, 0, 1, 1]
    found = {(one.name, one.low): one.disease_top_10 for one in strata}
    assert found["usable cases", 5] == {"m": 0.0}
    assert found["observed terms", 6] == {}


def test_calibration_counts_queries_without_an_answer() -> None:
    """A12: sure of something wrong is an error of calibration, whether or not an answer exists."""
    sure = some_answers(1, NEVER, stated=1.0, none=0.0)
    found = certainty_of(sure, np.array([True, False]))
    assert found.ece == pytest.approx(0.5)
    last = found.reliability[-1]
    assert (last.n, last.stated, last.right) == (2, 1.0, 0.5)
    assert sum(one.n for one in found.reliability) == 2


def test_none_of_these_is_told_apart_as_by_the_usual_area() -> None:
    """A12: AUROC as scikit-learn has it, ties included; none where all queries are of a kind."""
    generator = np.random.default_rng(3)
    can = generator.random(60) < 0.5
    none = np.round(generator.random(60), 1)
    answers = Answers.of([Answer(1, stated=0.5, none=one) for one in none])
    assert certainty_of(answers, can).none_auroc == pytest.approx(
        roc_auc_score(~can, none), abs=1e-6
    )
    assert certainty_of(answers, np.ones(60, bool)).none_auroc is None

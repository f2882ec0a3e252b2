"""How well cases and diseases are ranked, and how sure one may be of it (S400).

Ties count against a method. Intervals come from drawing whole publications anew, because the cases
of one publication are alike (bootstrap, Efron 1979). Two methods are compared on the same queries.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict
from scipy import sparse, stats

from cluster.retrieval.profiles import Reals, Rows

Bools = npt.NDArray[np.bool_]

WITH_PUBLICATION: Final = "own publication counts"
WITHOUT_PUBLICATION: Final = "own publication left out"
PRODUCT: Final = "product"
PRODUCT_OBSERVED: Final = "product, observed terms only"

FIRST: Final = 10
"""Places of a list that people look at."""
RESAMPLES: Final = 1000
BINS: Final = 10
USABLE_BOUNDS: Final = (1, 2, 5, 20)
"""Least numbers of usable cases of the disease that begin a stratum."""
OBSERVED_BOUNDS: Final = (1, 3, 6, 11, 21)
"""Least numbers of observed terms that begin a stratum."""
DISEASE_MEASURES: Final = ("top_1", "top_5", "top_10", "mrr")
CASE_MEASURES: Final = ("top_1", "top_10", "mrr", "precision_10")
YES_OR_NO: Final = ("disease_top_1", "disease_top_10", "case_top_1")
"""Measures of a comparison that are right or wrong for each query."""


class Answer(NamedTuple):
    """How a method answered one query; NaN where it does not say."""

    disease_rank: float
    """Place of the right disease; infinite where it is not named."""
    case_rank: float = np.nan
    """Place of the first case of the right disease."""
    precision_10: float = np.nan
    """Share of cases of the right disease among the first ten."""
    stated: float = np.nan
    """Probability of the first disease."""
    none: float = np.nan
    """Probability that the disease has no case here."""
    ms: float = np.nan


@dataclass(frozen=True)
class Answers:
    """How a method answered every query; each array [Q], as in ``Answer``."""

    disease_rank: Reals
    case_rank: Reals
    precision_10: Reals
    stated: Reals
    none: Reals
    ms: Reals

    @staticmethod
    def of(answers: Sequence[Answer]) -> "Answers":
        """Put the answers to single queries together."""
        return Answers(*np.array(answers, np.float64).reshape(-1, len(Answer._fields)).T)

    def among(self, chosen: Bools) -> "Answers":
        """Return the answers to some queries."""
        return Answers(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @property
    def ranks_cases(self) -> bool:
        """Whether the method puts cases in order, and not diseases only."""
        return not bool(np.isnan(self.case_rank).any())

    def by_disease(self) -> Reals:
        """Return the values of ``DISEASE_MEASURES`` [Q, 4]."""
        rank = self.disease_rank
        return np.stack([rank <= 1, rank <= 5, rank <= FIRST, 1 / rank], axis=1).astype(np.float64)

    def by_case(self) -> Reals:
        """Return the values of ``CASE_MEASURES`` [Q, 4]."""
        rank = self.case_rank
        columns = [rank <= 1, rank <= FIRST, 1 / rank, self.precision_10]
        return np.stack(columns, axis=1).astype(np.float64)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Estimate(_Part):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


class Reading(_Part):
    """The figures of a method over the answerable queries; shares from 0 to 1."""

    diseases: dict[str, Estimate]
    """By ``DISEASE_MEASURES``, and ``macro_top_1``, which is the mean over diseases."""
    cases: dict[str, Estimate]
    """By ``CASE_MEASURES``; empty where the method ranks diseases only."""
    ms_p50: float
    ms_p99: float


class Comparison(_Part):
    """Two methods on the same queries."""

    method: str
    other: str
    measure: str
    """``disease_top_1``, ``disease_top_10``, ``case_top_1`` or ``case_precision_10``."""
    difference: Estimate
    only_method: int | None
    """Queries that only the first gets right; none where the measure is not yes or no."""
    only_other: int | None
    mcnemar_p: float | None
    """Exact and two-sided; it takes the queries as independent, the interval does not."""


class Stratum(_Part):
    """Queries that have something in common."""

    name: str
    low: int
    high: int | None
    """Inclusive; none where there is no upper end."""
    n: int
    disease_top_1: dict[str, float]
    """By method; empty where there is no query."""
    disease_top_10: dict[str, float]


class Bin(_Part):
    """Queries whose first disease has a probability between two bounds."""

    low: float
    high: float
    n: int
    stated: float | None
    """Mean probability; none where there is no query."""
    right: float | None
    """Share of them in which the first disease is the right one."""


class Certainty(_Part):
    """Whether a method's probabilities hold; over all queries, answerable or not."""

    none_auroc: float | None
    """How well the probability of "none of these" tells queries without an answer from others;
    none where all queries are of one kind."""
    ece: float
    """Expected calibration error of the first disease's probability."""
    reliability: list[Bin]


class Regime(_Part):
    """What was measured under one rule of leaving out."""

    n_queries: int
    n_answerable: int
    """Queries whose disease has a case that counts."""
    readings: dict[str, Reading]
    comparisons: list[Comparison]
    strata: list[Stratum]
    certainty: dict[str, Certainty]


class Study(_Part):
    """A study of retrieval on published cases."""

    cases: str
    """Where the cases come from."""
    n_cases: int
    ontology: str
    seed: int
    folds: int
    """Parts of the publications; the product's weights for one are learned on the others."""
    n_questions: int
    """Cases that the weights are learned from, before those of a fold are left out."""
    regimes: dict[str, Regime]
    case_ids: list[str]
    """Of the queries."""
    disease_ranks: dict[str, dict[str, list[float | None]]]
    """By regime and method, the place of the right disease for each query; none where it is not
    named."""


@dataclass(frozen=True)
class Queries:
    """What is known of the queries; every array [Q]."""

    publication: Rows
    """Code; a case without a publication has one of its own."""
    disease: Rows
    n_usable: Rows
    """Cases of the disease that count."""
    n_observed: Rows

    def among(self, chosen: Bools) -> "Queries":
        """Return some of the queries."""
        return Queries(*(getattr(self, field.name)[chosen] for field in fields(self)))


def rank_of(scores: Reals, is_right: Bools) -> float:
    """Return the place of the best right one; those with the same score go before it.

    Args:
        scores: higher is better; minus infinity is not in the list [N].
        is_right: which ones are looked for [N].
    """
    best = scores[is_right].max(initial=-np.inf)
    if best == -np.inf:
        return np.inf
    return 1.0 + float((scores[~is_right] >= best).sum())


def precision_at_first(scores: Reals, is_right: Bools) -> float:
    """Return the share of right ones among the first ten; the wrong of equals go first."""
    first = np.lexsort((is_right, -scores))[:FIRST]
    return float((is_right & (scores > -np.inf))[first].sum()) / FIRST


class Resampling:
    """Draws publications with replacement, the same draws for everything that is compared."""

    def __init__(self, publication: Rows, generator: np.random.Generator) -> None:
        """Draw.

        Args:
            publication: code of each query's publication; at least one query [Q].
            generator: of the draws.
        """
        names, self._code = np.unique(publication, return_inverse=True)
        self._n = len(names)
        drawn = generator.multinomial(self._n, np.full(self._n, 1 / self._n), RESAMPLES)
        self._drawn = drawn.astype(np.float64)

    def mean(self, values: Reals) -> list[Estimate]:
        """Return the mean of each column of the values [Q, M]."""
        sums = np.stack([np.bincount(self._code, one, self._n) for one in values.T], axis=1)
        number = self._drawn @ np.bincount(self._code, minlength=self._n)
        return _estimates(values.mean(axis=0), self._drawn @ sums / number[:, None])

    def mean_of_groups(self, values: Reals, group: Rows) -> Estimate:
        """Return the mean over groups of the mean within each.

        A group of which no publication is drawn is left out of a draw, so that large groups count
        for more there than here; the interval is moved by that difference.
        """
        names, code = np.unique(group, return_inverse=True)
        shape = (self._n, len(names))
        sums: Any = sparse.csr_array((values, (self._code, code)), shape=shape)
        numbers: Any = sparse.csr_array((np.ones(len(code)), (self._code, code)), shape=shape)
        within = np.bincount(code, values) / np.bincount(code)
        drawn = self._drawn @ numbers
        shares = np.divide(
            self._drawn @ sums, drawn, out=np.full(drawn.shape, np.nan), where=drawn > 0
        )
        means = np.nanmean(shares, axis=1)
        moved = means - means.mean() + within.mean()
        (estimate,) = _estimates(within.mean(keepdims=True), moved[:, None])
        return estimate


def _estimates(values: Reals, resampled: Reals) -> list[Estimate]:
    low, high = np.percentile(resampled, [2.5, 97.5], axis=0)
    triples = zip(values, low, high, strict=True)
    return [Estimate(value=_short(v), low=_short(a), high=_short(b)) for v, a, b in triples]


def _short(value: float) -> float:
    return round(float(value), 6)


def read(answers: Answers, queries: Queries, resampling: Resampling) -> Reading:
    """Return the figures of a method over answerable queries."""
    values = answers.by_disease()
    diseases = dict(zip(DISEASE_MEASURES, resampling.mean(values), strict=True))
    diseases["macro_top_1"] = resampling.mean_of_groups(values[:, 0], queries.disease)
    cases = {}
    if answers.ranks_cases:
        cases = dict(zip(CASE_MEASURES, resampling.mean(answers.by_case()), strict=True))
    p50, p99 = np.percentile(answers.ms, [50, 99])
    return Reading(diseases=diseases, cases=cases, ms_p50=round(p50, 3), ms_p99=round(p99, 3))


def compare(
    pair: tuple[str, str], measure: str, values: tuple[Reals, Reals], resampling: Resampling
) -> Comparison:
    """Compare two methods on the same queries.

    Args:
        pair: their names.
        measure: what is compared.
        values: of the first and of the other [Q]; 0 or 1 for those in ``YES_OR_NO``.
        resampling: of the publications of the queries.
    """
    (difference,) = resampling.mean((values[0] - values[1])[:, None])
    better = worse = p = None
    if measure in YES_OR_NO:
        better = int((values[0] > values[1]).sum())
        worse = int((values[0] < values[1]).sum())
        n = better + worse
        p = float(stats.binomtest(better, n).pvalue) if n else 1.0
    return Comparison(
        method=pair[0],
        other=pair[1],
        measure=measure,
        difference=difference,
        only_method=better,
        only_other=worse,
        mcnemar_p=p,
    )


def stratify(answers: Mapping[str, Answers], queries: Queries) -> list[Stratum]:
    """Return the figures by usable cases of the disease and by observed terms."""
    return [
        *_strata("usable cases", queries.n_usable, USABLE_BOUNDS, answers),
        *_strata("observed terms", queries.n_observed, OBSERVED_BOUNDS, answers),
    ]


def _strata(
    name: str, number: Rows, bounds: Sequence[int], answers: Mapping[str, Answers]
) -> list[Stratum]:
    ends = [*(bound - 1 for bound in bounds[1:]), None]
    made = []
    for low, high in zip(bounds, ends, strict=True):
        chosen = (number >= low) & (number <= (np.inf if high is None else high))
        shares = {
            method: one.among(chosen).by_disease().mean(axis=0)
            for method, one in answers.items()
            if chosen.any()
        }
        stratum = Stratum(
            name=name,
            low=low,
            high=high,
            n=int(chosen.sum()),
            disease_top_1={method: _short(share[0]) for method, share in shares.items()},
            disease_top_10={method: _short(share[2]) for method, share in shares.items()},
        )
        made.append(stratum)
    return made


def certainty_of(answers: Answers, is_answerable: Bools) -> Certainty:
    """Return whether the probabilities of a method hold.

    Args:
        answers: to all queries; at least one.
        is_answerable: whose disease has a case that counts [Q].
    """
    no, yes = answers.none[~is_answerable], answers.none[is_answerable]
    auroc = None
    if len(no) and len(yes):
        better: Any = stats.mannwhitneyu(no, yes).statistic  # ties count half
        auroc = _short(better / (len(no) * len(yes)))
    right = (answers.disease_rank <= 1).astype(np.float64)
    place = np.minimum((answers.stated * BINS).astype(np.int64), BINS - 1)
    number = np.bincount(place, minlength=BINS)
    stated, correct = (np.bincount(place, part, BINS) for part in (answers.stated, right))
    bins = [
        Bin(
            low=i / BINS,
            high=(i + 1) / BINS,
            n=int(number[i]),
            stated=_short(stated[i] / number[i]) if number[i] else None,
            right=_short(correct[i] / number[i]) if number[i] else None,
        )
        for i in range(BINS)
    ]
    ece = float(np.abs(stated - correct).sum() / number.sum())
    return Certainty(none_auroc=auroc, ece=_short(ece), reliability=bins)

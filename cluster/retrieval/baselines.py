"""Simple ways to rank cases and diseases, which the product is measured beside (S400, S1010).

A case is scored by its own terms and the information content of the ontology's table, never by what
other cases say, so a case that is left out cannot speak through a score. A disease is scored by its
cases that count. Disease annotations are not used as profiles, because they are compiled from the
publications that the cases come from.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

import numpy as np
from scipy import sparse
from scipy.stats import rankdata

from cluster.ontology import Ontology
from cluster.retrieval.evidence import CaseBase
from cluster.retrieval.profiles import Lists, Presentation, Reals, Rows
from cluster.retrieval.similarity import TermSimilarity, likeness

Terms = tuple[int, ...]

JACCARD: Final = "jaccard"
IC_COSINE: Final = "ic_cosine"
RESNIK: Final = "resnik_bma"
SIMGIC: Final = "simgic"
SIMGIC_VOTE: Final = "simgic_vote"
NAIVE_BAYES: Final = "naive_bayes"
FUSION: Final = "fusion"
CASE_METHODS: Final = (JACCARD, IC_COSINE, RESNIK, SIMGIC)
"""Those that put cases in order; the others order diseases only."""
FUSED: Final = {NAIVE_BAYES: 2.0, RESNIK: 1.0, SIMGIC_VOTE: 1.0, JACCARD: 1.0}
"""Weights of the reciprocal-rank fusion (Cormack et al. 2009)."""
FUSION_K: Final = 10
"""Added to every rank of the fusion."""
VOTERS: Final = 20
"""Nearest cases that vote for their disease."""
PSEUDO_CASES: Final = 3.0
"""Cases with the frequencies of all cases that naive Bayes gives every disease beforehand."""


class CaseScores:
    """Scores every case of a base for a patient's observed terms; higher is nearer."""

    def __init__(self, base: CaseBase, ontology: Ontology) -> None:
        """Begin; what a method needs is made before its first use."""
        self._observed = base.profiles.observed
        self._n_terms = base.n_terms
        self._ontology = ontology
        self._similarity = TermSimilarity(ontology)

    @property
    def methods(self) -> Mapping[str, Callable[[Terms], Reals]]:
        """Each method by name: from the rows of the observed terms to scores [C]."""
        return {
            JACCARD: self.jaccard,
            IC_COSINE: self.ic_cosine,
            RESNIK: self.resnik,
            SIMGIC: self.simgic,
        }

    def jaccard(self, observed: Terms) -> Reals:
        """Return shared terms over all terms, as written [C]."""
        shared = self._written @ self._asked(observed)
        either = self._lengths + len(observed) - shared
        return _share(shared, either)

    def ic_cosine(self, observed: Terms) -> Reals:
        """Return the cosine of the terms with their ancestors, weighted by information [C]."""
        shared = self._squared @ self._asked(self._ontology.closure(observed))
        lengths = np.sqrt(self._squares * self._weight(observed, 2))
        return _share(shared, lengths)

    def simgic(self, observed: Terms) -> Reals:
        """Return the information of shared terms and ancestors over that of all (simGIC) [C]."""
        shared = self._weighted @ self._asked(self._ontology.closure(observed))
        either = self._sums + self._weight(observed, 1) - shared
        return _share(shared, either)

    def resnik(self, observed: Terms) -> Reals:
        """Return the best-match average by the most informative common ancestor, in nats [C]."""
        nothing = Lists(np.zeros(len(self._lengths) + 1, np.int64), np.empty(0, np.int32))
        return likeness(Presentation(observed), self._observed, nothing, self._similarity).matched

    def _asked(self, rows: "Terms | np.ndarray") -> Reals:
        """Return ones at the rows [T]."""
        asked = np.zeros(self._n_terms)
        asked[np.asarray(rows, np.int64)] = 1.0
        return asked

    def _weight(self, observed: Terms, power: int) -> float:
        information = self._ontology.information[self._ontology.closure(observed)]
        return float((information.astype(np.float64) ** power).sum())

    @cached_property
    def _written(self) -> "sparse.csr_array[Any, Any]":
        return self._observed.matrix(self._n_terms).astype(np.float64)

    @cached_property
    def _lengths(self) -> Reals:
        return self._observed.lengths().astype(np.float64)

    @cached_property
    def _weighted(self) -> "sparse.csr_array[Any, Any]":
        """Information of each case's terms and their ancestors [C, T]."""
        closures = [
            self._ontology.closure(self._observed.rows[start:end])
            for start, end in pairwise(self._observed.offsets)
        ]
        rows = np.concatenate([np.empty(0, np.int32), *closures])
        offsets = np.cumsum([0, *map(len, closures)])
        information = self._ontology.information[rows].astype(np.float64)
        return sparse.csr_array((information, rows, offsets), shape=(len(closures), self._n_terms))

    @cached_property
    def _squared(self) -> "sparse.csr_array[Any, Any]":
        squared: sparse.csr_array[Any, Any] = self._weighted.power(2)
        return squared

    @cached_property
    def _sums(self) -> Reals:
        return np.asarray(self._weighted.sum(axis=1))

    @cached_property
    def _squares(self) -> Reals:
        return np.asarray(self._squared.sum(axis=1))


class DiseaseScores:
    """Scores every disease of a base; one without a case that counts has minus infinity."""

    def __init__(self, base: CaseBase) -> None:
        """Put the cases in the order of their diseases."""
        self._base = base
        self._code = base.profiles.disease
        self._order = np.argsort(self._code, kind="stable")
        self._order = self._order[self._code[self._order] >= 0]
        self._n = len(base.profiles.diseases)
        self._starts = np.searchsorted(self._code[self._order], np.arange(self._n))
        self._place = {name: number for number, name in enumerate(base.profiles.diseases)}

    def best(self, cases: Reals) -> Reals:
        """Return the score of each disease's nearest case [D].

        Args:
            cases: score of every case, minus infinity where it does not count [C].
        """
        if not self._n:
            return np.empty(0)
        best: Reals = np.maximum.reduceat(cases[self._order], self._starts)
        return best

    def vote(self, cases: Reals) -> Reals:
        """Return the summed scores of each disease's cases among the nearest twenty [D].

        Args:
            cases: as for ``best``; the earlier case goes first where two are equal.
        """
        nearest = np.argsort(-cases, kind="stable")[:VOTERS]
        nearest = nearest[(cases[nearest] > -np.inf) & (self._code[nearest] >= 0)]
        votes = np.bincount(self._code[nearest], cases[nearest], self._n)
        return np.where(self.best(cases) > -np.inf, votes, -np.inf)

    def naive_bayes(self, observed: Terms, left_out: Rows) -> Reals:
        """Return the log likelihood of the observed terms in the cases of each disease [D].

        Args:
            observed: rows of the terms.
            left_out: places of the cases that do not count, for a disease or for all.
        """
        counts = self._base.count(Presentation(observed), left_out)
        share = (counts.observed.sum(axis=1) + 0.5) / (counts.n_cases.sum() + 1.0)
        shrunk = counts.observed + PSEUDO_CASES * share[:, None]
        scores = np.full(self._n, -np.inf)
        known = [self._place[name] for name in counts.diseases]
        scores[known] = np.log(shrunk / (counts.n_cases + PSEUDO_CASES)).sum(axis=0)
        return scores


def _share(part: Reals, whole: Reals) -> Reals:
    share: Reals = np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
    return share


def counting(cases: Reals, left_out: Rows) -> Reals:
    """Return scores of which those of the cases left out are minus infinity [C]."""
    kept = cases.copy()
    kept[left_out] = -np.inf
    return kept


def fused(scores: Mapping[str, Reals]) -> Reals:
    """Return the reciprocal-rank fusion of the methods in ``FUSED`` [D].

    Diseases with equal scores share the last of their ranks.
    """
    ranks = {name: rankdata(-scores[name], method="max") for name in FUSED}
    summed = sum(weight / (FUSION_K + ranks[name]) for name, weight in FUSED.items())
    return np.where(scores[NAIVE_BAYES] > -np.inf, summed, -np.inf)

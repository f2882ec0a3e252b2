"""What the cases of each disease say for a patient: counts that add up over platforms (S400).

For every disease: how many of its cases had each of the patient's terms observed, and how many had
them excluded. From these come likelihoods. A case that leaves a term unmentioned was not examined
for it, which is neither; what the cases of a disease are examined for is itself a sign.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from cluster.retrieval.profiles import Lists, Presentation, Profiles, Reals, Rows

NO_ROWS: Final[Rows] = np.empty(0, np.int64)
_SUMMED: Final = ("n_cases", "observed", "excluded")


@dataclass(frozen=True)
class Counts:
    """Cases by disease and term, for the terms of one patient; sums over platforms are counts."""

    diseases: list[str]
    """[D], each with at least one case."""
    n_cases: Reals
    """[D]"""
    observed: Reals
    """Cases with the examined term observed [K, D]; K = observed, then excluded terms."""
    excluded: Reals
    """Cases with the examined term excluded [K, D]."""


@dataclass(frozen=True)
class CaseBase:
    """The cases of a platform, added up so that a patient's terms are counted at once."""

    profiles: Profiles
    n_terms: int

    @cached_property
    def _cases(self) -> Rows:
        """Cases that have a disease."""
        return np.flatnonzero(self.profiles.disease >= 0)

    @cached_property
    def received(self) -> Rows:
        """Places of the cases that came from other platforms."""
        return np.flatnonzero(~self.profiles.is_own)

    @cached_property
    def _observed(self) -> "sparse.csr_array[Any, Any]":
        return self._by_term(self.profiles.observed)

    @cached_property
    def _excluded(self) -> "sparse.csr_array[Any, Any]":
        return self._by_term(self.profiles.excluded)

    def _by_term(self, lists: Lists) -> "sparse.csr_array[Any, Any]":
        """Return cases by term and disease [T, D]."""
        made = self._diseases_by_case(self._cases) @ lists.matrix(self.n_terms)[self._cases]
        return sparse.csr_array(made.T)

    def _diseases_by_case(self, cases: Rows) -> "sparse.csr_array[Any, Any]":
        ones = np.ones(len(cases), np.float32)
        place = (self.profiles.disease[cases], np.arange(len(cases)))
        shape = (len(self.profiles.diseases), len(cases))
        return sparse.csr_array((ones, place), shape=shape)

    def places_of(self, case_ids: Sequence[str]) -> Rows:
        """Return the places of the cases with these ids; one that is not here has none."""
        places: Any = pc.index_in(pa.array(case_ids, pa.string()), value_set=self.profiles.case_ids)
        return np.asarray(places.drop_null(), np.int64)

    def cases_of(self, publication_ids: Sequence[str]) -> Rows:
        """Return the places of the cases that these publications report."""
        known = self._cases_by_publication
        parts = [known[name] for name in set(publication_ids) if name in known]
        return np.concatenate([NO_ROWS, *parts])

    @cached_property
    def _cases_by_publication(self) -> dict[str, Rows]:
        codes = self.profiles.publication
        order = np.argsort(codes, kind="stable")
        names = self.profiles.publication_ids
        bounds = np.searchsorted(codes[order], np.arange(len(names) + 1))
        pairs = zip(names, bounds[:-1], bounds[1:], strict=True)
        return {name: order[start:end] for name, start, end in pairs}

    def same_publication(self, case: int) -> Rows:
        """Return the places of the cases of a case's own publication, itself among them."""
        code = int(self.profiles.publication[case])
        if code < 0:
            return np.array([case])
        return self.cases_of([self.profiles.publication_ids[code]])

    def count(self, patient: Presentation, left_out: Rows = NO_ROWS) -> Counts:
        """Count the cases for a patient's terms, without some cases.

        Args:
            patient: whose terms are counted.
            left_out: places of the cases that do not count.
        """
        out = left_out[self.profiles.disease[left_out] >= 0]
        n_cases = self._n_cases - self._number(out)
        alive = np.flatnonzero(n_cases > 0)
        terms = list(patient.examined)
        kept = self.profiles
        observed = self._observed[terms].toarray() - self._left_out(kept.observed, out, terms)
        excluded = self._excluded[terms].toarray() - self._left_out(kept.excluded, out, terms)
        return Counts(
            diseases=[self.profiles.diseases[code] for code in alive],
            n_cases=n_cases[alive],
            observed=observed[:, alive].astype(np.float64),
            excluded=excluded[:, alive].astype(np.float64),
        )

    def _left_out(self, lists: Lists, out: Rows, terms: list[int]) -> Reals:
        """Return the cases left out by examined term and disease [K, D]."""
        if not len(out):
            return np.zeros((len(terms), len(self.profiles.diseases)))
        part = lists.of(out).matrix(self.n_terms)[:, terms]
        counted: Reals = (self._diseases_by_case(out) @ part).toarray().T
        return counted

    @cached_property
    def _n_cases(self) -> Reals:
        return self._number(self._cases)

    def _number(self, cases: Rows) -> Reals:
        """Return how many of the cases each disease has [D]."""
        counted = np.bincount(self.profiles.disease[cases], minlength=len(self.profiles.diseases))
        return counted.astype(np.float64)


def merged(parts: Sequence[Counts]) -> Counts:
    """Add up what several platforms counted for one patient."""
    if len(parts) == 1:
        return parts[0]
    diseases = sorted({disease for part in parts for disease in part.diseases})
    place = {disease: number for number, disease in enumerate(diseases)}
    sums = [np.zeros((*getattr(parts[0], name).shape[:-1], len(diseases))) for name in _SUMMED]
    for part in parts:
        here = [place[disease] for disease in part.diseases]
        for total, name in zip(sums, _SUMMED, strict=True):
            total[..., here] += getattr(part, name)
    return Counts(diseases, **dict(zip(_SUMMED, sums, strict=True)))

"""How alike a patient and many cases are, all at once (S1010).

Best-match average (Resnik 1995; Pesquita et al. 2008): each term is compared with the nearest term
of the other side through their most informative common ancestor, and both directions are averaged.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import numpy as np

from cluster.ontology import Floats, Ontology
from cluster.retrieval.profiles import Lists, Presentation, Reals, Rows

KEPT_TERMS: Final = 512
"""Terms whose similarities to all others are kept in memory; 80 kB each."""


class TermSimilarity:
    """Information content of the most informative common ancestor of one term and every other."""

    def __init__(self, ontology: Ontology) -> None:
        """Begin with nothing remembered."""
        self._ontology = ontology
        self._kept: OrderedDict[int, Floats] = OrderedDict()

    def to_all(self, row: int) -> Floats:
        """Return the similarity of a term to every term of the ontology, in nats [T]."""
        found = self._kept.get(row)
        if found is None:
            found = self._computed(row)
            self._kept[row] = found
            if len(self._kept) > KEPT_TERMS:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(row)
        return found

    def _computed(self, row: int) -> Floats:
        """Write each ancestor's information over what is below it, the least informative first."""
        information = self._ontology.information
        similarity = np.zeros(len(information), np.float32)
        above = self._ontology.ancestors(row)
        for ancestor in above[np.argsort(information[above], kind="stable")]:
            if information[ancestor] > 0:
                similarity[self._ontology.descendants(int(ancestor))] = information[ancestor]
        return similarity


@dataclass(frozen=True)
class Likeness:
    """How alike each case is to the patient; every array has one entry a case [C]."""

    matched: Reals
    """Best-match average of the observed terms, in nats."""
    same_terms: Reals
    """Shared observed terms over all observed terms (Jaccard), 0 to 1."""
    same_absent: Reals
    """Shared excluded terms over all excluded terms (Jaccard), 0 to 1."""

    def of(self, cases: Rows) -> "Likeness":
        """Return the likeness of some cases."""
        return Likeness(self.matched[cases], self.same_terms[cases], self.same_absent[cases])


def likeness(
    patient: Presentation, observed: Lists, excluded: Lists, terms: TermSimilarity
) -> Likeness:
    """Compare a patient with cases.

    Args:
        patient: with at least one observed term.
        observed: observed terms of the cases.
        excluded: excluded terms of the cases.
        terms: similarities of terms.
    """
    return Likeness(
        matched=_best_match_average(patient, observed, terms),
        same_terms=_jaccard(patient.observed, observed),
        same_absent=_jaccard(patient.excluded, excluded),
    )


def _best_match_average(patient: Presentation, observed: Lists, terms: TermSimilarity) -> Reals:
    lengths = observed.lengths()
    filled = np.flatnonzero(lengths)
    average = np.zeros(len(lengths))
    if not len(filled):
        return average
    starts = observed.offsets[filled]
    best = np.zeros(len(observed.rows), np.float32)
    forth = np.zeros(len(filled))
    for row in patient.observed:
        to_terms = terms.to_all(row)[observed.rows]
        forth += np.maximum.reduceat(to_terms, starts)
        np.maximum(best, to_terms, out=best)
    back = np.add.reduceat(best, starts) / lengths[filled]
    average[filled] = (forth / len(patient.observed) + back) / 2
    return average


def _shared(asked: tuple[int, ...], lists: Lists) -> Reals:
    """Return how many of the asked rows each list has [C]."""
    hits = np.isin(lists.rows, np.asarray(asked, lists.rows.dtype))
    counted = np.concatenate([[0.0], np.cumsum(hits)])
    shared: Reals = counted[lists.offsets[1:]] - counted[lists.offsets[:-1]]
    return shared


def _jaccard(asked: tuple[int, ...], lists: Lists) -> Reals:
    shared = _shared(asked, lists)
    either = lists.lengths() + len(asked) - shared
    return np.divide(shared, either, out=np.zeros(len(shared)), where=either > 0)

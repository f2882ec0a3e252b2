"""The finer order of candidates, and why each was found (S1010).

Score: simGIC, the information that two cases share over the information of both (Pesquita et al.
2008). Explanation: for each term asked for, the case's term that comes nearest to it through
their most informative common ancestor (Resnik 1995).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cluster.ontology import Ints, Ontology, term_id

INFORMATION_MIN: Final = 0.5
"""Nats below which a common ancestor is too general to explain anything."""


@dataclass(frozen=True)
class TermMatch:
    """One asked-for term and what the case has for it."""

    asked: str
    found: str
    through: str
    """The common ancestor; equal to both where the terms are the same."""
    information: float
    """Information content of the common ancestor, in nats."""


def similarity(asked: Sequence[int], found: Sequence[int], ontology: Ontology) -> float:
    """Return simGIC of two sets of ontology rows, 0 to 1."""
    ours, theirs = ontology.closure(asked), ontology.closure(found)
    both = float(ontology.information[np.intersect1d(ours, theirs, assume_unique=True)].sum())
    either = float(ontology.information[np.union1d(ours, theirs)].sum())
    return both / either if either > 0 else 0.0


def explain(
    asked: Sequence[int], found: Sequence[int], ontology: Ontology
) -> tuple[TermMatch, ...]:
    """Match each asked-for term to the nearest of the case's, most informative first."""
    matches = []
    for ours in asked:
        above = ontology.ancestors(ours)
        best: tuple[float, int, int] | None = None
        for theirs in found:
            common = np.intersect1d(above, ontology.ancestors(theirs), assume_unique=True)
            if not len(common):
                continue
            through = _most_informative(common, ontology)
            candidate = (float(ontology.information[through]), -theirs, through)
            best = max(best, candidate) if best else candidate
        if best and best[0] >= INFORMATION_MIN:
            matches.append(_match(ours, -best[1], best[2], ontology))
    return tuple(sorted(matches, key=lambda match: (-match.information, match.asked)))


def _most_informative(common: Ints, ontology: Ontology) -> int:
    """Return the common ancestor that says most; of equal ones the most specific."""
    information = ontology.information[common]
    highest = common[information == information.max()]
    return max(map(int, highest), key=lambda row: (len(ontology.ancestors(row)), row))


def _match(asked: int, found: int, through: int, ontology: Ontology) -> TermMatch:
    ids = [term_id(int(ontology.numbers[row])) for row in (asked, found, through)]
    information = round(float(ontology.information[through]), 6)
    return TermMatch(ids[0], ids[1], ids[2], information)

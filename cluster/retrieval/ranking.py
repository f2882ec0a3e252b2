"""Why a case was found, and what speaks against it (S400, S1010).

Similarity: simGIC, the information that two cases share over the information of both (Pesquita et
al. 2008). Explanation: for each term asked for, the case's term that comes nearest to it through
their most informative common ancestor (Resnik 1995).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cluster.ontology import Ints, Ontology
from cluster.retrieval.profiles import Presentation

INFORMATION_MIN: Final = 0.5
"""Nats below which a common ancestor is too general to explain anything."""


@dataclass(frozen=True)
class TermMatch:
    """One asked-for term and what the case has for it."""

    asked: str
    found: str
    through: str
    """Id of the common ancestor; equal to both where the terms are the same."""
    information: float
    """Information content of the common ancestor, in nats."""
    asked_name: str
    found_name: str
    through_name: str


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
    if not found:
        return ()
    found = sorted(found)  # of equally near ones the first is shown
    above = [ontology.ancestors(row) for row in found]
    starts = np.concatenate([[0], np.cumsum([len(rows) for rows in above])[:-1]])
    flat = np.concatenate(above)
    matches = []
    for ours in asked:
        shared = np.isin(flat, ontology.ancestors(ours))
        best = np.maximum.reduceat(np.where(shared, ontology.information[flat], 0), starts)
        nearest = int(np.argmax(best))
        if best[nearest] >= INFORMATION_MIN:
            common = np.intersect1d(ontology.ancestors(ours), above[nearest])
            through = _most_informative(common, ontology)
            matches.append(_match(ours, found[nearest], through, ontology))
    return tuple(sorted(matches, key=lambda match: (-match.information, match.asked)))


def opposing(patient: Presentation, case: Presentation, ontology: Ontology) -> tuple[str, ...]:
    """Return the ids of the patient's terms that the case contradicts.

    A term that was seen is contradicted by an excluded one at or above it, and the other way round.
    """
    absent, seen = set(case.excluded), ontology.closure(case.observed)
    rows = [
        row for row in patient.observed if not absent.isdisjoint(ontology.ancestors(row).tolist())
    ]
    rows += np.intersect1d(patient.excluded, seen).tolist()
    return ontology.ids_of(rows)


def _most_informative(common: Ints, ontology: Ontology) -> int:
    """Return the common ancestor that says most; of equal ones the most specific."""
    information = ontology.information[common]
    highest = common[information == information.max()]
    return max(map(int, highest), key=lambda row: (len(ontology.ancestors(row)), row))


def _match(asked: int, found: int, through: int, ontology: Ontology) -> TermMatch:
    ids = ontology.ids_of((asked, found, through))
    return TermMatch(
        asked=ids[0],
        found=ids[1],
        through=ids[2],
        information=round(float(ontology.information[through]), 6),
        asked_name=ontology.names[asked],
        found_name=ontology.names[found],
        through_name=ontology.names[through],
    )

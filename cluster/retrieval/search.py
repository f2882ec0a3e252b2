"""Candidates from the index, and what they and all other cases say for a patient (S400).

The vectors give candidates; the terms of the candidates, and the counts over all cases of each
disease, give the finer order (``diagnosis``). What is counted is made once and kept until the index
changes.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cluster.ontology import Ontology
from cluster.retrieval.diagnosis import Evidence
from cluster.retrieval.evidence import NO_ROWS, CaseBase, Counts, merged
from cluster.retrieval.feature import vectors
from cluster.retrieval.index import EVERY_CASE, CaseFilter, CaseIndex
from cluster.retrieval.profiles import COLUMNS, OWN, Presentation, Rows, profiles_of
from cluster.retrieval.similarity import TermSimilarity, likeness

CANDIDATES: Final = 400
"""Cases that the vectors give for the finer order; more than twice what may be asked for."""
CHANGED_SHARE: Final = 0.02
"""Share of changed cases from which all are counted anew."""
CHANGED_MIN: Final = 1_000
"""Changed cases up to which they are counted beside the others, whatever their share."""


class CaseSearch:
    """Searches one index."""

    def __init__(self, index: CaseIndex, ontology: Ontology) -> None:
        """Begin; nothing is read before the first search."""
        self._index = index
        self._ontology = ontology
        self._terms = TermSimilarity(ontology)
        self._changed: pa.Table | None = None
        self._recent: CaseBase | None = None
        self._replaced = NO_ROWS

    @cached_property
    def base(self) -> CaseBase:
        """The cases of the index, counted; those that ``learn`` was told of since stand apart."""
        return self._counted(self._index.columns(COLUMNS))

    def learn(self, features: pa.Table) -> None:
        """Count cases that were added to the index or replaced in it.

        Args:
            features: their rows, as the index was given them.
        """
        if "base" not in self.__dict__:
            return
        rows = features.select(list(COLUMNS))
        if self._changed is not None:
            older = pc.invert(pc.is_in(self._changed["case_id"], value_set=rows["case_id"]))
            rows = pa.concat_tables([self._changed.filter(older), rows])
        if rows.num_rows > max(CHANGED_MIN, CHANGED_SHARE * len(self.base.profiles)):
            self.forget()
            return
        ids = rows["case_id"].combine_chunks()
        was_there = pc.is_in(self.base.profiles.case_ids, value_set=ids)
        self._changed, self._recent = rows, self._counted(rows)
        self._replaced = np.flatnonzero(np.asarray(was_there))

    def places_of(self, case_ids: Sequence[str]) -> Rows:
        """Return the places of cases in ``base``; all are counted anew if one has changed."""
        ids = pa.array(case_ids, pa.string())
        if self._changed is not None and pc.any(pc.is_in(ids, self._changed["case_id"])).as_py():
            self.forget()
        return self.base.places_of(case_ids)

    def labels_of(self, disease_ids: Iterable[str]) -> dict[str, str]:
        """Return the names of diseases that have a case."""
        counted = [self.base.profiles, *([self._recent.profiles] if self._recent else [])]
        names = {
            disease: label
            for profiles in counted
            for disease, label in zip(profiles.diseases, profiles.labels, strict=True)
            if label  # a received case of a disease that nobody has published a name of has none
        }
        return {disease: names[disease] for disease in disease_ids if disease in names}

    def forget(self) -> None:
        """Count anew at the next search, because the index is another one."""
        self.__dict__.pop("base", None)
        self._changed, self._recent, self._replaced = None, None, NO_ROWS

    def _counted(self, rows: pa.Table) -> CaseBase:
        return CaseBase(profiles_of(rows, self._ontology), len(self._ontology.numbers))

    def _count(self, patient: Presentation, left_out: Rows, *, own_only: bool) -> Counts:
        """Count the cases for a patient, the changed ones among them."""
        parts = [(self.base, np.union1d(left_out, self._replaced))]
        parts += [(self._recent, NO_ROWS)] if self._recent is not None else []
        return merged(
            [
                base.count(patient, np.union1d(out, base.received) if own_only else out)
                for base, out in parts
            ]
        )

    def look_up(
        self,
        patient: Presentation,
        *,
        candidates: int = CANDIDATES,
        where: CaseFilter = EVERY_CASE,
        left_out: Rows = NO_ROWS,
    ) -> tuple[pa.Table, Evidence]:
        """Return the candidates, nearest vector first, and the evidence of all cases.

        Args:
            patient: with at least one observed term.
            candidates: how many.
            where: which cases may be candidates; the counts are over all cases, or over the own
                ones where only those may be candidates.
            left_out: places in ``base`` of cases that are neither candidates nor counted.
        """
        base = self.base
        vector = vectors([patient.observed], self._ontology)
        (found,) = self._index.nearest(vector, candidates + len(left_out), where)
        if len(left_out):
            ids = base.profiles.case_ids.take(pa.array(left_out, pa.int64()))
            found = found.filter(pc.invert(pc.is_in(found["case_id"], value_set=ids)))
        found = found.slice(0, candidates)
        near = profiles_of(found, self._ontology)
        return found, Evidence(
            counts=self._count(patient, left_out, own_only=where.state == OWN),
            diseases=[str(name) for name in found["disease_id"].to_pylist()],
            likeness=likeness(patient, near.observed, near.excluded, self._terms),
            cosines=np.asarray(found["score"], np.float64),
        )

"""Cases as columns of numbers: whose terms, which disease, which publication (S400).

This is what every score is computed from: a list of terms a case becomes a slice of one long array,
a disease or a publication becomes a code.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from cluster.ontology import Ints, Ontology

Rows = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]

COLUMNS: Final = (
    "case_id",
    "state",
    "disease_id",
    "disease_label",
    "publication_id",
    "terms",
    "excluded",
)
"""Columns of the index that profiles are made of."""
OWN: Final = "own"
"""State of a case that did not come from another platform."""


@dataclass(frozen=True)
class Presentation:
    """What is known of the patient who is asked about."""

    observed: tuple[int, ...]
    """Ontology rows of the terms that were seen."""
    excluded: tuple[int, ...] = ()
    """Ontology rows of the terms that were looked for and found absent."""

    @property
    def examined(self) -> tuple[int, ...]:
        """Every term that was looked for: the observed ones first."""
        return self.observed + self.excluded


@dataclass(frozen=True)
class Lists:
    """A list of ontology rows for each case, end to end."""

    offsets: Rows
    """[C + 1]"""
    rows: Ints
    """[offsets[-1]]"""

    def matrix(self, n_terms: int) -> "sparse.csr_array[Any, Any]":
        """Return the lists as a matrix of zeros and ones [C, T]."""
        ones = np.ones(len(self.rows), np.float32)
        shape = (len(self.offsets) - 1, n_terms)
        return sparse.csr_array((ones, self.rows, self.offsets), shape=shape)

    def lengths(self) -> Rows:
        """Return how many terms each case has [C]."""
        return np.diff(self.offsets)

    def of(self, cases: Rows) -> "Lists":
        """Return the lists of some cases."""
        lengths = self.lengths()[cases]
        ends = np.cumsum(lengths)
        within = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - lengths, lengths)
        rows = self.rows[np.repeat(self.offsets[cases], lengths) + within]
        return Lists(np.concatenate([[0], ends]).astype(np.int64), rows)


@dataclass(frozen=True)
class Profiles:
    """Cases with coded columns; every array has one entry a case [C]."""

    case_ids: "pa.Array[Any]"
    observed: Lists
    excluded: Lists
    diseases: list[str]
    """Disease ids, sorted; ``disease`` points into them."""
    disease: Rows
    """Code of the disease; -1 where none is given."""
    labels: list[str]
    """Name of each disease, as one of its cases has it."""
    publication_ids: list[str]
    publication: Rows
    """Code of the publication; -1 where none is given."""
    is_own: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        """Return the number of cases."""
        return len(self.disease)

    def presentation(self, place: int) -> Presentation:
        """Return the terms of a case."""
        rows = (kept.rows[kept.offsets[place] : kept.offsets[place + 1]] for kept in self.lists)
        observed, excluded = (tuple(part.tolist()) for part in rows)
        return Presentation(observed, excluded)

    @property
    def lists(self) -> tuple[Lists, Lists]:
        """Observed and excluded terms."""
        return self.observed, self.excluded


def profiles_of(table: pa.Table, ontology: Ontology) -> Profiles:
    """Read profiles out of rows of the index.

    Args:
        table: with the columns of ``COLUMNS``; terms as HPO numbers.
        ontology: places the numbers; one that it lacks is left out.
    """
    diseases, disease = _coded(table["disease_id"])
    known, first = np.unique(disease, return_index=True)
    labels = table["disease_label"].take(pa.array(first[known >= 0], pa.int64()))
    publications, publication = _coded(table["publication_id"])
    return Profiles(
        case_ids=table["case_id"].combine_chunks(),
        observed=_lists(table["terms"], ontology),
        excluded=_lists(table["excluded"], ontology),
        diseases=diseases,
        disease=disease,
        labels=[str(label) for label in labels.to_pylist()],
        publication_ids=publications,
        publication=publication,
        is_own=np.asarray(table["state"]) == OWN,
    )


def _coded(column: "pa.ChunkedArray[Any]") -> tuple[list[str], Rows]:
    """Return the sorted values of a text column and each row's place among them; "" is -1."""
    names = sorted({str(value) for value in column.unique().to_pylist() if value})
    places: Any = pc.index_in(column, value_set=pa.array(names, pa.string()))
    return names, np.asarray(places.fill_null(-1), np.int64)


def _lists(column: "pa.ChunkedArray[Any]", ontology: Ontology) -> Lists:
    lists: Any = column.combine_chunks()
    offsets = np.asarray(lists.offsets, np.int64)
    numbers = np.asarray(lists.values)[offsets[0] : offsets[-1]]
    rows = ontology.rows_of(numbers)
    known = rows >= 0
    before = np.concatenate([[0], np.cumsum(known)])
    return Lists(before[offsets - offsets[0]].astype(np.int64), rows[known])

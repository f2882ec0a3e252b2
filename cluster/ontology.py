"""The phenotype ontology as one immutable table: terms, ancestors, information content.

It decides which id a term goes by today and which organ system a case belongs to. It does not
know where the table came from.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]

HPO_ID: Final = re.compile(r"HP:[0-9]{7}")
PHENOTYPIC_ABNORMALITY: Final = 118
"""HP:0000118; its children are the organ systems that serve as categories (S340)."""
NO_CATEGORY: Final = "uncategorised"

_FIELDS: Final[list["pa.Field[Any]"]] = [
    pa.field("number", pa.int32(), nullable=False),  # HP:0000118 is 118; rows sorted by it
    pa.field("name", pa.string(), nullable=False),
    pa.field("parents", pa.list_(pa.int32()), nullable=False),  # row numbers
    pa.field("ancestors", pa.list_(pa.int32()), nullable=False),  # row numbers, with itself
    pa.field("information", pa.float32(), nullable=False),  # -ln of the share of diseases
    pa.field("replaced_by", pa.int32()),  # row number, for an obsolete term
    pa.field("obsolete", pa.bool_(), nullable=False),  # or another id of the term it leads to
    pa.field("synonyms", pa.list_(pa.string()), nullable=False),  # none in the embedded release
    pa.field("definition", pa.string(), nullable=False),  # the same
]
TABLE: Final = pa.schema(_FIELDS)


def term_number(term_id: str) -> int:
    """Return 118 for ``HP:0000118``, and -1 for what is not an HPO id."""
    return int(term_id[3:]) if HPO_ID.fullmatch(term_id) else -1


def term_id(number: int) -> str:
    """Return ``HP:0000118`` for 118."""
    return f"HP:{number:07d}"


@dataclass(frozen=True)
class Terms:
    """A case's terms as rows of the ontology, and the ids that it could not place."""

    rows: tuple[int, ...]
    replaced: tuple[tuple[str, str], ...]
    """Obsolete or other id, and the id that stands for it now."""
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class Ontology:
    """Look-ups over the immutable table."""

    table: pa.Table
    version: str

    @cached_property
    def numbers(self) -> Ints:
        """Term numbers, ascending [T]."""
        return np.asarray(self.table["number"])

    @cached_property
    def names(self) -> list[str]:
        """Names by row [T]."""
        return [str(name) for name in self.table["name"].to_pylist()]

    @cached_property
    def information(self) -> Floats:
        """Information content by row, in nats [T]."""
        return np.asarray(self.table["information"])

    @cached_property
    def _replaced_by(self) -> Ints:
        return np.asarray(self.table["replaced_by"].combine_chunks().fill_null(-1))

    @cached_property
    def _obsolete(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self.table["obsolete"])

    @cached_property
    def _ancestors(self) -> tuple[Ints, Ints]:
        return self._lists("ancestors")

    def _lists(self, column: str) -> tuple[Ints, Ints]:
        """Return the offsets [T + 1] and the rows of a column of lists."""
        lists: Any = self.table[column].combine_chunks()
        return np.asarray(lists.offsets), np.asarray(lists.flatten())

    def label(self, given: str) -> str:
        """Return the name of a term id; an empty text where the ontology has no such term."""
        row = self._row_of.get(term_number(given))
        return "" if row is None else self.names[row]

    def synonyms(self, row: int) -> tuple[str, ...]:
        """Return the other names of a term; none where the ontology's source has none."""
        return tuple(self.table["synonyms"][row].as_py())

    def definition(self, row: int) -> str:
        """Return what a term means; an empty text where the ontology's source does not say."""
        return str(self.table["definition"][row].as_py())

    def is_phenotypic(self, row: int) -> bool:
        """Whether a term is Phenotypic abnormality or below it: a sign, and no mode or onset."""
        return bool(self._phenotypic[row])

    @cached_property
    def _phenotypic(self) -> npt.NDArray[np.bool_]:
        offsets, above = self._ancestors
        owners = np.repeat(np.arange(len(self.numbers)), np.diff(offsets))
        found = np.zeros(len(self.numbers), np.bool_)
        found[owners[above == self._row_of[PHENOTYPIC_ABNORMALITY]]] = True
        return found

    def current_name(self, given: str) -> str:
        """Return the name of a living term; an empty text for an obsolete or unknown id."""
        row = self._row_of.get(term_number(given))
        return "" if row is None or self._obsolete[row] else self.names[row]

    def row_of(self, given: str) -> int:
        """Return the row of a term id.

        Raises:
            KeyError: the ontology has no such term.
        """
        return self._row_of[term_number(given)]

    @cached_property
    def _row_of(self) -> dict[int, int]:
        return {int(number): row for row, number in enumerate(self.numbers)}

    @cached_property
    def categories(self) -> Ints:
        """Rows of the organ systems, by number."""
        root = self._row_of[PHENOTYPIC_ABNORMALITY]
        offsets, parents = self._lists("parents")
        owners = np.repeat(np.arange(len(self.numbers), dtype=np.int32), np.diff(offsets))
        rows: Ints = owners[parents == root]
        return rows

    @cached_property
    def _systems(self) -> tuple[Ints, Ints]:
        """Offsets [T + 1] and places in ``categories`` of the organ systems above each term."""
        offsets, above = self._ancestors
        is_system = np.isin(above, self.categories)
        owners = np.repeat(np.arange(len(self.numbers)), np.diff(offsets))[is_system]
        places = np.searchsorted(self.categories, above[is_system]).astype(np.int32)
        return np.searchsorted(owners, np.arange(len(offsets))).astype(np.int32), places

    def ancestors(self, row: int) -> Ints:
        """Rows of a term and of everything above it."""
        offsets, flat = self._ancestors
        return flat[offsets[row] : offsets[row + 1]]

    def rows_of(self, numbers: npt.NDArray[np.integer]) -> Ints:
        """Rows of term numbers, as many as given; -1 for a number that the ontology lacks."""
        places = np.minimum(np.searchsorted(self.numbers, numbers), len(self.numbers) - 1)
        found: Ints = np.where(self.numbers[places] == numbers, places, -1).astype(np.int32)
        return found

    def ids_of(self, rows: Iterable[int]) -> tuple[str, ...]:
        """Ids of the terms in these rows."""
        return tuple(term_id(int(self.numbers[row])) for row in rows)

    @cached_property
    def _descendants(self) -> tuple[Ints, Ints]:
        """Offsets [T + 1] and rows of what stands below each term, with itself."""
        offsets, above = self._ancestors
        owners = np.repeat(np.arange(len(self.numbers), dtype=np.int32), np.diff(offsets))
        order = np.argsort(above, kind="stable")
        starts = np.searchsorted(above[order], np.arange(len(offsets))).astype(np.int32)
        return starts, owners[order]

    def descendants(self, row: int) -> Ints:
        """Rows of a term and of everything below it."""
        offsets, flat = self._descendants
        return flat[offsets[row] : offsets[row + 1]]

    def closure(self, rows: Iterable[int]) -> Ints:
        """Rows of the terms and of everything above them, each once, ascending."""
        parts = [self.ancestors(row) for row in rows]
        return np.unique(np.concatenate(parts)) if parts else np.empty(0, np.int32)

    def resolve(self, term_ids: Iterable[str]) -> Terms:
        """Place term ids: obsolete and other ids go to the term of today, unknown ones are named.

        Each row and each unknown id is given once.
        """
        rows: list[int] = []
        replaced: list[tuple[str, str]] = []
        unknown: list[str] = []
        for given in term_ids:
            row = self._row_of.get(term_number(given), -1)
            if row >= 0 and self._obsolete[row]:
                row = int(self._replaced_by[row])
                if row >= 0:
                    replaced.append((given, term_id(int(self.numbers[row]))))
            if row < 0:
                unknown.append(given)
            else:
                rows.append(row)
        return Terms(
            tuple(dict.fromkeys(rows)),
            tuple(dict.fromkeys(replaced)),
            tuple(dict.fromkeys(unknown)),
        )

    def category(self, rows: Iterable[int]) -> str:
        """Name the organ system that the terms say most about (S340).

        Each organ system gets the information content of the terms below it; the largest sum
        wins, and the lower term number where two are equal.
        """
        weights = np.zeros(len(self.categories), np.float64)
        offsets, systems = self._systems
        for row in rows:
            weights[systems[offsets[row] : offsets[row + 1]]] += self.information[row]
        if not weights.any():
            return NO_CATEGORY
        return self.names[int(self.categories[int(np.argmax(weights))])]

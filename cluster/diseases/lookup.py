"""Look-up of diseases by code and by name, over tables that many processes map (C8).

``RECORDS`` has one row a disease, ``KEYS`` one row for each code and each folded name of it, in the
order of keys: a look-up is a binary search and reads only the records that it returns. Of several
records with one key all are candidates: an exact relation before an unstated, a broader and a
narrower one, a name before a synonym, an entity in use before a historical one.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, get_args

import numpy as np
import pyarrow as pa

from cluster.contracts.disease import Ancestor, Disease, How, Match, Relation
from cluster.diseases.codes import asked_code
from cluster.diseases.names import folded, spoken
from cluster.errors import NotFound
from cluster.ontology import Ints

RELATIONS: Final[tuple[Relation, ...]] = get_args(Relation)
HOWS: Final[tuple[How, ...]] = get_args(How)
STEPS_MAX: Final = 3
"""Diseases above one another up to which a treatment is looked for."""
GENERAL_SHARE: Final = 0.006
GENERAL_MIN: Final = 25
"""A disease above more than this share of all records, and above more than 25, is too general to
say what is known of treatment of one of them. Of 19,387 records "leukemia" has 103 below it and is
a help; "cancer" has 180, "syndrome" 973, "disease" 9,950, and are none."""
TOP_SHARE: Final = 0.1
"""A disease right below one that is above more than this share of all, such as "genetic disease",
is a heading, and too general as well."""

_RECORDS: Final[list["pa.Field[Any]"]] = [
    pa.field("id", pa.string(), nullable=False),
    pa.field("name", pa.string(), nullable=False),
    pa.field("document", pa.string(), nullable=False),  # the record as JSON
    pa.field("parents", pa.list_(pa.int32()), nullable=False),  # row numbers
    pa.field("treated", pa.bool_(), nullable=False),
    pa.field("below", pa.int32(), nullable=False),  # records below it
]
RECORDS: Final = pa.schema(_RECORDS)
_KEYS: Final[list["pa.Field[Any]"]] = [
    pa.field("key", pa.string(), nullable=False),  # ascending
    pa.field("relation", pa.int8(), nullable=False),  # place in RELATIONS
    pa.field("how", pa.int8(), nullable=False),  # place in HOWS
    pa.field("standing", pa.int8(), nullable=False),  # lower is asked for more likely
    pa.field("row", pa.int32(), nullable=False),  # of RECORDS
]
KEYS: Final = pa.schema(_KEYS)
Key = tuple[str, int, int, int, int]


@dataclass
class Tables:
    """Records on their way into the two tables."""

    row_of: dict[str, int] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    parents: list[tuple[str, ...]] = field(default_factory=list)
    treated: list[bool] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)

    def add(self, record: Disease) -> bool:
        """Take in a record; False where its id is there already."""
        row = len(self.names)
        if self.row_of.setdefault(record.id, row) != row:
            return False
        self.names.append(record.name)
        self.documents.append(record.model_dump_json(exclude_defaults=True))
        self.parents.append(record.parents)
        self.treated.append(record.is_treated)
        self.keys += ((*key, row) for key in _keys_of(record))
        return True

    def unknown_parents(self) -> list[tuple[str, str]]:
        """Return id and parent of each record whose parent is not among the records."""
        return [
            (own, parent)
            for own, parents in zip(self.row_of, self.parents, strict=True)
            for parent in parents
            if parent not in self.row_of
        ]

    def made(self) -> "DiseaseTable":
        """Return the finished tables."""
        above = [[self.row_of[p] for p in parents if p in self.row_of] for parents in self.parents]
        columns: list[Any] = [
            [*self.row_of], self.names, self.documents, above, self.treated, _below(above),
        ]  # fmt: skip
        arrays = [pa.array(c, f.type) for c, f in zip(columns, RECORDS, strict=True)]
        parts: list[Any] = [*zip(*sorted(self.keys), strict=True)] or [()] * len(KEYS)
        keys = [pa.array(c, f.type) for c, f in zip(parts, KEYS, strict=True)]
        return DiseaseTable(
            pa.Table.from_arrays(arrays, schema=RECORDS), pa.Table.from_arrays(keys, schema=KEYS)
        )


def _keys_of(record: Disease) -> Iterator[tuple[str, int, int, int]]:
    """Return key, relation, how and standing; of equal keys of a record the best one only."""
    lacks = 2 * (not record.definitions) + (not record.is_treated)
    standing = 4 * bool(record.status) + lacks
    code, name, synonym = HOWS.index("code"), HOWS.index("name"), HOWS.index("synonym")
    found = {record.id: (0, code)}
    for other in record.codes:
        found.setdefault(other.code, (RELATIONS.index(other.relation), code))
    for text in (record.name, spoken(record.name)):
        found.setdefault(folded(text), (0, name))
    for text in record.synonyms:
        found.setdefault(folded(text), (0, synonym))
    return ((key, *place, standing) for key, place in found.items() if key)


def _below(above: Sequence[Sequence[int]]) -> Ints:
    """Count the records below each one, each once; a record in a circle is not below itself."""
    counts = np.zeros(len(above), np.int32)
    for row in range(len(above)):
        reached: set[int] = set()
        waiting = list(above[row])
        while waiting:
            one = waiting.pop()
            if one not in reached:
                reached.add(one)
                waiting += above[one]
        counts[list(reached - {row})] += 1
    return counts


@dataclass(frozen=True)
class DiseaseTable:
    """Look-ups over the two immutable tables."""

    records: pa.Table
    keys: pa.Table

    @cached_property
    def _key_column(self) -> Any:  # noqa: ANN401 - an Arrow array, whose stubs are generic
        return self.keys["key"].combine_chunks()

    @cached_property
    def _parents(self) -> Any:  # noqa: ANN401 - the same
        return self.records["parents"].combine_chunks()

    def find(self, query: str) -> list[Match]:
        """Return the records that a code or a name leads to, best first; none for other words.

        Raises:
            InputError: it names a vocabulary, with a colon, and is no code of it.
        """
        return self._matches(asked_code(query)) or self._matches(folded(query))

    def alike(self, matches: Sequence[Match]) -> int:
        """Count the matches that are as good as the first one by relation and kind of match."""
        if not matches or matches[0].how == "words":
            return 0
        best = (matches[0].relation, matches[0].how)
        return sum((one.relation, one.how) == best for one in matches[1:])

    def record(self, disease_id: str) -> Disease:
        """Return the record of an id.

        Raises:
            NotFound: there is none.
        """
        return self._record(self._row(disease_id))

    def match_of(self, row: int, words: str, score: float) -> Match:
        """Return the match of a record that was found by words."""
        name = str(self.records["name"][row])
        disease_id = str(self.records["id"][row])
        return Match(disease_id=disease_id, name=name, how="words", matched=words, score=score)

    def treated_above(self, disease_id: str) -> tuple[Ancestor, ...]:
        """Return the way up to the nearest disease with a treatment; empty where there is none.

        Of several as near, the one with the fewest records below it. Diseases that are too general
        (``GENERAL_SHARE``) are not climbed to, nor through.

        Raises:
            NotFound: there is no such disease.
        """
        start = self._row(disease_id)
        came_from = {start: start}
        level = [start]
        for _ in range(STEPS_MAX):
            upper: list[int] = []
            for row in level:
                for parent in self._above(row):
                    if parent not in came_from and not self._is_general(parent):
                        came_from[parent] = row
                        upper.append(parent)
            treated = [row for row in upper if self.records["treated"][row].as_py()]
            if treated:
                nearest = min(treated, key=lambda row: (self._size(row), row))
                return self._way(nearest, start, came_from)
            level = upper
        return ()

    def _way(self, row: int, start: int, came_from: dict[int, int]) -> tuple[Ancestor, ...]:
        way = []
        while row != start:
            one = Ancestor(
                disease_id=str(self.records["id"][row]), name=str(self.records["name"][row])
            )
            way.append(one)
            row = came_from[row]
        return tuple(reversed(way))

    def _above(self, row: int) -> list[int]:
        rows: list[int] = self._parents[row].as_py()
        return rows

    def _is_general(self, row: int) -> bool:
        """Whether a disease is a heading rather than a disease."""
        n = self.records.num_rows
        own, top = (max(GENERAL_MIN, share * n) for share in (GENERAL_SHARE, TOP_SHARE))
        above = (self._size(parent) for parent in self._above(row))
        return self._size(row) > own or any(size > top for size in above)

    def _size(self, row: int) -> int:
        return int(self.records["below"][row].as_py())

    def _row(self, disease_id: str) -> int:
        for place in self._places(disease_id):
            row = int(self.keys["row"][place].as_py())
            if str(self.records["id"][row]) == disease_id:
                return row
        what = f"there is no disease {disease_id}"
        raise NotFound(what)

    def _record(self, row: int) -> Disease:
        return Disease.model_validate_json(str(self.records["document"][row]))

    def _places(self, key: str) -> range:
        """Return the rows of ``KEYS`` that have a key."""
        column = self._key_column
        n = len(column)
        start = bisect_left(range(n), key, key=lambda place: column[place].as_py()) if key else n
        end = start
        while end < n and column[end].as_py() == key:
            end += 1
        return range(start, end)

    def _matches(self, key: str) -> list[Match]:
        places = self._places(key)
        found = self.keys.slice(places.start, len(places)).to_pylist()
        return [self._match(key, one) for one in found]

    def _match(self, key: str, found: dict[str, Any]) -> Match:
        row, how = found["row"], HOWS[found["how"]]
        matched = key
        if how == "synonym":
            synonyms = self._record(row).synonyms
            matched = next(text for text in synonyms if folded(text) == key)
        elif how == "name":
            matched = str(self.records["name"][row])
        return Match(
            disease_id=str(self.records["id"][row]),
            name=str(self.records["name"][row]),
            how=how,
            relation=RELATIONS[found["relation"]],
            matched=matched,
        )

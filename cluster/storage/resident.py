"""What of an index is held in memory: the columns, and of a small index the vectors too.

Up to some ten thousand rows one product with a matrix answers faster than an index on disk, and
exactly. Of a larger index only the filterable columns are here.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cluster.ontology import Floats
from cluster.retrieval.feature import ANSWERS, DIMENSIONS, FEATURES
from cluster.retrieval.index import FILTERABLE, Bools, CaseFilter, passing

Places = npt.NDArray[np.int64]

SLIM: Final = ("case_id", *FILTERABLE)
WIDE: Final = tuple(name for name in FEATURES.names if name != "vector")
DECIMALS: Final = 6
"""To which scores are told apart: two orders of summing differ in the seventh."""
SCORES_AT_ONCE: Final = 2**24
CHUNKS_MAX: Final = 16


class Resident:
    """Rows in the order in which they came; a replaced row stays behind, dead."""

    def __init__(self, *, with_vectors: bool, capacity: int = 0) -> None:
        self.with_vectors = with_vectors
        self._names = WIDE if with_vectors else SLIM
        fields = [FEATURES.field(name) for name in self._names]
        self._columns: pa.Table = pa.schema(fields).empty_table()
        self._alive: Bools = np.empty(0, np.bool_)
        self._vectors: Floats = np.empty((capacity if with_vectors else 0, DIMENSIONS), np.float32)

    @property
    def wanted(self) -> list[str]:
        """Names of the columns that are taken in."""
        return [*self._names, *(["vector"] if self.with_vectors else [])]

    def count(self) -> int:
        """Return the number of rows that are alive."""
        return int(self._alive.sum())

    def append(self, features: pa.Table) -> None:
        """Take in rows whose case ids are not here."""
        start = self._columns.num_rows
        if self.with_vectors:
            end = start + features.num_rows
            if end > len(self._vectors):
                room = np.empty((max(end, 2 * len(self._vectors)), DIMENSIONS), np.float32)
                room[:start] = self._vectors[:start]
                self._vectors = room
            self._vectors[start:end] = matrix_of(features["vector"])
        added = features.select(self._names).cast(self._columns.schema)
        self._columns = pa.concat_tables([self._columns, added])
        self._alive = np.concatenate([self._alive, np.ones(added.num_rows, np.bool_)])
        if self._columns["case_id"].num_chunks > CHUNKS_MAX:
            self._columns = self._columns.combine_chunks()

    def replace(self, features: pa.Table) -> None:
        """Take in rows, in the place of those with the same case ids."""
        self.remove(texts(features["case_id"]))
        self.append(features)
        if 2 * self.count() < len(self._alive):
            self._bury()

    def remove(self, case_ids: Sequence[str]) -> None:
        """Let rows die."""
        self._alive[self.places(case_ids)] = False

    def _bury(self) -> None:
        if self.with_vectors:
            self._vectors = self._vectors[: len(self._alive)][self._alive]
        self._columns = self._columns.filter(pa.array(self._alive)).combine_chunks()
        self._alive = np.ones(self._columns.num_rows, np.bool_)

    def places(self, case_ids: Sequence[str]) -> Places:
        """Return where the rows of these cases are; a case that is not here has none."""
        known = pc.is_in(self._columns["case_id"], value_set=pa.array(case_ids, pa.string()))
        return np.flatnonzero(np.asarray(known) & self._alive)

    def mask(self, where: CaseFilter) -> Bools:
        """Return which rows are alive and pass a filter."""
        return passing(self._columns, where) & self._alive

    def set_rare_features(self, values: Mapping[str, float]) -> None:
        """Change the rare feature of cases that are here."""
        places = self.places(list(values))
        rare = np.asarray(self._columns["rare_feature"]).copy()
        rare[places] = [values[case_id] for case_id in self.ids(places)]
        column = self._names.index("rare_feature")
        field = self._columns.schema.field(column)
        self._columns = self._columns.set_column(column, field, pa.array(rare, pa.float32()))

    def ids(self, places: Places) -> list[str]:
        """Return the case ids of rows."""
        return texts(self._columns["case_id"].take(places))

    def sorted(self) -> pa.Table:
        """Return the columns of the rows that are alive, in the order of case ids."""
        return self._columns.filter(pa.array(self._alive)).sort_by("case_id")

    def first(self, mask: Bools, k: int) -> Places:
        """Return the rows of a mask with the lowest case ids, at most k."""
        places = np.flatnonzero(mask)
        ids = self._columns["case_id"].take(places)
        lowest = pc.select_k_unstable(ids, k, [("case_id", "ascending")])
        return places[np.asarray(lowest, np.int64)]

    def table(self, places: Places, scores: Floats) -> pa.Table:
        """Return rows with their scores as ``ANSWERS``; only where all columns are here."""
        found = self._columns.take(places)
        return found.append_column(ANSWERS.field("score"), pa.array(scores, pa.float32()))

    def rows(self, places: Places, names: Sequence[str]) -> pa.Table:
        """Return columns of ``FEATURES`` of rows; only where all columns are here."""
        found = self._columns.take(places)
        if "vector" in names:
            field = FEATURES.field("vector")
            flat = pa.array(self._vectors[places].ravel())
            vectors = pa.FixedSizeListArray.from_arrays(flat, type=field.type)
            found = found.append_column(field, vectors)
        return found.select(list(names))

    def nearest(self, queries: Floats, k: int, mask: Bools) -> list[pa.Table]:
        """Return for each query [Q, 1024] the k nearest rows of a mask; exact.

        Many queries are one product of matrices, in blocks that bound the memory of the scores.
        """
        places = np.flatnonzero(mask)
        if not len(places):
            return [ANSWERS.empty_table() for _ in queries]
        rows = self._vectors[: len(mask)]
        rows = rows if len(places) == len(mask) else rows[places]
        block = max(1, SCORES_AT_ONCE // len(places))
        answers = []
        for start in range(0, len(queries), block):
            scores = queries[start : start + block] @ rows.T
            answers += [self._best(places, row, k) for row in scores]
        return answers

    def _best(self, places: Places, scores: Floats, k: int) -> pa.Table:
        """Return the k best rows in their order; what ties with the last is looked at too."""
        near = np.arange(len(scores))
        if k < len(scores):
            last = np.partition(scores, len(scores) - k)[len(scores) - k]
            near = np.flatnonzero(scores >= last - 10.0**-DECIMALS)
        order = ranked(self._columns["case_id"].take(places[near]), scores[near])[:k]
        return self.table(places[near][order], np.round(scores[near][order], DECIMALS))


def texts(column: Any) -> list[str]:  # noqa: ANN401 - an Arrow column
    """Return a column of texts without a null as a list."""
    return [str(text) for text in column.to_pylist()]


def ranked(case_ids: Any, scores: Floats) -> Places:  # noqa: ANN401 - an Arrow column
    """Return the order of found rows: highest score first, equal ones by case id."""
    rounded = pa.array(-np.round(scores, DECIMALS))
    found = pa.table({"case_id": case_ids, "against": rounded})
    order = pc.sort_indices(found, [("against", "ascending"), ("case_id", "ascending")])
    return np.asarray(order).astype(np.int64)


def matrix_of(vectors: Any) -> Floats:  # noqa: ANN401 - an Arrow column
    """Return a column of vectors as a matrix [N, 1024]."""
    flat = vectors.combine_chunks().flatten()
    return np.asarray(flat, np.float32).reshape(-1, DIMENSIONS)

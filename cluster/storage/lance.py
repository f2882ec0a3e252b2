"""The index on LanceDB: a projection of the ledger that may be deleted and rebuilt (S400).

A small index is searched in memory (``resident``); of a large one the vectors stay on disk, behind
an index of one-bit codes whose best candidates are compared in full. Rare features change far more
often than vectors, so the newer ones lie in a table of their own and win over the case table's.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa

from cluster.errors import StoreUnavailable
from cluster.ontology import Floats
from cluster.retrieval.feature import ANSWERS, FEATURES
from cluster.retrieval.index import EQUAL, EVERY_CASE, Bools, CaseFilter, bound
from cluster.storage.resident import DECIMALS, WIDE, Resident, ranked, texts

TABLE: Final = "cases"
RARE: Final = "rare_features"
KEY_MARK: Final[dict[bytes | str, bytes | str]] = {"lance-schema:unenforced-primary-key": "true"}
"""Without it two merges of one new key leave two rows, silently."""
CLEAN_AFTER: Final = timedelta(hours=1)
RESIDENT_MAX: Final = 50_000
"""Rows up to which vectors are held in memory: 200 MB, and no slower than the index on disk."""
PROBES: Final = 128
"""Parts of the index that are looked into; recall at 10 of a million cases is above 0.99."""
COMPARED: Final = 300
REFINE_MIN: Final = 2
"""Candidates compared in full: so many, and so many for each row that is asked for."""
SPARE: Final = 20
"""Rows asked for beyond k, so that rows that tie with the last one are seen too."""
WIDER: Final = 8
TIES_MAX: Final = 10_000
"""Rows asked for at the most only because they tie."""
IDS_MAX: Final = 20_000
"""Case ids in one predicate."""
GROWTH: Final = 2
"""An index of vectors is made anew when this many times the rows are there."""
FITTED: Final = "vector_"
UNFOLDED_MAX: Final = 64
"""Small files that are left before they are folded together."""
UNINDEXED_MAX: Final = 2_000
"""Rows that a search reads one by one before they are added to the indexes."""
INDEXED: Final = ("case_id", "disease_id")
"""Columns with an ordered index in a large table."""


def _schema(*names: str) -> pa.Schema:
    fields = [FEATURES.field(name) for name in names or FEATURES.names]
    return pa.schema([f.with_metadata(KEY_MARK) if f.name == "case_id" else f for f in fields])


class LanceIndex:
    """Retrieval features of one platform; a ``CaseIndex``."""

    def __init__(
        self, uri: str, resident_max: int = RESIDENT_MAX, *, read_only: bool = False
    ) -> None:
        """Open or create the tables in a folder, or under an object-store URI.

        Args:
            uri: the folder; tables of an older shape are dropped, for the ledger has it all.
            resident_max: rows up to which vectors are held in memory.
            read_only: another process writes; nothing is made or changed here.

        Raises:
            StoreUnavailable: there is nothing to read yet.
        """
        import lancedb  # about a second; only the processes that search pay for it

        self._db: Any = lancedb.connect(uri, read_consistency_interval=timedelta(0))
        self._resident_max = resident_max
        if read_only:
            self._open_to_read()
        else:
            self._open()

    def _open_to_read(self) -> None:
        if self._names() != {TABLE, RARE}:
            what = "the index is not there yet"
            raise StoreUnavailable(what, remedy="Ask again when the platform has started.")
        self._cases, self._rare = (self._db.open_table(name) for name in (TABLE, RARE))
        self._load()

    def _open(self) -> None:
        from lancedb.index import FTS

        if TABLE in self._names() and not self._db.open_table(TABLE).schema.equals(_schema()):
            self._drop()
        self._cases = self._db.create_table(TABLE, schema=_schema(), exist_ok=True)
        rare = _schema("case_id", "rare_feature")
        self._rare = self._db.create_table(RARE, schema=rare, exist_ok=True)
        self._index("text", FTS())
        self._load()

    def _names(self) -> set[str]:
        return {*self._db.list_tables().tables} & {TABLE, RARE}

    def _drop(self) -> None:
        for name in self._names():
            self._db.drop_table(name)

    def _load(self) -> None:
        """Read into memory what is held there."""
        self._seen = self._versions()
        rows = self.count()
        newer = self._rare.search().to_arrow()
        self._newer: dict[str, float] = dict(
            zip(texts(newer["case_id"]), np.asarray(newer["rare_feature"]).tolist(), strict=True)
        )
        self._resident = Resident(with_vectors=rows <= self._resident_max, capacity=rows)
        for batch in self._cases.search().select(self._resident.wanted).to_batches():
            self._resident.append(pa.Table.from_batches([batch]))
        self._resident.set_rare_features(self._newer)

    def _versions(self) -> tuple[int, int]:
        return self._cases.version, self._rare.version

    @property
    def version(self) -> tuple[int, int]:
        """What changes with every write, of whatever process."""
        return self._versions()

    def _current(self) -> Resident:
        """Return what is in memory, read again where another process has written."""
        if self._seen != self._versions():
            self._load()
        return self._resident

    def upsert(self, features: pa.Table) -> None:
        """Insert or replace rows of ``FEATURES`` by case id."""
        if not features.num_rows:
            return
        resident = self._current()
        merge = self._cases.merge_insert("case_id").when_matched_update_all()
        merge.when_not_matched_insert_all().execute(features.cast(_schema()))
        stale = [i for i in texts(features["case_id"]) if self._newer.pop(i, None) is not None]
        for condition in _among(stale):
            self._rare.delete(condition)
        resident.replace(features)
        self._seen = self._versions()
        if resident.with_vectors and resident.count() > self._resident_max:
            self._load()

    def remove(self, case_ids: Sequence[str]) -> None:
        """Forget rows; those that are not here are none."""
        resident = self._current()
        known = resident.ids(resident.places(case_ids))
        for condition in _among(known):
            self._cases.delete(condition)
            self._rare.delete(condition)
        for case_id in known:
            self._newer.pop(case_id, None)
        resident.remove(known)
        self._seen = self._versions()

    def set_rare_features(self, values: Mapping[str, float]) -> None:
        """Change the rare feature of cases that are here; vectors are not written again."""
        resident = self._current()
        known = resident.ids(resident.places(list(values)))
        if not known:
            return
        changed = {case_id: float(np.float32(values[case_id])) for case_id in known}
        columns = [pa.array(changed), pa.array(changed.values(), pa.float32())]
        rows = pa.table(columns, schema=_schema("case_id", "rare_feature"))
        merge = self._rare.merge_insert("case_id").when_matched_update_all()
        merge.when_not_matched_insert_all().execute(rows)
        self._newer |= changed
        resident.set_rare_features(changed)
        self._seen = self._versions()

    def settle(self) -> None:
        """Fold small files together, and make or renew the indexes that searches use."""
        from lancedb.index import FTS, BTree

        self._index("text", FTS())
        if not self._current().with_vectors:
            for name in INDEXED:
                self._index(name, BTree())
            self._index_vectors()
        for table in (self._cases, self._rare):
            pending = max((i.num_unindexed_rows for i in table.list_indices()), default=0)
            unfolded = table.stats()["fragment_stats"]["num_small_fragments"]
            if unfolded > UNFOLDED_MAX or pending > UNINDEXED_MAX:
                table.optimize(cleanup_older_than=CLEAN_AFTER)
        self._seen = self._versions()

    def _index(self, column: str, config: object) -> None:
        """Make the index of a column, anew where more rows are outside it than in it."""
        for made in self._cases.list_indices():
            if made.columns == [column] and made.num_unindexed_rows <= made.num_indexed_rows:
                return
        self._cases.create_index(column, config=config, replace=True)

    def _index_vectors(self) -> None:
        """Make the index of vectors, whose name says how many rows it was fitted to."""
        from lancedb.index import IvfRq

        made = [i.name for i in self._cases.list_indices() if i.columns == ["vector"]]
        rows = self.count()
        if rows >= GROWTH * max((int(name.removeprefix(FITTED)) for name in made), default=1):
            name = f"{FITTED}{rows}"
            self._cases.create_index("vector", config=IvfRq(distance_type="dot"), name=name)
            for older in made:
                self._cases.drop_index(older)

    def nearest(self, queries: Floats, k: int, where: CaseFilter = EVERY_CASE) -> list[pa.Table]:
        """Return for each query vector [Q, 1024] its k nearest rows that pass the filter.

        In memory all queries are one product; on disk each is a search of its own.
        """
        resident = self._current()
        mask = resident.mask(where)
        if resident.with_vectors:
            return resident.nearest(queries, k, mask)
        return [
            self._nearest_on_disk(query, k, where, mask) if query.any() else self._first(mask, k)
            for query in queries
        ]

    def _nearest_on_disk(self, query: Floats, k: int, where: CaseFilter, mask: Bools) -> pa.Table:
        """Search the index of vectors; rare features are not in it, so they are looked at after."""
        ask = partial(self._scores, query, predicate(where))
        n_passing = int(mask.sum())
        if not _bounds_rare_features(where):
            return self._answers(self._widened(ask, k), k)
        if n_passing <= IDS_MAX:
            ids = self._resident.ids(np.flatnonzero(mask))
            among = partial(self._scores, query, "".join(_among(ids)), exact=True)
            return self._answers(self._widened(among, k) if ids else {}, k)
        found = self._passing(ask(2 * k * len(mask) // n_passing + SPARE), mask)
        if len(found) < k:
            every = self._scores(query, predicate(where), len(mask), exact=True)
            found = self._passing(every, mask)
        return self._answers(found, k)

    def _widened(
        self, ask: Callable[[int], dict[str, float]], k: int, mask: Bools | None = None
    ) -> dict[str, float]:
        """Ask for more until k passed and all that tie with the last are here."""
        limit = k + SPARE
        while True:
            scores = ask(limit)
            passing = scores if mask is None else self._passing(scores, mask)
            if len(scores) < limit:
                return passing
            if len(passing) >= k:
                last = sorted(passing.values())[-k]
                if limit >= TIES_MAX or min(scores.values()) < last - 10.0**-DECIMALS:
                    return passing
            limit *= WIDER

    def _scores(
        self, query: Floats, condition: str, limit: int, *, exact: bool = False
    ) -> dict[str, float]:
        """Return the cosines of the nearest cases; behind a filter all parts are looked into."""
        search = self._cases.search(query, vector_column_name="vector").distance_type("dot")
        search = search.select(["case_id", "_distance"]).limit(limit)
        if exact:
            search = search.bypass_vector_index()
        else:
            parts = self.count() if condition else PROBES
            search = search.nprobes(parts).refine_factor(max(REFINE_MIN, COMPARED // limit))
        if condition:
            search = search.where(condition, prefilter=True)
        found = search.to_arrow()
        cosines = (1 - np.asarray(found["_distance"])).tolist()
        return dict(zip(texts(found["case_id"]), cosines, strict=True))

    def _passing(self, scores: Mapping[str, float], mask: Bools) -> dict[str, float]:
        places = self._resident.places([*scores])
        passing = self._resident.ids(places[mask[places]])
        return {case_id: scores[case_id] for case_id in passing}

    def _answers(self, scores: Mapping[str, float], k: int) -> pa.Table:
        """Return the k best of the scored cases as ``ANSWERS``."""
        values = np.array([*scores.values()], np.float32)
        ids = [*scores]
        best = [ids[place] for place in ranked(pa.array(ids, pa.string()), values)[:k]]
        rows = self._stored(best, WIDE)
        found = np.array([scores[case_id] for case_id in texts(rows["case_id"])], np.float32)
        field = ANSWERS.field("score")
        table = rows.append_column(field, pa.array(np.round(found, DECIMALS), field.type))
        return table.take(ranked(rows["case_id"], found))

    def _first(self, mask: Bools, k: int) -> pa.Table:
        resident = self._resident
        return self._answers(dict.fromkeys(resident.ids(resident.first(mask, k)), 0.0), k)

    def matching(self, text: str, k: int, where: CaseFilter = EVERY_CASE) -> pa.Table:
        """Return k rows that pass the filter and whose text matches; the score is BM25."""
        words = " ".join(re.findall(r"\w+", text))
        mask = self._current().mask(where)
        ask = partial(self._word_scores, words, predicate(where))
        scores = self._widened(ask, k, mask if _bounds_rare_features(where) else None)
        return self._answers(scores, k)

    def _word_scores(self, words: str, condition: str, limit: int) -> dict[str, float]:
        search = self._cases.search(words, query_type="fts").limit(limit)
        if condition:
            search = search.where(condition, prefilter=True)
        found = search.select(["case_id", "_score"]).to_arrow()
        return dict(zip(texts(found["case_id"]), np.asarray(found["_score"]).tolist(), strict=True))

    def listed(self, k: int, where: CaseFilter = EVERY_CASE) -> pa.Table:
        """Return the first k rows by case id that pass the filter; the score is 0."""
        return self._first(self._current().mask(where), k)

    def rows(self, case_ids: Sequence[str]) -> pa.Table:
        """Return the rows of these cases, as ``FEATURES``, in no order."""
        self._current()
        return self._stored(case_ids, FEATURES.names)

    def _stored(self, case_ids: Sequence[str], names: Sequence[str]) -> pa.Table:
        """Return columns of these cases with their newest rare features."""
        resident = self._resident
        if resident.with_vectors:
            return resident.rows(resident.places(case_ids), names)
        schema = pa.schema([FEATURES.field(name) for name in names])
        parts = [
            self._cases.search().where(condition).select(list(names)).to_arrow().cast(schema)
            for condition in _among(case_ids)
        ]
        found = pa.concat_tables([schema.empty_table(), *parts])
        values = zip(texts(found["case_id"]), np.asarray(found["rare_feature"]), strict=True)
        rare = [self._newer.get(case_id, value) for case_id, value in values]
        place = schema.get_field_index("rare_feature")
        return found.set_column(place, schema.field(place), pa.array(rare, pa.float32()))

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Return these columns of every row, in the order of case ids."""
        held = self._current().sorted()
        if not set(names) <= set(held.column_names):
            wanted = [name for name in FEATURES.names if name in {*names, "case_id"}]
            stored = self._cases.search().select(wanted).to_arrow().sort_by("case_id")
            for name in set(wanted) - set(held.column_names):
                held = held.append_column(FEATURES.field(name), stored[name])
        return held.select(list(names))

    def count(self) -> int:
        """Return the number of rows."""
        rows: int = self._cases.count_rows()
        return rows

    def clear(self) -> None:
        """Forget everything, before a rebuild from the ledger."""
        self._drop()
        self._open()


def _bounds_rare_features(where: CaseFilter) -> bool:
    return where.rare_min is not None or where.rare_max is not None


def predicate(where: CaseFilter) -> str:
    """Write a filter as a condition of SQL, without its bounds on rare features."""
    named = [(name, getattr(where, name)) for name in EQUAL]
    parts = [f"{name} = {_quoted(value)}" for name, value in named if value is not None]
    if where.gene is not None:
        parts.append(f"array_has(genes, {_quoted(where.gene)})")
    ages = ((">=", where.age_min), ("<=", where.age_max))
    parts += [f"age_years {sign} {bound(age)!r}" for sign, age in ages if age is not None]
    return " AND ".join(parts)


def _among(case_ids: Sequence[str]) -> Iterator[str]:
    """Write conditions that hold for these cases, of bounded length."""
    for start in range(0, len(case_ids), IDS_MAX):
        wanted = ", ".join(map(_quoted, case_ids[start : start + IDS_MAX]))
        yield f"case_id IN ({wanted})"


def _quoted(text: str) -> str:
    """Write a text as an SQL literal: a quote in it is doubled, so that it stays a text."""
    return "'" + text.replace("'", "''") + "'"

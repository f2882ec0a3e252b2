"""The vector index on LanceDB: a projection of the ledger that may be deleted and rebuilt."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import pyarrow as pa

from cluster.ontology import Floats
from cluster.retrieval.feature import FEATURES

TABLE: Final = "cases"
KEY_MARK: Final[dict[bytes | str, bytes | str]] = {"lance-schema:unenforced-primary-key": "true"}
"""Without it two merges of one new key leave two rows, silently."""
CLEAN_AFTER: Final = timedelta(hours=1)


def _schema() -> pa.Schema:
    fields = [
        field.with_metadata(KEY_MARK) if field.name == "case_id" else field for field in FEATURES
    ]
    return pa.schema(fields)


class LanceIndex:
    """Retrieval features of one platform; a ``CaseIndex``."""

    def __init__(self, uri: str) -> None:
        """Open or create the table in a folder, or under an object-store URI."""
        import lancedb  # about a second; only the processes that search pay for it

        self._db = lancedb.connect(uri, read_consistency_interval=timedelta(0))
        self._table = self._open()

    def _open(self) -> Any:  # noqa: ANN401 - lancedb ships no types
        from lancedb.index import FTS

        table = self._db.create_table(TABLE, schema=_schema(), exist_ok=True)
        if not any(index.columns == ["text"] for index in table.list_indices()):
            table.create_index("text", config=FTS())
        return table

    def upsert(self, features: pa.Table) -> None:
        """Insert or replace rows of ``FEATURES`` by case id."""
        if features.num_rows:
            merge = self._table.merge_insert("case_id").when_matched_update_all()
            merge.when_not_matched_insert_all().execute(features.cast(_schema()))

    def index_text(self) -> None:
        """Bring the full-text index up to date and fold small files together."""
        self._table.optimize(cleanup_older_than=CLEAN_AFTER)

    def set_rare_features(self, values: Mapping[str, float]) -> None:
        """Change the rare feature of cases."""
        rows = self.rows(list(values))
        if rows.num_rows:
            changed = [values[str(case_id)] for case_id in rows["case_id"].to_pylist()]
            place = rows.schema.get_field_index("rare_feature")
            self.upsert(rows.set_column(place, "rare_feature", pa.array(changed, pa.float32())))

    def nearest(
        self, queries: Floats, k: int, *, disease_id: str | None = None, origin: str | None = None
    ) -> list[pa.Table]:
        """Return for each query vector [Q, 1024] its nearest rows of a disease, of an origin."""
        wanted = {"disease_id": disease_id, "origin": origin}
        chosen = [
            f"{name} = {_quoted(value)}" for name, value in wanted.items() if value is not None
        ]
        found = []
        for query in queries:
            search = self._table.search(query, vector_column_name="vector")
            search = search.distance_type("dot").limit(k)
            if chosen:
                search = search.where(" AND ".join(chosen), prefilter=True)
            found.append(search.to_arrow())
        return found

    def matching(self, text: str, k: int, *, disease_id: str | None = None) -> pa.Table:
        """Return the rows whose text matches, of a disease, best first."""
        words = " ".join(re.findall(r"\w+", text))
        search = self._table.search(words, query_type="fts").limit(k)
        if disease_id is not None:
            search = search.where(f"disease_id = {_quoted(disease_id)}", prefilter=True)
        found: pa.Table = search.to_arrow()
        return found

    def rows(self, case_ids: Sequence[str]) -> pa.Table:
        """Return the rows of these cases, in no order."""
        wanted = ", ".join(_quoted(case_id) for case_id in case_ids) or "''"
        found: pa.Table = (
            self._table.search()
            .where(f"case_id IN ({wanted})")
            .limit(len(case_ids) or 1)
            .to_arrow()
        )
        return found.select(FEATURES.names)

    def count(self) -> int:
        """Return the number of rows."""
        rows: int = self._table.count_rows()
        return rows

    def clear(self) -> None:
        """Forget everything, before a rebuild from the ledger."""
        self._db.drop_table(TABLE)
        self._table = self._open()


def _quoted(text: str) -> str:
    """Write a text as an SQL literal: a quote in it is doubled, so that it stays a text."""
    return "'" + text.replace("'", "''") + "'"

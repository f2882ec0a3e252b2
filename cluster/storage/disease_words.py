"""Full text over the names and definitions of diseases, on LanceDB: for words that are no name."""

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

TABLE: Final = "words"
COLUMNS: Final = ("names", "definition")
BOOSTS: Final = (3.0, 1.0)
"""A word in a name counts three times one in a definition."""
_FIELDS: Final[list["pa.Field[Any]"]] = [
    pa.field("row", pa.int32(), nullable=False),  # of the records
    pa.field("names", pa.string(), nullable=False),
    pa.field("definition", pa.string(), nullable=False),
]
WORDS: Final = pa.schema(_FIELDS)


def write_words(folder: Path, words: pa.Table) -> None:
    """Write a table of ``WORDS`` with its indexes into a folder that has none yet."""
    import lancedb  # about a second; only who writes or searches words pays for it
    from lancedb.index import FTS

    table = lancedb.connect(str(folder)).create_table(TABLE, words.cast(WORDS))
    for column in COLUMNS:
        table.create_index(column, config=FTS())


class DiseaseWords:
    """A search over the words of a folder, which is opened when it is first asked."""

    def __init__(self, folder: Path) -> None:
        """Remember where the words are."""
        self._folder = folder
        self._table: Any = None

    def search(self, text: str, k: int) -> list[tuple[int, float]]:
        """Return up to k rows with their BM25 scores, best first; equal ones by row."""
        words = " ".join(re.findall(r"\w+", text.replace("_", " ")))
        if not words:
            return []
        from lancedb.query import FullTextOperator, MultiMatchQuery

        either = FullTextOperator.OR
        asked = MultiMatchQuery(words, [*COLUMNS], boosts=[*BOOSTS], operator=either)
        search = self._opened().search(asked, query_type="fts").limit(k)
        found = search.select(["row", "_score"]).to_arrow()
        rows = np.asarray(found["row"]).tolist()
        scores = np.round(np.asarray(found["_score"]), 4).tolist()
        return sorted(zip(rows, scores, strict=True), key=lambda one: (-one[1], one[0]))

    def _opened(self) -> Any:  # noqa: ANN401 - lancedb is not typed
        if self._table is None:
            import lancedb

            base = lancedb.connect(str(self._folder), read_consistency_interval=timedelta(0))
            self._table = base.open_table(TABLE)
        return self._table


def words_table(rows: Sequence[tuple[str, str]]) -> pa.Table:
    """Return a table of ``WORDS`` from names and definition of each record, in their order."""
    names, definitions = zip(*rows, strict=True)
    columns = [pa.array(range(len(rows)), pa.int32()), pa.array(names), pa.array(definitions)]
    return pa.Table.from_arrays(columns, schema=WORDS)

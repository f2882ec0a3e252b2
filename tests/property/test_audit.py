"""The audit chain: whatever is changed inside it is found."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, MetaData

from cluster.ids import sha256
from cluster.storage import tables
from cluster.storage.journal import append_audit, first_broken_audit_row
from cluster.storage.ledger import Ledger

AUDIT = MetaData()
tables.audit.to_metadata(AUDIT)
LENGTH = 6
places = st.integers(1, LENGTH)


@contextmanager
def chain() -> Iterator[Connection]:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "ledger.sqlite", AUDIT)
        with ledger.begin() as tx:
            for n in range(LENGTH):
                append_audit(tx, float(n), "import", {"delivery": f"d{n}", "é": [n]})
            yield tx
        ledger.close()


@settings(max_examples=40)
@given(places, st.sampled_from(["row", "hash", "prev"]), st.text("0ab{", min_size=1))
def test_a_changed_field_is_found(place: int, column: str, value: str) -> None:
    """B9: a row whose text, hash or link was changed is where the chain breaks."""
    with chain() as tx:
        tx.exec_driver_sql(f"UPDATE audit SET {column} = ? WHERE seq = ?", (value, place))
        assert first_broken_audit_row(tx) == place


@settings(max_examples=10)
@given(places)
def test_a_row_that_was_rewritten_with_its_hash_is_found(place: int) -> None:
    """B9: who recomputes a row's own hash breaks the row after it."""
    with chain() as tx:
        prev = tx.exec_driver_sql("SELECT prev FROM audit WHERE seq = ?", (place,)).scalar_one()
        forged = sha256(f"{prev}{{}}")
        values = ("{}", forged, place)
        tx.exec_driver_sql("UPDATE audit SET row = ?, hash = ? WHERE seq = ?", values)
        expected = place + 1 if place < LENGTH else None  # nothing stands behind the last row
        assert first_broken_audit_row(tx) == expected


@settings(max_examples=10)
@given(st.integers(1, LENGTH - 1))
def test_a_deleted_row_is_found(place: int) -> None:
    """B9: a row that is missing before others is named by its place."""
    with chain() as tx:
        tx.exec_driver_sql("DELETE FROM audit WHERE seq = ?", (place,))
        assert first_broken_audit_row(tx) == place


def test_a_last_row_of_another_number_is_found() -> None:
    """B9: a gap before the last row is found, even where its links are whole."""
    with chain() as tx:
        tx.exec_driver_sql("UPDATE audit SET seq = ? WHERE seq = ?", (LENGTH + 1, LENGTH))
        assert first_broken_audit_row(tx) == LENGTH


@settings(max_examples=20)
@given(places, places)
def test_swapped_rows_are_found(one: int, two: int) -> None:
    """B9: rows that changed places break the chain at the earlier of the two."""
    if one == two:
        return
    with chain() as tx:
        for old, new in [(one, 99), (two, one), (99, two)]:
            tx.exec_driver_sql("UPDATE audit SET seq = ? WHERE seq = ?", (new, old))
        assert first_broken_audit_row(tx) == min(one, two)


@settings(max_examples=10)
@given(places)
def test_an_inserted_row_is_found(place: int) -> None:
    """B9: a row that was put in between breaks the chain where it stands."""
    with chain() as tx:
        for seq in range(LENGTH, place - 1, -1):
            tx.exec_driver_sql("UPDATE audit SET seq = seq + 1 WHERE seq = ?", (seq,))
        row = (place, "0" * 64, sha256("x"), "{}")
        tx.exec_driver_sql("INSERT INTO audit VALUES (?, ?, ?, ?)", row)
        assert first_broken_audit_row(tx) == place

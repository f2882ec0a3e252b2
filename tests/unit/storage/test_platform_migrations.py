"""A platform's ledger of the first release becomes one of this release."""

import sqlite3
from pathlib import Path

from cluster.storage import tables
from cluster.storage.ledger import Ledger

FIRST_RELEASE = Path(__file__).with_name("platform_ledger_1.sql")


def an_old_ledger(path: Path, *statements: str) -> None:
    """Make a ledger as the first release did, and fill it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.executescript(FIRST_RELEASE.read_text(encoding="utf-8"))
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def columns(path: Path) -> dict[str, set[tuple[str, int, int]]]:
    """Return name, whether it must not be null, and place in the key of each table's columns."""
    connection = sqlite3.connect(path)
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    found = {}
    for (name,) in names:
        rows = connection.execute(f"PRAGMA table_info({name})").fetchall()
        found[name] = {(row[1], row[3], row[5]) for row in rows}
    connection.close()
    return found


def test_an_old_ledger_gets_the_schema_of_a_new_one(tmp_path: Path) -> None:
    """B3: after all migrations no table or column differs from those of a ledger made today."""
    old, new = tmp_path / "old.sqlite", tmp_path / "new.sqlite"
    an_old_ledger(old)
    for path in (old, new):
        Ledger(path, tables.PLATFORM, tables.PLATFORM_MIGRATIONS).close()
    assert columns(old) == columns(new)

"""The ledger: durable, undone, locked, versioned, checked."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, func, insert, select

from cluster.errors import StoreUnavailable
from cluster.storage import tables
from cluster.storage.ledger import Ledger

SCHEMA = MetaData()
THINGS = Table("things", SCHEMA, Column("name", String, primary_key=True), Column("n", Integer))
WIDER = MetaData()
Table(
    "things",
    WIDER,
    Column("name", String, primary_key=True),
    Column("n", Integer),
    Column("colour", String),
    Column("shape", String),
)
STEPS = (
    "ALTER TABLE things ADD COLUMN colour TEXT DEFAULT 'red'",
    "ALTER TABLE things ADD COLUMN shape TEXT DEFAULT 'round'",
)


def add(ledger: Ledger, *names: str) -> None:
    with ledger.begin() as tx:
        tx.execute(insert(THINGS), [{"name": name, "n": 1} for name in names])


def names(ledger: Ledger) -> list[str]:
    with ledger.begin() as tx:
        return [row.name for row in tx.execute(select(THINGS.c.name).order_by(THINGS.c.name))]


def filled(path: Path, rows: int = 3) -> None:
    ledger = Ledger(path, SCHEMA)
    add(ledger, *(f"thing-{n:05d}" for n in range(rows)))
    ledger.close()


def test_what_was_committed_is_there_after_reopening(tmp_path: Path) -> None:
    """A4 B3: a transaction that ended is in the file, in a folder that was made for it."""
    path = tmp_path / "deep" / "ledger.sqlite"
    filled(path)
    ledger = Ledger(path, SCHEMA)
    assert names(ledger) == ["thing-00000", "thing-00001", "thing-00002"]
    ledger.close()


def test_a_killed_process_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """A4: what a process acknowledged before it died without closing is there."""
    path = tmp_path / "ledger.sqlite"
    code = (
        "import os, sys; from pathlib import Path\n"
        "from cluster.storage.ledger import Ledger; from cluster.storage import tables\n"
        "ledger = Ledger(Path(sys.argv[1]), tables.PLATFORM)\n"
        "with ledger.begin() as tx:\n"
        "    tx.execute(tables.applied.insert(), {'projection': 'kept', 'seq': 1})\n"
        "block = ledger.begin()\n"
        "block.__enter__().execute(tables.applied.insert(), {'projection': 'open', 'seq': 2})\n"
        "os._exit(9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert done.returncode == 9
    ledger = Ledger(path, tables.PLATFORM)
    with ledger.begin() as tx:
        assert tx.execute(select(tables.applied.c.projection)).scalars().all() == ["kept"]
    ledger.close()


def test_the_writer_waits_for_the_disk(tmp_path: Path) -> None:
    """A4: write-ahead log with full sync, so that an acknowledgement is a promise."""
    ledger = Ledger(tmp_path / "ledger.sqlite", SCHEMA)
    with ledger.begin() as tx:
        assert tx.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert tx.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2  # FULL
    ledger.close()


def test_a_transaction_that_raises_leaves_nothing(tmp_path: Path) -> None:
    """A4: all of a transaction or none of it, and the ledger can be used afterwards."""
    ledger = Ledger(tmp_path / "ledger.sqlite", SCHEMA)

    def fail() -> None:
        with ledger.begin() as tx:
            tx.execute(insert(THINGS), {"name": "half", "n": 1})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert names(ledger) == []
    add(ledger, "whole")
    assert names(ledger) == ["whole"]
    ledger.close()


def test_a_second_writer_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    """A4: one writer each: another process is refused with a remedy, and let in afterwards."""
    path = tmp_path / "ledger.sqlite"
    code = (
        "import sys; from pathlib import Path\n"
        "from cluster.errors import StoreUnavailable\n"
        "from cluster.storage.ledger import Ledger; from cluster.storage import tables\n"
        "try: Ledger(Path(sys.argv[1]), tables.PLATFORM)\n"
        "except StoreUnavailable as error: sys.exit(7 if error.remedy else 8)\n"
    )

    def other() -> int:
        return subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode

    ledger = Ledger(path, tables.PLATFORM)
    with pytest.raises(StoreUnavailable):
        Ledger(path, tables.PLATFORM)
    assert other() == 7
    ledger.close()
    assert other() == 0


def test_a_newer_ledger_is_refused_and_left_alone(tmp_path: Path) -> None:
    """B3: code never writes into a ledger of a version that it does not know."""
    path = tmp_path / "ledger.sqlite"
    filled(path)
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA user_version=2")
    raw.close()
    with pytest.raises(StoreUnavailable, match="version 2"):
        Ledger(path, SCHEMA)
    Ledger(path, SCHEMA, ["SELECT 1"]).close()  # the newer code opens it, and its lock is free


def test_migrations_are_applied_once_and_in_order(tmp_path: Path) -> None:
    """B3: an old ledger is led through every version; its rows stay; a new one starts there."""
    path = tmp_path / "ledger.sqlite"
    filled(path, 1)
    Ledger(path, WIDER, STEPS[:1]).close()
    add_shape = (STEPS[0], STEPS[1], "UPDATE things SET shape = colour || '-' || shape")
    for _ in range(2):
        ledger = Ledger(path, WIDER, add_shape)
        with ledger.begin() as tx:
            rows = tx.exec_driver_sql("SELECT name, colour, shape FROM things").all()
            assert tx.exec_driver_sql("PRAGMA user_version").scalar_one() == 4
        ledger.close()
        assert [tuple(row) for row in rows] == [("thing-00000", "red", "red-round")]
    fresh = Ledger(tmp_path / "new.sqlite", WIDER, add_shape)
    with fresh.begin() as tx:
        assert tx.exec_driver_sql("PRAGMA user_version").scalar_one() == 4
        assert tx.exec_driver_sql("SELECT shape FROM things").all() == []
    fresh.close()


def test_a_failed_migration_changes_nothing(tmp_path: Path) -> None:
    """B3: a migration that breaks off leaves the old version whole, to be tried again."""
    path = tmp_path / "ledger.sqlite"
    filled(path)
    with pytest.raises(Exception, match="syntax error"):
        Ledger(path, WIDER, [STEPS[0], "this is no SQL"])
    ledger = Ledger(path, WIDER, STEPS)
    assert len(names(ledger)) == 3
    ledger.close()


def overwrite(start: int, end: int | None) -> Callable[[bytes], bytes]:
    def damage(content: bytes) -> bytes:
        stop = len(content) if end is None else end
        return content[:start] + b"\xaa" * (stop - start) + content[stop:]

    return damage


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def swap_pages(content: bytes) -> bytes:
    pages = [content[at : at + 4096] for at in range(0, len(content), 4096)]
    return b"".join([*pages[:3], *reversed(pages[3:])])


@pytest.mark.parametrize(
    "damage",
    [overwrite(0, 100), overwrite(4096, None), overwrite(8192, 20_000), cut, swap_pages],
    ids=["header", "all pages", "some pages", "cut", "swapped"],
)
def test_a_damaged_ledger_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    """B3 B9: damage is found when a ledger is opened, and said in our words with a remedy."""
    path = tmp_path / "ledger.sqlite"
    filled(path, 2000)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(StoreUnavailable) as caught:
        Ledger(path, SCHEMA)
    assert "backup" in caught.value.remedy
    path.unlink()
    Ledger(path, SCHEMA).close()  # a refusal frees the lock


def test_a_backup_is_a_ledger_of_its_own(tmp_path: Path) -> None:
    """B3: a copy made while the ledger is open has everything, and replaces an older copy."""
    ledger = Ledger(tmp_path / "ledger.sqlite", SCHEMA)
    add(ledger, "one")
    ledger.backup_to(str(tmp_path / "safe"), "monday")
    add(ledger, "two")
    copy = ledger.backup_to(str(tmp_path / "safe"), "monday")
    add(ledger, "three")
    ledger.close()
    assert copy == tmp_path / "safe" / "monday" / "ledger.sqlite"
    restored = Ledger(copy, SCHEMA)
    assert names(restored) == ["one", "two"]
    restored.close()


def test_the_lock_file_is_ours_alone(tmp_path: Path) -> None:
    """B9: nobody else may hold the lock."""
    Ledger(tmp_path / "ledger.sqlite", SCHEMA).close()
    assert (tmp_path / "ledger.sqlite.lock").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("schema", [tables.PLATFORM, tables.NETWORK, tables.REGISTRY, tables.TREND])
def test_every_ledger_of_the_product_opens_twice(tmp_path: Path, schema: MetaData) -> None:
    """B3: the four schemas can be made, and opened again."""
    for _ in range(2):
        ledger = Ledger(tmp_path / "ledger.sqlite", schema)
        with ledger.begin() as tx:
            made: Sequence[str] = (
                tx.exec_driver_sql("SELECT name FROM sqlite_master WHERE type='table'")
                .scalars()
                .all()
            )
            for table in schema.sorted_tables:
                assert tx.execute(select(func.count()).select_from(table)).scalar_one() == 0
        ledger.close()
        assert set(made) == set(schema.tables)

"""The ledger: the one truth of a writer, in one synced SQLite file with one connection.

WAL with synchronous FULL: what a transaction acknowledged survives kill -9 and, where the disk
honours fsync, power loss. A second process on the same file is refused by a lock beside it.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, MetaData, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from cluster.errors import StoreUnavailable

PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA cache_size=-65536",  # KiB
    "PRAGMA secure_delete=ON",  # what is erased is overwritten
)
DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Ledger:
    """An open ledger; close it, or let the process end, to free its lock."""

    def __init__(self, path: Path, tables: MetaData, migrations: Sequence[str] = ()) -> None:
        """Open or create a ledger and bring its schema up to date.

        Args:
            path: the SQLite file.
            tables: the schema of the newest version.
            migrations: SQL that leads from version n to n + 1, in order from version 1; the
                newest version is ``len(migrations) + 1``.

        Raises:
            StoreUnavailable: another process has it, it is damaged, or it is newer than this code.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._lock = _locked(path.with_name(path.name + ".lock"))
        self._engine = create_engine(
            f"sqlite:///{path}", poolclass=StaticPool, hide_parameters=True
        )
        event.listen(self._engine, "connect", _set_pragmas)
        try:
            self._migrate(tables, migrations)
        except DatabaseError as error:
            self.close()
            if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF not in DAMAGED:
                raise
            raise _damaged(path) from None
        except BaseException:
            self.close()
            raise

    def _migrate(self, tables: MetaData, migrations: Sequence[str]) -> None:
        newest = len(migrations) + 1
        with self.begin() as tx:
            tx.exec_driver_sql("BEGIN IMMEDIATE")  # sqlite3 opens none before DDL by itself
            version = int(tx.exec_driver_sql("PRAGMA user_version").scalar_one())
            if version > newest:
                what = f"the ledger has schema version {version}, this code knows {newest}"
                raise StoreUnavailable(what, self.path.name, "Install the newer release.")
            if version and tx.exec_driver_sql("PRAGMA quick_check(1)").scalar_one() != "ok":
                raise _damaged(self.path)
            if version == 0:
                tables.create_all(tx)
            for statement in migrations[version - 1 :] if version else ():
                tx.exec_driver_sql(statement)
            tx.exec_driver_sql(f"PRAGMA user_version={newest}")

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a transaction that is durable when the block ends, and undone if it raises.

        Raises:
            StoreUnavailable: the file cannot be read or written, on a full disk for example.
        """
        try:
            with self._engine.begin() as tx:
                yield tx
        except OperationalError as error:
            what = f"the ledger cannot be used: {error.orig}"
            raise StoreUnavailable(what, self.path.name, "Check the disk's space.") from None

    def backup_to(self, folder: str, name: str) -> Path:
        """Copy the ledger, as of now, into a folder under a name, and return the copy's path."""
        copy = Path(folder) / name / self.path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.unlink(missing_ok=True)
        with self._engine.connect() as connection:
            connection.exec_driver_sql("VACUUM INTO ?", (str(copy),))
        return copy

    def close(self) -> None:
        """Close the file and free the lock."""
        self._engine.dispose()
        os.close(self._lock)


def _damaged(path: Path) -> StoreUnavailable:
    what = "the ledger is damaged"
    return StoreUnavailable(what, path.name, "Restore it from a backup.")


def _set_pragmas(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _locked(path: Path) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        what = "another process has this ledger open"
        raise StoreUnavailable(
            what, path.name, "Stop the other run, or use another data folder."
        ) from None
    return handle

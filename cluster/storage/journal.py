"""Keyed commands and how far projections got, in a platform's ledger; audit chains of ledgers."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from cluster.ids import canonical_json, sha256
from cluster.storage.tables import applied, audit, idem

GENESIS = "0" * 64


def answer(tx: Connection, caller: str, key: str, body_digest: str, response: str) -> None:
    """Store the answer of a keyed command, in the command's own transaction."""
    seq = (tx.execute(select(func.max(idem.c.seq))).scalar() or 0) + 1
    row = {"caller": caller, "key": key, "body_digest": body_digest, "response": response}
    tx.execute(insert(idem), row | {"seq": seq})


def answer_of(tx: Connection, caller: str, key: str) -> Row[Any] | None:
    """Return the stored answer of a keyed command."""
    chosen = select(idem).where(idem.c.caller == caller, idem.c.key == key)
    return tx.execute(chosen).one_or_none()


def last_answer(tx: Connection, caller: str) -> Row[Any] | None:
    """Return the newest stored answer to a caller."""
    chosen = select(idem).where(idem.c.caller == caller)
    return tx.execute(chosen.order_by(idem.c.seq.desc()).limit(1)).one_or_none()


def append_audit(tx: Connection, at: float, action: str, facts: Mapping[str, Any]) -> None:
    """Add a row to the chain; each row's hash covers the one before."""
    last = tx.execute(
        select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)
    ).one_or_none()
    seq, prev = (last.seq + 1, last.hash) if last else (1, GENESIS)
    row = canonical_json({**facts, "at": at, "action": action})
    tx.execute(insert(audit), {"seq": seq, "prev": prev, "hash": sha256(prev + row), "row": row})


def first_broken_audit_row(tx: Connection) -> int | None:
    """Return the place of the first audit row that does not follow from the one before."""
    prev, expected = GENESIS, 1
    for row in tx.execute(select(audit).order_by(audit.c.seq)):
        if row.seq != expected or row.prev != prev or row.hash != sha256(prev + row.row):
            return expected
        prev, expected = row.hash, expected + 1
    return None


def applied_seq(tx: Connection, projection: str) -> int:
    """Return how far a projection has followed the changes."""
    found = tx.execute(select(applied.c.seq).where(applied.c.projection == projection)).scalar()
    return int(found or 0)


def set_applied(tx: Connection, projection: str, seq: int) -> None:
    """Note how far a projection has followed."""
    write = upsert(applied).values(projection=projection, seq=seq)
    tx.execute(write.on_conflict_do_update(index_elements=["projection"], set_={"seq": seq}))

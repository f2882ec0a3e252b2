"""Access events in a platform's ledger: an event id counts once (S500)."""

import math
from collections.abc import Sequence
from typing import Final

import pyarrow as pa
from sqlalchemy import Connection, func, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert

from cluster.contracts.access import EVENTS
from cluster.storage.tables import events

READ_ROWS: Final = 1000
"""Rows that are read at a time; more leave the processor's cache and take twice as long."""

_NEW_EVENT: Final = str(
    insert(events)
    .values(dict.fromkeys(EVENTS.names))
    .on_conflict_do_nothing()
    .compile(dialect=sqlite.dialect(), column_keys=EVENTS.names)
)


def put_events(tx: Connection, table: pa.Table) -> int:
    """Store events with the schema ``EVENTS``, and return how many of them were new."""
    if not table.num_rows:
        return 0
    columns = (table[name].to_pylist() for name in EVENTS.names)
    return tx.exec_driver_sql(_NEW_EVENT, list(zip(*columns, strict=True))).rowcount


def count_events(tx: Connection) -> int:
    """Return the number of distinct events."""
    return int(tx.execute(select(func.count()).select_from(events)).scalar_one())


def get_events(
    tx: Connection,
    *,
    before: float,
    after: float = -math.inf,
    columns: Sequence[str] = tuple(EVENTS.names),
) -> pa.Table:
    """Return the events with a time in [after, before), by time and id.

    Args:
        tx: open transaction.
        before: seconds since the epoch, not in the span.
        after: seconds since the epoch, in the span.
        columns: names of ``EVENTS``; fewer are read faster.
    """
    schema = pa.schema([EVENTS.field(name) for name in columns])
    chosen = select(*(events.c[name] for name in columns)).where(
        events.c.at >= after, events.c.at < before
    )
    found = tx.execute(chosen.order_by(events.c.at, events.c.event_id))
    batches = []
    while rows := found.cursor.fetchmany(READ_ROWS) if found.cursor else ():
        parts = zip(zip(*rows, strict=True), schema, strict=True)
        arrays = [pa.array(part, field.type) for part, field in parts]
        batches.append(pa.record_batch(arrays, schema=schema))
    found.close()
    return pa.Table.from_batches(batches, schema).combine_chunks()

"""Access events in a platform's ledger: an event id counts once (S500)."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.sqlite import insert

from cluster.contracts.access import EVENTS
from cluster.storage.tables import events


def put_events(tx: Connection, table: pa.Table) -> int:
    """Store events, and return how many of them were new."""
    before = count_events(tx)
    if table.num_rows:
        tx.execute(insert(events).on_conflict_do_nothing(), table.to_pylist())
    return count_events(tx) - before


def count_events(tx: Connection) -> int:
    """Return the number of distinct events."""
    return int(tx.execute(select(func.count()).select_from(events)).scalar_one())


def visits(tx: Connection, start: float, end: float) -> int:
    """Return the number of events with a time in [start, end)."""
    chosen = select(func.count()).where(events.c.at >= start, events.c.at < end)
    return int(tx.execute(chosen.select_from(events)).scalar_one())


def get_events(tx: Connection, *, before: float) -> pa.Table:
    """Return the events before an instant as a table of ``EVENTS``, by time and id."""
    columns = [events.c[name] for name in EVENTS.names]
    chosen = select(*columns).where(events.c.at < before)
    rows: Sequence[Sequence[Any]] = tx.execute(
        chosen.order_by(events.c.at, events.c.event_id)
    ).all()
    by_column = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    arrays = [pa.array(c, field.type) for c, field in zip(by_column, EVENTS, strict=True)]
    return pa.Table.from_arrays(arrays, schema=EVENTS)

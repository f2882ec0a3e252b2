"""Decisions, outbox and inbox a page at a time, filtered in the ledger (B9).

A page goes on from the place of a row in the order in which rows were written, which nothing that
is written later changes.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, column, select

from cluster.contracts.share import InboxRow
from cluster.contracts.sharing import DecisionRecord, DeliveryStatus, Receipt
from cluster.storage.tables import decisions, inbox, outbox

_place: ColumnElement[int] = column("rowid", is_literal=True)


def decisions_after(
    tx: Connection, after: int, limit: int, *, period_end: float | None = None, outcome: str = ""
) -> list[tuple[int, DecisionRecord]]:
    """Return decisions with their places, the first ones made first."""
    asked = {"period_end": period_end, "outcome": outcome or None}
    rows = _rows(tx, decisions, asked, [_place > after], limit)
    return [(row.place, DecisionRecord.model_validate_json(row.record)) for row in rows]


def deliveries_after(
    tx: Connection, after: int, limit: int, *, state: str = "", peer: str = "", case_id: str = ""
) -> list[tuple[int, DeliveryStatus]]:
    """Return rows of the outbox with their places, those queued first first."""
    asked = {"state": state or None, "peer": peer or None, "case_id": case_id or None}
    rows = _rows(tx, outbox, asked, [_place > after], limit)
    return [(row.place, status_of(row)) for row in rows]


def received_before(
    tx: Connection, before: int | None, limit: int, *, sender: str = "", case_id: str = ""
) -> list[tuple[int, InboxRow]]:
    """Return what was received with its places, the last first; None begins at the last."""
    asked = {"sender": sender or None, "case_id": case_id or None}
    earlier = [] if before is None else [_place < before]
    rows = _rows(tx, inbox, asked, earlier, limit, newest_first=True)
    return [(row.place, _received(row)) for row in rows]


def status_of(row: Row[Any]) -> DeliveryStatus:
    """Return what people see of a row of the outbox."""
    fields = DeliveryStatus.model_fields.keys() - {"receipt"}
    receipt = Receipt.model_validate_json(row.receipt) if row.receipt else None
    return DeliveryStatus(**{name: getattr(row, name) for name in fields}, receipt=receipt)


def _rows(
    tx: Connection,
    table: Table,
    asked: Mapping[str, str | float | None],
    places: list[ColumnElement[bool]],
    limit: int,
    *,
    newest_first: bool = False,
) -> Iterator[Row[Any]]:
    equal = [table.c[name] == value for name, value in asked.items() if value is not None]
    order = _place.desc() if newest_first else _place
    chosen = select(table, _place.label("place")).where(*equal, *places)
    return iter(tx.execute(chosen.order_by(order).limit(limit)))


def _received(row: Row[Any]) -> InboxRow:
    receipt = Receipt.model_validate_json(row.receipt)
    fields = InboxRow.model_fields.keys() - {"received_at"}
    told = {name: getattr(row, name) for name in fields}
    return InboxRow(**told, received_at=receipt.received_at)

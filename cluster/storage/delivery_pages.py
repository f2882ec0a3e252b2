"""Decisions, outbox and inbox a page at a time, filtered in the ledger (B9).

A page goes on from the place of a row in the order in which rows were written, which nothing that
is written later changes.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Connection, Row, Table, column, select

from cluster.contracts.related import RelatedItem
from cluster.contracts.share import InboxRow, OutboxRow
from cluster.contracts.sharing import DecisionRecord, DeliveryStatus, Envelope, Receipt
from cluster.ids import key_of
from cluster.storage.tables import cases, decisions, inbox, outbox, related

SHOWN: Final = 5
"""Related items that are shown as evidence."""
ITEMS: Final = TypeAdapter(tuple[RelatedItem, ...])
_place: ColumnElement[int] = column("rowid", is_literal=True)


def decisions_after(
    tx: Connection, after: int, limit: int, *, period_end: float | None = None, outcome: str = ""
) -> list[tuple[int, DecisionRecord]]:
    """Return decisions with their places, the first ones made first."""
    asked = {"period_end": period_end, "outcome": outcome or None}
    rows = _rows(tx, decisions, asked, [_place > after], limit)
    return [(row.place, DecisionRecord.model_validate_json(row.record)) for row in rows]


def deliveries_after(
    tx: Connection, after: int, limit: int, *, disease_id: str = "", **asked: str
) -> list[tuple[int, OutboxRow]]:
    """Return rows of the outbox with their places, those queued first first.

    Args:
        tx: of the ledger.
        after: place of the last row of the page before.
        limit: rows.
        disease_id: of the case; empty for any.
        asked: columns and what they must be; empty for anything.
    """
    where = [_place > after, *_of_disease(outbox, disease_id)]
    rows = list(_rows(tx, outbox, {name: one or None for name, one in asked.items()}, where, limit))
    diseases = _diseases(tx, [row.case_id for row in rows])
    return [
        (
            row.place,
            OutboxRow(
                **status_of(row).model_dump(),
                disease_id=diseases.get(row.case_id, ""),
                evidence=_evidence(tx, row),
            ),
        )
        for row in rows
    ]


def received_before(
    tx: Connection, before: int | None, limit: int, *, disease_id: str = "", **asked: str
) -> list[tuple[int, InboxRow]]:
    """Return what was received with its places, the last first.

    Args:
        tx: of the ledger.
        before: place of the last row of the page before; None begins at the last.
        limit: rows.
        disease_id: of the case, where it is held; empty for any.
        asked: columns and what they must be; empty for anything.
    """
    earlier = [] if before is None else [_place < before]
    where = [*earlier, *_of_disease(inbox, disease_id)]
    equal = {name: one or None for name, one in asked.items()}
    rows = list(_rows(tx, inbox, equal, where, limit, newest_first=True))
    diseases = _diseases(tx, [row.case_id for row in rows])
    return [(row.place, _received(tx, row, diseases.get(row.case_id, ""))) for row in rows]


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


def _received(tx: Connection, row: Row[Any], disease_id: str) -> InboxRow:
    receipt = Receipt.model_validate_json(row.receipt)
    beside = select(related.c.item).where(related.c.case_id == row.case_id).limit(SHOWN)
    items = [RelatedItem.model_validate_json(one.item) for one in tx.execute(beside)]
    return InboxRow(
        sender=row.sender,
        delivery_id=row.delivery_id,
        kind=row.kind,
        case_id=row.case_id,
        digest=row.digest,
        received_at=receipt.received_at,
        disease_id=disease_id,
        evidence=_told(items) if row.kind == "related" else (),
    )


def _evidence(tx: Connection, row: Row[Any]) -> tuple[str, ...]:
    """Return why a delivery was made, from the decision on its case or from what it carries."""
    envelope = Envelope.model_validate_json(row.payload)
    if row.kind == "related":
        return _told(ITEMS.validate_json(envelope.payload)[:SHOWN])
    if row.kind == "recall":
        return ()
    rounds = (row.round,) if row.round else ()
    chosen = select(decisions.c.record).where(decisions.c.case_id == row.case_id)
    for one in tx.execute(chosen):
        record = DecisionRecord.model_validate_json(one.record)
        if key_of("case", record.decision_id, row.peer, *rounds) == row.delivery_id:
            return (record.reason,)
    return ()


def _told(items: Sequence[RelatedItem]) -> tuple[str, ...]:
    return tuple(f"{item.kind} {item.item_id}: {item.why}" for item in items)


def _of_disease(table: Table, disease_id: str) -> list[ColumnElement[bool]]:
    if not disease_id:
        return []
    of_it = select(cases.c.case_id).where(cases.c.disease_id == disease_id)
    return [table.c.case_id.in_(of_it)]


def _diseases(tx: Connection, case_ids: Sequence[str]) -> dict[str, str]:
    chosen = select(cases.c.case_id, cases.c.disease_id).where(cases.c.case_id.in_(case_ids))
    return {row.case_id: row.disease_id or "" for row in tx.execute(chosen)}

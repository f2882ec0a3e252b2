"""Peers, decisions, outbox, inbox and related material in a platform's ledger."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, delete, func, insert, literal_column, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from cluster.contracts.related import RelatedItem
from cluster.contracts.sharing import DecisionRecord, DeliveryStatus, Envelope, Peer, Receipt
from cluster.sharing.delivery import Delivery, State
from cluster.sharing.refresh import digest_of, place_of
from cluster.storage.delivery_pages import status_of
from cluster.storage.tables import (
    answers,
    approvals,
    decisions,
    inbox,
    named,
    outbox,
    peers,
    related,
)

ITEMS = TypeAdapter(tuple[RelatedItem, ...])


def put_peers(tx: Connection, known: Iterable[Peer]) -> None:
    """Replace what is known of the other platforms; an older policy never overwrites a newer."""
    for peer in known:
        row = {
            "peer_id": peer.peer_id,
            "linked": int(peer.linked),
            "agreed": int(peer.agreed),
            "public_key": peer.public_key,
            "policy_epoch": peer.policy_epoch,
        }
        write = upsert(peers).values(row)
        tx.execute(
            write.on_conflict_do_update(
                index_elements=["peer_id"],
                set_=row,
                where=peers.c.policy_epoch <= peer.policy_epoch,
            )
        )


def get_peer(tx: Connection, peer_id: str) -> Peer | None:
    """Return what is known of another platform."""
    row = tx.execute(select(peers).where(peers.c.peer_id == peer_id)).one_or_none()
    return Peer.model_validate(dict(row._mapping)) if row else None


def put_decision(tx: Connection, record: DecisionRecord) -> bool:
    """Store a decision, and say whether it was new; a decision is never made twice."""
    row = {
        "decision_id": record.decision_id,
        "case_id": record.case_id,
        "rev": record.rev,
        "period_end": record.period_end,
        "outcome": record.outcome,
        "record": record.model_dump_json(),
    }
    write = insert(decisions)
    done = tx.execute(select(decisions.c.rev).where(decisions.c.decision_id == record.decision_id))
    if done.one_or_none():
        return False
    tx.execute(write, row)
    return True


def get_decisions(tx: Connection, *, period_end: float | None = None) -> list[DecisionRecord]:
    """Return the decisions, of one period or all, by case."""
    chosen = select(decisions.c.record).order_by(decisions.c.period_end, decisions.c.case_id)
    if period_end is not None:
        chosen = chosen.where(decisions.c.period_end == period_end)
    return [DecisionRecord.model_validate_json(row.record) for row in tx.execute(chosen)]


def decisions_of(tx: Connection, case_id: str) -> list[DecisionRecord]:
    """Return the decisions on a case, by period."""
    chosen = select(decisions.c.record).where(decisions.c.case_id == case_id)
    rows = tx.execute(chosen.order_by(decisions.c.period_end))
    return [DecisionRecord.model_validate_json(row.record) for row in rows]


def decision_rows(tx: Connection) -> Sequence[Row[Any]]:
    """Return the decisions as they are stored, by period and case; the record is JSON."""
    return tx.execute(select(decisions).order_by(decisions.c.period_end, decisions.c.case_id)).all()


def put_approval(tx: Connection, case_id: str, rev: int, *, now: float) -> bool:
    """Keep an operator's approval of a revision, and say whether it was new."""
    row = {"case_id": case_id, "rev": rev, "approved_at": now}
    return tx.execute(upsert(approvals).values(row).on_conflict_do_nothing()).rowcount > 0


def approved_revisions(tx: Connection) -> set[tuple[str, int]]:
    """Return (case, revision) of what an operator has approved."""
    return {(row.case_id, row.rev) for row in tx.execute(select(approvals))}


def uploaded_cases(tx: Connection) -> set[str]:
    """Return the ids of the cases that a decision has sent out."""
    rows = tx.execute(select(decisions.c.case_id).where(decisions.c.outcome == "upload"))
    return {row.case_id for row in rows}


def uploaded_revisions(tx: Connection) -> set[tuple[str, int]]:
    """Return (case, revision) of what a decision has sent out."""
    rows = tx.execute(
        select(decisions.c.case_id, decisions.c.rev).where(decisions.c.outcome == "upload")
    )
    return {(row.case_id, row.rev) for row in rows}


def is_uploaded(tx: Connection, case_id: str) -> bool:
    """Say whether a decision has sent a case out."""
    chosen = select(func.count()).where(
        decisions.c.case_id == case_id, decisions.c.outcome == "upload"
    )
    return bool(tx.execute(chosen.select_from(decisions)).scalar_one())


def queue(tx: Connection, envelope: Envelope, own_case_id: str, *, now: float) -> None:
    """Put a delivery into the outbox, once."""
    row = {
        "delivery_id": envelope.delivery_id,
        "kind": envelope.kind,
        "case_id": own_case_id,
        "round": envelope.round,
        "peer": envelope.receiver,
        "digest": envelope.digest,
        "payload": envelope.model_dump_json(),
        "state": State.QUEUED,
        "attempts": 0,
        "next_at": now,
        "owner": "",
        "epoch": 0,
        "lease_until": 0.0,
        "reason": "",
    }
    tx.execute(upsert(outbox).values(row).on_conflict_do_nothing())


def candidates(tx: Connection, *, now: float, limit: int) -> list[tuple[Delivery, Row[Any]]]:
    """Return deliveries whose time has come or whose lease is over, oldest first."""
    due = or_(
        (outbox.c.state == State.QUEUED) & (outbox.c.next_at <= now),
        (outbox.c.state == State.CLAIMED) & (outbox.c.lease_until <= now),
    )
    chosen = select(outbox).where(due).order_by(outbox.c.next_at, outbox.c.delivery_id).limit(limit)
    return [(_delivery(row), row) for row in tx.execute(chosen).all()]


def claimed_by_others(tx: Connection, owner: str) -> list[Delivery]:
    """Return the deliveries that an earlier owner left claimed."""
    chosen = select(outbox).where(outbox.c.state == State.CLAIMED, outbox.c.owner != owner)
    return [_delivery(row) for row in tx.execute(chosen).all()]


def used_up_until(tx: Connection, reason: str, at: float) -> list[Delivery]:
    """Return what is parked for a reason since its last lease ended before an instant."""
    chosen = select(outbox).where(
        outbox.c.state == State.PARKED, outbox.c.reason == reason, outbox.c.lease_until <= at
    )
    return [_delivery(row) for row in tx.execute(chosen).all()]


def parked_recalls(tx: Connection) -> list[Delivery]:
    """Return the recalls that are parked, for whatever reason."""
    chosen = select(outbox).where(outbox.c.state == State.PARKED, outbox.c.kind == "recall")
    return [_delivery(row) for row in tx.execute(chosen).all()]


def parked_for(tx: Connection, reasons: Sequence[str]) -> list[tuple[Delivery, str]]:
    """Return the deliveries that are parked for one of the reasons, each with its receiver."""
    chosen = select(outbox).where(
        outbox.c.state == State.PARKED, outbox.c.reason.in_(reasons), outbox.c.kind != "recall"
    )
    return [(_delivery(row), row.peer) for row in tx.execute(chosen).all()]


def get_delivery(tx: Connection, delivery_id: str) -> tuple[Delivery, Row[Any]] | None:
    """Return one delivery."""
    row = tx.execute(select(outbox).where(outbox.c.delivery_id == delivery_id)).one_or_none()
    return (_delivery(row), row) if row else None


def save_delivery(tx: Connection, delivery: Delivery, receipt: Receipt | None = None) -> None:
    """Store where a delivery stands now."""
    values: dict[str, Any] = {
        name: getattr(delivery, name)
        for name in ("state", "attempts", "next_at", "owner", "epoch", "lease_until", "reason")
    }
    if receipt:
        values["receipt"] = receipt.model_dump_json()
    tx.execute(update(outbox).where(outbox.c.delivery_id == delivery.delivery_id).values(**values))


def next_due_at(tx: Connection) -> float | None:
    """Return when the next open delivery may be claimed; None where nothing is open."""
    queued = select(func.min(outbox.c.next_at)).where(outbox.c.state == State.QUEUED)
    claimed = select(func.min(outbox.c.lease_until)).where(outbox.c.state == State.CLAIMED)
    times = [tx.execute(chosen).scalar() for chosen in (queued, claimed)]
    return min((at for at in times if at is not None), default=None)


def delivery_statuses(tx: Connection) -> list[DeliveryStatus]:
    """Return every row of the outbox, by case and peer."""
    rows = tx.execute(select(outbox).order_by(outbox.c.case_id, outbox.c.peer, outbox.c.kind))
    return [status_of(row) for row in rows]


def case_targets(tx: Connection) -> dict[str, list[str]]:
    """Return the platforms that each shared case was queued for, sorted."""
    chosen = select(outbox.c.case_id, outbox.c.peer).where(outbox.c.kind == "case").distinct()
    targets: dict[str, list[str]] = {}
    for row in tx.execute(chosen.order_by(outbox.c.case_id, outbox.c.peer)):
        targets.setdefault(row.case_id, []).append(row.peer)
    return targets


def of_case(tx: Connection, case_id: str) -> list[tuple[Delivery, Row[Any]]]:
    """Return all deliveries of a case."""
    chosen = select(outbox).where(outbox.c.case_id == case_id)
    return [(_delivery(row), row) for row in tx.execute(chosen).all()]


def was_sent(tx: Connection, case_id: str, peer: str) -> bool:
    """Say whether anything about a case was ever claimed for a platform, which may have it then."""
    chosen = select(outbox.c.delivery_id).where(
        outbox.c.case_id == case_id, outbox.c.peer == peer, outbox.c.epoch > 0
    )
    return tx.execute(chosen.limit(1)).first() is not None


def related_pushes(tx: Connection, case_id: str, peer: str, round_: int) -> list[tuple[str, State]]:
    """Return key and state of what was queued beside a case in a round, oldest first."""
    chosen = select(outbox.c.delivery_id, outbox.c.state).where(
        outbox.c.case_id == case_id,
        outbox.c.peer == peer,
        outbox.c.kind == "related",
        outbox.c.round == round_,
    )
    rows = tx.execute(chosen.order_by(literal_column("outbox.rowid")))
    return [(row.delivery_id, State(row.state)) for row in rows]


def agreed_peers(tx: Connection) -> tuple[str, ...]:
    """Return the platforms that are linked and agreed, sorted."""
    chosen = select(peers.c.peer_id).where(peers.c.linked == 1, peers.c.agreed == 1)
    return tuple(sorted(row.peer_id for row in tx.execute(chosen)))


def get_receipt(tx: Connection, sender: str, delivery_id: str) -> Receipt | None:
    """Return the receipt that was given for a delivery, where it came in before."""
    chosen = select(inbox.c.receipt).where(
        inbox.c.sender == sender, inbox.c.delivery_id == delivery_id
    )
    found = tx.execute(chosen).scalar()
    return Receipt.model_validate_json(found) if found else None


def put_receipt(tx: Connection, envelope: Envelope, receipt: Receipt) -> None:
    """Note a delivery as received, under its sender and key."""
    row = {
        "sender": envelope.sender,
        "delivery_id": envelope.delivery_id,
        "kind": envelope.kind,
        "case_id": envelope.case_id,
        "digest": envelope.digest,
        "receipt": receipt.model_dump_json(),
    }
    tx.execute(insert(inbox), row)


def put_related(tx: Connection, case_id: str, items: Sequence[RelatedItem]) -> None:
    """Store or replace related items of a case."""
    for item in items:
        row = {
            "case_id": case_id,
            "item_id": item.item_id,
            "digest": digest_of(item),
            "item": item.model_dump_json(),
        }
        write = upsert(related).values(row)
        keys = ["case_id", "item_id"]
        tx.execute(write.on_conflict_do_update(index_elements=keys, set_=row))


def forget_answers(tx: Connection, case_id: str) -> None:
    """Have every source asked anew about a case."""
    tx.execute(delete(answers).where(answers.c.case_id == case_id))


def note_named(tx: Connection, peer: str, case_ids: Collection[str]) -> None:
    """Note that a platform was told of own cases which it may keep beside its own."""
    if case_ids:
        rows = [{"case_id": case_id, "peer": peer} for case_id in case_ids]
        tx.execute(upsert(named).on_conflict_do_nothing(), rows)


def take_named(tx: Connection, case_id: str) -> set[str]:
    """Return the platforms that were told of a case, and forget that they were."""
    gone = delete(named).where(named.c.case_id == case_id).returning(named.c.peer)
    return {row.peer for row in tx.execute(gone)}


def cases_beside(tx: Connection, item_id: str) -> list[str]:
    """Return the cases beside which an item stands, or about which it was answered."""
    stands = select(related.c.case_id).where(related.c.item_id == item_id)
    told = select(answers.c.case_id).where(answers.c.found.contains(item_id, autoescape=True))
    return [row.case_id for row in tx.execute(stands.union(told).order_by("case_id"))]


def keep_related(tx: Connection, case_id: str, item_ids: Sequence[str]) -> None:
    """Forget the related items of a case that are not among these any more."""
    gone = (related.c.case_id == case_id) & related.c.item_id.not_in(item_ids)
    tx.execute(delete(related).where(gone))


def get_related(tx: Connection, case_id: str) -> list[RelatedItem]:
    """Return the related items of a case: cases, then publications, each best first."""
    rows = tx.execute(select(related.c.item).where(related.c.case_id == case_id))
    return sorted((RelatedItem.model_validate_json(row.item) for row in rows), key=place_of)


def related_digests(tx: Connection, case_id: str) -> dict[str, str]:
    """Return the digests of the related items of a case, by item."""
    rows = tx.execute(
        select(related.c.item_id, related.c.digest).where(related.c.case_id == case_id)
    )
    return {row.item_id: row.digest for row in rows}


def answered_at(tx: Connection) -> dict[tuple[str, str], float]:
    """Return when each source last answered, by case and source."""
    rows = tx.execute(select(answers.c.case_id, answers.c.source, answers.c.answered_at))
    return {(row.case_id, row.source): row.answered_at for row in rows}


def put_answer(
    tx: Connection, case_id: str, source: str, items: Sequence[RelatedItem], at: float
) -> None:
    """Replace what a source last answered about a case."""
    row = {
        "case_id": case_id,
        "source": source,
        "answered_at": at,
        "found": ITEMS.dump_json(tuple(items)).decode(),
    }
    write = upsert(answers).values(row)
    tx.execute(write.on_conflict_do_update(index_elements=["case_id", "source"], set_=row))


def get_answers(tx: Connection, case_id: str) -> dict[str, tuple[RelatedItem, ...]]:
    """Return what each source last answered about a case."""
    chosen = select(answers.c.source, answers.c.found).where(answers.c.case_id == case_id)
    rows = tx.execute(chosen.order_by(answers.c.source))
    return {row.source: ITEMS.validate_json(row.found) for row in rows}


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        delivery_id=row.delivery_id,
        state=State(row.state),
        attempts=row.attempts,
        next_at=row.next_at,
        owner=row.owner,
        epoch=row.epoch,
        lease_until=row.lease_until,
        reason=row.reason,
    )

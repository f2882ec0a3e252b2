"""What leaves and what arrives: claim behind the gate, receive once, settle (S900, S1000)."""

from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, Row

from cluster.case.case import read_case
from cluster.contracts.related import RelatedItem
from cluster.contracts.sharing import DeliveryStatus, Envelope, Receipt, Refusal, Settlement
from cluster.errors import CaseInvalid, NotFound
from cluster.flow import outbox
from cluster.flow.decisions import redacted_payload
from cluster.flow.platform import Platform
from cluster.flow.projection import project
from cluster.flow.recalls import WITHDRAWN, erase, recall_payload
from cluster.ids import sha256
from cluster.sharing import delivery as machine
from cluster.sharing import gate
from cluster.sharing.delivery import BACKOFF_S_MAX, USED_UP, Event
from cluster.sharing.receipt import is_valid, sign
from cluster.storage import cases as case_rows
from cluster.storage import deliveries, journal

RELATED_ITEMS = TypeAdapter(list[RelatedItem])
REASON_CHARS = 500
SUPERSEDED = "superseded"
"""A later delivery of related material says all that this one would, and newer things."""


def release_claims(platform: Platform, owner: str) -> int:
    """Take back what an earlier courier left claimed; its late settlements no longer count."""
    with platform.ledger.begin() as tx:
        left = deliveries.claimed_by_others(tx, owner)
        for one in left:
            outbox.move(tx, platform, one, Event.RELEASE)
    return len(left)


def claim(platform: Platform, owner: str, limit: int) -> list[Envelope]:
    """Claim due deliveries for a courier; each passes the gate in the claim's own transaction.

    The audit row of the attempt is durable before the envelope leaves this call. What nobody
    answered too often has rested for a quarter of an hour, and is tried again.
    """
    now = platform.clock.now()
    claimed = []
    with platform.ledger.begin() as tx:
        for rested in deliveries.used_up_until(tx, USED_UP, now - BACKOFF_S_MAX):
            outbox.move(tx, platform, rested, Event.REOPEN)
        for one, row in deliveries.candidates(tx, now=now, limit=limit):
            envelope = Envelope.model_validate_json(row.payload)
            is_used_up = one.attempts >= platform.settings.attempts_max
            denial = USED_UP if is_used_up else _denial(tx, platform, row, envelope)
            if denial:
                outbox.move(tx, platform, one, Event.DENY, denial)
                facts = {"delivery": one.delivery_id, "reason": denial}
                journal.append_audit(tx, now, "disclosure denied", facts)
                continue
            taken = machine.claim(one, owner, now=now, lease_s=platform.settings.lease_s)
            deliveries.save_delivery(tx, taken)
            facts = {"delivery": one.delivery_id, "peer": row.peer, "digest": row.digest}
            journal.append_audit(tx, now, "disclosure attempted", facts)
            claimed.append(envelope.model_copy(update={"epoch": taken.epoch}))
    return claimed


def settle(platform: Platform, settlements: Sequence[Settlement]) -> None:
    """Bring home how attempts went; a settlement of an older epoch changes nothing."""
    now = platform.clock.now()
    with platform.ledger.begin() as tx:
        for settlement in settlements:
            found = deliveries.get_delivery(tx, settlement.delivery_id)
            if found is None or found[0].epoch != settlement.epoch:
                continue
            one, row = found
            if one.state is not machine.State.CLAIMED:
                continue
            event, reason = _outcome(tx, row, settlement)
            receipt = settlement.receipt if event is Event.RECEIPT else None
            settled = outbox.move(tx, platform, one, event, reason, receipt)
            facts = {"delivery": one.delivery_id, "state": settled.state, "reason": reason}
            journal.append_audit(tx, now, "disclosure settled", facts)


def receive(platform: Platform, envelopes: Sequence[Envelope]) -> list[Receipt | Refusal]:
    """Take in deliveries from other platforms, each once, and answer with receipts.

    All that is accepted is durable before the first receipt leaves; a delivery that came before
    is answered with the receipt of the first time.
    """
    with platform.ledger.begin() as tx:
        answers = [_receive_one(tx, platform, envelope) for envelope in envelopes]
    project(platform)
    return answers


def receipt(platform: Platform, sender: str, delivery_id: str) -> Receipt:
    """Return the receipt that a sender was given for a delivery.

    Raises:
        NotFound: nothing came from the sender under this key.
    """
    with platform.ledger.begin() as tx:
        found = deliveries.get_receipt(tx, sender, delivery_id)
    if found is None:
        what = "there is no such delivery from this sender"
        raise NotFound(what, platform.platform_id, "Send it, or send it again.")
    return found


def next_due_at(platform: Platform) -> float | None:
    """Return when the next open delivery may be claimed; None where none is open."""
    with platform.ledger.begin() as tx:
        return deliveries.next_due_at(tx)


def statuses(platform: Platform) -> list[DeliveryStatus]:
    """Return every row of the outbox."""
    with platform.ledger.begin() as tx:
        return deliveries.delivery_statuses(tx)


def _denial(
    tx: Connection, platform: Platform, row: Row[tuple[object, ...]], envelope: Envelope
) -> str:
    peer = deliveries.get_peer(tx, envelope.receiver)
    has_key = peer is not None and bool(peer.public_key)
    if envelope.kind == "recall":
        return "" if has_key else "peer_key_missing"
    case = case_rows.get_case(tx, row.case_id)
    if case is not None and envelope.round != case.round:
        return WITHDRAWN
    if envelope.kind == "case":
        redacted = case is not None and envelope.payload == redacted_payload(
            platform, case, envelope.case_id
        )
    else:
        pushes = deliveries.related_pushes(tx, row.case_id, row.peer, envelope.round)
        if pushes[-1][0] != row.delivery_id:
            return SUPERSEDED
        if envelope.only_takes_back and deliveries.was_sent(tx, row.case_id, row.peer):
            return "" if has_key else "peer_key_missing"
        redacted = sha256(envelope.payload) == envelope.digest
    facts = gate.GateFacts(
        case_is_active=case is not None and case.state == "active",
        consent_is_given=case is not None and case.consent == "share",
        peer_is_linked=peer is not None and peer.linked,
        peer_has_agreement=peer is not None and peer.agreed,
        peer_has_key=has_key,
        decision_is_upload=deliveries.is_uploaded(tx, row.case_id),
        payload_is_redacted=redacted,
    )
    return gate.denial(facts)


def _outcome(
    tx: Connection, row: Row[tuple[object, ...]], settlement: Settlement
) -> tuple[Event, str]:
    """Judge an answer: only a valid receipt is a delivery, a refusal is final, the rest is none."""
    if settlement.refusal:
        return Event.REFUSAL, settlement.refusal.code
    if settlement.receipt is None:
        return Event.SILENCE, settlement.reason or "no_answer"
    peer = deliveries.get_peer(tx, row.peer)
    if peer and is_valid(
        settlement.receipt,
        peer.public_key,
        delivery_id=settlement.delivery_id,
        digest=row.digest,
    ):
        return Event.RECEIPT, ""
    return Event.SILENCE, "receipt_invalid"


def _receive_one(tx: Connection, platform: Platform, envelope: Envelope) -> Receipt | Refusal:
    known = deliveries.get_receipt(tx, envelope.sender, envelope.delivery_id)
    if known:
        if known.digest == envelope.digest:
            return known
        return _refused(envelope, "delivery_id_conflict", "the key came with another content")
    peer = deliveries.get_peer(tx, envelope.sender)
    may_send = peer is not None and (envelope.only_takes_back or (peer.linked and peer.agreed))
    if not may_send:
        return _refused(envelope, "agreement_missing", "the sender may not send here")
    if envelope.receiver != platform.platform_id:
        return _refused(envelope, "wrong_receiver", "addressed to another platform")
    if sha256(envelope.payload) != envelope.digest:
        return _refused(envelope, "digest_mismatch", "the content is not what was signed for")
    refusal = _keep(tx, platform, envelope)
    if refusal:
        return refusal
    now = platform.clock.now()
    receipt = sign(
        Receipt(
            delivery_id=envelope.delivery_id,
            receiver=platform.platform_id,
            digest=envelope.digest,
            received_at=now,
        ),
        platform.keys.signing_key,
    )
    deliveries.put_receipt(tx, envelope, receipt)
    facts = {"delivery": envelope.delivery_id, "sender": envelope.sender, "kind": envelope.kind}
    action = "erasure" if envelope.kind == "recall" else "import"
    journal.append_audit(tx, now, action, facts)
    return receipt


def _keep(tx: Connection, platform: Platform, envelope: Envelope) -> Refusal | None:
    """Store the content; a refusal where it cannot be read, or is about a case of somebody else."""
    if not envelope.case_id.startswith(f"{envelope.sender}."):
        return _refused(envelope, "case_id_foreign", "the name is none that its sender gives")
    held = case_rows.get_case(tx, envelope.case_id)
    if held is not None and held.origin != envelope.sender:
        return _refused(envelope, "case_id_conflict", "the case is held from another platform")
    if envelope.kind == "recall":
        if envelope.payload != recall_payload(envelope.case_id, envelope.round):
            return _refused(envelope, "recall_invalid", "its content is of another case or round")
        erase(tx, platform, envelope)
        return None
    if envelope.round < case_rows.recalled_round(tx, envelope.sender, envelope.case_id):
        return _refused(envelope, WITHDRAWN, "its sender has taken the case back")
    if envelope.kind == "related":
        return _keep_related(tx, envelope)
    return _keep_case(tx, platform, envelope)


def _keep_related(tx: Connection, envelope: Envelope) -> Refusal | None:
    try:
        items = RELATED_ITEMS.validate_json(envelope.payload)
    except ValidationError:
        return _refused(envelope, "related_invalid", "not a list of related items")
    case_rows.raise_round(tx, envelope.case_id, envelope.round)
    deliveries.put_related(tx, envelope.case_id, items)
    if envelope.standing is not None:
        deliveries.keep_related(tx, envelope.case_id, envelope.standing)
    return None


def _keep_case(tx: Connection, platform: Platform, envelope: Envelope) -> Refusal | None:
    try:
        case = read_case(envelope.payload)
    except CaseInvalid as error:
        return _refused(envelope, error.code, error.what)
    if case.case_id != envelope.case_id:
        return _refused(envelope, "case_id_mismatch", "the case is not the one announced")
    rows = platform.ontology.resolve(case.observed).rows
    category = platform.ontology.category(rows)
    case_rows.put_cases(tx, [(case, category)], origin=envelope.sender)
    case_rows.raise_round(tx, case.case_id, envelope.round)
    if envelope.round:  # its revisions may be of a round that was taken back
        case_rows.drop_history(tx, case.case_id)
    return None


def _refused(envelope: Envelope, code: str, reason: str) -> Refusal:
    return Refusal(delivery_id=envelope.delivery_id, code=code, reason=reason[:REASON_CHARS])

"""The outbox of a platform: what is about an own case is queued, and moves on (S900)."""

from sqlalchemy import Connection

from cluster.contracts.sharing import Envelope, Kind, Receipt
from cluster.flow.platform import Platform
from cluster.ids import sha256
from cluster.sharing.delivery import Delivery, Event, settle
from cluster.storage import deliveries
from cluster.storage.cases import StoredCase


def queue(tx: Connection, platform: Platform, case: StoredCase, envelope: Envelope) -> None:
    """Queue a delivery about an own case, once."""
    deliveries.queue(tx, envelope, case.case_id, now=platform.clock.now())


def addressed(
    platform: Platform,
    case: StoredCase,
    about: tuple[Kind, str],
    peer: str,
    payload: str,
    standing: tuple[str, ...] | None = None,
) -> Envelope:
    """Return a delivery in the case's present round.

    Args:
        platform: the case's home.
        case: what it is about.
        about: kind and key of the delivery.
        peer: who receives it.
        payload: JSON that has passed the redaction.
        standing: of related material, ids of all that stands beside the case.
    """
    kind, delivery_id = about
    return Envelope(
        delivery_id=delivery_id,
        kind=kind,
        sender=platform.platform_id,
        receiver=peer,
        case_id=platform.shared_id(case.case_id, peer),
        digest=sha256(payload),
        payload=payload,
        epoch=0,
        standing=standing,
        round=case.round,
    )


def move(
    tx: Connection,
    platform: Platform,
    one: Delivery,
    event: Event,
    reason: str = "",
    receipt: Receipt | None = None,
) -> Delivery:
    """Store where a delivery stands after an event; returns it."""
    moved = settle(
        one,
        event,
        now=platform.clock.now(),
        attempts_max=platform.settings.attempts_max,
        reason=reason,
    )
    deliveries.save_delivery(tx, moved, receipt)
    return moved

"""One delivery as a state machine: at least once on the wire, exactly once in effect (S900, S1000).

    queued ──claim──▶ claimed ──receipt──▶ delivered
     ▲  ▲               │ │ └──refusal, denial──▶ parked
     │  └──no answer────┘ └──too many attempts──▶ parked
     └──reopened, when the network has changed──── parked

Every claim raises the epoch; a settlement with an older epoch changes nothing.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from cluster.ids import key_of

BACKOFF_S: Final = 1.0
BACKOFF_S_MAX: Final = 900.0
USED_UP: Final = "attempts_used_up"


class State(StrEnum):
    """Where a delivery stands."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    DELIVERED = "delivered"
    PARKED = "parked"


class Event(StrEnum):
    """What can happen to a delivery."""

    CLAIM = "claim"
    DENY = "deny"
    RECEIPT = "receipt"
    REFUSAL = "refusal"
    SILENCE = "silence"
    RELEASE = "release"
    REOPEN = "reopen"


TRANSITIONS: Final = {
    (State.QUEUED, Event.CLAIM): State.CLAIMED,
    (State.QUEUED, Event.DENY): State.PARKED,
    (State.CLAIMED, Event.CLAIM): State.CLAIMED,  # after its lease has run out
    (State.CLAIMED, Event.DENY): State.PARKED,
    (State.CLAIMED, Event.RECEIPT): State.DELIVERED,
    (State.CLAIMED, Event.REFUSAL): State.PARKED,
    (State.CLAIMED, Event.SILENCE): State.QUEUED,
    (State.CLAIMED, Event.RELEASE): State.QUEUED,
    (State.PARKED, Event.REOPEN): State.QUEUED,
}


@dataclass(frozen=True)
class Delivery:
    """What the machine knows of one delivery."""

    delivery_id: str
    state: State
    attempts: int
    next_at: float
    owner: str
    epoch: int
    lease_until: float
    reason: str = ""


def is_due(delivery: Delivery, now: float) -> bool:
    """Say whether a delivery may be claimed: its time has come, or its lease is over."""
    if delivery.state is State.QUEUED:
        return delivery.next_at <= now
    return delivery.state is State.CLAIMED and delivery.lease_until <= now


def claim(delivery: Delivery, owner: str, *, now: float, lease_s: float) -> Delivery:
    """Give a due delivery to an owner for a while."""
    return replace(
        _step(delivery, Event.CLAIM),
        owner=owner,
        attempts=delivery.attempts + 1,
        epoch=delivery.epoch + 1,
        lease_until=now + lease_s,
    )


def settle(
    delivery: Delivery, event: Event, *, now: float, attempts_max: int, reason: str = ""
) -> Delivery:
    """Bring home how an attempt went.

    No answer leads back to the queue with full-jitter back-off, and to parked after
    ``attempts_max`` attempts; a delivery never disappears.
    """
    settled = _step(delivery, event)
    if event is Event.SILENCE:
        if delivery.attempts >= attempts_max:
            return replace(settled, state=State.PARKED, reason=USED_UP)
        wait = _backoff_s(delivery.delivery_id, delivery.attempts)
        return replace(settled, next_at=now + wait, reason=reason)
    if event is Event.RELEASE:
        return replace(settled, epoch=delivery.epoch + 1, next_at=now)
    if event is Event.REOPEN:
        return replace(settled, attempts=0, next_at=now, reason="")
    return replace(settled, reason=reason)


def _step(delivery: Delivery, event: Event) -> Delivery:
    return replace(delivery, state=TRANSITIONS[delivery.state, event])


def _backoff_s(delivery_id: str, attempts: int) -> float:
    """Return full jitter over a doubling span; the jitter comes from the key, so it replays."""
    span: float = min(BACKOFF_S_MAX, BACKOFF_S * 2.0 ** min(attempts, 32))
    return span * int(key_of(delivery_id, attempts)[:8], 16) / 0xFFFFFFFF

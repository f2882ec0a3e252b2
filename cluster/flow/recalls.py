"""What was shared is taken back when its consent ends (A11, B9).

Sharing goes in rounds: each withdrawal ends one. A recall tells every platform that may have got
the case in an earlier round, or keeps its name beside a case of its own, to erase it; what is still
under way from then is refused on arrival. It needs no consent and no agreement, for it tells
nothing but a name that the receiver knows.
"""

from sqlalchemy import Connection

from cluster.contracts.sharing import Envelope
from cluster.flow import decisions, outbox, related
from cluster.flow.platform import Platform
from cluster.ids import canonical_json, key_of
from cluster.sharing.delivery import Event, State
from cluster.sharing.gate import CASE_REASONS
from cluster.storage import cases as case_rows
from cluster.storage import deliveries
from cluster.storage.cases import StoredCase

WITHDRAWN = "case_withdrawn"


def take_back(tx: Connection, platform: Platform, case: StoredCase, reason: str) -> None:
    """End a case's round: park what waits, and queue a recall for whom it was sent to.

    Args:
        tx: in which its state is changed.
        platform: its home.
        case: as it was.
        reason: why it may not be shared, as the gate calls it.
    """
    ended = case._replace(round=case_rows.next_round(tx, case.case_id))
    told = deliveries.take_named(tx, case.case_id)
    for one, row in deliveries.of_case(tx, case.case_id):
        if row.kind != "recall" and one.epoch:  # ever claimed; attempts may count from 0 again
            told.add(row.peer)
        if row.kind != "recall" and one.state is State.QUEUED:
            outbox.move(tx, platform, one, Event.DENY, reason)
    deliveries.forget_answers(tx, case.case_id)
    related.forget(tx, platform, case.case_id, platform.platform_id)  # beside other own ones
    for peer in sorted(told):
        payload = recall_payload(platform.shared_id(case.case_id, peer), ended.round)
        key = key_of("recall", platform.platform_id, case.case_id, peer, ended.round)
        envelope = outbox.addressed(platform, ended, ("recall", key), peer, payload)
        outbox.queue(tx, platform, ended, envelope)


def share_again(tx: Connection, platform: Platform, case: StoredCase) -> None:
    """Queue a case that may be shared, if a decision has sent it out, in its present round."""
    for one, row in deliveries.of_case(tx, case.case_id):
        if one.state is State.PARKED and one.reason in CASE_REASONS and row.round == case.round:
            outbox.move(tx, platform, one, Event.REOPEN)
    decisions.queue_again(tx, platform, case)


def recall_payload(shared_id: str, round_: int) -> str:
    """Return what a recall says: which case is taken back, in all rounds before one."""
    return canonical_json({"case_id": shared_id, "round": round_})


def erase(tx: Connection, platform: Platform, envelope: Envelope) -> None:
    """Erase what a sender takes back, here and beside own cases, and keep that it was."""
    now = platform.clock.now()
    related.forget(tx, platform, envelope.case_id, envelope.sender)
    case_rows.put_recall(tx, envelope.sender, envelope.case_id, envelope.round, at=now)

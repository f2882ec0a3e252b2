"""What leaves passes the gate and leaves an audit row; what comes back is judged (S900)."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import a_phenopacket

from cluster.case.case import read_case
from cluster.contracts.sharing import Envelope, Receipt, Refusal
from cluster.flow import deliveries
from cluster.sharing.delivery import BACKOFF_S_MAX
from cluster.storage.cases import set_state
from tests.unit.flow.world import (
    World,
    a_pair,
    audit_actions,
    held,
    read,
    reopened,
    settlement,
    take_in,
)

CANARY = "Canary-4711"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """North has decided to send case a to south."""
    pair = a_pair(tmp_path, attempts_max=3)
    pair.decide("north", {"a": 0.9})
    return pair


def status(world: World) -> tuple[str, str, int]:
    """Return state, reason and attempts of north's only delivery."""
    (row,) = world.statuses("north")
    return row.state, row.reason, row.attempts


def claimed(world: World, owner: str = "courier") -> Envelope:
    """Claim north's only delivery."""
    (envelope,) = world.claim("north", owner)
    return envelope


def test_a_claim_leaves_its_audit_row_before_the_envelope_leaves(world: World) -> None:
    """A11 B9: the attempt is in the chain, durably, when the courier gets the envelope."""
    envelope = claimed(world)
    north = world.platforms["north"] = reopened(world.platforms["north"])
    assert audit_actions(north) == ["decision", "disclosure attempted"]
    last = json.loads(read(north, "SELECT row FROM audit ORDER BY seq DESC LIMIT 1")[0][0])
    assert last["delivery"] == envelope.delivery_id
    assert (last["peer"], last["digest"]) == ("south", envelope.digest)
    assert status(world) == ("claimed", "", 1)


def test_what_leaves_is_redacted_and_says_the_same(tmp_path: Path) -> None:
    """A11 B9: no id of person or record and no free text leaves; all terms, seen or absent, do."""
    world = World(tmp_path)
    packet = a_phenopacket(
        f"{CANARY}-case", observed=("HP:0001250", "HP:0001626"), excluded=("HP:0001627",)
    )
    packet["subject"] = {"id": f"{CANARY}-person", "sex": "FEMALE", "dateOfBirth": CANARY}
    packet["phenotypicFeatures"][0]["description"] = CANARY
    packet["files"] = [{"uri": CANARY}]
    world.add("north", packet)
    world.add("south")
    world.agree(("north", "south"))
    world.decide("north", {f"{CANARY}-case": 0.9})
    envelope = claimed(world)
    assert CANARY not in envelope.model_dump_json()
    assert isinstance(world.receive(envelope), Receipt)
    south = world.platforms["south"]
    assert CANARY.encode() not in b"".join(
        path.read_bytes() for path in south.ledger.path.parent.rglob("*") if path.is_file()
    )
    ((document,),) = read(south, "SELECT document FROM revisions")
    arrived = read_case(document)
    assert arrived.observed == ("HP:0001250", "HP:0001626")
    assert arrived.excluded == ("HP:0001627",)
    assert arrived.disease is not None and arrived.disease.id == "OMIM:100"


def _withdraw(world: World) -> None:
    with world.platforms["north"].ledger.begin() as tx:
        set_state(tx, "a", state="withdrawn", consent="share")


def _make_private(world: World) -> None:
    with world.platforms["north"].ledger.begin() as tx:
        set_state(tx, "a", state="active", consent="private")


def _revoke(world: World) -> None:
    world.agree()


def _revise(world: World) -> None:
    take_in(world.platforms["north"], a_phenopacket("a", observed=("HP:0001626",)), name="later")


def _tamper(world: World) -> None:
    with world.platforms["north"].ledger.begin() as tx:
        tx.exec_driver_sql(
            "UPDATE outbox SET payload = replace(payload, 'HP:0001250', 'HP:0001626')"
        )


CHANGES = {
    "case_not_active": _withdraw,
    "consent_missing": _make_private,
    "agreement_missing": _revoke,
    "redaction_missing": _revise,
}


@pytest.mark.parametrize(("reason", "change"), CHANGES.items())
def test_the_gate_looks_again_at_the_claim(
    world: World, reason: str, change: Callable[[World], None]
) -> None:
    """A11: what became forbidden after the decision is parked with its reason, not handed out."""
    change(world)
    assert world.claim("north") == []
    assert status(world) == ("parked", reason, 0)
    assert audit_actions(world.platforms["north"])[-1] == "disclosure denied"
    assert deliveries.next_due_at(world.platforms["north"]) is None
    assert held(world.platforms["south"]) == []


@pytest.mark.parametrize(("reason", "change"), CHANGES.items())
def test_the_gate_looks_again_at_every_retry(
    world: World, reason: str, change: Callable[[World], None]
) -> None:
    """A11: a delivery that was tried before does not slip through when the rules have changed."""
    deliveries.settle(world.platforms["north"], [settlement(claimed(world), None)])
    change(world)
    world.clock.instant += BACKOFF_S_MAX
    assert world.claim("north") == []
    assert status(world) == ("parked", reason, 1)


def test_a_payload_that_was_changed_on_the_disk_does_not_leave(world: World) -> None:
    """B9: only what the redaction makes of the case leaves, whatever stands in the outbox."""
    _tamper(world)
    assert world.claim("north") == []
    assert status(world)[:2] == ("parked", "redaction_missing")


def test_one_denial_does_not_hold_up_the_others(world: World) -> None:
    """A11: of a batch only what the gate denies stays behind."""
    world.decide("north", {"b": 0.9}, as_of=world.clock.now() + 1)
    _withdraw(world)
    (envelope,) = world.claim("north")
    states = {s.case_id: s.state for s in world.statuses("north")}
    assert states == {"a": "parked", "b": "claimed"}
    assert isinstance(world.receive(envelope), Receipt)


def test_delivered_needs_a_valid_receipt(world: World) -> None:
    """A11: a valid receipt settles; it is kept with the delivery."""
    envelope = claimed(world)
    receipt = world.receive(envelope)
    deliveries.settle(world.platforms["north"], [settlement(envelope, receipt)])
    (row,) = world.statuses("north")
    assert (row.state, row.receipt) == ("delivered", receipt)
    assert audit_actions(world.platforms["north"])[-1] == "disclosure settled"
    assert audit_actions(world.platforms["south"]) == ["import"]


def test_a_forged_receipt_is_no_delivery(world: World) -> None:
    """A11 B9: a receipt with a bad signature, or of another delivery, leads back to the queue."""
    north = world.platforms["north"]
    envelope = claimed(world)
    receipt = world.receive(envelope)
    assert isinstance(receipt, Receipt)
    forgeries = [
        receipt.model_copy(update={"signature": "00" * 64}),
        receipt.model_copy(update={"received_at": receipt.received_at + 1}),
    ]
    for number, forged in enumerate(forgeries, start=1):
        deliveries.settle(north, [settlement(envelope, forged)])
        assert status(world) == ("queued", "receipt_invalid", number)
        world.clock.instant += BACKOFF_S_MAX
        envelope = claimed(world)
    deliveries.settle(north, [settlement(envelope, receipt)])
    assert status(world) == ("delivered", "", 3)


def test_a_refusal_is_final_and_says_why(world: World) -> None:
    """A11: what the receiver will not take is parked with the receiver's reason."""
    envelope = claimed(world)
    refusal = Refusal(delivery_id=envelope.delivery_id, code="agreement_missing", reason="no")
    deliveries.settle(world.platforms["north"], [settlement(envelope, refusal)])
    assert status(world) == ("parked", "agreement_missing", 1)


def test_silence_is_tried_again_and_then_parked(world: World) -> None:
    """A11: with growing waits, and parked with a reason after the last attempt; never lost."""
    north = world.platforms["north"]
    for number in (1, 2):
        envelope = claimed(world)
        deliveries.settle(north, [settlement(envelope, None)])
        assert status(world) == ("queued", "no_answer", number)
        due = deliveries.next_due_at(north)
        assert due is not None and due > world.clock.now()
        assert world.claim("north") == []
        world.clock.instant = due
    deliveries.settle(north, [settlement(claimed(world), None)])
    assert status(world) == ("parked", "attempts_used_up", 3)
    assert deliveries.next_due_at(north) is None


def test_a_lost_answer_ends_in_one_case_and_one_receipt(world: World) -> None:
    """A11: the receiver took it, the answer was lost: the second try gets the same receipt."""
    first = claimed(world)
    receipt = world.receive(first)
    deliveries.settle(world.platforms["north"], [settlement(first, None)])
    world.clock.instant += BACKOFF_S_MAX
    second = claimed(world)
    assert second.epoch > first.epoch
    assert world.receive(second) == receipt
    deliveries.settle(world.platforms["north"], [settlement(second, receipt)])
    assert status(world)[0] == "delivered"
    assert len(held(world.platforms["south"])) == 1
    assert audit_actions(world.platforms["south"]) == ["import"]


def test_a_claimed_delivery_is_not_claimed_twice_within_its_lease(world: World) -> None:
    """A11: two couriers never carry the same claim; when the lease is over the next one may."""
    first = claimed(world, "one")
    assert world.claim("north", "two") == []
    world.clock.instant += world.platforms["north"].settings.lease_s
    second = claimed(world, "two")
    deliveries.settle(world.platforms["north"], [settlement(first, world.receive(first))])
    assert status(world) == ("claimed", "", 2)
    deliveries.settle(world.platforms["north"], [settlement(second, world.receive(second))])
    assert status(world)[0] == "delivered"
    deliveries.settle(world.platforms["north"], [settlement(second, None)])
    assert status(world)[0] == "delivered"


def test_a_new_courier_takes_back_what_the_dead_one_held(world: World) -> None:
    """A11: at once, without waiting for the lease; a late word of the dead one changes nothing."""
    north = world.platforms["north"]
    dead = claimed(world, "dead")
    assert deliveries.release_claims(north, "dead") == 0
    assert deliveries.release_claims(north, "new") == 1
    deliveries.settle(north, [settlement(dead, None)])
    assert status(world)[0] == "queued"
    fresh = claimed(world, "new")
    deliveries.settle(north, [settlement(dead, world.receive(dead))])
    assert status(world)[0] == "claimed"
    deliveries.settle(north, [settlement(fresh, world.receive(fresh))])
    assert status(world)[0] == "delivered"
    assert len(held(world.platforms["south"])) == 1


def test_a_delivery_that_kills_its_couriers_is_parked(world: World) -> None:
    """A11: claims that nobody ever settles use up the attempts too; it does not go on for ever."""
    for number in range(1, 4):
        claimed(world, f"courier {number}")
        world.clock.instant += world.platforms["north"].settings.lease_s
    assert world.claim("north") == []
    assert status(world) == ("parked", "attempts_used_up", 3)
    assert deliveries.next_due_at(world.platforms["north"]) is None


def test_a_settlement_of_nothing_known_is_passed_over(world: World) -> None:
    """A11: an unknown delivery in a batch does not keep the others from being settled."""
    envelope = claimed(world)
    unknown = envelope.model_copy(update={"delivery_id": "unknown"})
    answer = world.receive(envelope)
    deliveries.settle(
        world.platforms["north"], [settlement(unknown, None), settlement(envelope, answer)]
    )
    assert status(world)[0] == "delivered"


def test_what_was_acknowledged_survives_the_end_of_the_process(world: World) -> None:
    """A11: outbox, inbox and cases are there after both platforms were closed and opened."""
    envelope = claimed(world)
    receipt = world.receive(envelope)
    for name in ("north", "south"):
        world.platforms[name] = reopened(world.platforms[name])
    deliveries.settle(world.platforms["north"], [settlement(envelope, receipt)])
    assert status(world)[0] == "delivered"
    assert world.receive(envelope) == receipt
    assert len(held(world.platforms["south"])) == 1


def test_a_batch_is_claimed_oldest_first_and_within_its_limit(world: World) -> None:
    """A11: a courier takes no more than it can carry; the rest waits for the next one."""
    world.decide("north", {"b": 0.9}, as_of=world.clock.now() + 1)
    north = world.platforms["north"]
    first = deliveries.claim(north, "one", 1)
    second = deliveries.claim(north, "one", 1)
    assert len(first) == len(second) == 1
    assert first[0].delivery_id != second[0].delivery_id
    assert deliveries.claim(north, "one", 1) == []

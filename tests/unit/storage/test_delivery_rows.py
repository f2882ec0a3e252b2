"""Peers, decisions, outbox, inbox and related material in a platform's ledger."""

import pytest
from builders import a_decision, a_peer, a_receipt, an_envelope, an_item

from cluster.contracts.sharing import Envelope, Peer
from cluster.sharing.delivery import Delivery, Event, State, claim, settle
from cluster.storage import deliveries as rows
from cluster.storage.ledger import Ledger


def delivery(ledger: Ledger, delivery_id: str = "d1") -> Delivery:
    with ledger.begin() as tx:
        found = rows.get_delivery(tx, delivery_id)
    assert found is not None
    return found[0]


@pytest.mark.parametrize(
    ("epoch", "agreed"), [(4, True), (5, False), (6, False)], ids=["older", "same", "newer"]
)
def test_an_older_policy_never_overwrites_a_newer_one(
    ledger: Ledger, epoch: int, agreed: bool
) -> None:
    """A11: a withdrawn agreement is not given back by a message that came late."""
    with ledger.begin() as tx:
        rows.put_peers(tx, [a_peer(policy_epoch=5), a_peer("west")])
        rows.put_peers(tx, [a_peer(agreed=False, policy_epoch=epoch)])
        peer = rows.get_peer(tx, "south")
        west = rows.get_peer(tx, "west")
    assert peer is not None
    assert peer.agreed is agreed
    assert west == a_peer("west")


def test_a_peer_is_kept_as_it_was_told(ledger: Ledger) -> None:
    """A11: link, agreement and key come back; an unknown peer is none."""
    told: list[Peer] = [
        a_peer(f"p{n}", linked=bool(n & 1), agreed=bool(n & 2), public_key=f"{n}") for n in range(4)
    ]
    with ledger.begin() as tx:
        rows.put_peers(tx, told)
        assert [rows.get_peer(tx, peer.peer_id) for peer in told] == told
        assert rows.get_peer(tx, "nobody") is None


def test_a_decision_is_made_once_and_comes_back_whole(ledger: Ledger) -> None:
    """A10: a decision is stored with all it was made from, and never made again."""
    record = a_decision()
    with ledger.begin() as tx:
        assert rows.put_decision(tx, record)
        assert not rows.put_decision(tx, a_decision(outcome="hold"))
        assert rows.get_decisions(tx) == [record]


def test_decisions_are_listed_by_period_and_tell_what_was_sent_out(ledger: Ledger) -> None:
    """A10: by period and case; only an upload sends a case out."""
    with ledger.begin() as tx:
        for number, (case, end, outcome) in enumerate(
            [("b", 1.0, "hold"), ("a", 2.0, "upload"), ("a", 1.0, "hold"), ("c", 2.0, "hold")]
        ):
            record = a_decision(f"q{number}", case_id=case, period_end=end, outcome=outcome)
            rows.put_decision(tx, record)
        assert [d.decision_id for d in rows.get_decisions(tx)] == ["q2", "q0", "q1", "q3"]
        assert [d.decision_id for d in rows.get_decisions(tx, period_end=2.0)] == ["q1", "q3"]
        assert rows.uploaded_cases(tx) == {"a"}
        assert [rows.is_uploaded(tx, case) for case in "abcd"] == [True, False, False, False]


def test_an_approval_is_kept_once_for_a_revision(ledger: Ledger) -> None:
    """A10: a revision is approved or not; another revision of the case is another matter."""
    with ledger.begin() as tx:
        assert rows.approved_revisions(tx) == set()
        assert rows.put_approval(tx, "a", 1, now=5.0)
        assert not rows.put_approval(tx, "a", 1, now=6.0)
        assert rows.put_approval(tx, "a", 2, now=7.0)
        assert rows.approved_revisions(tx) == {("a", 1), ("a", 2)}


def test_a_delivery_is_queued_once(ledger: Ledger) -> None:
    """A11: queueing again what is on its way, or has arrived, changes nothing."""
    with ledger.begin() as tx:
        rows.queue(tx, an_envelope(), "case-1", now=10.0)
    assert delivery(ledger) == Delivery("d1", State.QUEUED, 0, 10.0, "", 0, 0.0)
    taken = claim(delivery(ledger), "c1", now=11.0, lease_s=60.0)
    with ledger.begin() as tx:
        rows.save_delivery(tx, taken)
        rows.queue(tx, an_envelope(payload="other"), "case-1", now=99.0)
        found = rows.get_delivery(tx, "d1")
    assert found is not None
    assert found[0] == taken
    assert Envelope.model_validate_json(found[1].payload) == an_envelope()
    assert (found[1].case_id, found[1].peer) == ("case-1", "south")


def test_candidates_are_due_oldest_first_and_limited(ledger: Ledger) -> None:
    """A11: waiting ones from their time on, claimed ones after their lease, final ones never."""
    with ledger.begin() as tx:
        for number in range(6):
            rows.queue(tx, an_envelope(f"d{number}"), "c", now=100.0 - number)
        one = {n: rows.get_delivery(tx, f"d{n}") for n in range(6)}
        started = {n: found[0] for n, found in one.items() if found}
        expired = claim(started[0], "c1", now=0.0, lease_s=50.0)
        held = claim(started[1], "c1", now=90.0, lease_s=50.0)
        done = settle(
            claim(started[2], "c1", now=0.0, lease_s=1.0), Event.RECEIPT, now=1.0, attempts_max=8
        )
        parked = settle(started[3], Event.DENY, now=1.0, attempts_max=8, reason="no")
        for saved in (expired, held, done, parked):
            rows.save_delivery(tx, saved)

        def due(now: float, limit: int = 9) -> list[str]:
            return [d.delivery_id for d, _ in rows.candidates(tx, now=now, limit=limit)]

        assert due(94.0) == ["d0"]
        assert due(95.0) == ["d5", "d0"]
        assert due(100.0) == ["d5", "d4", "d0"]
        assert due(140.0) == ["d5", "d4", "d1", "d0"]
        assert due(140.0, limit=2) == ["d5", "d4"]
        assert {d.delivery_id for d in rows.claimed_by_others(tx, "c2")} == {"d0", "d1"}
        assert rows.claimed_by_others(tx, "c1") == []


def test_the_next_time_is_that_of_the_first_open_delivery(ledger: Ledger) -> None:
    """A11: the earliest waiting time or lease end; none where all is settled."""
    with ledger.begin() as tx:
        assert rows.next_due_at(tx) is None
        rows.queue(tx, an_envelope("d1"), "c", now=100.0)
        rows.queue(tx, an_envelope("d2"), "c", now=70.0)
        assert rows.next_due_at(tx) == 70.0
        found = rows.get_delivery(tx, "d2")
        assert found is not None
        taken = claim(found[0], "c1", now=70.0, lease_s=10.0)
        rows.save_delivery(tx, taken)
        assert rows.next_due_at(tx) == 80.0
        rows.save_delivery(tx, settle(taken, Event.REFUSAL, now=75.0, attempts_max=8))
        assert rows.next_due_at(tx) == 100.0


def test_statuses_show_the_receipt_of_what_was_delivered(ledger: Ledger) -> None:
    """A11: delivery status is visible, with the receiver's word."""
    receipt = a_receipt(signature="ab")
    with ledger.begin() as tx:
        rows.queue(tx, an_envelope("d2", receiver="west"), "case-1", now=1.0)
        rows.queue(tx, an_envelope("d1"), "case-1", now=1.0)
        found = rows.get_delivery(tx, "d1")
        assert found is not None
        taken = claim(found[0], "c1", now=1.0, lease_s=1.0)
        rows.save_delivery(tx, settle(taken, Event.RECEIPT, now=2.0, attempts_max=8), receipt)
        delivered, queued = rows.delivery_statuses(tx)
    assert (delivered.peer, delivered.state, delivered.receipt) == ("south", "delivered", receipt)
    assert (queued.peer, queued.state, queued.receipt) == ("west", "queued", None)
    assert (delivered.attempts, queued.attempts) == (1, 0)


def test_a_receipt_is_given_again_to_the_same_sender(ledger: Ledger) -> None:
    """A11: a delivery that came before is answered as the first time; senders do not meet."""
    with ledger.begin() as tx:
        assert rows.get_receipt(tx, "north", "d1") is None
        rows.put_receipt(tx, an_envelope(), a_receipt())
        assert rows.get_receipt(tx, "north", "d1") == a_receipt()
        assert rows.get_receipt(tx, "west", "d1") is None


def test_related_items_are_replaced_by_id_and_best_first(ledger: Ledger) -> None:
    """A12: an item that changed replaces the old one; cases do not share items."""
    with ledger.begin() as tx:
        rows.put_related(tx, "a", [an_item("x", score=0.2), an_item("y", score=0.5)])
        before = rows.related_digests(tx, "a")
        rows.put_related(tx, "a", [an_item("x", score=0.9)])
        rows.put_related(tx, "b", [an_item("x", score=0.1)])
        assert [(i.item_id, i.score) for i in rows.get_related(tx, "a")] == [("x", 0.9), ("y", 0.5)]
        after = rows.related_digests(tx, "a")
        assert rows.get_related(tx, "nobody") == []
    assert after["y"] == before["y"]
    assert after["x"] != before["x"]


def test_the_last_answer_of_each_source_is_kept(ledger: Ledger) -> None:
    """A12: with its time; an empty answer is an answer, and another source's is not touched."""
    with ledger.begin() as tx:
        assert (rows.answered_at(tx), rows.get_answers(tx, "a")) == ({}, {})
        rows.put_answer(tx, "a", "file", [an_item("x")], 5.0)
        rows.put_answer(tx, "a", "network:south", [an_item("y")], 6.0)
        rows.put_answer(tx, "a", "file", [], 9.0)
        assert rows.answered_at(tx) == {("a", "file"): 9.0, ("a", "network:south"): 6.0}
        assert rows.get_answers(tx, "a") == {"file": (), "network:south": (an_item("y"),)}

"""A case whose consent ends is taken back from everyone who got it (A11, B9)."""

from pathlib import Path

import pytest
from builders import a_phenopacket, an_item

from cluster.contracts.related import RelatedAnswers
from cluster.contracts.sharing import Envelope, Receipt, Refusal
from cluster.errors import Withdrawn
from cluster.flow import consents, deliveries, projection, related, requests
from cluster.flow.platform import Platform
from cluster.flow.search import search
from cluster.ids import sha256
from cluster.retrieval.query import CaseQuery
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


@pytest.fixture
def world(tmp_path: Path) -> World:
    """North has sent its case a to south, which holds it."""
    world = a_pair(tmp_path)
    world.decide("north", {"a": 0.9})
    world.deliver()
    assert len(held(world.platforms["south"])) == 1
    return world


def withdraw(world: World) -> None:
    north = world.platforms["north"]
    consents.set_consent(north, "a", state="withdrawn", consent="share")


def share_again(world: World) -> None:
    north = world.platforms["north"]
    consents.set_consent(north, "a", state="active", consent="share")


def rows_of(platform: Platform) -> list[tuple[str, str, int]]:
    return [(s.kind, s.state, s.round) for s in deliveries.statuses(platform)]


def test_a_withdrawn_case_is_erased_where_it_was_received(world: World) -> None:
    """A11 B9: document, revisions, related items and index row go; the receipt proves it."""
    south = world.platforms["south"]
    ((_, shared_id),) = held(south)
    withdraw(world)
    world.deliver()
    assert held(south) == []
    for table in ("revisions", "related"):
        assert read(south, f"SELECT * FROM {table} WHERE case_id = '{shared_id}'") == []
    assert south.index.rows([shared_id]).num_rows == 0
    hits = search(south, CaseQuery(terms=("HP:0001250",), k=9)).hits
    assert shared_id not in {hit.case_id for hit in hits}
    assert ("recall", "delivered", 1) in rows_of(world.platforms["north"])
    assert "erasure" in audit_actions(south)


def test_a_case_that_was_taken_back_is_told_as_gone(world: World) -> None:
    """B9: a service that knows the id learns that it must forget the case, and nothing else."""
    south = world.platforms["south"]
    ((_, shared_id),) = held(south)
    withdraw(world)
    world.deliver()
    with pytest.raises(Withdrawn):
        requests.get_case(south, shared_id, "reader")


def test_nothing_is_recalled_that_was_never_sent(tmp_path: Path) -> None:
    """B9: a platform learns nothing of a case that it was not sent."""
    world = a_pair(tmp_path)
    world.decide("north", {"a": 0.9})
    withdraw(world)
    world.deliver()
    assert rows_of(world.platforms["north"]) == [("case", "parked", 0)]
    assert read(world.platforms["south"], "SELECT * FROM inbox") == []


def test_a_recall_goes_although_the_agreement_has_ended(world: World) -> None:
    """B9: who may not get cases any more must still erase those that it has."""
    world.agree()
    withdraw(world)
    world.deliver()
    assert held(world.platforms["south"]) == []


def test_a_case_may_be_shared_again(world: World) -> None:
    """A11: with a new consent the standing decision sends the case once more, related items too."""
    north, south = world.platforms["north"], world.platforms["south"]
    answers = {
        "network": {
            "south": {north.shared_id("a", "network:south"): (an_item("x", platform="south"),)}
        }
    }
    related.store_related(north, world.clock.now(), RelatedAnswers.model_validate(answers))
    world.deliver()
    assert ("related", "delivered", 0) in rows_of(north)
    withdraw(world)
    world.deliver()
    share_again(world)
    related.store_related(north, world.clock.now(), RelatedAnswers.model_validate(answers))
    world.deliver()
    ((_, shared_id),) = held(south)
    assert south.index.rows([shared_id]).num_rows == 1
    assert len(related.related_of(south, shared_id)) == 1
    assert rows_of(north).count(("case", "delivered", 1)) == 1


def test_what_was_under_way_arrives_too_late(tmp_path: Path) -> None:
    """A11 B9: an envelope of before the withdrawal is refused after the recall, whoever lost it."""
    world = a_pair(tmp_path)
    world.decide("north", {"a": 0.9})
    (slow,) = world.claim("north")
    withdraw(world)
    (recall,) = world.claim("north")
    assert isinstance(world.receive(recall), Receipt)
    answer = world.receive(slow)
    assert isinstance(answer, Refusal)
    assert answer.code == "case_withdrawn"
    assert held(world.platforms["south"]) == []


def test_a_late_recall_leaves_what_came_after_it(tmp_path: Path) -> None:
    """A11: a recall takes back earlier rounds only, in whatever order things arrive."""
    world = a_pair(tmp_path)
    world.decide("north", {"a": 0.9})
    (first,) = world.claim("north")
    withdraw(world)
    share_again(world)
    sent = {envelope.kind: envelope for envelope in world.claim("north")}
    for envelope in (first, sent["case"], sent["recall"]):
        assert isinstance(world.receive(envelope), Receipt)
    south = world.platforms["south"]
    ((_, shared_id),) = held(south)
    assert south.index.rows([shared_id]).num_rows == 1


def test_only_its_sender_takes_a_case_back(world: World) -> None:
    """B9: another platform, or a made-up name, erases nothing."""
    south = world.platforms["south"]
    ((_, shared_id),) = held(south)
    withdraw(world)
    (recall,) = world.claim("north")
    forged = recall.model_copy(update={"sender": "mallory", "delivery_id": "m1"})
    assert isinstance(world.receive(forged), Refusal)
    assert held(south) == [("north", shared_id)]


def test_a_withdrawal_survives_a_crash_before_the_recall_leaves(world: World) -> None:
    """B9: the recall is queued in the transaction that ends the consent."""
    withdraw(world)
    world.platforms["north"] = reopened(world.platforms["north"])
    world.deliver()
    assert held(world.platforms["south"]) == []


def test_an_index_that_missed_an_erasure_catches_up(world: World) -> None:
    """B9 A4: a crash between ledger and index leaves nothing that a search finds."""
    south = world.platforms["south"]
    ((_, shared_id),) = held(south)
    withdraw(world)
    (recall,) = world.claim("north")
    kept = south.index.rows([shared_id])
    world.receive(recall)
    south.index.upsert(kept)
    with south.ledger.begin() as tx:
        tx.exec_driver_sql("UPDATE applied SET seq = seq - 1 WHERE projection = 'index'")
    projection.project(south)
    assert south.index.rows([shared_id]).num_rows == 0


def test_a_used_up_recall_goes_again_when_the_network_changes(tmp_path: Path) -> None:
    """B9: a recall that nobody answered stays visible, and is tried again."""
    world = a_pair(tmp_path, attempts_max=1)
    world.decide("north", {"a": 0.9})
    world.deliver()
    withdraw(world)
    (recall,) = world.claim("north")
    deliveries.settle(world.platforms["north"], [settlement(recall, None)])
    assert ("recall", "parked", 1) in rows_of(world.platforms["north"])
    world.agree(("north", "south"))
    world.deliver()
    assert held(world.platforms["south"]) == []


def test_an_envelope_without_a_round_is_of_the_first(world: World) -> None:
    """B3: what was queued by an earlier release still goes out."""
    text = '{"delivery_id": "d", "kind": "case", "sender": "n", "receiver": "s", "case_id": "c", '
    text += '"digest": "0", "payload": "", "epoch": 1}'
    assert Envelope.model_validate_json(text).round == 0


def related_rows(platform: Platform) -> int:
    return len(read(platform, "SELECT * FROM related"))


def test_what_stands_beside_goes_though_the_case_never_came(tmp_path: Path) -> None:
    """A12 B9: related items tell of the case; a recall erases them with or without it."""
    world = a_pair(tmp_path)
    world.decide("north", {"a": 0.9})
    north, south = world.platforms["north"], world.platforms["south"]
    (lost,) = world.claim("north")
    found = {north.shared_id("a", "network:south"): (an_item("x", platform="south"),)}
    answers = RelatedAnswers.model_validate({"network": {"south": found}})
    related.store_related(north, world.clock.now(), answers)
    (beside,) = world.claim("north")
    assert isinstance(world.receive(beside), Receipt)
    assert (lost.kind, related_rows(south)) == ("case", 1)
    withdraw(world)
    world.deliver()
    assert related_rows(south) == 0


def test_a_new_round_leaves_nothing_of_the_old_one(tmp_path: Path) -> None:
    """B9: a case that overtakes its recall does not keep what the recall takes back."""
    world = a_pair(tmp_path)
    world.decide("north", {"a": 0.9})
    (first,) = world.claim("north")
    world.receive(first)
    withdraw(world)
    take_in(world.platforms["north"], a_phenopacket("a", observed=("HP:0001627",)), name="again")
    share_again(world)
    world.decide("north", {"a": 0.9}, as_of=world.clock.now() + 1)
    sent = {envelope.kind: envelope for envelope in world.claim("north")}
    for kind in ("case", "recall"):
        assert isinstance(world.receive(sent[kind]), Receipt)
    south = world.platforms["south"]
    kept = "SELECT document FROM revisions JOIN cases USING (case_id) WHERE origin = 'north'"
    documents = read(south, kept)
    assert len(documents) == 1
    assert "HP:0001627" in documents[0][0]


def test_nobody_answers_for_a_quarter_of_an_hour(tmp_path: Path) -> None:
    """A11: what was tried too often rests, and is tried again: an outage loses nothing."""
    world = a_pair(tmp_path, attempts_max=1)
    world.decide("north", {"a": 0.9})
    (envelope,) = world.claim("north")
    deliveries.settle(world.platforms["north"], [settlement(envelope, None)])
    assert world.claim("north") == []
    world.clock.instant += 3600
    (again,) = world.claim("north")
    assert isinstance(world.receive(again), Receipt)


@pytest.mark.parametrize("change", [{"round": 9}, {"payload": "{}"}])
def test_a_recall_says_what_it_takes_back(world: World, change: dict[str, object]) -> None:
    """B9: what the receipt is signed over names the case and the round."""
    withdraw(world)
    (recall,) = world.claim("north")
    payload = str(change.get("payload", recall.payload))
    forged = recall.model_copy(update=change | {"digest": sha256(payload)})
    answer = world.receive(forged)
    assert isinstance(answer, Refusal)
    assert answer.code == "recall_invalid"

"""What arrives is taken in once, and only from who may send it (S1000)."""

import json
from pathlib import Path

import pytest
from builders import a_phenopacket, an_item

from cluster.contracts.sharing import Envelope, Receipt, Refusal
from cluster.flow import deliveries, related
from cluster.flow.search import search
from cluster.ids import canonical_json, sha256
from cluster.retrieval.query import CaseQuery
from tests.unit.flow.world import World, a_pair, audit_actions, held, read


@pytest.fixture
def world(tmp_path: Path) -> World:
    """North and south, which have an agreement."""
    return a_pair(tmp_path)


def an_envelope(payload: str | None = None, **changes: object) -> Envelope:
    """Return a case that north sends to south."""
    case_id = str(changes.get("case_id", "north.0001"))
    text = canonical_json(a_phenopacket(case_id)) if payload is None else payload
    fields = {
        "delivery_id": "d1",
        "kind": "case",
        "sender": "north",
        "receiver": "south",
        "case_id": case_id,
        "digest": sha256(text),
        "payload": text,
        "epoch": 1,
    }
    return Envelope.model_validate(fields | changes)


def everything(world: World) -> list[list[tuple[object, ...]]]:
    """Return all that south stores of others."""
    tables = ("cases", "revisions", "inbox", "related", "audit")
    return [read(world.platforms["south"], f"SELECT * FROM {table}") for table in tables]


def test_a_case_that_arrives_is_kept_and_findable(world: World) -> None:
    """A11 A4: the receipt's word is true: the case is in the ledger and is found by its signs."""
    receipt = world.receive(an_envelope())
    assert isinstance(receipt, Receipt)
    assert (receipt.receiver, receipt.delivery_id) == ("south", "d1")
    assert held(world.platforms["south"]) == [("north", "north.0001")]
    (hit,) = search(world.platforms["south"], CaseQuery(terms=("HP:0001250",), k=1)).hits
    assert (hit.case_id, hit.origin, hit.similarity) == ("north.0001", "north", 1.0)


def test_the_same_delivery_again_gets_the_same_receipt(world: World) -> None:
    """A11: however often it comes, in one batch or several, there is one case and one receipt."""
    south = world.platforms["south"]
    first, second = deliveries.receive(south, [an_envelope(), an_envelope(epoch=2)])
    world.clock.instant += 100
    before = everything(world)
    assert world.receive(an_envelope(epoch=3)) == first == second
    assert everything(world) == before
    assert audit_actions(south) == ["import"]


def test_the_same_key_with_another_content_is_refused(world: World) -> None:
    """A11: a key names one content; the first one stays."""
    world.receive(an_envelope())
    before = everything(world)
    other = canonical_json(a_phenopacket("north.0001", observed=("HP:0001626",)))
    answer = world.receive(an_envelope(other))
    assert isinstance(answer, Refusal)
    assert answer.code == "delivery_id_conflict"
    assert everything(world) == before


REFUSED: dict[str, tuple[str, Envelope]] = {
    "another receiver": ("wrong_receiver", an_envelope(receiver="west")),
    "an unknown sender": ("agreement_missing", an_envelope(sender="nobody")),
    "a changed content": ("digest_mismatch", an_envelope(digest=sha256("other"))),
    "no JSON": ("case_invalid", an_envelope("{")),
    "no phenopacket": ("case_invalid", an_envelope("[]")),
    "an empty case": ("case_invalid", an_envelope('{"id": "north.0001"}')),
    "another case": (
        "case_id_mismatch",
        an_envelope(canonical_json(a_phenopacket("north.0002"))),
    ),
}


@pytest.mark.parametrize(("code", "envelope"), REFUSED.values(), ids=list(REFUSED))
def test_what_may_not_come_in_is_refused_and_leaves_nothing(
    world: World, code: str, envelope: Envelope
) -> None:
    """A11 B9: a refusal with its reason; nothing is stored, and the rest of the batch comes in."""
    before = everything(world)
    (answer,) = deliveries.receive(world.platforms["south"], [envelope])
    assert isinstance(answer, Refusal)
    assert (answer.code, answer.delivery_id) == (code, "d1")
    assert everything(world) == before
    good = an_envelope(delivery_id="d2")
    answers = deliveries.receive(world.platforms["south"], [envelope, good])
    assert [type(answer) for answer in answers] == [Refusal, Receipt]


@pytest.mark.parametrize("payload", ["{", "[1]", '[{"item_id": "x"}]', "7", "{}"])
def test_unreadable_related_material_is_refused(world: World, payload: str) -> None:
    """A12 B9: it does not bring down the batch it came in."""
    bad, good = an_envelope(payload, kind="related"), an_envelope(delivery_id="d2")
    answers = deliveries.receive(world.platforms["south"], [bad, good])
    assert [type(answer) for answer in answers] == [Refusal, Receipt]
    assert read(world.platforms["south"], "SELECT * FROM related") == []


def test_a_revoked_agreement_closes_the_door(world: World) -> None:
    """A11: who may not send any more is refused."""
    world.agree()
    answer = world.receive(an_envelope())
    assert isinstance(answer, Refusal)
    assert answer.code == "agreement_missing"
    assert held(world.platforms["south"]) == []


def test_a_sender_cannot_replace_an_own_case(world: World) -> None:
    """B9: what arrives under the id of a case that is held here from elsewhere is refused."""
    before = everything(world)
    answer = world.receive(an_envelope(case_id="s"))
    assert isinstance(answer, Refusal)
    assert everything(world) == before


def test_a_sender_cannot_replace_another_senders_case(world: World) -> None:
    """B9: each sender may only revise what it sent itself."""
    world.add("west")
    world.agree(("north", "south"), ("west", "south"))
    world.receive(an_envelope())
    before = everything(world)
    other = canonical_json(a_phenopacket("north.0001", observed=("HP:0001626",)))
    answer = world.receive(an_envelope(other, sender="west", delivery_id="w1"))
    assert isinstance(answer, Refusal)
    assert everything(world) == before


def test_a_sender_cannot_put_material_beside_an_own_case(world: World) -> None:
    """A12 B9: related material belongs to the cases that its sender shares."""
    payload = canonical_json([an_item().model_dump()])
    answer = world.receive(an_envelope(payload, kind="related", case_id="s"))
    assert isinstance(answer, Refusal)
    assert related.related_of(world.platforms["south"], "s") == []


def test_a_later_delivery_of_the_same_sender_is_a_revision(world: World) -> None:
    """A11 B3: one case, the newer document in force, the older one kept."""
    world.receive(an_envelope())
    newer = canonical_json(a_phenopacket("north.0001", observed=("HP:0001626",)))
    assert isinstance(world.receive(an_envelope(newer, delivery_id="d2")), Receipt)
    south = world.platforms["south"]
    assert held(south) == [("north", "north.0001")]
    rows = read(south, "SELECT rev, document FROM revisions WHERE case_id = 'north.0001'")
    assert [rev for rev, _ in rows] == [1, 2]
    assert json.loads(rows[1][1]) == json.loads(newer)

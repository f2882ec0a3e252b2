"""The first index decides, else the second is asked; what is decided goes out (S700-S900)."""

from pathlib import Path

from builders import a_peer, a_phenopacket

from cluster.clock import DAY_S
from cluster.contracts.sharing import Envelope
from cluster.flow import accesses, decisions
from cluster.ids import key_of
from cluster.sharing.decision import IndexRange
from cluster.sharing.decision import decide as verdict_on
from cluster.storage.cases import set_state
from tests.unit.flow.world import (
    NOW,
    World,
    a_pair,
    a_prediction,
    an_event,
    audit_actions,
    decide,
    event_table,
    held,
    open_at,
    read,
    take_in,
)

NEXT = NOW + 14 * DAY_S


def test_the_first_index_within_the_range_decides(tmp_path: Path) -> None:
    """A10: both ends of the range are in it; the second index is not looked at then."""
    platform = open_at(tmp_path, share_index_min=0.3, share_index_max=0.8)
    take_in(platform, a_phenopacket("low"), a_phenopacket("high"))
    made = decide(platform, {"low": 0.3, "high": 0.8}, {"low": 0.0})
    assert [(r.outcome, r.decided_by) for r in made.values()] == [("upload", "first")] * 2
    assert (made["low"].index_min, made["low"].index_max) == (0.3, 0.8)


def test_the_second_index_is_asked_only_after_the_return_instruction(tmp_path: Path) -> None:
    """A10: the return instruction names exactly the cases outside; the second decides on them."""
    platform = open_at(tmp_path, share_index_min=0.3, share_index_max=0.8)
    indexes = {"in": 0.5, "below": 0.29, "above": 0.81}
    take_in(platform, *map(a_phenopacket, indexes))
    asked = decisions.returned(platform, [a_prediction(i, index) for i, index in indexes.items()])
    assert asked == ["below", "above"]
    made = decide(platform, indexes, {"below": 0.4, "above": 0.9})
    outcomes = {case_id: (r.outcome, r.decided_by) for case_id, r in made.items()}
    assert outcomes == {
        "in": ("upload", "first"),
        "below": ("upload", "second"),
        "above": ("hold", "none"),
    }
    assert made["below"].second == a_prediction("below", 0.4, "m2")
    assert "return instruction" in made["above"].reason
    assert made["in"].second is None


def test_without_a_second_model_a_returned_case_is_held(tmp_path: Path) -> None:
    """A10: no second model is no reason to send a case out."""
    platform = open_at(tmp_path)
    take_in(platform, a_phenopacket("a"))
    (record,) = decide(platform, {"a": 0.1}).values()
    assert (record.outcome, record.decided_by, record.second) == ("hold", "none", None)
    assert "no second model" in record.reason
    assert record.targets == ()
    assert read(platform, "SELECT * FROM outbox") == []


def test_a_decision_says_what_it_was_made_from(tmp_path: Path) -> None:
    """A10: counts, spread, period, models and the key; it can be replayed to the same verdict."""
    platform = open_at(tmp_path)
    take_in(platform, a_phenopacket("a"))
    rows = [an_event(f"e{n}", "a", NOW - 60 * n - 9) for n in range(4)]
    rows.append(an_event("s", "a", NOW - 8, "share", parent_id="e0"))
    rows.append(an_event("t", "a", NOW - 7, "view", parent_id="s", user="u2"))
    accesses.record_events(platform, event_table(rows))
    (record,) = decide(platform, {"a": 0.9}).values()
    assert (record.clicks, record.usages) == (5, 1)
    assert record.period_days == accesses.current_period(platform, NOW).period_days
    (spread,) = accesses.propagation(platform, NOW)
    assert record.propagation_index == spread.index > 0
    assert record.first.model_version == "m1"
    assert record.decision_id == key_of("north", "a", 1, NOW)
    replayed = verdict_on(record.first.index, None, IndexRange(record.index_min, record.index_max))
    assert (replayed.outcome, replayed.decided_by, replayed.reason) == (
        record.outcome,
        record.decided_by,
        record.reason,
    )


def test_a_decision_is_made_once_a_period(tmp_path: Path) -> None:
    """A10 A13: a repeated step returns what was decided, whatever the models say by now."""
    world = a_pair(tmp_path)
    north = world.platforms["north"]
    first = world.decide("north", {"a": 0.9, "b": 0.1})
    audited = audit_actions(north)
    again = decide(north, {"a": 0.0, "b": 0.95}, peers=world.peers("north"))
    assert again == first
    assert len(world.statuses("north")) == 1
    assert audit_actions(north) == audited == ["decision", "decision"]


def test_a_held_case_is_decided_again_in_the_next_period(tmp_path: Path) -> None:
    """A10: hold is for the period; an uploaded case is out and not decided again."""
    world = a_pair(tmp_path)
    world.decide("north", {"a": 0.9, "b": 0.1}, as_of=NOW)
    later = world.decide("north", {"a": 0.9, "b": 0.9}, as_of=NEXT)
    assert {case_id: r.outcome for case_id, r in later.items()} == {"b": "upload"}
    assert [(s.case_id, s.peer) for s in world.statuses("north")] == [
        ("a", "south"),
        ("b", "south"),
    ]


def test_only_active_own_cases_are_decided(tmp_path: Path) -> None:
    """A11 B9: withdrawn and unknown cases are passed over; what was received is not sent on."""
    world = a_pair(tmp_path)
    world.decide("north", {"a": 0.9})
    world.deliver()
    south = world.platforms["south"]
    ((_, shared_id),) = held(south)
    with south.ledger.begin() as tx:
        set_state(tx, "s", state="withdrawn", consent="share")
    made = world.decide("south", {"s": 0.9, "nobody": 0.9, shared_id: 0.9})
    assert made == {}
    assert world.statuses("south") == []


def test_targets_are_agreed_platforms_nearest_field_first(tmp_path: Path) -> None:
    """A1 A11: linked and agreed only, ordered by what their tags say about the case's field."""
    platform = open_at(tmp_path)
    take_in(platform, a_phenopacket("a"))
    field, other = "Nervous system", "Heart"
    peers = [
        a_peer("none", mix={other: 1.0}),
        a_peer("half", mix={field: 0.5, other: 0.5}),
        a_peer("best", mix={field: 0.9, other: 0.1}),
        a_peer("unlinked", linked=False, mix={field: 1.0}),
        a_peer("stranger", agreed=False, mix={field: 1.0}),
    ]
    (record,) = decide(platform, {"a": 0.9}, peers=peers).values()
    assert record.targets == ("best", "half", "none")
    rows = read(platform, "SELECT peer, state FROM outbox ORDER BY peer")
    assert rows == [("best", "queued"), ("half", "queued"), ("none", "queued")]


def test_a_case_goes_out_under_a_name_of_its_own_for_each_platform(tmp_path: Path) -> None:
    """A11 B9: two receivers cannot tell by the name that they hold the same case."""
    platform = open_at(tmp_path)
    take_in(platform, a_phenopacket("a"))
    decide(platform, {"a": 0.9}, peers=[a_peer("east"), a_peer("west")])
    payloads = [row[0] for row in read(platform, "SELECT payload FROM outbox")]
    names = {Envelope.model_validate_json(p).case_id for p in payloads}
    assert len(names) == 2
    assert all(name.startswith("north.") and name.split(".")[1] != "a" for name in names)


def test_a_new_agreement_brings_what_was_shared_before(tmp_path: Path) -> None:
    """A11: a newly agreed platform gets the shared cases, once, and not the held ones."""
    world = a_pair(tmp_path)
    world.add("west")
    world.agree(("north", "south"))
    world.decide("north", {"a": 0.9, "b": 0.1})
    world.deliver()
    assert held(world.platforms["west"]) == []
    for _ in range(2):
        world.agree(("north", "south"), ("north", "west"))
        world.deliver()
    assert len(held(world.platforms["west"])) == 1
    assert len(held(world.platforms["south"])) == 1
    assert [(s.peer, s.state) for s in world.statuses("north")] == [
        ("south", "delivered"),
        ("west", "delivered"),
    ]


def test_a_case_shared_before_any_agreement_waits_for_one(tmp_path: Path) -> None:
    """A11: without an agreed platform there is a decision and no delivery, until one agrees."""
    world = World(tmp_path)
    world.add("north", a_phenopacket("a"))
    world.add("south")
    world.agree()
    made = world.decide("north", {"a": 0.9})
    assert (made["a"].outcome, made["a"].targets) == ("upload", ())
    assert read(world.platforms["north"], "SELECT * FROM outbox") == []
    world.agree(("north", "south"))
    world.deliver()
    assert len(held(world.platforms["south"])) == 1


def test_a_lapsed_agreement_that_comes_back_is_delivered(tmp_path: Path) -> None:
    """A11: a delivery that was parked for want of an agreement goes out when there is one again."""
    world = a_pair(tmp_path)
    world.decide("north", {"a": 0.9})
    world.agree()
    world.deliver()
    assert [(s.state, s.reason) for s in world.statuses("north")] == [
        ("parked", "agreement_missing")
    ]
    world.agree(("north", "south"))
    world.deliver()
    assert [s.state for s in world.statuses("north")] == ["delivered"]
    assert len(held(world.platforms["south"])) == 1


def test_a_revision_of_a_shared_case_reaches_who_has_it(tmp_path: Path) -> None:
    """A11 B3: a shared case that is revised is decided on anew, not taken for already out."""
    world = a_pair(tmp_path)
    north, south = world.platforms["north"], world.platforms["south"]
    world.decide("north", {"a": 0.9}, as_of=NOW)
    world.deliver()
    take_in(north, a_phenopacket("a", observed=("HP:0002069",)), name="later")
    world.clock.instant = NEXT
    made = world.decide("north", {"a": 0.9}, as_of=NEXT)
    assert [(r.case_id, r.rev) for r in made.values()] == [("a", 2)]
    world.deliver()
    ((_, shared_id),) = held(south)
    assert read(south, f"SELECT rev FROM cases WHERE case_id = '{shared_id}'") == [(2,)]

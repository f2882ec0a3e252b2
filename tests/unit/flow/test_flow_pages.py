"""Decisions, outbox and inbox a page at a time (S800-S1000)."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from builders import a_phenopacket, an_item

from cluster.contracts.related import RelatedAnswers
from cluster.errors import InputError
from cluster.flow.pages import decision_page, delivery_page, inbox_page
from cluster.flow.platform import Platform
from cluster.flow.related import store_related
from tests.unit.flow.world import World, take_in

EVERY_DECISION: dict[str, Any] = {"period_end": None, "outcome": ""}
EVERY_DELIVERY: dict[str, Any] = {"chosen": {}}
EVERYTHING: dict[str, Any] = {"chosen": {}}
PERIOD_S = 14 * 86_400.0


def a_world(folder: Path, n_cases: int = 5) -> World:
    """North sends its cases to south and west; every second one is held."""
    world = World(folder)
    world.add("north", *(a_phenopacket(f"c{n}") for n in range(n_cases)))
    world.add("south", a_phenopacket("s"))
    world.add("west", a_phenopacket("w"))
    world.agree(("north", "south"), ("north", "west"))
    world.decide("north", {f"c{n}": 0.9 if n % 2 else 0.0 for n in range(n_cases)})
    world.deliver()
    return world


def walked(page: Callable[..., Any], rows: str, platform: Platform, **asked: Any) -> list[Any]:
    """All pages of a list, two rows each."""
    found: list[Any] = []
    after: str | None = ""
    while after is not None:
        one = page(platform, after, 2, **asked)
        assert len(getattr(one, rows)) <= 2
        found += getattr(one, rows)
        after = one.next
    return found


def test_pages_together_are_the_whole_list_once(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    north, south = world.platforms["north"], world.platforms["south"]
    decisions = walked(decision_page, "decisions", north, **EVERY_DECISION)
    assert sorted(one.case_id for one in decisions) == [f"c{n}" for n in range(5)]
    deliveries = walked(delivery_page, "deliveries", north, **EVERY_DELIVERY)
    assert sorted((one.case_id, one.peer) for one in deliveries) == [
        (case, peer) for case in ("c1", "c3") for peer in ("south", "west")
    ]
    assert {one.state for one in deliveries} == {"delivered"}
    assert all(one.receipt is not None for one in deliveries)
    received = walked(inbox_page, "received", south, **EVERYTHING)
    assert {one.case_id for one in received} == {
        north.shared_id(case, "south") for case in ("c1", "c3")
    }
    whole = inbox_page(south, "", 2, **EVERYTHING)
    assert whole.next is None, "a last page that is full has no next one"


def test_filters_hold_on_every_page(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    north, south = world.platforms["north"], world.platforms["south"]
    held = walked(decision_page, "decisions", north, period_end=None, outcome="hold")
    assert sorted(one.case_id for one in held) == ["c0", "c2", "c4"]
    end = held[0].period_end
    of_period = walked(decision_page, "decisions", north, period_end=end, outcome="")
    assert len(of_period) == 5
    other = walked(decision_page, "decisions", north, period_end=end + 1, outcome="")
    assert other == []
    sent = partial(walked, delivery_page, "deliveries", north)
    assert {one.peer for one in sent(chosen={"peer": "west"})} == {"west"}
    assert len(sent(chosen={"case_id": "c1", "state": "delivered"})) == 2
    assert sent(chosen={"state": "queued"}) == []
    assert (len(sent(chosen={"kind": "case"})), sent(chosen={"kind": "recall"})) == (4, [])
    name = north.shared_id("c3", "south")
    received = partial(walked, inbox_page, "received", south)
    (one,) = received(chosen={"sender": "north", "case_id": name})
    assert (one.case_id, one.sender) == (name, "north")
    assert received(chosen={"sender": "west", "case_id": ""}) == []


def test_rows_say_what_they_are_about_and_why(tmp_path: Path) -> None:
    """A11 A12: what was sent is found by its disease, with the decision's reason or the items."""
    world = a_world(tmp_path, 2)
    north, south = world.platforms["north"], world.platforms["south"]
    found = {north.shared_id("c1", "network:south"): (an_item("x", platform="south"),)}
    answers = RelatedAnswers.model_validate({"network": {"south": found}})
    store_related(north, world.clock.now(), answers)
    world.deliver()
    (record,) = walked(decision_page, "decisions", north, period_end=None, outcome="upload")
    disease = north.index.rows(["c1"])["disease_id"].to_pylist()[0]
    of_it = partial(walked, delivery_page, "deliveries", north)
    rows = of_it(chosen={"disease_id": disease, "peer": "south"})
    assert [(row.kind, row.disease_id) for row in rows] == [("case", disease), ("related", disease)]
    assert [row.evidence for row in rows] == [(record.reason,), ("case x: HP:0001250",)]
    assert of_it(chosen={"disease_id": "OMIM:0"}) == []
    inbox = walked(inbox_page, "received", south, chosen={"disease_id": disease})
    evidence = {(row.kind, row.disease_id): row.evidence for row in inbox}
    told = {("case", disease): (), ("related", disease): ("case x: HP:0001250",)}
    assert evidence == told
    assert walked(inbox_page, "received", south, chosen={"disease_id": "OMIM:0"}) == []


def test_what_is_written_between_two_pages_moves_no_row(tmp_path: Path) -> None:
    """No row comes twice and none is left out; what is new is at the end, or before the start."""
    world = a_world(tmp_path)
    north, south = world.platforms["north"], world.platforms["south"]
    first = decision_page(north, "", 2, **EVERY_DECISION)
    newest = inbox_page(south, "", 1, **EVERYTHING)
    take_in(north, a_phenopacket("a-new-one"), name="more")
    world.clock.instant += PERIOD_S
    world.decide("north", {"a-new-one": 0.9})
    world.deliver()
    rest = decision_page(north, first.next or "", 100, **EVERY_DECISION)
    cases = [one.case_id for one in (*first.decisions, *rest.decisions)]
    assert cases[-1] == "a-new-one"
    assert sorted(cases[:-1]) == [f"c{n}" for n in range(5)]
    earlier = inbox_page(south, newest.next or "", 100, **EVERYTHING)
    names = {one.case_id for one in (*newest.received, *earlier.received)}
    assert names == {north.shared_id(case, "south") for case in ("c1", "c3")}
    (last,) = inbox_page(south, "", 1, **EVERYTHING).received
    assert last.case_id == north.shared_id("a-new-one", "south")


@pytest.mark.parametrize("after", ["next", "-1", "1.5", "٣", "9" * 30, "1 OR 1"])
def test_a_cursor_of_nobody_is_refused(tmp_path: Path, after: str) -> None:
    north = a_world(tmp_path, 1).platforms["north"]
    with pytest.raises(InputError, match="no such place"):
        decision_page(north, after, 10, **EVERY_DECISION)
    assert decision_page(north, "9" * 19, 10, **EVERY_DECISION).decisions == ()


@pytest.mark.parametrize("limit", [0, 201])
def test_a_page_has_a_size(tmp_path: Path, limit: int) -> None:
    north = a_world(tmp_path, 1).platforms["north"]
    with pytest.raises(InputError, match="limit"):
        delivery_page(north, "", limit, **EVERY_DELIVERY)

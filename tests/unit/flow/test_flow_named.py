"""What is named beside a case of somebody else is taken back too (A12, B9)."""

from pathlib import Path

import pytest
from builders import a_phenopacket

from cluster.contracts.related import RelatedAnswers
from cluster.flow import consents, deliveries, related
from tests.unit.flow.world import World, held, read


@pytest.fixture
def named(tmp_path: Path) -> World:
    """North shared a with south and east; beside it stands a case of south, which all may know."""
    world = World(tmp_path)
    world.add("north", a_phenopacket("a"))
    world.add("south", a_phenopacket("s", observed=("HP:0002069",)))
    world.add("east")
    world.agree(("north", "south"), ("north", "east"), ("east", "south"))
    world.decide("north", {"a": 0.9})
    world.deliver()
    world.refresh()
    world.deliver()
    assert beside(world) == [{world.platforms["south"].shared_id("s", "north")}] * 3
    return world


def beside(world: World) -> list[set[str]]:
    """Names of the items beside a: at its home, in south and in east."""
    at = {"north": "a"} | {n: held(world.platforms[n])[0][1] for n in ("south", "east")}
    return [
        {item.item_id for item in related.related_of(world.platforms[n], i)} for n, i in at.items()
    ]


def test_a_case_that_was_only_named_is_taken_back_too(named: World) -> None:
    """A12 B9: it was never sent; its name goes at once, also where it was passed on."""
    south = named.platforms["south"]
    consents.set_consent(south, "s", state="withdrawn", consent="share")
    named.deliver()
    named.deliver()
    assert beside(named) == [set()] * 3
    assert all(not read(p, "SELECT * FROM named") for p in named.platforms.values())
    told = [s.peer for s in deliveries.statuses(south) if s.kind == "recall"]
    assert sorted(told) == ["north"]  # east knows it from north alone
    north = named.platforms["north"]
    assert "s" not in str(read(north, "SELECT found FROM answers WHERE found LIKE '%south.%'"))


def test_an_answer_that_was_on_its_way_does_not_bring_a_name_back(named: World) -> None:
    """A12 B9: what is taken back after the question was asked is not kept from its answer."""
    north, south = named.platforms["north"], named.platforms["south"]
    asked = named.clock.now()
    questions = related.due_questions(north, asked + 30 * 86_400).network["south"]
    late = related.find_related(south, "north", questions)
    consents.set_consent(south, "s", state="withdrawn", consent="share")
    named.deliver()
    named.deliver()
    answers = RelatedAnswers.model_validate({"network": {"south": late}})
    related.store_related(north, asked, answers)
    named.deliver()
    assert beside(named) == [set()] * 3


def test_a_platform_takes_back_no_name_that_another_gave(named: World) -> None:
    """B9: a recall counts for what its sender has told of."""
    north = named.platforms["north"]
    with north.ledger.begin() as tx:
        related.forget(tx, north, named.platforms["south"].shared_id("s", "north"), "east")
    assert beside(named)[0]


@pytest.fixture
def neighbours(tmp_path: Path) -> World:
    """North shared a with south; beside it stands north's own case x."""
    world = World(tmp_path)
    world.add("north", a_phenopacket("a"), a_phenopacket("x", observed=("HP:0002069",)))
    world.add("south")
    world.agree(("north", "south"))
    world.decide("north", {"a": 0.9})
    world.deliver()
    world.refresh()
    world.deliver()
    assert by_name(world) == [{"x"}, {world.platforms["north"].shared_id("x", "south")}]
    return world


def by_name(world: World) -> list[set[str]]:
    """Names of the items beside a: at its home and in south."""
    at = {"north": "a", "south": held(world.platforms["south"])[0][1]}
    return [
        {item.item_id for item in related.related_of(world.platforms[n], i)} for n, i in at.items()
    ]


def test_an_own_case_has_the_name_beside_another_that_it_has_itself(neighbours: World) -> None:
    """A12 B9: each receiver has one name for a case, whether it was sent or only named."""
    neighbours.decide("north", {"x": 0.9})
    neighbours.deliver()
    names = {case_id for _, case_id in held(neighbours.platforms["south"])}
    assert by_name(neighbours)[1] <= names


def test_an_own_case_does_not_stay_beside_another_own_one(neighbours: World) -> None:
    """A12 B9: it was named at home, and passed on from there."""
    north = neighbours.platforms["north"]
    consents.set_consent(north, "x", state="withdrawn", consent="share")
    neighbours.deliver()
    assert by_name(neighbours) == [set(), set()]


def test_an_own_answer_that_was_on_its_way_brings_no_name_back(neighbours: World) -> None:
    """A12 B9: what may not be shared any more when an answer is kept is not in it."""
    north = neighbours.platforms["north"]
    asked = neighbours.clock.now() + 30 * 86_400
    questions = related.due_questions(north, asked).network["north"]
    late = related.find_related(north, "north", questions)
    consents.set_consent(north, "x", state="withdrawn", consent="share")
    answers = RelatedAnswers.model_validate({"network": {"north": late}})
    related.store_related(north, asked, answers)
    neighbours.deliver()
    assert by_name(neighbours) == [set(), set()]


def test_a_name_is_taken_back_although_the_agreement_has_ended(named: World) -> None:
    """A12 B9: who was told of a case by another one than its home is told that it is gone."""
    named.agree(("north", "south"), ("east", "south"))
    consents.set_consent(named.platforms["south"], "s", state="withdrawn", consent="share")
    named.deliver()
    named.deliver()
    assert beside(named) == [set()] * 3


def test_a_name_that_was_taken_back_is_asked_for_anew(named: World) -> None:
    """A12: shared again, it comes with the next refresh and not a whole period later."""
    for state in ("withdrawn", "active"):
        consents.set_consent(named.platforms["south"], "s", state=state, consent="share")
        named.deliver()
    named.clock.instant += 1
    named.refresh()
    assert beside(named)[0] == {named.platforms["south"].shared_id("s", "north")}


def test_who_was_sent_nothing_learns_nothing_from_what_goes(tmp_path: Path) -> None:
    """A11 A12 B9: what only takes away names a case; who never got that is not told."""
    world = World(tmp_path)
    world.add("north", a_phenopacket("a"), a_phenopacket("x", observed=("HP:0002069",)))
    world.add("south")
    world.agree(("north", "south"))
    world.decide("north", {"a": 0.9})
    world.refresh()
    world.agree()  # before anything was claimed
    world.deliver()
    consents.set_consent(world.platforms["north"], "x", state="withdrawn", consent="share")
    world.deliver()
    assert read(world.platforms["south"], "SELECT * FROM inbox") == []

"""Related material is found, renewed every second period, and pushed once (S1010-S1040)."""

import json
from pathlib import Path

import pytest
from builders import a_phenopacket, an_envelope, an_item

from cluster.clock import DAY_S
from cluster.contracts.related import RelatedAnswers, RelatedQuery, RelatedQuestions
from cluster.flow import deliveries, related
from cluster.ids import canonical_json, sha256
from cluster.storage.cases import set_state
from tests.unit.flow.world import NOW, World, audit_actions, held, read, settlement, take_in

WEEK = 7 * DAY_S


@pytest.fixture
def world(tmp_path: Path) -> World:
    """North has shared a with south; south has a kindred case; west is linked without agreement."""
    made = World(tmp_path)
    made.add("north", a_phenopacket("a"), a_phenopacket("b", observed=("HP:0001627",)))
    made.add("south", a_phenopacket("s", observed=("HP:0002069",), publication="PMID:7"))
    made.add("west", a_phenopacket("w"))
    made.agree(("north", "south"))
    made.decide("north", {"a": 0.9})
    made.deliver()
    return made


def names(world: World, home: str, case_id: str) -> list[str]:
    """Return the ids of what is kept beside a case."""
    return [item.item_id for item in related.related_of(world.platforms[home], case_id)]


def asked_of(questions: RelatedQuestions) -> dict[str, int]:
    """Return how many questions go to each platform and source that is asked at all."""
    given = {**questions.network, **questions.literature}
    return {name: len(queries) for name, queries in given.items() if queries}


def query(*terms: int, case_id: str = "north.q") -> RelatedQuery:
    """Return a question with these terms."""
    return RelatedQuery(case_id=case_id, terms=terms)


def test_only_shared_cases_that_are_due_are_asked(world: World) -> None:
    """A12: never done, or the second period is over; the question carries terms and no own id."""
    north, now = world.platforms["north"], world.clock.now()
    (asked,) = related.due_questions(north, now).network["south"]
    assert asked.terms == (1250,)
    assert (asked.disease_id, asked.genes) == ("OMIM:100", ())
    assert asked.case_id not in {case_id for _, case_id in held(world.platforms["south"])}
    world.refresh()
    assert asked_of(related.due_questions(north, now + WEEK - 1)) == {}
    assert asked_of(related.due_questions(north, now + WEEK)) == {"north": 1, "south": 1}
    assert asked_of(related.due_questions(world.platforms["south"], now)) == {}


def test_each_is_asked_under_a_name_of_its_own(world: World) -> None:
    """A12 B9: no two of those that are asked can join what they heard of a case by its name."""
    world.agree(("north", "south"), ("north", "west"))
    asked = related.due_questions(world.platforms["north"], world.clock.now(), ["file", "pubmed"])
    given = {**asked.network, **asked.literature}
    assert set(given) == {"north", "south", "west", "file", "pubmed"}
    assert len({query.case_id for queries in given.values() for query in queries}) == 5


def test_answers_are_explained_and_named_for_the_asker(world: World) -> None:
    """A12: case and publication, each with its score and the terms that make it related."""
    south = world.platforms["south"]
    answers = related.find_related(south, "north", [query(1250)])
    case, literature = answers["north.q"]
    assert (case.kind, case.platform, case.title) == ("case", "south", "")
    assert case.item_id == south.shared_id("s", "north")
    assert (case.score, case.why) == (0.5, "Seizure")
    assert (literature.kind, literature.item_id) == ("literature", "PMID:7")
    assert (literature.title, literature.score) == ("", 0.5)
    alike = query(1250).model_copy(update={"disease_id": "OMIM:100"})
    _, literature = related.find_related(south, "north", [alike])["north.q"]
    assert literature.score == 2.5
    assert literature.why == "same disease OMIM:100; reports a similar case: Seizure"


def test_a_case_is_not_related_to_itself(world: World) -> None:
    """A12: neither at home, nor through the copy that another platform was sent."""
    north = world.platforms["north"]
    (asked,) = related.due_questions(north, world.clock.now()).network["north"]
    assert related.find_related(north, "north", [asked]) == {asked.case_id: []}
    take_in(north, a_phenopacket("twin"), name="later")
    (twin,) = related.find_related(north, "north", [asked])[asked.case_id]
    assert twin.item_id == "twin"
    items = related.find_related(world.platforms["south"], "north", [asked])[asked.case_id]
    assert all(item.platform == "south" for item in items if item.kind == "case")


def test_without_an_agreement_there_is_no_answer(world: World) -> None:
    """A11 A12: a platform that may not receive cases learns nothing about them either."""
    questions = [query(1250)]
    assert related.find_related(world.platforms["south"], "west", questions) == {}
    assert related.find_related(world.platforms["west"], "north", questions) == {}
    assert related.find_related(world.platforms["west"], "nobody", questions) == {}
    world.agree()
    assert related.find_related(world.platforms["south"], "north", questions) == {}


@pytest.mark.parametrize(("state", "consent"), [("withdrawn", "share"), ("active", "private")])
def test_a_case_that_may_not_be_shared_is_not_found_for_others(
    world: World, state: str, consent: str
) -> None:
    """A12 B9: withdrawn and private cases are no related material for another platform."""
    with world.platforms["south"].ledger.begin() as tx:
        set_state(tx, "s", state=state, consent=consent)
    answers = related.find_related(world.platforms["south"], "north", [query(1250)])
    assert [item for item in answers["north.q"] if item.kind == "case"] == []


def test_no_question_no_answer_and_no_known_term_no_item(world: World) -> None:
    """A12: a question without a known term finds nothing, and is answered all the same."""
    south = world.platforms["south"]
    answers = related.find_related(south, "north", [query(), query(7777777, case_id="x")])
    assert answers == {"north.q": [], "x": []}
    assert related.find_related(south, "north", []) == {}


def test_items_stand_beside_the_case_at_home_and_where_it_was_sent(world: World) -> None:
    """A12: the home keeps them under its own id, the receiver under the shared one."""
    assert world.refresh() == 2
    world.deliver()
    ((_, shared_id),) = held(world.platforms["south"])
    south = world.platforms["south"]
    assert names(world, "north", "a") == [south.shared_id("s", "north"), "PMID:7"]
    assert names(world, "south", shared_id) == names(world, "north", "a")
    assert related.related_of(south, shared_id)[0].why == "Seizure"
    assert names(world, "north", "b") == []
    assert {(s.kind, s.peer, s.state) for s in world.statuses("north")} == {
        ("case", "south", "delivered"),
        ("related", "south", "delivered"),
    }


def test_nothing_new_pushes_nothing(world: World) -> None:
    """A12: a refresh that finds what is known leaves the outbox alone and counts as done."""
    world.refresh()
    world.deliver()
    before = world.statuses("north")
    world.clock.instant += WEEK
    assert world.refresh() == 0
    assert world.statuses("north") == before
    assert asked_of(related.due_questions(world.platforms["north"], world.clock.now())) == {}


def test_only_the_new_case_is_pushed(world: World) -> None:
    """A12: after a second period with one new case elsewhere, that one alone goes out."""
    world.refresh()
    world.deliver()
    world.clock.instant += WEEK
    south = world.platforms["south"]
    take_in(south, a_phenopacket("new", observed=("HP:0001250",)), name="later")
    assert world.refresh() == 1
    world.deliver()
    pushed = read(world.platforms["north"], "SELECT payload FROM outbox WHERE kind = 'related'")
    texts = [json.loads(row[0])["payload"] for row in pushed]
    new, old = south.shared_id("new", "north"), south.shared_id("s", "north")
    assert len(texts) == 2
    assert [(new in text, old in text) for text in texts].count((True, False)) == 1
    assert names(world, "north", "a")[0] == new
    ((_, shared_id),) = held(south)
    assert names(world, "south", shared_id) == names(world, "north", "a")


def test_a_changed_item_is_pushed_again(world: World) -> None:
    """A12: an item whose content changed replaces the old one; it does not stand there twice."""
    world.refresh()
    world.clock.instant += WEEK
    changed = a_phenopacket("s", observed=("HP:0001250",), publication="PMID:7")
    take_in(world.platforms["south"], changed, name="later")
    assert world.refresh() == 2
    items = related.related_of(world.platforms["north"], "a")
    assert [item.score for item in items] == [1.0, 2.999]


def test_storing_the_same_answers_again_queues_nothing(world: World) -> None:
    """A12: a repeated step after a crash pushes nothing twice."""
    north, now = world.platforms["north"], world.clock.now()
    (asked,) = related.due_questions(north, now).network["south"]
    found = related.find_related(world.platforms["south"], "north", [asked])[asked.case_id]
    items = [*found, *found, an_item("far", score=0.05)]
    answers = RelatedAnswers.model_validate({"network": {"south": {asked.case_id: items}}})
    assert related.store_related(north, now, answers) == 2
    assert related.store_related(north, now, answers) == 0
    assert [s.kind for s in world.statuses("north")] == ["case", "related"]
    assert names(world, "north", "a") == [item.item_id for item in found]


def test_no_more_than_the_preset_number_is_kept(world: World) -> None:
    """A12: the best ones, up to the preset number."""
    many = [a_phenopacket(f"s{n}", observed=("HP:0001250",)) for n in range(9)]
    take_in(world.platforms["south"], *many, name="later")
    answers = related.find_related(world.platforms["south"], "north", [query(1250)])
    found = [item for item in answers["north.q"] if item.kind == "case"]
    assert len(found) == world.platforms["south"].settings.related_max
    assert all(item.score == 1.0 for item in found)


def test_a_new_platform_gets_what_stands_beside_the_case(world: World) -> None:
    """A12: who is sent a shared case later gets its related material too."""
    world.refresh()
    world.deliver()
    world.add("east")
    world.agree(("north", "south"), ("north", "east"), ("east", "south"))
    world.deliver()
    world.clock.instant += WEEK
    world.refresh()
    world.deliver()
    ((_, shared_id),) = held(world.platforms["east"])
    assert names(world, "east", shared_id) == names(world, "north", "a") != []


def test_a_revised_case_has_its_material_pushed_once(world: World) -> None:
    """A12 B3: a case that went out in two revisions is one case; each platform is told once."""
    north = world.platforms["north"]
    world.refresh()
    world.deliver()
    take_in(north, a_phenopacket("a", observed=("HP:0002069",)), name="later")
    world.clock.instant += WEEK
    world.decide("north", {"a": 0.9})
    world.add("east")
    world.agree(("north", "south"), ("north", "east"), ("east", "south"))
    world.deliver()
    world.refresh()
    world.deliver()
    told = [s.peer for s in world.statuses("north") if s.kind == "related"]
    assert told.count("east") == 1
    assert {s.state for s in world.statuses("north")} == {"delivered"}


def test_items_of_one_platform_do_not_reach_another_that_may_not_have_them(world: World) -> None:
    """A11 A12: what south tells north about its cases, north does not tell west."""
    world.agree(("north", "south"), ("north", "west"))
    world.refresh()
    world.deliver()
    ((_, shared_id),) = held(world.platforms["west"])
    items = related.related_of(world.platforms["west"], shared_id)
    assert "south" not in {item.platform for item in items}


def test_only_agreed_platforms_are_asked_about_cases_that_may_be_shared(world: World) -> None:
    """A12 B9: a question carries a case's terms, so it goes where the case may go, or nowhere."""
    north, now = world.platforms["north"], world.clock.now()
    world.agree(("north", "south"))
    assert asked_of(related.due_questions(north, now)) == {"north": 1, "south": 1}
    assert audit_actions(north)[-1] == "disclosure attempted"
    with north.ledger.begin() as tx:
        set_state(tx, "a", state="active", consent="private")
    assert asked_of(related.due_questions(north, now)) == {}


def test_a_question_carries_codes_only(tmp_path: Path) -> None:
    """A12 B9: what stands in the place of a gene or a disease is no code, and is not asked with."""
    symbols = ("gene of Jane Doe, born 1984-04-12", "DOE-1984-04-12", "FBN1")
    findings = [{"gene": {"symbol": symbol}} for symbol in symbols]
    disease = {"id": "MRN:12345678-Doe", "label": "Disease"}
    diagnosis = {"disease": disease, "genomicInterpretations": findings}
    packet = a_phenopacket("a", disease=None, interpretations=[{"diagnosis": diagnosis}])
    world = World(tmp_path)
    world.add("north", packet)
    world.add("south")
    world.agree(("north", "south"))
    world.decide("north", {"a": 0.9})
    (asked,) = related.due_questions(world.platforms["north"], NOW).network["south"]
    assert (asked.disease_id, asked.genes) == ("", ("FBN1",))


def test_what_no_longer_stands_goes_at_the_receivers_too(world: World) -> None:
    """A12 B9: a related case that turned private is taken away wherever the home told of it."""
    south = world.platforms["south"]
    take_in(south, a_phenopacket("t", observed=("HP:0002069",)), name="later")
    world.refresh()
    world.deliver()
    ((_, shared_id),) = held(south)
    hidden = south.shared_id("t", "north")
    assert hidden in names(world, "south", shared_id)
    with south.ledger.begin() as tx:
        set_state(tx, "t", state="active", consent="private")
    world.clock.instant += WEEK
    world.refresh()
    world.deliver()
    assert hidden not in names(world, "north", "a")
    assert names(world, "south", shared_id) == names(world, "north", "a") != []
    before = world.statuses("north")
    world.clock.instant += WEEK
    assert world.refresh() == 0
    assert world.statuses("north") == before


def test_an_older_push_never_undoes_a_newer_one(world: World) -> None:
    """A12 B3: a push that waits is not sent once there is a newer one, which says all."""
    world.refresh()
    (late,) = world.claim("north")
    deliveries.settle(world.platforms["north"], [settlement(late, None)])
    world.clock.instant += WEEK
    take_in(world.platforms["south"], a_phenopacket("new"), name="later")
    world.refresh()
    world.deliver()
    ((_, shared_id),) = held(world.platforms["south"])
    assert names(world, "south", shared_id) == names(world, "north", "a")
    states = {(s.state, s.reason) for s in world.statuses("north") if s.kind == "related"}
    assert states == {("delivered", ""), ("parked", "superseded")}


def test_a_push_of_an_older_sender_takes_nothing_away(world: World) -> None:
    """A12: without a list of what stands, everything that was told before stands."""
    world.refresh()
    world.deliver()
    ((_, shared_id),) = held(world.platforms["south"])
    before = names(world, "south", shared_id)
    payload = canonical_json([an_item("x", score=0.4).model_dump()])
    told = {"kind": "related", "sender": "north", "receiver": "south", "case_id": shared_id}
    world.receive(an_envelope("old", payload=payload, digest=sha256(payload), **told))
    assert set(names(world, "south", shared_id)) == {*before, "x"}

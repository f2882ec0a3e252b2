"""What platforms tell one another when one of them looks for cases (S400, A11)."""

import json
from pathlib import Path
from typing import Any

import pytest
from builders import TERM_NAMES, a_phenopacket
from hypothesis import given
from hypothesis import strategies as st

from cluster.case.case import read_case
from cluster.case.redaction import redact
from cluster.errors import InputError, NotFound, PolicyRefusal
from cluster.flow.consents import set_consent
from cluster.flow.network_search import TOLD_MAX, find_hits, question, told_years
from cluster.retrieval.index import CaseFilter
from cluster.retrieval.query import CaseQuery, Hit, NetworkQuery
from tests.unit.flow.world import World, a_pair, audit_actions, open_at, read, take_in

SEIZURE, TONIC, HEART, NERVES = "HP:0001250", "HP:0002069", "HP:0001626", "HP:0000707"
CANARY = "Canary-4711"
QUERY = CaseQuery(terms=(SEIZURE,), excluded=(HEART,))


def told_by(world: World, name: str, query: CaseQuery = QUERY, asker: str = "north") -> list[Hit]:
    found = find_hits(world.platforms[name], asker, query)
    assert found is not None
    return list(found)


def audit(world: World, name: str) -> list[dict[str, Any]]:
    audit_actions(world.platforms[name])
    return [json.loads(row) for (row,) in read(world.platforms[name], "SELECT row FROM audit")]


def test_a_case_is_told_under_the_name_by_which_it_is_shared(tmp_path: Path) -> None:
    """Who has received the case recognises it; nobody else is told that name."""
    world = a_pair(tmp_path)
    south = world.platforms["south"]
    (hit,) = told_by(world, "south")
    assert (hit.platform, hit.case_id) == ("south", south.shared_id("s", "north"))
    assert hit.case_id != south.shared_id("s", "west")
    assert [match.found for match in hit.matches] == [TONIC]


def test_what_is_told_is_in_the_audit_chain_before_it_is(tmp_path: Path) -> None:
    world = a_pair(tmp_path)
    (hit,) = told_by(world, "south")
    row = audit(world, "south")[-1]
    assert (row["action"], row["peer"]) == ("disclosure attempted", "north")
    assert row["cases"] == [hit.case_id]


@pytest.mark.parametrize(("state", "consent"), [("withdrawn", "share"), ("active", "private")])
def test_a_case_that_may_not_be_shared_is_told_at_home_alone(
    tmp_path: Path, state: str, consent: str
) -> None:
    """Nor does it change what is told of the others, their scores above all."""
    world = a_pair(tmp_path)
    world.platforms["south"].ledger.close()
    south = world.add("south", a_phenopacket("s"), a_phenopacket("secret", disease="OMIM:200"))
    world.agree(("north", "south"))
    set_consent(south, "secret", state=state, consent=consent)
    hits = told_by(world, "south")
    assert [hit.case_id for hit in hits] == [south.shared_id("s", "north")]
    alone = World(tmp_path / "alone")
    alone.add("north")
    alone.add("south", a_phenopacket("s"))
    alone.agree(("north", "south"))
    assert [(hit.score, hit.similarity) for hit in told_by(alone, "south")] == [
        (hit.score, hit.similarity) for hit in hits
    ]
    at_home = {hit.case_id for hit in told_by(world, "south", asker="south")}
    assert at_home == ({"s"} if state == "withdrawn" else {"s", "secret"})


def test_without_an_agreement_nothing_is_told(tmp_path: Path) -> None:
    world = a_pair(tmp_path)
    world.agree()
    before = len(audit(world, "south"))
    assert find_hits(world.platforms["south"], "north", QUERY) is None
    assert find_hits(world.platforms["south"], "stranger", QUERY) is None
    assert len(audit(world, "south")) == before


def test_a_case_of_a_third_platform_is_not_passed_on(tmp_path: Path) -> None:
    """Who received a case does not tell of it: its home does."""
    world = a_pair(tmp_path)
    world.add("west", a_phenopacket("w", observed=(NERVES,)))
    world.agree(("north", "south"), ("south", "west"))
    world.decide("north", {"a": 0.9})
    world.deliver()
    (hit,) = told_by(world, "south", asker="west")
    assert hit.case_id == world.platforms["south"].shared_id("s", "west")


def test_nothing_is_told_but_published_names_and_codes(tmp_path: Path) -> None:
    """Words of the case, ids of the record and codes of nobody stay at home."""
    world = World(tmp_path)
    world.add("north", a_phenopacket("n"))
    packet = a_phenopacket(f"{CANARY}-id", disease=f"LOCAL:{CANARY}")
    packet["phenotypicFeatures"][0]["type"]["label"] = CANARY
    packet["diseases"][0]["term"]["label"] = CANARY
    world.add("south", packet)
    world.agree(("north", "south"))
    (hit,) = told_by(world, "south")
    assert CANARY not in hit.model_dump_json()
    assert hit.matches[0].found_name == TERM_NAMES[SEIZURE]
    assert CANARY in told_by(world, "south", asker="south")[0].model_dump_json()


def test_no_answer_tells_of_more_than_some_cases(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.add("north", a_phenopacket("n"))
    world.add("south", *(a_phenopacket(f"s{n:02d}") for n in range(TOLD_MAX + 5)))
    world.agree(("north", "south"))
    wide = QUERY.model_copy(update={"k": 100})
    assert len(told_by(world, "south", wide)) == TOLD_MAX
    assert len(told_by(world, "south", QUERY.model_copy(update={"k": 3}))) == 3
    assert len(told_by(world, "south", wide, asker="south")) == TOLD_MAX + 5


def test_a_case_with_nothing_in_common_is_not_told(tmp_path: Path) -> None:
    world = a_pair(tmp_path)
    assert told_by(world, "south", CaseQuery(terms=(HEART,))) == []
    assert audit(world, "south")[-1]["cases"] == []


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        ({"text": CANARY}, "text"),
        ({"where": {"origin": "south"}}, "where"),
        ({"where": {"state": "received"}}, "where"),
        ({"where": {"rare_min": 2.0}}, "where"),
        ({"where": {"disease_id": f"LOCAL:{CANARY}"}}, "where.disease_id"),
        ({"where": {"gene": f"{CANARY} Doe"}}, "where.gene"),
        ({"where": {"sex": CANARY}}, "where.sex"),
    ],
)
def test_what_would_find_more_than_is_told_is_refused(
    tmp_path: Path, asked: dict[str, Any], place: str
) -> None:
    """By who asks, and by who is asked."""
    world = a_pair(tmp_path)
    with pytest.raises(InputError) as refused:
        question(world.platforms["north"], NetworkQuery.model_validate(asked), "t")
    assert refused.value.where == place
    assert CANARY not in str(refused.value)
    with pytest.raises(InputError):
        find_hits(world.platforms["south"], "north", CaseQuery.model_validate(asked))


def aged(case_id: str, age: str) -> dict[str, Any]:
    subject = {"id": "1", "sex": "MALE", "timeAtLastEncounter": {"age": {"iso8601duration": age}}}
    return a_phenopacket(case_id, subject=subject)


def test_a_filter_by_age_tells_no_more_than_the_band(tmp_path: Path) -> None:
    """People of one band are found by the same questions; at home the age is exact."""
    world = World(tmp_path)
    world.add("north", a_phenopacket("n"))
    world.add("south", aged("young", "P31Y"), aged("old", "P34Y6M"), aged("oldest", "P97Y"))
    world.agree(("north", "south"))
    for low, high in [(31, 32), (32, 34), (34.6, 40), (20, 31), (29, 30), (91, 96), (98, 99)]:
        where = CaseFilter(age_min=low, age_max=high)
        n_told = len(told_by(world, "south", CaseQuery(terms=(SEIZURE,), where=where)))
        assert n_told in (0, 2) if high < 90 else n_told == 1, (low, high)
    exact = CaseQuery(terms=(SEIZURE,), where=CaseFilter(age_min=31, age_max=32))
    assert [hit.case_id for hit in told_by(world, "south", exact, asker="south")] == ["young"]


@given(st.floats(0, 130, allow_nan=False))
def test_an_age_is_told_as_redaction_has_it(years: float) -> None:
    case = read_case(json.dumps(aged("c", f"P{years:.3f}Y")))
    shown = redact(case, "x", "north", str)["subject"]["timeAtLastEncounter"]
    assert shown["age"]["iso8601duration"] == f"P{told_years(round(years, 3)):.0f}Y"


def test_codes_alone_find_cases_by_what_is_told(tmp_path: Path) -> None:
    world = a_pair(tmp_path)
    by_disease = CaseQuery(where=CaseFilter(disease_id="OMIM:100"))
    (hit,) = told_by(world, "south", by_disease)
    assert (hit.disease_id, hit.score, hit.facts) == ("OMIM:100", 0.0, ("disease_id OMIM:100",))
    assert told_by(world, "south", CaseQuery(where=CaseFilter(disease_id="OMIM:999"))) == []
    female = CaseQuery(where=CaseFilter(disease_id="OMIM:100", sex="FEMALE"))
    assert told_by(world, "south", female) == []


def test_a_gene_that_is_not_told_finds_nothing(tmp_path: Path) -> None:
    """It stays behind with the diagnosis that it stands in, which is no public code."""
    world = World(tmp_path)
    world.add("north", a_phenopacket("n"))
    genomic = [
        {"gene": {"valueId": "HGNC:1", "symbol": "NF1"}, "interpretationStatus": "CAUSATIVE"}
    ]
    packets = []
    for name in ("OMIM:100", f"LOCAL:{CANARY}"):
        diagnosis = {"disease": {"id": name}, "genomicInterpretations": genomic}
        packets.append(a_phenopacket(name[:5], interpretations=[{"diagnosis": diagnosis}]))
    south = world.add("south", *packets)
    world.agree(("north", "south"))
    (hit,) = told_by(world, "south", CaseQuery(where=CaseFilter(gene="NF1")))
    assert hit.case_id == south.shared_id("OMIM:", "north")


def test_scores_of_platforms_are_in_one_order(tmp_path: Path) -> None:
    """The same case has the same score wherever it lies, so no platform is before another."""
    world = World(tmp_path)
    for name, others in (("north", 0), ("south", 9)):
        more = (a_phenopacket(f"m{n}", disease="OMIM:7", observed=(HEART,)) for n in range(others))
        world.add(name, a_phenopacket("same", observed=(SEIZURE, NERVES)), *more)
    world.agree(("north", "south"))
    first, second = (told_by(world, name)[0] for name in ("north", "south"))
    assert first.score == second.score > 0


def test_who_is_asked_and_what_is_noted_of_it(tmp_path: Path) -> None:
    """The audit row is there before anybody is asked, and has no term: queries are not stored."""
    world = a_pair(tmp_path)
    world.add("west")
    world.agree(("north", "south"))
    north = world.platforms["north"]
    asked = question(north, NetworkQuery(terms=(SEIZURE,)), "token")
    assert (asked.platforms, asked.refused) == (("north", "south"), ())
    row = audit(world, "north")[-1]
    assert (row["peers"], row["by"]) == (["south"], "token")
    assert SEIZURE not in json.dumps(row)
    named = NetworkQuery(terms=(SEIZURE,), platforms=("west", "nobody", "south", "west"))
    asked = question(north, named, "token")
    assert asked.platforms == ("west", "nobody", "south")
    assert asked.refused == ("west", "nobody")
    before = len(audit(world, "north"))
    question(north, NetworkQuery(terms=(SEIZURE,), platforms=("north",)), "token")
    assert len(audit(world, "north")) == before, "nobody else is asked"


def test_a_case_is_asked_about_by_its_signs_and_never_by_its_id(tmp_path: Path) -> None:
    world = a_pair(tmp_path)
    north = world.platforms["north"]
    asked = question(north, NetworkQuery(like="a"), "token")
    assert (asked.query.terms, asked.query.like) == ((SEIZURE,), None)
    at_home = find_hits(north, "north", asked.query.model_copy(update={"like": "a"}))
    assert "a" not in {hit.case_id for hit in at_home or ()}
    assert audit(world, "north")[-1]["case"] == north.shared_id("a", "audit")


def test_a_case_that_may_not_be_shared_is_not_asked_about(tmp_path: Path) -> None:
    """Its signs would leave with the question."""
    world = a_pair(tmp_path)
    north = world.platforms["north"]
    set_consent(north, "a", state="active", consent="private")
    with pytest.raises(PolicyRefusal):
        question(north, NetworkQuery(like="a"), "token")
    with pytest.raises(NotFound):
        question(north, NetworkQuery(like="s"), "token")


def test_a_query_without_a_known_term_asks_nobody(tmp_path: Path) -> None:
    north = open_at(tmp_path)
    take_in(north, a_phenopacket("a"))
    with pytest.raises(InputError):
        question(north, NetworkQuery(terms=("HP:9999999",)), "token")
    with pytest.raises(InputError):
        question(north, NetworkQuery(), "token")
    assert "disclosure attempted" not in audit_actions(north)

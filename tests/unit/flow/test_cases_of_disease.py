"""Which rare cases of a disease the network has, and who learns of them (C8)."""

import json
from pathlib import Path

import pytest
from builders import a_phenopacket
from pydantic import ValidationError

from cluster.contracts.disease import DiseaseCard
from cluster.contracts.related import (
    CODE_CHARS_MAX,
    CODES_MAX,
    DiseaseCases,
    DiseaseQuestion,
    NetworkCases,
)
from cluster.errors import InputError, NotFound
from cluster.flow.cases_of_disease import (
    REFUSED,
    answer_and_question,
    cases_by_platform,
    find_cases,
    platforms_to_ask,
)
from cluster.flow.consents import set_consent
from cluster.flow.diseases import DiseaseDatabase
from cluster.flow.platform import Platform
from cluster.ids import sha256
from jobs.show_related import show_cases
from tests.unit.diseases.disease_lines import a_table
from tests.unit.flow.world import World, audit_actions, read, take_in

MARFAN = {
    "id": "MONDO:0007947",
    "name": "Marfan syndrome",
    "definitions": [{"text": "A disorder of connective tissue.", "source": "Test"}],
    "xrefs": {
        "OMIM": [{"id": "154700", "relation": "E"}, {"id": "154780", "relation": "NTBT"}],
        "Orphanet": [{"id": "558", "relation": "E"}],
        "MeSH": ["D008382"],
    },
}
WIDER = {
    "id": "ORPHA:98249",
    "name": "Connective tissue disease",
    "xrefs": {"OMIM": [{"id": "154780", "relation": "NTBT"}, {"id": "154790", "relation": "BTNT"}]},
}
CANARY = "Canary-4711"


class NoWords:
    """A search for words that finds nothing."""

    def search(self, text: str, k: int) -> list[tuple[int, float]]:
        """Find nothing."""
        return []


DATABASE = DiseaseDatabase(
    a_table(MARFAN, WIDER), NoWords(), DiseaseCard(name="d.jsonl", digest=sha256("d"), records=2)
)


def question(query: str = "Marfan syndrome", limit: int = 20) -> DiseaseQuestion:
    """Return what is asked for a disease."""
    return answer_and_question(DATABASE, query, limit)[1]


def found(platform: Platform, asker: str, query: str = "Marfan syndrome") -> DiseaseCases:
    """Return an answer that is not refused."""
    answer = find_cases(platform, asker, question(query))
    assert answer is not None
    return answer


@pytest.fixture
def world(tmp_path: Path) -> World:
    """South has cases of the disease and of others; north and east may see them, west may not."""
    made = World(tmp_path)
    made.add("north", a_phenopacket("n", disease="MONDO:0007947"))
    made.add(
        "south",
        a_phenopacket("by-omim", disease="OMIM:154700"),
        a_phenopacket("by-orphanet", disease="Orphanet:558"),
        a_phenopacket("narrower", disease="OMIM:154780"),
        a_phenopacket("unstated", disease="MESH:D008382"),
        a_phenopacket("wider", disease="ORPHA:98249"),
        a_phenopacket("without", disease=None),
        a_phenopacket("words", disease="Marfan of Jane Doe"),
    )
    made.add("east")
    made.add("west")
    made.agree(("north", "south"), ("east", "south"))
    return made


def test_a_record_is_asked_for_by_all_its_exact_codes() -> None:
    """C8: id, code and name lead to one question; other relations than exact are not in it."""
    asked = question()
    assert asked.codes == ("MONDO:0007947", "OMIM:154700", "ORPHA:558")
    for query in ("MONDO:0007947", "MIM 154700", "Orphanet:558"):
        assert question(query) == asked
    assert question("MESH:D008382").codes == (*asked.codes, "MESH:D008382")


def test_a_code_of_another_record_is_asked_for_alone() -> None:
    """C8: where the record is broader than the code, its cases are not those that were meant."""
    asked = question("OMIM:154790")
    assert (asked.codes, asked.disease_id, asked.name) == (("OMIM:154790",), "OMIM:154790", "")


def test_a_code_that_no_record_has_is_asked_for_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """C8: cases have diseases that the database which serves does not know; that is said."""
    answer, asked = answer_and_question(DATABASE, "MIM 618393", 3)
    assert (answer, asked.codes, asked.name, asked.limit) == (None, ("OMIM:618393",), "", 3)
    show_cases(answer, cases_by_platform(asked, {}, {}))
    assert "no record of OMIM:618393" in capsys.readouterr().out


def test_words_lead_to_no_cases() -> None:
    """C8: nobody is told of a disease that was not named."""
    with pytest.raises(NotFound, match="has the name"):
        question("tall with a lens out of place")
    with pytest.raises(InputError):
        question("OMIM:12")


def test_a_case_is_found_by_an_exact_code_and_no_other(world: World) -> None:
    """C8: coded OMIM or Orphanet, in any spelling; not by a broader, narrower or unstated code."""
    south = world.platforms["south"]
    answer = found(south, "north")
    assert [item.item_id for item in answer.items] == [
        south.shared_id(case_id, "north") for case_id in ("by-orphanet", "by-omim")
    ]
    first = answer.items[0]
    assert (first.why, first.title) == ("same disease ORPHA:558", "Marfan syndrome")
    assert (first.platform, first.kind, first.score) == ("south", "case", 1.0)
    assert (answer.rare, answer.others) == (2, 0)
    (wider,) = found(south, "north", "Connective tissue disease").items
    assert wider.item_id == south.shared_id("wider", "north")


def test_without_an_agreement_there_is_no_answer(world: World) -> None:
    """C8 A11: refused, which is not the same as no cases; nothing of it is in the audit."""
    south = world.platforms["south"]
    before = audit_actions(south)
    assert find_cases(south, "west", question()) is None
    assert find_cases(south, "nobody", question()) is None
    world.agree()
    assert find_cases(south, "north", question()) is None
    assert audit_actions(south) == before
    together = cases_by_platform(question(), {"south": None}, {"far": "it failed"})
    assert together.found == {}
    assert together.unanswered == {"south": REFUSED, "far": "it failed"}


@pytest.mark.parametrize(("state", "consent"), [("withdrawn", "share"), ("active", "private")])
def test_a_case_that_may_not_be_shared_is_not_found(world: World, state: str, consent: str) -> None:
    """C8 B9: from the instant on, neither named nor counted, nor at home."""
    south = world.platforms["south"]
    set_consent(south, "by-omim", state=state, consent=consent)
    for asker in ("north", "south"):
        answer = found(south, asker)
        assert [item.item_id for item in answer.items] == [south.shared_id("by-orphanet", asker)]
        assert (answer.rare, answer.others) == (1, 0)


def test_cases_are_named_for_who_asks(world: World) -> None:
    """C8 B9: every asker gets other names, and nobody the platform's own, not even itself."""
    south = world.platforms["south"]
    names = [
        {item.item_id for item in found(south, asker).items} for asker in ("north", "east", "south")
    ]
    assert len(set().union(*names)) == 6
    assert not any(own in name for own in ("by-omim", "by-orphanet") for name in names)
    told = "".join(found(south, asker).model_dump_json() for asker in ("north", "south"))
    assert "by-omim" not in told and "by-orphanet" not in told


def test_what_a_case_says_of_a_person_is_not_in_the_answer(world: World) -> None:
    """C8 B9: ids, names and words planted all over a case stay, and so does the audit's view."""
    packet = a_phenopacket(
        CANARY,
        publication=f"PMID:{CANARY}",
        subject={"id": CANARY, "alternateIds": [CANARY], "dateOfBirth": "1984-04-12T00:00:00Z"},
        diseases=[{"term": {"id": "OMIM:154700", "label": f"Marfan of {CANARY}"}}],
        interpretations=[
            {
                "id": CANARY,
                "diagnosis": {
                    "disease": {"id": "MIM:154700", "label": f"{CANARY}, born 1984-04-12"},
                    "genomicInterpretations": [{"gene": {"symbol": CANARY}}],
                },
            }
        ],
    )
    south = world.platforms["south"]
    take_in(south, packet, name="canary")
    answer = found(south, "north")
    assert answer.items[0].item_id == south.shared_id(CANARY, "north")
    assert "canary" not in answer.model_dump_json().lower() and "1984" not in str(answer)
    assert CANARY not in str(read(south, "SELECT row FROM audit"))


def test_received_cases_are_told_by_their_home_only(world: World) -> None:
    """C8: a case that was shared counts once."""
    world.decide("south", {"by-omim": 0.9})
    world.deliver()
    north = world.platforms["north"]
    take_in(north, a_phenopacket("m", disease="OMIM:154700"), name="later")
    assert len(read(north, "SELECT 1 FROM cases")) == 3
    world.agree(("north", "south"), ("north", "east"))
    told = [item.item_id for item in found(north, "east").items]
    assert told == [north.shared_id(case_id, "east") for case_id in ("m", "n")]


def test_cases_that_are_not_rare_are_counted_and_not_named(tmp_path: Path) -> None:
    """C8: rare is what the screening calls so; the rest never reads as nothing."""
    world = World(tmp_path, {"incidence_preset_per_100k": 1e-9})
    south = world.add("south", a_phenopacket("s", disease="OMIM:154700"))
    answer = found(south, "south")
    assert (answer.items, answer.rare, answer.others) == ((), 0, 1)


def test_the_limit_keeps_what_changed_last(world: World) -> None:
    """C8: the order is stable, and what is left out is counted."""
    south = world.platforms["south"]
    take_in(south, a_phenopacket("by-omim", disease="OMIM:154700", excluded=("HP:0001627",)))
    answer = find_cases(south, "north", question(limit=1))
    assert answer is not None and answer.rare == 2
    assert [item.item_id for item in answer.items] == [south.shared_id("by-omim", "north")]
    assert answer == find_cases(south, "north", question(limit=1))


def test_question_and_answer_are_in_the_audit_chains(world: World) -> None:
    """C8 B9: who asks notes whom it told what it looks for; who answers, whom it told of cases."""
    north, south = world.platforms["north"], world.platforms["south"]
    assert platforms_to_ask(north, question(), "ward") == ("north", "south")
    assert platforms_to_ask(world.platforms["west"], question(), "ward") == ("west",)
    found(south, "north")
    found(south, "south")
    assert audit_actions(world.platforms["west"]) == []
    for platform, facts in (
        (north, {"questions": 1, "peers": ["south"], "by": "ward"}),
        (
            south,
            {
                "peer": "north",
                "codes": ["OMIM:154700", "ORPHA:558"],
                "cases": 2,
                "rare": 2,
                "others": 0,
            },
        ),
    ):
        assert audit_actions(platform)[-1] == "disclosure attempted"
        row = json.loads(read(platform, "SELECT row FROM audit ORDER BY seq DESC LIMIT 1")[0][0])
        assert row | facts | {"diseases": ["MONDO:0007947"]} == row


def test_numbers_that_were_told_are_in_the_audit_chain(world: World) -> None:
    """C8 B9: also of cases that are not named: those behind the limit, and those not rare."""
    south = world.platforms["south"]
    assert find_cases(south, "north", question(limit=1)) is not None
    row = json.loads(read(south, "SELECT row FROM audit ORDER BY seq DESC LIMIT 1")[0][0])
    assert (row["cases"], row["rare"], row["others"]) == (1, 2, 0)
    assert row["codes"] == ["OMIM:154700", "ORPHA:558"]


def test_a_question_has_a_bounded_number_of_codes() -> None:
    """C8: nobody asks for all that there is at once."""
    codes = tuple(f"OMIM:{n}" for n in range(100_000, 100_000 + CODES_MAX))
    assert DiseaseQuestion(disease_id="X:1", name="", codes=codes).codes == codes
    for bad in ((*codes, "OMIM:1"), ("OMIM:" + "1" * CODE_CHARS_MAX,)):
        with pytest.raises(ValidationError):
            DiseaseQuestion(disease_id="X:1", name="", codes=bad)


def test_who_did_not_answer_is_shown_as_such(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """C8: beside Y, cases with platform, name and reason; silence is no statement."""
    answer, asked = answer_and_question(DATABASE, "OMIM:154700", 1)
    south, east = world.platforms["south"], world.platforms["east"]
    world.agree(("north", "south"), ("north", "east"))
    replies = {"south": find_cases(south, "north", asked), "east": find_cases(east, "north", asked)}
    show_cases(answer, cases_by_platform(asked, replies, {"far": "it failed (X)"}))
    told = capsys.readouterr().out
    for text in (
        "MONDO:0007947  Marfan syndrome",
        "Definition: A disorder of connective tissue.",
        "Cases coded MONDO:0007947, OMIM:154700, ORPHA:558",
        south.shared_id("by-orphanet", "north"),
        "south: 2 rare cases, of which the 1 that changed last are shown",
        "east: no rare case",
        "far: NO ANSWER, it failed (X); whether it has cases is not known",
    ):
        assert text in told
    show_cases(answer, NetworkCases(question=asked, found={}, unanswered={"far": "[/x]\x1b"}))
    told = capsys.readouterr().out
    assert "no rare case" not in told and "[/x]" in told and "\x1b" not in told

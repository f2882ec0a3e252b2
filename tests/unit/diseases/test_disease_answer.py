"""Y: each part with its source, the way up, the notice; and the demo table."""

import json
from importlib import resources

import pytest

from cluster.contracts.disease import DiseaseAnswer, DiseaseCard
from cluster.diseases.answer import answer_of
from cluster.diseases.lookup import DiseaseTable
from cluster.report.disease import answer_lines
from cluster.storage.diseases import DEMO_FILE, read_diseases
from tests.unit.diseases.disease_lines import ACTION, PNEUMONIA, a_table

CARD = DiseaseCard(
    name="d.jsonl.gz",
    digest="ab" * 32,
    records=6,
    loaded_at=1_795_305_600.0,
    dates={"Disease": "2020", "disease ontology": "2026-07", "NHLBI": "2019"},
)


def answered(table: DiseaseTable, query: str, card: DiseaseCard = CARD) -> DiseaseAnswer:
    return answer_of(table, query, table.find(query), 5, card)


def text_of(answer: DiseaseAnswer) -> str:
    return "\n".join(line.plain for line in answer_lines(answer))


def test_treatment_comes_from_above_where_there_is_none() -> None:
    """C8: with the way up, the source and its date, and the text's own address."""
    answer = answered(a_table(*PNEUMONIA), "bacterial pneumonia")
    assert [one.name for one in answer.from_parent] == ["pneumonia"]
    (text,) = answer.treatment_texts
    assert (text.text, text.source, text.date) == ("Rest.", "NHLBI", "2019")
    assert "https://example.org/t" in {one.url for one in answer.references}
    assert "of the disease above it: DOID:552 pneumonia" in text_of(answer)
    assert answer.disease_id == "DOID:874"


def test_own_treatment_stays_at_the_disease() -> None:
    """C8: curated actions with evidence and publication; nothing is climbed to."""
    answer = answered(a_table(*PNEUMONIA), "OMIM:609016")
    assert answer.from_parent == ()
    assert [one.source for one in answer.treatments] == ["PMID:2502671"]
    pages = {one.id: one.url for one in answer.references}
    assert pages["PMID:2502671"] == "https://pubmed.ncbi.nlm.nih.gov/2502671/"
    assert pages["ORPHA:5"] == "https://www.orpha.net/en/disease/detail/5"
    assert "OMIM:154700" not in pages
    assert "carnitine supplementation, treats: Myopathy [published clinical study" in text_of(
        answer
    )


def test_a_part_has_the_date_of_its_source() -> None:
    """C8: of the longest name that fits; a date of its own stands; else none is made up."""
    definition = {"text": "x", "source": "Orphanet", "date": "2001"}
    other = {"text": "y", "source": "Somebody"}
    table = a_table(*PNEUMONIA, {"id": "DOID:9", "name": "z", "definitions": [definition, other]})
    assert [one.date for one in answered(table, "DOID:874").definitions] == ["2026-07"]
    card = CARD.model_copy(update={"dates": {"Orphanet": "2026-06-23"}})
    answer = answered(table, "z", card)
    assert [one.date for one in answer.definitions] == ["2001", ""]
    assert "Somebody, no date given" in text_of(answer)


def test_an_answer_says_what_it_is_made_of() -> None:
    """C8: match, data set with version and day, candidates that are as good, and the notice."""
    answer = answered(a_table(*PNEUMONIA), "sdx")
    assert (answer.match.how, answer.alike, len(answer.others)) == ("synonym", 1, 1)
    assert (answer.data_set.name, answer.data_set.loaded_on) == ("d.jsonl.gz", "2026-11-22")
    assert answer.data_set.digest == CARD.digest
    assert "not a diagnosis" in answer.notice and "DEMO" not in answer.notice
    shown = text_of(answer)
    assert "1 other records match as well" in shown
    assert "nothing is known here" in shown and "not a diagnosis" in shown
    assert DiseaseAnswer.model_validate_json(answer.model_dump_json()) == answer


def test_texts_from_outside_cannot_steer_a_terminal() -> None:
    """C8 B9: a record is shown as it is."""
    table = a_table({"id": "DOID:9", "name": "a\x1b[2Jb [red]"})
    assert "\x1b" not in text_of(answered(table, "DOID:9"))
    assert "[red]" in text_of(answered(table, "DOID:9"))


@pytest.fixture(scope="module")
def demo() -> tuple[DiseaseTable, DiseaseCard]:
    content = resources.files("cluster.diseases").joinpath(DEMO_FILE).read_bytes()
    card = DiseaseCard(name=DEMO_FILE, digest="0" * 64, records=0, demo=True)
    table, _, card = read_diseases(content, card)
    return table, card


@pytest.mark.parametrize(
    "label",
    [
        "bacterial_pneumonia",
        "viral_pneumonia",
        "normal",
        "basophil",
        "eosinophil",
        "erythroblast",
        "ig",
        "lymphocyte",
        "monocyte",
        "neutrophil",
        "platelet",
    ],
)
def test_the_demo_table_knows_the_demo_classes(
    demo: tuple[DiseaseTable, DiseaseCard], label: str
) -> None:
    """C8: every class of the image sets, and what is no disease says so."""
    answer = answered(demo[0], label, demo[1])
    is_disease = "pneumonia" in label
    assert (answer.kind == "Not a disease") is not is_disease
    assert bool(answer.treatment_texts) is is_disease
    assert answer.data_set.demo and "DEMO" in answer.notice
    assert answer.data_set.loaded_on == ""


def test_the_demo_table_is_whole_and_says_its_source(
    demo: tuple[DiseaseTable, DiseaseCard],
) -> None:
    """C8: no finding, and each text has the project's own name as its source."""
    assert demo[1].by_code == {} and demo[1].records >= 20
    content = resources.files("cluster.diseases").joinpath(DEMO_FILE).read_text("utf-8")
    for line in map(json.loads, content.splitlines()):
        told = [*line["definitions"], *line.get("texts", ())]
        assert {one["source"] for one in told} == {"Dazzle demo table"}
        assert "treatments" not in line


def test_an_action_that_does_not_help_says_so() -> None:
    """C8: what was tried in vain is not shown as a treatment that works."""
    action = ACTION | {"relation": "no_observed_benefit", "with": "l-carnitine"}
    table = a_table({"id": "DOID:9", "name": "z", "treatments": [action]})
    shown = text_of(answered(table, "z"))
    assert "carnitine supplementation (l-carnitine), no observed benefit: Myopathy" in shown

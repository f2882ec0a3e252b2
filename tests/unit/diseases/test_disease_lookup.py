"""Look-up by code and by name, and the way up to a treatment."""

from typing import Any

import pytest

from cluster.contracts.disease import Match
from cluster.diseases.lookup import GENERAL_MIN, STEPS_MAX, DiseaseTable
from cluster.errors import InputError, NotFound
from tests.unit.diseases.disease_lines import PNEUMONIA, TREATED, a_table


@pytest.fixture(scope="module")
def table() -> DiseaseTable:
    return a_table(*PNEUMONIA)


def ids(found: list[Match]) -> list[str]:
    return [one.disease_id for one in found]


def test_an_exact_code_comes_before_the_others(table: DiseaseTable) -> None:
    """C8: of several records with one code the exact one first, then by how they stand to it."""
    found = table.find("MIM 609016")
    assert ids(found) == ["ORPHA:5", "DOID:874", "ORPHA:6"]
    assert [one.relation for one in found] == ["exact", "unstated", "narrower"]
    assert {one.matched for one in found} == {"OMIM:609016"}
    assert table.alike(found) == 0
    (broader,) = table.find("OMIM:154700")
    assert (broader.disease_id, broader.relation) == ("ORPHA:5", "broader")


def test_a_record_is_found_by_its_own_id(table: DiseaseTable) -> None:
    """C8: the id is a code, and an exact one."""
    (found,) = table.find("Orphanet:5")
    assert (found.disease_id, found.how, found.relation) == ("ORPHA:5", "code", "exact")
    assert ids(table.find("mondo:0012173")) == ["ORPHA:5"]


@pytest.mark.parametrize(
    "name",
    [
        "Sjögren's deficiency",
        "SJÖGREN'S DEFICIENCY",
        "sjogren deficiency",
        "Sjo\u0308gren_deficiency",
        "  sjögren\u2019s   deficiency ",
        "\uff33j\u00f6gren-deficiency",
    ],
)
def test_names_are_found_without_case_and_accents(table: DiseaseTable, name: str) -> None:
    """C8: case, accents, marks and the genitive do not part a name from its record."""
    (found,) = table.find(name)
    assert (found.disease_id, found.how) == ("ORPHA:5", "name")
    assert found.matched == "Sjögren's deficiency"


def test_a_label_of_a_model_is_a_name(table: DiseaseTable) -> None:
    """C8 C10: the folder of a training set names its disease."""
    assert ids(table.find("bacterial_pneumonia")) == ["DOID:874"]
    (found,) = table.find("Pneumonia caused by BACTERIA")
    assert (found.how, found.matched) == ("synonym", "pneumonia caused by bacteria")


def test_all_records_of_an_ambiguous_name_are_candidates(table: DiseaseTable) -> None:
    """C8: nobody is left out, an entity in use comes first, and that there are several is said."""
    found = table.find("SDX")
    assert ids(found) == ["ORPHA:6", "ORPHA:7"]
    assert table.alike(found) == 1
    assert ids(table.find("autism")) == ids(table.find("non rare in europe: autism")) == ["ORPHA:7"]


@pytest.mark.parametrize("text", ["", " ", "...", "pneumoni", "ORPHA:99", "OMIM:999999", "zz"])
def test_what_is_not_there_is_not_found(table: DiseaseTable, text: str) -> None:
    """C8: no record is made up, and half a name is none."""
    assert table.find(text) == []


def test_what_is_no_code_is_refused(table: DiseaseTable) -> None:
    """C8: a wrong code is an error, not a search for words."""
    with pytest.raises(InputError):
        table.find("OMIM:12")
    with pytest.raises(NotFound):
        table.record("ORPHA:99")
    with pytest.raises(NotFound):
        table.treated_above("OMIM:609016")


def a_chain(length: int, **top: Any) -> list[dict[str, Any]]:
    """Return diseases above one another, DOID:0 at the bottom; the top one has more."""
    chain: list[dict[str, Any]] = [
        {"id": f"DOID:{n}", "name": f"d{n}", "parents": [f"DOID:{n + 1}"]} for n in range(length)
    ]
    return [*chain, {"id": f"DOID:{length}", "name": "top"} | top]


def test_the_nearest_treatment_above_is_found(table: DiseaseTable) -> None:
    """C8: with every disease on the way."""
    assert [one.disease_id for one in table.treated_above("DOID:874")] == ["DOID:552"]
    chain = a_table(*a_chain(STEPS_MAX, texts=[TREATED]))
    way = chain.treated_above("DOID:0")
    assert [one.disease_id for one in way] == [f"DOID:{n + 1}" for n in range(STEPS_MAX)]
    assert way[-1].name == "top"
    too_far = a_table(*a_chain(STEPS_MAX + 1, texts=[TREATED]))
    assert too_far.treated_above("DOID:0") == ()


def test_climbing_takes_the_nearest_of_several_ways() -> None:
    """C8: one step before two, and of two as near the more specific one."""
    lines: list[dict[str, Any]] = [
        {"id": "DOID:1", "name": "own", "parents": ["DOID:2", "DOID:4", "DOID:5"]},
        {"id": "DOID:2", "name": "untreated", "parents": ["DOID:3"]},
        {"id": "DOID:3", "name": "far", "texts": [TREATED]},
        {"id": "DOID:4", "name": "wide", "texts": [TREATED]},
        {"id": "DOID:5", "name": "near", "texts": [TREATED]},
        {"id": "DOID:6", "name": "sibling", "parents": ["DOID:4"]},
    ]
    assert [one.name for one in a_table(*lines).treated_above("DOID:1")] == ["near"]


def test_climbing_ends_in_a_circle() -> None:
    """C8: diseases that are above themselves are passed once."""
    lines: list[dict[str, Any]] = [
        {"id": "DOID:1", "name": "a", "parents": ["DOID:1", "DOID:2"]},
        {"id": "DOID:2", "name": "b", "parents": ["DOID:1", "DOID:9"]},
    ]
    table = a_table(*lines)
    assert table.treated_above("DOID:1") == ()
    assert table.records["below"].to_pylist() == [1, 1]
    lines = [
        {"id": "DOID:1", "name": "own", "parents": ["DOID:2"]},
        {"id": "DOID:2", "name": "b", "parents": ["DOID:3"]},
        {"id": "DOID:3", "name": "c", "parents": ["DOID:2", "DOID:4"]},
        {"id": "DOID:4", "name": "top", "texts": [TREATED]},
    ]
    assert [one.name for one in a_table(*lines).treated_above("DOID:1")] == ["b", "c", "top"]


@pytest.mark.parametrize(("more", "reached"), [(0, True), (1, False)])
def test_a_disease_above_too_many_is_not_climbed_to(more: int, reached: bool) -> None:
    """C8: what is above a great part of all records says nothing of one of them."""
    below = [
        {"id": f"DOID:{n}", "name": f"d{n}", "parents": ["DOID:1000"]}
        for n in range(GENERAL_MIN + more)
    ]
    table = a_table(*below, {"id": "DOID:1000", "name": "disease", "texts": [TREATED]})
    assert bool(table.treated_above("DOID:0")) is reached


def test_a_heading_below_the_most_general_is_not_climbed_to() -> None:
    """C8: "genetic disease", right below "disease", is no disease to take a treatment from."""
    lines: list[dict[str, Any]] = [
        {"id": "DOID:1000", "name": "disease"},
        {"id": "DOID:1001", "name": "heading", "parents": ["DOID:1000"], "texts": [TREATED]},
        {"id": "DOID:0", "name": "own", "parents": ["DOID:1001"]},
    ]
    assert a_table(*lines).treated_above("DOID:0")
    lines += [
        {"id": f"DOID:{n}", "name": f"d{n}", "parents": ["DOID:1000"]}
        for n in range(1, GENERAL_MIN + 1)
    ]
    assert a_table(*lines).treated_above("DOID:0") == ()

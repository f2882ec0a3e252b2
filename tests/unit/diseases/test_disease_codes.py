"""Codes of all vocabularies, in every spelling that people and files use."""

import pytest

from cluster.case.codes import canonical
from cluster.diseases.codes import LOCAL, asked_code, code_of, local_code
from cluster.errors import InputError


@pytest.mark.parametrize(
    ("spelt", "code"),
    [
        ("OMIM:123456", "OMIM:123456"),
        ("omim: 123456", "OMIM:123456"),
        ("MIM 123456", "OMIM:123456"),
        ("MIM:#123456", "OMIM:123456"),
        ("OMIM123456", "OMIM:123456"),
        ("OMIM:PS123456", "OMIM:PS123456"),
        ("ORPHA:5", "ORPHA:5"),
        ("Orphanet:5", "ORPHA:5"),
        ("ORPHA 005", "ORPHA:5"),
        ("http://www.orpha.net/ORDO/Orphanet_558", "ORPHA:558"),
        ("MONDO:0012173", "MONDO:0012173"),
        ("mondo_12173", "MONDO:0012173"),
        ("http://purl.obolibrary.org/obo/MONDO_0012173", "MONDO:0012173"),
        ("DOID:874", "DOID:874"),
        ("DOID:0061186", "DOID:0061186"),
        ("https://disease-ontology.org/?id=DOID:874", "DOID:874"),
        ("ICD-10: E71.3", "ICD10:E71.3"),
        ("ICD10:E71.3", "ICD10:E71.3"),
        ("ICD 10:e713", "ICD10:E71.3"),
        ("ICD-10-CM:J45", "ICD10:J45"),
        ("ICD-10:E85.4+", "ICD10:E85.4"),
        ("ICD-11:5C52.01", "ICD11:5C52.01"),
        ("ICD11: XH7WJ7", "ICD11:XH7WJ7"),
        ("MeSH:D018410", "MESH:D018410"),
        ("UMLS:C0004626", "UMLS:C0004626"),
        ("GARD:6867", "GARD:0006867"),  # codespell:ignore
        ("MedDRA:10072653", "MEDDRA:10072653"),
        ("NCI:C26704", "NCIT:C26704"),
        ("DAZZLE:normal-chest", "DAZZLE:normal-chest"),
    ],
)
def test_a_code_has_one_form(spelt: str, code: str) -> None:
    """C8: however a code is spelt, it is looked up as one."""
    assert code_of(spelt) == code
    assert asked_code(f"  {spelt} ") == code
    assert code_of(code) == code


@pytest.mark.parametrize("code", ["OMIM:154700", "ORPHA:558", "MONDO:0007947", "MESH:D018410"])
def test_the_form_is_that_of_cases(code: str) -> None:
    """C8: a case's disease id is looked up as it is."""
    assert canonical(code) == code_of(code) == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "123456",
        "E71.3",
        "OMIM:12",
        "OMIM:1234567",
        "ORPHA:",
        "ORPHA:0",
        "MONDO:x",
        "FOO:1",
        "PMID:123456",
        "HP:0001250",
        "UMLS:D1",
        "ICD-10:71.3",
        "Marfan syndrome",
        "MIM 12 34 56",
    ],
)
def test_what_is_no_code_is_none(text: str) -> None:
    """C8: digits without a vocabulary, other vocabularies and other forms are no code."""
    assert code_of(text) == ""


@pytest.mark.parametrize("text", ["OMIM:12", "Orphanet: x", "ICD-10:71.3", "mesh:marfan"])
def test_a_code_that_cannot_be_one_is_refused(text: str) -> None:
    """C8: who names a vocabulary is told that its code is wrong, with the forms that are right."""
    with pytest.raises(InputError, match="is not a code of") as caught:
        asked_code(text)
    assert "OMIM:154700" in caught.value.remedy


@pytest.mark.parametrize("words", ["Autism: late form", "mesh house disease", "trisomy 21", "mim"])
def test_words_are_not_taken_for_codes(words: str) -> None:
    """C8: a name with a colon or a number is a name."""
    assert asked_code(words) == ""


@pytest.mark.parametrize(
    ("vocabulary", "text", "code"),
    [
        ("MONDO", "12173", "MONDO:0012173"),
        ("MONDO", "MONDO:0005130", "MONDO:0005130"),
        ("ICD11", "2D10.0", "ICD11:2D10.0"),
        ("ICD-10", "A00-A09", ""),
        ("Wikidata", "Q1", ""),
        ("OMIM", "ORPHA:5", ""),
    ],
)
def test_a_reference_may_leave_its_vocabulary_out(vocabulary: str, text: str, code: str) -> None:
    """C8: cross-references are read with and without prefix; a range is no code."""
    assert local_code(vocabulary, text) == code


def test_every_vocabulary_is_its_own_name() -> None:
    """C8: what the forms list can be asked for."""
    assert all(local_code(name.lower(), "?") == "" for name in LOCAL)
    assert {"OMIM", "ORPHA", "MONDO", "DOID", "ICD10", "ICD11", "MESH"} < set(LOCAL)

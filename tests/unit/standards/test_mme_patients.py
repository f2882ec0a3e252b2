"""Patients of the Matchmaker Exchange that become cases of test data."""

import json

import pytest

from cluster.case.case import Case, read_case
from cluster.errors import InputError
from cluster.standards.mme.messages import Patient
from cluster.standards.mme.patients import phenopacket_of, phenopackets_of
from tests.unit.standards.mme_builders import Json, a_patient

SYMBOLS = {"2879": "GPX4"}


def symbol_of(text: str) -> str:
    return SYMBOLS.get(text, "")


def a_case_of(**changes: object) -> Case:
    patient = Patient.model_validate(a_patient(**changes))
    return read_case(json.dumps(phenopacket_of(patient, symbol_of)).encode())


def genes_of(case: Case) -> list[str]:
    found = [one.diagnosis for one in case.phenopacket.interpretations if one.diagnosis]
    parts = [part for diagnosis in found for part in diagnosis.genomic_interpretations]
    return [part.gene.symbol for part in parts if part.gene]


def test_signs_genes_diagnoses_and_sex_are_kept() -> None:
    """Each as what it was: a sign that was absent stays absent, a code is in its one form."""
    states = ("yes", "no", "unknown")
    features = [{"id": f"HP:000000{n}", "observed": said} for n, said in enumerate(states)]
    case = a_case_of(
        features=features,
        genomicFeatures=[{"gene": {"id": one}} for one in ("GPX4", "2879", "LAMA1")],
        disorders=[{"id": "MIM:250220"}, {"id": "Orphanet:93317", "label": "SMDS"}],
        sex="FEMALE",
    )
    assert (case.observed, case.excluded) == (("HP:0000000",), ("HP:0000001",))
    assert genes_of(case) == ["GPX4", "LAMA1"]
    assert [one.id for one in case.diseases] == ["OMIM:250220", "ORPHA:93317"]
    assert (case.case_id, case.sex) == ("p1", "FEMALE")


@pytest.mark.parametrize(
    "gene", [{"id": "ENSG00000167468"}, {"id": "ENSG00000167468", "_geneName": "GPX4"}]
)
def test_an_unknown_gene_is_no_gene_of_the_case(gene: Json) -> None:
    """But for one whose symbol stands beside it."""
    assert genes_of(a_case_of(genomicFeatures=[{"gene": gene}])) == [*gene.values()][1:]


def test_who_sent_a_patient_is_not_in_the_case() -> None:
    """The platform answers for its test data, not the clinician of a shared file."""
    contact = {"name": "Canary", "href": "mailto:canary@example.org"}
    assert "anary" not in a_case_of(contact=contact, label="canary").document


def test_real_patients_never_become_test_data() -> None:
    """What does not say that it is a test is left out and named, like what cannot be read."""
    given = [a_patient(test=True), a_patient(), a_patient(test=False), {"id": "x", "test": True}]
    packets, faults = phenopackets_of(json.dumps(given).encode(), symbol_of)
    assert [one["id"] for one in packets] == ["p1"]
    assert [fault.split(":")[0] for fault in faults] == ["1.test", "2.test", "3.contact"]


@pytest.mark.parametrize("content", [b"{}", b"[", b"{'a"])
def test_a_file_must_be_a_list(content: bytes) -> None:
    with pytest.raises(InputError):
        phenopackets_of(content, symbol_of)

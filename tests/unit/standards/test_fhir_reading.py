"""What is taken of other people's Bundles, what is told, and what is refused."""

from typing import Any

import pytest

from cluster.errors import InputError
from cluster.standards.fhir.read import ENTRIES_MAX, read_bundle

Json = dict[str, Any]
HPO = "http://human-phenotype-ontology.org"
LOINC = "http://loinc.org"
PHENOMICS = "http://hl7.org/fhir/uv/phenomics-exchange/StructureDefinition"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
SEIZURE = {"coding": [{"system": HPO, "code": "HP:0001250", "display": "Seizure"}]}


def coded(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def observation(code: Json = SEIZURE, **more: object) -> Json:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": code,
        "subject": {"reference": "Patient/p"},
    } | more


def condition(code: Json, **more: object) -> Json:
    subject = {"reference": "Patient/p"}
    return {"resourceType": "Condition", "code": code, "subject": subject} | more


def bundle(*resources: Json, patient: Json | None = None) -> Json:
    person = {"resourceType": "Patient", "id": "p", "gender": "female"} | (patient or {})
    entries = [{"resource": one} for one in (person, *resources)]
    return {"resourceType": "Bundle", "id": "case-1", "type": "collection", "entry": entries}


PLAIN = observation(valueBoolean=True)
UNBOUND = {name: value for name, value in PLAIN.items() if name != "subject"}


@pytest.mark.parametrize(
    ("said", "excluded"),
    [
        ({"valueBoolean": True}, False),
        ({"valueBoolean": False}, True),
        ({"valueCodeableConcept": coded(LOINC, "LA9633-4")}, False),
        ({"valueCodeableConcept": coded(LOINC, "LA9634-2")}, True),
        ({"valueCodeableConcept": coded("http://snomed.info/sct", "52101004")}, False),
        ({"valueCodeableConcept": coded("http://snomed.info/sct", "2667000")}, True),
        ({"interpretation": [coded(INTERPRETATION, "POS")]}, False),
        ({"interpretation": [coded(INTERPRETATION, "NEG")]}, True),
    ],
)
def test_presence_is_read_in_the_forms_that_are_met(said: Json, excluded: bool) -> None:
    """A sign that was looked for and is absent never becomes one that was seen."""
    read = read_bundle(bundle(observation(**said)))
    (feature,) = read.phenopacket["phenotypicFeatures"]
    assert feature["type"] == {"id": "HP:0001250", "label": "Seizure"}
    assert feature.get("excluded", False) == excluded
    assert read.findings == []


@pytest.mark.parametrize(
    ("resource", "code"),
    [
        ({"resourceType": "Encounter", "status": "anything"}, "fhir_resource_ignored"),
        ({}, "fhir_resource_ignored"),
        (observation(coded(LOINC, "8302-2"), valueBoolean=True), "fhir_resource_ignored"),
        (observation(), "fhir_value_missing"),
        (PLAIN | {"dataAbsentReason": coded("http://x.org", "unknown")}, "fhir_value_missing"),
        (observation(valueCodeableConcept=coded(LOINC, "LA11884-6")), "fhir_value_missing"),
        (
            observation(
                valueCodeableConcept=coded(LOINC, "LA9633-4"),
                interpretation=[coded(INTERPRETATION, "NEG")],
            ),
            "fhir_value_missing",
        ),
        (observation(valueBoolean=True, status="entered-in-error"), "fhir_not_valid_now"),
        (observation(valueBoolean=True, status="no such status", code=7), "fhir_resource_invalid"),
        (observation(valueBoolean=True, name="Canary"), "fhir_resource_invalid"),
        (
            observation(valueBoolean=True, modifierExtension=[{"url": "http://x.org/not"}]),
            "fhir_resource_invalid",
        ),
        (observation(valueBoolean=True, subject={"reference": "Patient/q"}), "fhir_subject_other"),
        (
            observation(valueBoolean=True, focus=[{"reference": "RelatedPerson/mother"}]),
            "fhir_subject_other",
        ),
        (condition(coded("http://local.org", "Canary")), "fhir_code_unknown"),
        (condition({"text": "Canary"}), "fhir_code_unknown"),
        (
            condition(
                coded("http://www.omim.org", "154700"),
                verificationStatus=coded(VERIFICATION, "entered-in-error"),
            ),
            "fhir_not_valid_now",
        ),
        (
            observation(
                coded(LOINC, "48018-6"), valueCodeableConcept={"text": "the gene of Canary"}
            ),
            "fhir_code_unknown",
        ),
    ],
)
def test_what_is_not_taken_is_told(resource: Json, code: str) -> None:
    """By code and place, without a word of the resource; the rest is read."""
    read = read_bundle(bundle(PLAIN, resource), "clinic.json")
    (finding,) = read.findings
    assert finding.code == code
    assert finding.file == "clinic.json"
    assert finding.message.startswith("entry.2: ")
    assert "Canary" not in finding.message + str(read.phenopacket)
    assert len(read.phenopacket["phenotypicFeatures"]) == 1
    assert read.phenopacket["diseases"] == []


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ([], "resourceType"),
        ({"resourceType": "Patient"}, "resourceType"),
        ({"resourceType": "Bundle"}, "Bundle.entry"),
        ({"resourceType": "Bundle", "entry": {}}, "Bundle.entry"),
        ({"resourceType": "Bundle", "entry": [{}] * (ENTRIES_MAX + 1)}, "Bundle.entry"),
        ({"resourceType": "Bundle", "entry": [3, {"resource": PLAIN}]}, "Bundle.entry"),
        (bundle(PLAIN, {"resourceType": "Patient", "id": "q"}), "Bundle.entry"),
        (bundle(PLAIN, patient={"gender": 7}), "entry.0"),
        (bundle(condition(coded("http://www.omim.org", "154700"))), "Bundle.entry"),
        (bundle(observation()), "Bundle.entry"),
        (bundle(UNBOUND, patient={"id": None}) | {"id": None}, "Bundle.id"),
        (bundle(PLAIN) | {"id": "x" * 256}, "Bundle.id"),
    ],
)
def test_what_is_no_case_of_one_patient_is_refused(content: object, place: str) -> None:
    """No Bundle, no patient, two, or nothing that a case is found by."""
    with pytest.raises(InputError) as caught:
        read_bundle(content)
    assert caught.value.where == place
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("system", "code", "disease"),
    [
        ("http://www.omim.org", "154700", "OMIM:154700"),
        ("https://omim.org/", "OMIM:154700", "OMIM:154700"),
        ("http://www.orpha.net", "558", "ORPHA:558"),
        ("http://www.orpha.net", "ORPHA:558", "ORPHA:558"),
        ("http://www.orpha.net/ORDO", "Orphanet_558", "ORPHA:558"),
        ("http://purl.obolibrary.org/obo/mondo.owl", "MONDO:0007947", "MONDO:0007947"),
        ("http://hl7.org/fhir/sid/icd-10", "Q87.4", "ICD10:Q87.4"),
    ],
)
def test_a_diagnosis_is_known_by_its_system(system: str, code: str, disease: str) -> None:
    """In the spellings that are met, each becomes our one form."""
    read = read_bundle(bundle(PLAIN, condition(coded(system, code))))
    assert [one["term"]["id"] for one in read.phenopacket["diseases"]] == [disease]


def test_the_code_of_a_rare_disease_goes_before_a_broader_one() -> None:
    """Clinics give ICD-10 first, and the code that a case is screened by beside it."""
    both = coded("http://hl7.org/fhir/sid/icd-10", "Q87.4")["coding"]
    both = [*both, *coded("http://www.orpha.net", "558")["coding"]]
    read = read_bundle(bundle(PLAIN, condition({"coding": both})))
    assert read.phenopacket["diseases"][0]["term"]["id"] == "ORPHA:558"


@pytest.mark.parametrize(
    "status",
    [
        {"verificationStatus": coded(VERIFICATION, "refuted")},
        {"clinicalStatus": coded("http://snomed.info/sct", "315215002")},
    ],
)
def test_a_refuted_condition_is_excluded(status: Json) -> None:
    """A disease or a sign that was ruled out is not diagnosed."""
    resources = (
        condition(coded("http://www.omim.org", "154700"), **status),
        condition(SEIZURE, **status),
    )
    read = read_bundle(bundle(*resources)).phenopacket
    assert read["diseases"][0]["excluded"]
    assert read["phenotypicFeatures"][0]["excluded"]
    assert read["interpretations"] == []


def test_onsets_and_the_age_are_read() -> None:
    """From the places that FHIR and HL7's guide have for them."""
    age = {"value": 3.5, "unit": "years", "system": "http://unitsofmeasure.org", "code": "a"}
    infantile = {"coding": [{"system": HPO, "code": "HP:0003593", "display": "Infantile onset"}]}
    read = read_bundle(
        bundle(
            observation(
                valueBoolean=True, extension=[{"url": f"{PHENOMICS}/Onset", "valueAge": age}]
            ),
            observation(coded(LOINC, "30525-0"), valueQuantity=age),
            condition(coded("http://www.omim.org", "154700"), onsetAge=age),
            condition(
                coded("http://www.orpha.net", "558"),
                extension=[{"url": f"{PHENOMICS}/CodedOnset", "valueCodeableConcept": infantile}],
            ),
        )
    ).phenopacket
    years = {"age": {"iso8601duration": "P3.5Y"}}
    assert read["phenotypicFeatures"][0]["onset"] == years
    assert read["subject"]["timeAtLastEncounter"] == years
    assert read["diseases"][0]["onset"] == years
    assert read["diseases"][1]["onset"]["ontologyClass"]["id"] == "HP:0003593"


@pytest.mark.parametrize("age", [{"value": 3}, {"value": -3, "code": "a"}, {"code": "a"}])
def test_an_age_that_cannot_be_read_is_left_out_and_told(age: Json) -> None:
    """The sign stays."""
    onset = [{"url": f"{PHENOMICS}/Onset", "valueAge": age}]
    read = read_bundle(bundle(observation(valueBoolean=True, extension=onset)))
    assert [one.code for one in read.findings] == ["fhir_time_unreadable"]
    assert "onset" not in read.phenopacket["phenotypicFeatures"][0]


@pytest.mark.parametrize(
    "reference", ["Patient/p", "https://clinic.example.org/fhir/Patient/p", "Patient/p/_history/2"]
)
def test_the_patient_is_known_by_any_reference(reference: str) -> None:
    """Relative, absolute, or to a version."""
    read = read_bundle(bundle(observation(valueBoolean=True, subject={"reference": reference})))
    assert len(read.phenopacket["phenotypicFeatures"]) == 1


def test_a_gene_stays_with_the_diagnosis_that_it_is_about() -> None:
    """By its focus; one without a focus, or about a refuted disease, has no diagnosis."""
    gene = {"coding": [{"system": "http://www.genenames.org/geneId", "code": "HGNC:3603"}]}
    studied = observation(coded(LOINC, "48018-6"), valueCodeableConcept=gene | {"text": "FBN1"})
    refuted = {"verificationStatus": coded(VERIFICATION, "refuted")}
    read = read_bundle(
        bundle(
            PLAIN,
            condition(coded("http://www.omim.org", "1"), id="out", **refuted),
            condition(coded("http://www.omim.org", "2"), id="first"),
            condition(coded("http://www.omim.org", "3"), id="second"),
            studied | {"focus": [{"reference": "https://clinic.example.org/Condition/second"}]},
            studied | {"focus": [{"reference": "Condition/out"}]},
        )
    ).phenopacket
    shown = [
        (
            one["diagnosis"].get("disease", {}).get("id"),
            len(one["diagnosis"]["genomicInterpretations"]),
        )
        for one in read["interpretations"]
    ]
    assert shown == [("OMIM:2", 0), ("OMIM:3", 1), (None, 1)]
    (found,) = read["interpretations"][1]["diagnosis"]["genomicInterpretations"]
    assert found["gene"] == {"valueId": "HGNC:3603", "symbol": "FBN1"}


def test_names_dates_and_addresses_are_not_taken() -> None:
    """A clinic's Patient has more than a case needs; nothing of it is read but id and gender."""
    person = {
        "name": [{"family": "Canary", "given": ["Wilhelmine"]}],
        "birthDate": "1980-05-03",
        "telecom": [{"system": "phone", "value": "555-Canary"}],
        "address": [{"city": "Canary", "postalCode": "35390"}],
    }
    noted = observation(
        valueBoolean=True, note=[{"text": "Canary"}], effectiveDateTime="1999-01-02"
    )
    read = read_bundle(bundle(noted, patient=person))
    assert read.findings == []
    text = str(read.phenopacket)
    assert not [word for word in ("Canary", "1980", "1999", "35390") if word in text]
    assert read.phenopacket["subject"] == {"id": "p", "sex": "FEMALE"}

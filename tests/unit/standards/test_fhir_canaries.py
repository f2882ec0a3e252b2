"""What leaves as a FHIR Bundle after redaction: no word, date or number of a person."""

import json
from typing import Any, Final

import pytest
from builders import labels

from cluster.case.case import read_case
from cluster.case.redaction import redact
from cluster.standards.fhir.write import bundle_of

CANARIES: Final = (
    "Wilhelmine Canary",
    "MRN-7654321",
    "1980-05-03",
    "03.05.1980",
    "+49 641 5551234",
    "w.canary@example.org",
)
TERM: Final = {"id": "HP:0001250", "label": "Seizure"}


def a_packet(canary: str) -> dict[str, Any]:
    """Return a phenopacket with a canary in every field that takes free text."""
    term = {"id": "HP:0001250", "label": canary}
    disease = {"id": "OMIM:100", "label": "Disease"}
    dated = {"timestamp": f"{canary}T00:00:00Z"}
    gene = {"valueId": canary, "symbol": canary, "alternateIds": [canary]}
    descriptor = {
        "id": canary,
        "label": canary,
        "description": canary,
        "geneContext": gene,
        "expressions": [
            {"syntax": "hgvs.c", "value": canary},
            {"syntax": canary, "value": "c.1A>G"},
        ],
        "allelicState": {"id": "GENO:0000135", "label": canary},
    }
    genomic = [
        {"subjectOrBiosampleId": canary, "gene": gene, "interpretationStatus": canary},
        {"variantInterpretation": {"variationDescriptor": descriptor}},
        {"gene": {"valueId": "HGNC:3603", "symbol": "FBN1"}},
    ]
    diagnosis = {"disease": disease, "genomicInterpretations": genomic}
    return {
        "id": canary,
        "subject": {
            "id": canary,
            "alternateIds": [canary],
            "sex": canary,
            "dateOfBirth": canary,
            "timeAtLastEncounter": {"age": {"iso8601duration": canary}},
        },
        "phenotypicFeatures": [
            {"type": TERM, "description": canary, "onset": dated},
            {"type": term, "onset": {"ontologyClass": {"id": "HP:0003593", "label": canary}}},
            {"type": {"id": f"LOCAL:{canary.replace(' ', '_')}", "label": canary}},
        ],
        "interpretations": [
            {"id": canary, "progressStatus": canary, "summary": canary, "diagnosis": diagnosis},
            {"diagnosis": {"disease": {"id": "X:1", "label": canary}}},
        ],
        "diseases": [
            {"term": disease, "onset": {"age": {"iso8601duration": "P33Y4M12D"}}},
            {"term": {"id": f"MRN:{canary.replace(' ', '_')}", "label": canary}},
        ],
        "files": [{"uri": f"file:///{canary}.vcf"}],
        "metaData": {
            "createdBy": canary,
            "created": canary,
            "externalReferences": [{"id": canary, "description": canary}],
        },
    }


@pytest.mark.parametrize("canary", CANARIES)
def test_no_canary_leaves(canary: str) -> None:
    """Put into every free field, redacted and bundled, none comes out; the medicine does."""
    case = read_case(json.dumps(a_packet(canary)))
    bundle = bundle_of(redact(case, "north.0123456789abcdef01234567", "north", labels))
    text = json.dumps(bundle, ensure_ascii=False)
    assert [part for part in (canary, *canary.split()) if part in text] == []
    assert "FBN1" in text
    assert "HP:0001250" in text


@pytest.mark.parametrize("canary", CANARIES)
def test_a_disease_name_with_a_number_stays_behind(canary: str) -> None:
    """The name of a diagnosis leaves, unless it has a date, an address or a long number in it."""
    packet = {"id": "c", "diseases": [{"term": {"id": "OMIM:1", "label": f"Of {canary}, 7654321"}}]}
    redacted = redact(read_case(json.dumps(packet)), "north.abc", "north", labels)
    assert canary not in json.dumps(bundle_of(redacted), ensure_ascii=False)


def test_a_patient_has_the_pseudonym_and_the_gender_only() -> None:
    """No name, no date of birth, no address: these have no place in what is written."""
    case = read_case(json.dumps(a_packet(CANARIES[0])))
    bundle = bundle_of(redact(case, "north.abc", "north", labels))
    patients = [
        e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient"
    ]
    assert patients == [{"resourceType": "Patient", "id": "north.abc", "gender": "unknown"}]
    assert bundle["id"] == "north.abc"


def test_what_is_no_code_is_not_written_even_of_a_case_at_home() -> None:
    """An id or a symbol that is a sentence has no place in a coding, redacted or not."""
    gene = {"valueId": CANARIES[0], "symbol": CANARIES[0]}
    packet = {
        "id": "north.abc",
        "phenotypicFeatures": [{"type": {"id": "LOCAL:Canary"}}, {"type": TERM}],
        "interpretations": [{"diagnosis": {"genomicInterpretations": [{"gene": gene}]}}],
        "diseases": [{"term": {"id": "MRN:Canary"}}],
    }
    bundle = bundle_of(packet)
    assert "Canary" not in json.dumps(bundle)
    assert [entry["resource"]["resourceType"] for entry in bundle["entry"]] == [
        "Patient",
        "Observation",
    ]

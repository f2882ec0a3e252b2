"""What may leave a platform: the terms stay, the person goes."""

import json
from typing import Any

import pytest
from builders import a_case, labels

from cluster.case.case import Case, read_case
from cluster.case.redaction import redact

CANARY = "Wilhelmine-Canary"
LATER = "2031-05-17"

TERM = {"id": "HP:0001250", "label": "Seizure"}
FULL: dict[str, Any] = {
    "id": f"{CANARY}-record",
    "subject": {
        "id": f"{CANARY}-subject",
        "alternateIds": [f"MRN:{CANARY}"],
        "dateOfBirth": f"{LATER}T00:00:00Z",
        "timeAtLastEncounter": {"age": {"iso8601duration": "P33Y4M12D"}},
        "vitalStatus": {"status": "DECEASED", "timeOfDeath": {"timestamp": f"{LATER}T00:00:00Z"}},
        "sex": "FEMALE",
        "gender": {"id": "X:1", "label": CANARY},
        "taxonomy": {"id": "NCBITaxon:9606", "label": CANARY},
    },
    "phenotypicFeatures": [
        {
            "type": TERM,
            "description": CANARY,
            "onset": {"timestamp": f"{LATER}T00:00:00Z"},
            "evidence": [{"evidenceCode": TERM, "reference": {"id": CANARY}}],
            "modifiers": [{"id": "X:2", "label": CANARY}],
        },
        {"type": {"id": "HP:0001626", "label": CANARY}, "excluded": True},
    ],
    "measurements": [
        {"description": CANARY, "assay": TERM, "timeObserved": {"timestamp": f"{LATER}T00:00:00Z"}}
    ],
    "biosamples": [{"id": CANARY, "individualId": CANARY, "description": CANARY}],
    "interpretations": [
        {
            "id": CANARY,
            "progressStatus": "SOLVED",
            "summary": CANARY,
            "diagnosis": {
                "disease": {"id": "OMIM:100", "label": f"Disease of {CANARY}"},
                "genomicInterpretations": [
                    {
                        "subjectOrBiosampleId": CANARY,
                        "interpretationStatus": "CAUSATIVE",
                        "variantInterpretation": {
                            "variationDescriptor": {
                                "id": CANARY,
                                "label": CANARY,
                                "description": CANARY,
                                "geneContext": {
                                    "valueId": "HGNC:1",
                                    "symbol": "NF1",
                                    "alternateIds": [CANARY],
                                },
                                "expressions": [{"syntax": "hgvs.c", "value": "NM_1:c.1A>G"}],
                                "allelicState": {"id": "GENO:0000135", "label": CANARY},
                                "vcfRecord": {"chrom": "1", "info": CANARY},
                            }
                        },
                    },
                    {
                        "subjectOrBiosampleId": CANARY,
                        "interpretationStatus": "CANDIDATE",
                        "gene": {"valueId": "HGNC:2", "symbol": "ABCB7"},
                    },
                ],
            },
        }
    ],
    "diseases": [{"term": {"id": "OMIM:100", "label": CANARY}, "primarySite": TERM}],
    "medicalActions": [{"treatment": {"agent": {"id": "X:3", "label": CANARY}}}],
    "files": [{"uri": f"file:///{CANARY}.vcf", "individualToFileIdentifiers": {CANARY: CANARY}}],
    "metaData": {
        "created": f"{LATER}T00:00:00Z",
        "createdBy": CANARY,
        "submittedBy": CANARY,
        "updates": [{"timestamp": f"{LATER}T00:00:00Z", "updatedBy": CANARY, "comment": CANARY}],
        "resources": [{"id": "hp", "url": CANARY}],
        "externalReferences": [
            {"id": "PMID:1", "reference": CANARY, "description": f"{CANARY}: a case"},
            {"id": f"DOI:{CANARY}", "description": CANARY},
        ],
    },
    "unknownField": {"deep": [{"deeper": CANARY}]},
}


def full_case() -> Case:
    return read_case(json.dumps(FULL))


def test_no_identifier_leaves() -> None:
    """B9: no id, name, date, file, free description or unknown field is in what leaves."""
    shown = json.dumps(redact(full_case(), "north.abc", "north", labels))
    assert CANARY not in shown
    assert LATER not in shown


def test_what_medicine_needs_is_kept() -> None:
    """A11: terms, diseases, genes, variants and the publication go along."""
    case = read_case(json.dumps(redact(full_case(), "north.abc", "north", labels)))
    assert case.case_id == case.phenopacket.subject.id == "north.abc"
    assert case.observed == ("HP:0001250",)
    assert case.excluded == ("HP:0001626",)
    assert case.disease and full_case().disease and case.disease.id == full_case().disease.id
    assert case.genes == ("ABCB7", "NF1")
    assert case.publication == ("PMID:1", "")
    assert "NM_1:c.1A>G" in case.document
    assert "GENO:0000135" in case.document
    assert json.loads(case.document)["metaData"]["createdBy"] == "north"


@pytest.mark.parametrize("field", ["sex", "progress", "interpretation", "syntax"])
def test_a_coded_field_carries_no_free_text(field: str) -> None:
    """B9: a name that somebody typed into a coded field stays at home."""
    packet = json.loads(json.dumps(FULL))
    interpretation = packet["interpretations"][0]
    genomic = interpretation["diagnosis"]["genomicInterpretations"][0]
    described = genomic["variantInterpretation"]["variationDescriptor"]
    owners = {
        "sex": (packet["subject"], "sex"),
        "progress": (interpretation, "progressStatus"),
        "interpretation": (genomic, "interpretationStatus"),
        "syntax": (described["expressions"][0], "syntax"),
    }
    owner, name = owners[field]
    owner[name] = CANARY
    assert CANARY not in json.dumps(
        redact(read_case(json.dumps(packet)), "north.abc", "north", labels)
    )


@pytest.mark.parametrize(
    ("age", "shown"),
    [
        ("P3M", "P0Y"),
        ("P11M30D", "P0Y"),
        ("P12M", "P1Y"),
        ("P6Y", "P6Y"),
        ("P17Y11M", "P17Y"),
        ("P20Y", "P20Y"),
        ("P24Y11M", "P20Y"),
        ("P33Y", "P30Y"),
        ("P89Y11M", "P85Y"),
        ("P90Y", "P90Y"),
        ("P95Y", "P90Y"),
        ("P110Y", "P90Y"),
    ],
)
def test_ages_leave_in_bands(age: str, shown: str) -> None:
    """B9: years of children, bands of five for adults, 90 or more at the top."""
    time = {"age": {"iso8601duration": age}}
    feature = {"type": TERM, "onset": time}
    disease = {"term": {"id": "OMIM:1"}, "onset": time}
    case = a_case(
        subject={"timeAtLastEncounter": time}, phenotypicFeatures=[feature], diseases=[disease]
    )
    packet = redact(case, "x", "north", labels)
    banded = {"age": {"iso8601duration": shown}}
    assert packet["subject"]["timeAtLastEncounter"] == banded
    assert packet["phenotypicFeatures"][0]["onset"] == banded
    assert packet["diseases"][0]["onset"] == banded


@pytest.mark.parametrize(
    ("element", "shown"),
    [
        ({"gestationalAge": {"weeks": 30, "days": 5}}, {"gestationalAge": {"weeks": 30}}),
        ({"ontologyClass": TERM}, {"ontologyClass": TERM}),
        ({"age": {"iso8601duration": "P1M1Y"}}, None),
        ({"timestamp": "2020-01-01T00:00:00Z"}, None),
        ({"interval": {"start": "2020-01-01T00:00:00Z"}}, None),
    ],
)
def test_other_times_are_coarsened_or_left_out(element: object, shown: object) -> None:
    """B9: gestation in weeks, classes as they are, dates and unreadable ages never."""
    case = a_case(subject={"timeAtLastEncounter": element})
    assert redact(case, "x", "north", labels)["subject"].get("timeAtLastEncounter") == shown


def test_excluded_diseases_stay_excluded() -> None:
    """A11: a ruled-out disease does not become a diagnosis on its way."""
    case = a_case(diseases=[{"term": {"id": "OMIM:1"}, "excluded": True}])
    shown = read_case(json.dumps(redact(case, "x", "north", labels)))
    assert shown.disease is None
    assert shown.phenopacket.diseases[0].excluded


def test_redaction_is_repeatable() -> None:
    """A11: the gate can redo the redaction and get the same bytes."""
    first, second = (json.dumps(redact(full_case(), "x", "north", labels)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    "place",
    [
        ("phenotypicFeatures", 0, "type", "label"),
        ("interpretations", 0, "diagnosis", "genomicInterpretations", 0),
        ("metaData", "externalReferences", 0, "id"),
    ],
)
def test_the_sources_own_words_stay_behind(place: tuple[str | int, ...]) -> None:
    """A11 B9: a sentence in a label, a gene, a variant's name or a reference does not leave."""
    packet = json.loads(json.dumps(FULL))
    sentence = f"{CANARY}, born 3 May 1980"
    if place[-1] == 0:
        packet["interpretations"] = [_diagnosed(packet, sentence)]
    elif place[0] == "metaData":
        packet["metaData"]["externalReferences"] = [{"id": f"PMID:{sentence}"}]
    else:
        packet["phenotypicFeatures"][0]["type"]["label"] = sentence
    shown = json.dumps(redact(read_case(json.dumps(packet)), "x", "north", labels))
    assert CANARY not in shown
    assert "Seizure" in shown


def _diagnosed(packet: dict[str, Any], sentence: str) -> dict[str, Any]:
    descriptor = {
        "geneContext": {"valueId": sentence, "symbol": sentence},
        "expressions": [{"syntax": "hgvs.c", "value": sentence}],
        "allelicState": {"id": "GENO:1", "label": sentence},
    }
    genomic = {"variantInterpretation": {"variationDescriptor": descriptor}}
    disease = {"id": "OMIM:100", "label": "Disease"}
    return {"diagnosis": {"disease": disease, "genomicInterpretations": [genomic]}}

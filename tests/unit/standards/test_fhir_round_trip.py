"""A case that goes out as a FHIR Bundle comes back as the same case."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from builders import a_phenopacket, phenopackets
from fhir.resources.R4B.bundle import Bundle
from hypothesis import given
from hypothesis import strategies as st

from cluster.case.case import Case, read_case
from cluster.case.codes import canonical, code_of
from cluster.case.phenopacket import TimeElement
from cluster.standards.fhir.read import read_bundle
from cluster.standards.fhir.write import bundle_of

Json = dict[str, Any]

genes = st.sampled_from(
    [
        {"valueId": "HGNC:3603", "symbol": "FBN1"},
        {"valueId": "", "symbol": "ABCB7"},
        {"valueId": "HGNC:7765", "symbol": "NF1"},
    ]
)


@st.composite
def diagnosed(draw: st.DrawFn) -> Json:
    """Draw phenopackets with interpretations and genes before their diseases."""
    packet = draw(phenopackets())
    names = draw(st.lists(st.sampled_from(["OMIM:1", "ORPHA:2", "MONDO:0000003"]), max_size=3))
    packet["interpretations"] = [
        {
            "progressStatus": draw(st.sampled_from(["SOLVED", "IN_PROGRESS", "UNKNOWN_PROGRESS"])),
            "diagnosis": {
                "disease": {"id": name, "label": f"Disease {name}"},
                "genomicInterpretations": [
                    {"gene": gene} for gene in draw(st.lists(genes, max_size=2))
                ],
            },
        }
        for name in names
    ]
    return packet


def when(time: TimeElement | None) -> object:
    """Return a time in a form to compare, where a gestational age is antenatal and no more."""
    if time is None:
        return None
    if time.form == "gestational_age":
        return "HP:0030674"
    days = time.days()
    return time.ontology_class.id if time.ontology_class else days and round(days, 3)


def said(case: Case) -> Json:
    """Return what a Bundle keeps of a case."""
    packet = case.phenopacket
    encounter = packet.subject.time_at_last_encounter
    last = encounter.days() if encounter and encounter.form == "duration" else None
    return {
        "id": case.case_id,
        "subject": packet.subject.id,
        "sex": case.sex,
        "age": last and round(last, 3),
        "features": [
            (one.type, one.excluded, when(one.onset)) for one in packet.phenotypic_features
        ],
        "diseases": [canonical(one.id) for one in case.diseases if code_of(one.id)],
        "excluded": {canonical(one) for one in case.excluded_diseases if code_of(one)},
        "onsets": {canonical(one.term.id): when(one.onset) for one in packet.diseases if one.onset},
        "genes": case.genes,
        "disease genes": [
            (one.diagnosis.disease and canonical(one.diagnosis.disease.id), gene.gene_symbol())
            for one in packet.interpretations
            if one.diagnosis
            for gene in one.diagnosis.genomic_interpretations
        ],
    }


def there_and_back(packet: Json) -> Case:
    """Return the case after its way out and in; nothing is told of a Bundle of our own."""
    read = read_bundle(json.loads(json.dumps(bundle_of(packet))))
    assert read.findings == []
    return read_case(json.dumps(read.phenopacket))


@given(phenopackets())
def test_a_case_survives_the_way(packet: Json) -> None:
    """Sex, age, features with presence and onset, diseases and their exclusion stay."""
    assert said(there_and_back(packet)) == said(read_case(json.dumps(packet)))


@given(diagnosed())
def test_diagnoses_keep_their_order_and_genes(packet: Json) -> None:
    """The class of the case stays, and each gene stays with its diagnosis where that is one."""
    before = read_case(json.dumps(packet))
    after = there_and_back(packet)
    assert after.diseases == before.diseases
    assert after.genes == before.genes
    assert set(said(after)["disease genes"]) == set(said(before)["disease genes"])


@pytest.mark.parametrize("case_id", ["PMID_1_Patient 2", "ä" * 200, "a.b-c"])
def test_any_name_of_a_case_is_kept(case_id: str) -> None:
    """Names that FHIR does not take as ids go as identifiers."""
    packet = a_phenopacket(case_id, subject={"id": f"of {case_id}"})
    bundle = bundle_of(packet)
    Bundle.model_validate(bundle)
    assert said(there_and_back(packet))["id"] == case_id
    assert there_and_back(packet).phenopacket.subject.id == f"of {case_id}"


@given(diagnosed())
def test_a_bundle_is_valid_and_always_the_same(packet: Json) -> None:
    """It passes FHIR R4's resources, its references point into it, and it can be made again."""
    bundle = bundle_of(packet)
    Bundle.model_validate(bundle)
    assert bundle == bundle_of(packet)
    addresses = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(addresses)) == len(addresses)
    for entry in bundle["entry"]:
        resource = entry["resource"]
        pointers = [resource[name] for name in ("subject",) if name in resource]
        for pointer in [*pointers, *resource.get("focus", [])]:
            assert pointer["reference"] in addresses


@pytest.mark.parametrize(
    ("duration", "value", "unit"),
    [
        ("P30Y", 30, "a"),
        ("P0Y", 0, "d"),
        ("P3Y4M", 40, "mo"),
        ("P7M", 7, "mo"),
        ("P6W", 6, "wk"),
        ("P1Y1D", 366.25, "d"),
        ("PT12H", 0.5, "d"),
    ],
)
def test_an_age_has_one_unit(duration: str, value: float, unit: str) -> None:
    """Years, months and weeks stay as they are; a mixture is told in the smaller unit."""
    time = {"age": {"iso8601duration": duration}}
    bundle = bundle_of(a_phenopacket(subject={"timeAtLastEncounter": time}))
    (age,) = [
        entry["resource"]["valueQuantity"]
        for entry in bundle["entry"]
        if "valueQuantity" in entry["resource"]
    ]
    assert (age["value"], age["code"], age["system"]) == (value, unit, "http://unitsofmeasure.org")


@pytest.mark.data
def test_published_cases_survive_the_way(shared_data: Path) -> None:
    """Real cases in every form that they come in: valid in FHIR, and the same when back."""
    with gzip.open(shared_data / "phenopackets" / "part-0.jsonl.gz", "rt") as stream:
        lines = stream.readlines()[::10]
    for line in lines:
        before = read_case(line)
        bundle = bundle_of(json.loads(line))
        Bundle.model_validate(bundle)
        if before.phenopacket.phenotypic_features:
            assert said(there_and_back(json.loads(line))) == said(before)

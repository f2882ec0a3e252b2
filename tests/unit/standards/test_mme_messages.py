"""What is taken as a message of the Matchmaker Exchange API, and how a broken one is told."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.standards.mme.messages import parsed_answer, parsed_request
from cluster.standards.mme.versions import MmeProblem
from tests.unit.standards.mme_builders import CONTACT, a_patient, a_request, an_answer

VARIANT = {"assembly": "GRCh37", "referenceName": "18"}
MITOCHONDRIAL = VARIANT | {"referenceName": "M"}


def refusal(body: bytes) -> MmeProblem:
    with pytest.raises(MmeProblem) as raised:
        parsed_request(body)
    return raised.value


def test_a_whole_patient_is_read() -> None:
    """Every part by its name in the standard."""
    patient = parsed_request(
        a_request(
            label="one",
            contact=CONTACT | {"institution": "N", "email": "a@b.c", "roles": ["clinician"]},
            species="NCBITaxon:9606",
            sex="FEMALE",
            ageOfOnset="HP:0003593",
            inheritanceMode="HP:0000007",
            disorders=[{"id": "MIM:250220"}, {"id": "Orphanet:93317", "label": "x"}],
            features=[{"id": "HP:0001250", "observed": "no", "ageOfOnset": "HP:0003593"}],
            genomicFeatures=[
                {
                    "gene": {"id": "GPX4"},
                    "variant": VARIANT | {"start": 1, "end": 2, "referenceBases": "A"},
                    "zygosity": 2,
                    "type": {"id": "SO:0001587"},
                }
            ],
            test=True,
        )
    ).patient
    assert (patient.sex, patient.age_of_onset, patient.test) == ("FEMALE", "HP:0003593", True)
    assert patient.contact.roles == ("clinician",)
    assert patient.features[0].observed == "no"
    found = patient.genomic_features[0]
    assert found.variant is not None and (found.variant.start, found.variant.end) == (1, 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"genomicFeatures": None},
        {"genomicFeatures": []},
        {"features": None},
        {"features": []},
        {"features": None, "genomicFeatures": [{"gene": {"id": "2879"}, "variant": VARIANT}]},
        {"_ours": {"a": [1]}, "theirs": 7},
        {"label": None, "sex": None, "disorders": None, "species": None},
        {"features": [{"id": "HP:0001250", "observed": "unknown"}]},
        {"contact": CONTACT | {"href": "mailto:somebody@north.example"}},
        {"contact": CONTACT | {"href": "HTTP://north.example"}},
        {"disorders": [{"id": "MONDO:0009515"}]},
        {"genomicFeatures": [{"gene": {"id": "MT-ND1"}, "variant": MITOCHONDRIAL}]},
        {"id": "x" * 255},
    ],
)
def test_what_older_and_other_peers_send_is_taken(changes: dict[str, Any]) -> None:
    """Phenotype alone, gene alone, a variant without start, extra keys, and null for absent."""
    content = a_patient() | {name: None for name, value in changes.items() if value is None}
    body = json.dumps({"patient": content | changes}).encode()
    assert parsed_request(body).patient.id


@pytest.mark.parametrize(
    ("gender", "sex"), [("MALE", "MALE"), ("female", "FEMALE"), ("M", "MALE"), (7, None)]
)
def test_gender_is_read_as_sex(gender: object, sex: str | None) -> None:
    """An older peer's word; one that is not understood is passed over."""
    assert parsed_request(a_request(gender=gender)).patient.sex == sex
    assert parsed_request(a_request(gender=gender, sex="OTHER")).patient.sex == "OTHER"


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"id": None}, "patient.id"),
        ({"id": ""}, "patient.id"),
        ({"id": 7}, "patient.id"),
        ({"id": "x" * 256}, "patient.id"),
        ({"label": "x" * 256}, "patient.label"),
        ({"contact": None}, "patient.contact"),
        ({"contact": {}}, "patient.contact.name"),
        ({"contact": {"name": "SECRET"}}, "patient.contact.href"),
        ({"contact": {"name": "SECRET", "href": "SECRET"}}, "patient.contact.href"),
        ({"contact": {"name": "A", "href": "javascript:SECRET"}}, "patient.contact.href"),
        ({"species": "SECRET"}, "patient.species"),
        ({"sex": "SECRET"}, "patient.sex"),
        ({"ageOfOnset": "SECRET"}, "patient.ageOfOnset"),
        ({"inheritanceMode": "HP:1"}, "patient.inheritanceMode"),
        ({"disorders": [{"id": "SECRET"}]}, "patient.disorders.0.id"),
        ({"features": [{"id": "HP:0000001"}, {"id": "SECRET"}]}, "patient.features.1.id"),
        ({"features": [{"observed": "yes"}]}, "patient.features.0.id"),
        ({"features": [{"id": "HP:0000001\n"}]}, "patient.features.0.id"),
        ({"features": [{"id": "HP:0000001", "observed": "SECRET"}]}, "patient.features.0.observed"),
        ({"features": [{"id": "HP:0000001"}] * 201}, "patient.features"),
        ({"features": "SECRET"}, "patient.features"),
        ({"features": [], "genomicFeatures": []}, "patient"),
        ({"features": None, "genomicFeatures": None}, "patient"),
        ({"genomicFeatures": [{"gene": {}}]}, "patient.genomicFeatures.0.gene.id"),
        ({"genomicFeatures": [{}]}, "patient.genomicFeatures.0.gene"),
        ({"genomicFeatures": [{"gene": {"id": "A"}}] * 501}, "patient.genomicFeatures"),
        (
            {"genomicFeatures": [{"gene": {"id": "A"}, "variant": VARIANT | {"start": -1}}]},
            "patient.genomicFeatures.0.variant.start",
        ),
        (
            {"genomicFeatures": [{"gene": {"id": "A"}, "variant": VARIANT | {"assembly": "hg19"}}]},
            "patient.genomicFeatures.0.variant.assembly",
        ),
        (
            {"genomicFeatures": [{"gene": {"id": "A"}, "zygosity": 3}]},
            "patient.genomicFeatures.0.zygosity",
        ),
        ({"test": "SECRET"}, "patient.test"),
    ],
)
def test_a_broken_rule_is_told_with_its_place(changes: dict[str, Any], place: str) -> None:
    """422 names where, and never what was sent."""
    problem = refusal(a_request(**changes))
    assert problem.status == 422
    assert problem.where == place
    assert problem.message.startswith(f"{place}: ") and len(problem.message) > len(place) + 2
    assert "SECRET" not in problem.message


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b'{"patient": ', 400),
        (b'{"patient": NaN}', 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b"1" * 5000, 400),
        (b"{}", 422),
        (b"[]", 422),
        (b"null", 422),
        (b'{"patient": null}', 422),
        (b'{"patient": {}}', 422),
        (rb'{"patient": {"id": "\ud800"}}', 422),
        (json.dumps(a_patient()).encode(), 422),
    ],
)
def test_no_json_is_400_and_no_request_is_422(body: bytes, status: int) -> None:
    """Both have a message."""
    problem = refusal(body)
    assert problem.status == status and problem.message


names = st.sampled_from(["id", "contact", "features", "gene", "genomicFeatures", "href", "sex"])
numbers = st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | st.text(max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(names, below, max_size=4),
    max_leaves=12,
)


@given(values)
def test_whatever_comes_is_read_or_refused(content: object) -> None:
    """No content of a body is an error of the program."""
    try:
        parsed_request(json.dumps({"patient": content}).encode())
    except MmeProblem as problem:
        assert problem.status == 422


def test_an_answer_is_read_and_its_broken_results_are_told() -> None:
    """One result that cannot be read costs that result, and is told with its place."""
    answer = json.loads(an_answer(0.9, 0.5, 0.1))
    answer["results"][1]["score"]["patient"] = 1.5
    answer["results"].append("nothing")
    read = parsed_answer(json.dumps(answer).encode())
    assert [one.patient.id for one in read.results] == ["r0", "r2"]
    assert [one.split(":")[0] for one in read.faults] == ["results.1.score.patient", "results.3"]
    assert read.disclaimer == "no warranty"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"results": null}'])
def test_no_list_of_results_is_no_empty_answer(body: bytes) -> None:
    """What is no answer never looks as if nobody was found."""
    with pytest.raises(MmeProblem):
        parsed_answer(body)
    assert parsed_answer(b'{"results": []}').results == ()

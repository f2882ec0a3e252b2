"""What a Beacon takes as a question, and how it refuses the rest."""

from typing import Any

import pytest
from beacons import IDENTITY, asking

from cluster.errors import InputError
from cluster.ontology import Ontology
from cluster.standards.beacon.answer import answer, refusal
from cluster.standards.beacon.query import (
    FILTERS_MAX,
    BeaconQuery,
    query_of_body,
    query_of_parameters,
)

META = {"apiVersion": "v2.0"}


def test_both_forms_of_a_request_ask_the_same(small_ontology: Ontology) -> None:
    """A GET with parameters and a POST with a body become one query."""
    parameters = [
        ("filters", "HP:0001250, OMIM:100"),
        ("filters", "NCIT:C16576"),
        ("requestedGranularity", "boolean"),
        ("skip", "2"),
        ("limit", "0"),
        ("includeResultsetResponses", "ALL"),
        ("testMode", "true"),
        ("requestedSchema", "ga4gh-phenopacket-v2.0"),
    ]
    query = {
        "filters": [{"id": "HP:0001250"}, {"id": "OMIM:100"}, {"id": "NCIT:C16576"}],
        "requestedGranularity": "boolean",
        "pagination": {"skip": 2, "limit": 0, "nextPage": "x"},
        "includeResultsetResponses": "ALL",
        "testMode": True,
        "requestParameters": {},
    }
    body = {"meta": META | {"requestedSchemas": []}, "query": query}
    posted = query_of_body(body, small_ontology)
    assert query_of_parameters(parameters, small_ontology) == posted
    assert posted.test_mode
    assert posted.pagination.skip == 2


def test_what_is_not_said_is_the_default(small_ontology: Ontology) -> None:
    """No filter asks for everybody; a term includes those below it; nothing is a test."""
    assert query_of_parameters([], small_ontology) == BeaconQuery()
    assert query_of_body({"meta": META}, small_ontology) == BeaconQuery()
    assert asking(small_ontology, "HP:0001250").filters[0].include_descendant_terms
    assert not BeaconQuery().test_mode


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"id": "HP:0001250", "operator": "=", "value": "1"}, "query.filters.0.operator"),
        ({"id": "HP:0001250", "similarity": "high"}, "query.filters.0.similarity"),
        ({"id": "HP:0001250", "scope": "biosample"}, "query.filters.0.scope"),
        ({"id": "HP:0001250", "excluded": True}, "query.filters.0.excluded"),
        ({"id": "HP:0009999"}, "query.filters.0"),  # not in this ontology
        ({"id": "HP:0009001"}, "query.filters.0"),  # obsolete, and nothing stands for it
        ({"id": "!HP:0001250"}, "query.filters.0"),
        ({"id": "age>40"}, "query.filters.0"),
        ({"id": "ICD10:Q87.4"}, "query.filters.0"),
        ({"id": "NCIT:C99999"}, "query.filters.0"),
        ("HP:0001250", "query.filters.0"),
        ({}, "query.filters.0.id"),
    ],
)
def test_an_unsupported_filter_is_refused(
    small_ontology: Ontology, given: dict[str, Any], place: str
) -> None:
    """The error names the filter: left out, it would change what is counted."""
    body = {"meta": META, "query": {"filters": [given]}}
    with pytest.raises(InputError) as caught:
        query_of_body(body, small_ontology)
    assert caught.value.where == place
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("parameters", "place"),
    [
        ([("referenceName", "17")], "referenceName"),
        ([("filters", "HP:0001250,HP:0009999")], "filters.1"),
        ([("limit", "many")], "pagination.limit"),
        ([("skip", "-1")], "pagination.skip"),
        ([("requestedGranularity", "all")], "requestedGranularity"),
    ],
)
def test_an_unsupported_parameter_is_refused(
    small_ontology: Ontology, parameters: list[tuple[str, str]], place: str
) -> None:
    """A parameter that could narrow the question is never passed over."""
    with pytest.raises(InputError) as caught:
        query_of_parameters(parameters, small_ontology)
    assert caught.value.where == place


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ([], "body"),
        ({}, "meta.apiVersion"),
        ({"meta": META, "query": [1]}, "query"),
        (
            {"meta": META, "query": {"requestParameters": {"g_variant": {}}}},
            "query.requestParameters",
        ),
        ({"meta": META, "query": {"filter": []}}, "query.filter"),
    ],
)
def test_what_is_no_request_is_refused(small_ontology: Ontology, body: object, place: str) -> None:
    """The error names the first place that is wrong."""
    with pytest.raises(InputError) as caught:
        query_of_body(body, small_ontology)
    assert caught.value.where == place


def test_fifty_filters_are_the_most(small_ontology: Ontology) -> None:
    """One more is refused."""
    asking(small_ontology, *["HP:0001250"] * FILTERS_MAX)
    with pytest.raises(InputError):
        asking(small_ontology, *["HP:0001250"] * (FILTERS_MAX + 1))


@pytest.mark.parametrize(
    ("requested", "returned"),
    [("boolean", "boolean"), ("count", "count"), ("aggregated", "count"), ("record", "count")],
)
def test_no_answer_is_finer_than_a_count(
    small_ontology: Ontology, requested: str, returned: str
) -> None:
    """What was asked for and what came are both told; no result set ever comes."""
    query = asking(small_ontology, "HP:0001250", requestedGranularity=requested)
    said = answer(IDENTITY, query, 40)
    assert said["meta"]["returnedGranularity"] == returned
    assert said["meta"]["receivedRequestSummary"]["requestedGranularity"] == requested
    assert said["meta"]["receivedRequestSummary"]["filters"] == ["HP:0001250"]
    assert ("numTotalResults" in said["responseSummary"]) == (returned == "count")
    assert "response" not in said


def test_a_test_says_that_it_is_one(small_ontology: Ontology) -> None:
    """What was counted for a test is never taken for patients."""
    said = answer(IDENTITY, asking(small_ontology, testMode=True), 87)
    assert said["meta"]["testMode"] is True
    assert "SIMULATED" in said["info"]["testMode"]


def test_a_refusal_has_a_code_and_says_why() -> None:
    """An error is an answer too, with the same meta."""
    said = refusal(IDENTITY, InputError("no such filter", where="filters.0"), 400)
    assert said["error"]["errorCode"] == 400
    assert "filters.0" in said["error"]["errorMessage"]
    assert said["meta"]["beaconId"] == IDENTITY.id

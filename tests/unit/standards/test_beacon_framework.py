"""What a Beacon says of itself, by the specification's required fields."""

import pytest
from beacons import IDENTITY
from pydantic import ValidationError

from cluster.ontology import Ontology
from cluster.standards.beacon import framework
from cluster.standards.beacon.framework import BeaconIdentity


def test_informational_answers_have_the_required_meta(small_ontology: Ontology) -> None:
    """Each has beaconId, apiVersion and returnedSchemas, and a response."""
    answers = [
        *(
            say(IDENTITY)
            for say in (
                framework.info,
                framework.configuration,
                framework.entry_types,
                framework.beacon_map,
            )
        ),
        framework.filtering_terms(IDENTITY, small_ontology),
    ]
    for said in answers:
        assert said["meta"]["beaconId"] == "org.example.north"
        assert said["meta"]["apiVersion"] == "v2.0.0"
        assert said["meta"]["returnedSchemas"][0]["entityType"] == "individual"
        assert said["response"]


def test_service_info_is_that_of_ga4gh() -> None:
    """It has no meta, and names Beacon as its type."""
    said = framework.service_info(IDENTITY)
    assert said.keys() >= {"id", "name", "type", "organization", "version"}
    assert said["type"] == {"group": "org.ga4gh", "artifact": "beacon", "version": "2.0.0"}
    assert said["organization"].keys() >= {"name", "url"}


@pytest.mark.parametrize(
    ("environment", "status"),
    [("prod", "PROD"), ("test", "TEST"), ("staging", "TEST"), ("dev", "DEV")],
)
def test_configuration_tells_how_ripe_and_how_open_it_is(environment: str, status: str) -> None:
    """Counts by default, under control, of individuals only."""
    identity = IDENTITY.model_copy(update={"environment": environment})
    said = framework.configuration(identity)["response"]
    assert said["maturityAttributes"]["productionStatus"] == status
    assert said["securityAttributes"] == {
        "defaultGranularity": "count",
        "securityLevels": ["CONTROLLED"],
    }
    assert list(said["entryTypes"]) == ["individual"]


def test_the_map_leads_to_the_individuals() -> None:
    """Addresses begin with the Beacon's own."""
    said = framework.beacon_map(IDENTITY)["response"]["endpointSets"]["individual"]
    assert said["rootUrl"] == "https://north.example.org/beacon/individuals"
    assert said["entryType"] == "individual"


def test_filtering_terms_are_paged_and_complete(small_ontology: Ontology) -> None:
    """The sexes and the living signs below Phenotypic abnormality, each once, whatever occurs."""
    pages = [
        framework.filtering_terms(IDENTITY, small_ontology, skip, 3)["response"]["filteringTerms"]
        for skip in range(4)
    ]
    ids = [term["id"] for page in pages for term in page]
    assert [len(page) for page in pages] == [3, 3, 3, 0]
    assert len(set(ids)) == 9
    assert {"NCIT:C16576", "NCIT:C20197", "HP:0000118", "HP:0003000"} <= set(ids)
    assert not {"HP:0000001", "HP:0009000"} & set(ids)
    whole = framework.filtering_terms(IDENTITY, small_ontology, 0, 0)["response"]
    assert [term["id"] for term in whole["filteringTerms"]] == ids
    assert all("count" not in term for term in whole["filteringTerms"])
    assert {one["nameSpacePrefix"] for one in whole["resources"]} >= {
        "HP",
        "OMIM",
        "ORPHA",
        "MONDO",
    }


@pytest.mark.parametrize("url", ["ftp://x.org", "https://x.org/beacon/", "https://"])
def test_an_address_must_be_one(url: str) -> None:
    """A Beacon's address is of the web, and ends without a slash."""
    with pytest.raises(ValidationError):
        BeaconIdentity.model_validate(IDENTITY.model_dump() | {"base_url": url})

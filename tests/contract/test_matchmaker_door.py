"""What the door of the Matchmaker Exchange makes of test data, genes and contacts (B6)."""

import json
from pathlib import Path
from typing import Any

import pytest

from cluster.authorisation.roles import Role
from cluster.contracts.matchmaking import Matchmaker
from serve_apps.http.application import application
from serve_apps.share.api import routes as share_routes
from serve_apps.standards.api import routes as standards_routes
from tests.http_builders import Client, LocalCluster, quick
from tests.unit.storage.mme_server import Reply, played

PEER = "elsewhere"
CONTACT = {"name": "T", "href": "mailto:t@example.org"}
STATED = {"person_years_at_risk": 1e6}
PLACE = "/share/v1/platforms/"
OWN_PAGE = "/share/v1/info"


@pytest.fixture
def cluster(tmp_path: Path) -> LocalCluster:
    """North has real cases, trial test data; both have a patient with GPX4 for the peer."""
    made = LocalCluster(quick(tmp_path))
    operator = operator_of(made)
    for name, test in (("north", False), ("trial", True)):
        put = operator("PUT", PLACE + name, json=STATED | {"test": test})
        assert put.status_code == 200, put.text
        service = made.services[name]
        service.add_case(json.dumps(a_packet(f"{name}-1")).encode(), "test", "", "share")
        service.put_matchmaker(Matchmaker(peer_id=PEER, agreed=True), "test")
    return made


def operator_of(cluster: LocalCluster) -> Client:
    app = application("sharing", share_routes(cluster), cluster.entrance(), "/share/v1")
    return Client(app, cluster.token(Role.OPERATOR))


def peer_of(cluster: LocalCluster) -> Client:
    app = application("standards", standards_routes(cluster), cluster.entrance(), "")
    return Client(app, cluster.token(Role.PLATFORM, PEER))


def a_packet(case_id: str) -> dict[str, Any]:
    genomic = {
        "subjectOrBiosampleId": "p",
        "interpretationStatus": "CAUSATIVE",
        "gene": {"valueId": "HGNC:4556", "symbol": "GPX4"},
    }
    disease = {"id": "OMIM:250220", "label": "x"}
    return {
        "id": case_id,
        "subject": {"id": "p"},
        "phenotypicFeatures": [{"type": {"id": "HP:0001250"}}],
        "interpretations": [
            {
                "id": "i",
                "progressStatus": "SOLVED",
                "diagnosis": {"disease": disease, "genomicInterpretations": [genomic]},
            }
        ],
    }


def asked(cluster: LocalCluster, gene: str = "GPX4", **more: Any) -> dict[str, Any]:
    patient = {"id": "q", "contact": CONTACT, "genomicFeatures": [{"gene": {"id": gene}}]} | more
    answer = peer_of(cluster)("POST", "/mme/match", json={"patient": patient})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def question(cluster: LocalCluster, platform: str) -> dict[str, Any]:
    """What a peer is sent about the case of a platform."""
    operator = operator_of(cluster)
    with played(Reply()) as script:
        said = {"agreed": True, "url": script.url, "token": "x"}
        kept = operator("PUT", f"{PLACE}{platform}/matchmakers/asked", json=said)
        assert kept.status_code == 200, kept.text
        order = {"case_id": f"{platform}-1"}
        asked = operator("POST", f"{PLACE}{platform}/matchmaking", json=order)
        assert [one["state"] for one in asked.json()["peers"]] == ["answered"]
    ((_, _, body),) = script.calls
    patient: dict[str, Any] = json.loads(body)["patient"]
    return patient


def who(told: dict[str, Any]) -> list[str]:
    return [one["patient"]["contact"]["name"] for one in told["results"]]


def test_a_test_is_answered_from_test_data_and_nothing_else_is(cluster: LocalCluster) -> None:
    """Each case names its platform; what is test data says so."""
    test, real = asked(cluster, test=True), asked(cluster)
    assert (who(test), who(real)) == (["trial"], ["north"])
    assert who(asked(cluster, test=False)) == ["north"]
    assert test["results"][0]["patient"]["test"] is True
    assert "test" not in real["results"][0]["patient"]


def test_a_question_about_test_data_says_so(cluster: LocalCluster) -> None:
    """So that the peer alarms nobody; one about a real case is none."""
    assert question(cluster, "trial")["test"] is True
    assert "test" not in question(cluster, "north")


def test_test_data_is_in_no_count(cluster: LocalCluster) -> None:
    """Neither in the metrics nor in the Beacon, which hides what is below eleven."""
    trial = cluster.services["trial"]
    for number in range(2, 25):
        trial.add_case(json.dumps(a_packet(f"t-{number}")).encode(), "test", "", "share")
    peer = peer_of(cluster)
    assert peer("GET", "/mme/metrics").json()["metrics"]["numberOfCases"] == 1
    counted = peer("GET", "/beacon/individuals", params={"filters": "HP:0001250"})
    assert counted.json()["responseSummary"].get("numTotalResults", 0) == 0


def test_test_data_stays_test_data(cluster: LocalCluster) -> None:
    """No later word of an operator makes it real cases, nor real cases test data."""
    operator = operator_of(cluster)
    for name, said in (("trial", STATED), ("north", STATED | {"test": True})):
        assert operator("PUT", PLACE + name, json=said).status_code == 409
    assert who(asked(cluster, test=True)) == ["trial"]


@pytest.mark.parametrize("gene", ["GPX4", "2879", "NCBIGene:2879"])
def test_a_gene_is_found_by_symbol_and_entrez_id(cluster: LocalCluster, gene: str) -> None:
    told = asked(cluster, gene)
    assert who(told) == ["north"]
    assert told["results"][0]["patient"]["genomicFeatures"] == [{"gene": {"id": "GPX4"}}]
    assert "_remarks" not in told


@pytest.mark.parametrize("gene", ["ENSG00000167468", "999999999"])
def test_an_unknown_gene_is_no_match_and_is_said(cluster: LocalCluster, gene: str) -> None:
    """An answer without it would read as if nobody had the gene; the rest is answered."""
    told = asked(cluster, gene, features=[{"id": "HP:0001250"}])
    assert [one["score"]["_genotype"] for one in told["results"]] == [0]
    (remark,) = told["_remarks"]
    assert "1 gene id not known here" in remark
    assert gene not in remark


def test_a_contact_can_be_changed_without_the_cases(cluster: LocalCluster) -> None:
    """Who answers for the cases is the platform's word of today, in both directions."""

    def href() -> str:
        (one,) = asked(cluster)["results"]
        told: str = one["patient"]["contact"]["href"]
        return told

    operator = operator_of(cluster)
    assert href().endswith(OWN_PAGE)
    for contact in ("mailto:rare@north.example", "https://north.example/rare"):
        put = operator("PUT", f"{PLACE}north", json=STATED | {"contact": contact})
        assert put.status_code == 200
        assert href() == contact
        assert question(cluster, "north")["contact"]["href"] == contact
    assert operator("PUT", f"{PLACE}north", json=STATED).status_code == 200
    assert href().endswith(OWN_PAGE)


@pytest.mark.parametrize(
    "contact",
    [
        "nobody",
        "javascript:alert(1)",
        "http://north.example",
        "mailto:a",
        "https://u:p@north.example",
    ],
)
def test_a_contact_is_an_address(cluster: LocalCluster, contact: str) -> None:
    """Others show it as a link."""
    put = operator_of(cluster)("PUT", f"{PLACE}north", json=STATED | {"contact": contact})
    assert put.status_code == 422

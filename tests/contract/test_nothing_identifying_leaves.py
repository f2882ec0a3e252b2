"""Whatever stands in a case, nothing that names a person leaves its platform over HTTP (B9).

An identifier is planted in every field of a case; then everything is called that a foreign caller
may call, and everything is looked at that is sent to peers.
"""

import json
from typing import Any

import pytest

from actors.platform import PlatformService
from cluster.authorisation.roles import Role
from cluster.clock import SystemClock
from cluster.contracts.matchmaking import Matchmaker
from cluster.contracts.peers import PeerDiseaseCases, PeerItems
from cluster.contracts.related import DiseaseQuestion, RelatedQuery
from cluster.contracts.sharing import PlatformProfile
from cluster.standards.fhir.write import bundle_of
from cluster.standards.mme.match import PlatformContact, patient_object
from serve_apps.http.application import application
from serve_apps.share.api import routes as share_routes
from serve_apps.standards.api import routes as standards_routes
from tests.http_builders import Client, LocalCluster, quick
from tests.unit.case.test_redaction import CANARY, FULL, LATER
from tests.unit.flow.world import PRESETS, a_prediction

PEER = "elsewhere"
OWN = f"/share/v1/platforms/north/cases/{FULL['id']}"
PATIENT = {
    "id": "q",
    "contact": {"name": "T", "href": "mailto:t@example.org"},
    "features": [{"id": "HP:0001250"}],
    "genomicFeatures": [{"gene": {"id": "NF1"}}],
    "disorders": [{"id": "MIM:100"}],
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> LocalCluster:
    made = LocalCluster(quick(tmp_path_factory.mktemp("data"), **PRESETS))
    for name in ("north", "south"):
        made.services[name] = PlatformService(name, made.settings)
    north = made.services["north"]
    for number in range(12):  # more than the Beacon hides
        packet = FULL | {"id": FULL["id"] if number == 0 else f"{CANARY}-{number}"}
        north.add_case(json.dumps(packet).encode(), "test", "", "share")
    network = made.network_service
    for name in made.services:
        profile = PlatformProfile(platform_id=name, person_years_at_risk=1e6)
        network.register(profile, made.services[name].describe()[0])
    network.link("north", "south", True)
    for name, service in made.services.items():
        service.set_peers(network.peers(name))
    north.put_matchmaker(Matchmaker(peer_id=PEER, agreed=True, url="https://peer.example/"), "test")
    return made


@pytest.fixture(scope="module")
def told(cluster: LocalCluster) -> dict[str, str]:
    """All that was sent to somebody else, by what it is."""
    entrance = cluster.entrance()
    standards = application("standards", standards_routes(cluster), entrance, "")
    share = application("share", share_routes(cluster), entrance, "")
    peer = Client(standards, cluster.token(Role.PLATFORM, PEER))
    south = Client(share, cluster.token(Role.CLINICIAN, "south"))
    north = Client(share, cluster.token(Role.CLINICIAN, "north"))
    assert CANARY in north("GET", OWN).text, "the case is there, for those who may see it"
    questions = cluster.services["north"].matchmaking_questions(FULL["id"], [], "test")
    contact = PlatformContact("north", "https://north.example/")
    answers = {
        "match": peer("POST", "/mme/match", json={"patient": PATIENT}).text,
        "metrics": peer("GET", "/mme/metrics").text,
        "count": peer("GET", "/beacon/individuals", params={"filters": "HP:0001250"}).text,
        "foreign case": south("GET", OWN).text,
        "foreign list": south("GET", "/share/v1/platforms/north/cases").text,
        "own search": south(
            "POST", "/share/v1/platforms/south/search", json={"terms": ["HP:0001250"]}
        ).text,
        "network search": south(
            "POST", "/share/v1/platforms/south/network-search", json={"terms": ["HP:0001250"]}
        ).text,
        "network search by codes": south(
            "POST",
            "/share/v1/platforms/south/network-search",
            json={"where": {"disease_id": "OMIM:100", "gene": "NF1"}, "platforms": ["north"]},
        ).text,
        "platforms": south("GET", "/share/v1/platforms").text,
        "questions": json.dumps([one.document for one in questions]),
        "asked": json.dumps([patient_object(o.document, o.shared_id, contact) for o in questions]),
        "bundles": json.dumps([bundle_of(one.document) for one in questions]),
    }
    answers |= _sent_to_platforms(cluster)
    for place, text in _wrong(north).items():
        answers[f"error {place}"] = text
    return answers


def _sent_to_platforms(cluster: LocalCluster) -> dict[str, str]:
    """What couriers, refreshes and questions bring to other platforms, here and elsewhere."""
    north, now = cluster.services["north"], SystemClock().now()
    shared = [a_prediction(FULL["id"], 0.9)]
    north.decide(now, shared, [], cluster.network_service.peers("north"))
    query = RelatedQuery(case_id="south.1", terms=(1250,), disease_id="OMIM:100", genes=("NF1",))
    disease = DiseaseQuestion(disease_id="OMIM:100", name="", codes=("OMIM:100",), limit=50)
    cases = north.find_cases("south", disease)
    return {
        "deliveries": json.dumps([one.model_dump() for one in north.claim("courier", 50)]),
        "related questions": north.related_questions(now, ["pubmed"]).model_dump_json(),
        "related answers": PeerItems.model_validate(
            {"items": north.find_related("south", [query])}
        ).model_dump_json(),
        "rare cases": PeerDiseaseCases(cases=cases).model_dump_json(),
    }


def _wrong(client: Client) -> dict[str, str]:
    bad: dict[str, Any] = FULL | {"phenotypicFeatures": [{"type": {"id": CANARY, "label": 7}}]}
    place = "/share/v1/platforms/north"
    return {
        "case": client("POST", f"{place}/cases", json=bad).text,
        "search": client("POST", f"{place}/search", json={"terms": [CANARY]}).text,
        "network search": client(
            "POST", f"{place}/network-search", json={"terms": [CANARY], "platforms": [CANARY]}
        ).text,
        "events": client("POST", f"{place}/events", json={"events": [{"user": CANARY}]}).text,
        "consent": client("PUT", f"{OWN}-unknown/consent", json={"state": CANARY}).text,
    }


def test_a_planted_identifier_is_in_nothing_that_left(told: dict[str, str]) -> None:
    assert {place for place, text in told.items() if CANARY in text or LATER in text} == set()


def test_something_left_all_the_same(told: dict[str, str]) -> None:
    """Otherwise the test above would say nothing."""
    assert len(json.loads(told["match"])["results"]) == 12
    for place in ("network search", "network search by codes"):
        hits = json.loads(told[place])["hits"]
        assert {(hit["platform"], hit["disease_id"]) for hit in hits} == {("north", "OMIM:100")}
    assert json.loads(told["count"])["responseSummary"]["numTotalResults"] == 11
    assert json.loads(told["deliveries"])[0]["kind"] == "case"
    assert json.loads(told["related questions"])["network"]["south"]
    assert json.loads(told["related answers"])["items"]["south.1"]
    assert json.loads(told["rare cases"])["cases"] is not None
    assert "HP:0001250" in told["questions"] and "HP:0001250" in told["bundles"]


def test_reading_and_telling_are_in_the_audit_chain(
    cluster: LocalCluster, told: dict[str, str]
) -> None:
    del told
    assert cluster.services["north"].broken_audit_row() is None

"""Who did what, and when, stands in the audit chains (B9)."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp

from actors.platform import PlatformService
from cluster.authorisation.roles import Role
from cluster.flow.platform import platform_folder
from cluster.storage.tokens import NETWORK_LEDGER
from serve_apps.http.application import application
from serve_apps.share.api import routes as share_routes
from serve_apps.standards.api import routes as standards_routes
from tests.http_builders import Client, LocalCluster, quick

TOKENS = "/share/v1/tokens"
CASES = "/share/v1/platforms/north/cases"
STATED = {"person_years_at_risk": 1e6}
FEATURE = {"type": {"id": "HP:0001250"}}
PACKET = {"id": "case-one", "subject": {"id": "p"}, "phenotypicFeatures": [FEATURE]}


@pytest.fixture
def cluster(tmp_path: Path) -> LocalCluster:
    made = LocalCluster(quick(tmp_path))
    for name in ("north", "south"):
        made.services[name] = PlatformService(name, made.settings)
    return made


@pytest.fixture
def app(cluster: LocalCluster) -> ASGIApp:
    return application("sharing", share_routes(cluster), cluster.entrance(), "/share/v1")


def rows(ledger: Path) -> list[dict[str, Any]]:
    """The audit rows of a ledger, without their times."""
    with sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True) as read:
        found = [json.loads(row) for (row,) in read.execute("SELECT row FROM audit ORDER BY seq")]
    assert all(one.pop("at") > 1.7e9 for one in found)
    return found


def network_rows(cluster: LocalCluster) -> list[dict[str, Any]]:
    return rows(cluster.settings.data_dir / NETWORK_LEDGER)


def north_rows(cluster: LocalCluster) -> list[dict[str, Any]]:
    return rows(platform_folder(cluster.settings.data_dir, "north") / "ledger.sqlite")


def kid(token: str) -> str:
    return token.split(".")[0]


def test_the_life_of_a_token_names_who_acted(app: ASGIApp, cluster: LocalCluster) -> None:
    """Issued by one, rotated by its holder, ended by another; no secret is in the chain."""
    operator, other = cluster.token(Role.OPERATOR), cluster.token(Role.OPERATOR, "north")
    before = len(network_rows(cluster))
    order = {"role": "clinician", "holder": "ward", "platform": "north", "days": 30}
    first = Client(app, operator)("POST", TOKENS, json=order).json()
    place = f"{TOKENS}/{first['card']['kid']}"
    second = Client(app, first["token"])("POST", f"{place}/rotation").json()
    assert Client(app, first["token"])("POST", f"{place}/rotation").status_code == 409
    south = cluster.token(Role.OPERATOR, "south")
    assert Client(app, south)("DELETE", place).status_code == 404
    assert Client(app, other)("DELETE", place).status_code == 204
    told = [one for one in network_rows(cluster)[before:] if one["by"] != "operator"]
    names = {first["card"]["kid"], second["card"]["kid"]}
    assert set(told[-1].pop("ended")) == names
    assert told == [
        {"action": "token issued", "by": kid(operator), "token": first["card"]},
        {
            "action": "token rotated",
            "by": first["card"]["kid"],
            "token": second["card"],
            "follows": first["card"]["kid"],
        },
        {"action": "token revoked", "by": kid(other), "token": first["card"]["kid"]},
    ]
    for token in (operator, first["token"], second["token"]):
        assert token.split(".")[1] not in json.dumps(network_rows(cluster))


def test_a_token_that_a_job_issues_is_the_operators(cluster: LocalCluster) -> None:
    """Who runs jobs on the cluster has no token yet."""
    token = cluster.token(Role.PLATFORM, "peer")
    (row,) = network_rows(cluster)
    assert (row["action"], row["by"]) == ("token issued", "operator")
    assert (row["token"]["kid"], row["token"]["role"]) == (kid(token), "platform")


def test_registrations_and_links_name_who_said_so(app: ASGIApp, cluster: LocalCluster) -> None:
    """Each change once: what changes nothing adds no row."""
    token, of_north = cluster.token(Role.OPERATOR), cluster.token(Role.OPERATOR, "north")
    whole, north = Client(app, token), Client(app, of_north)
    before = len(network_rows(cluster))
    place, link = "/share/v1/platforms/", "/share/v1/links/north/south"
    moved = STATED | {"contact": "mailto:rare@north.example"}
    for said in (STATED, STATED, moved):
        assert north("PUT", f"{place}north", json=said).status_code == 200
    assert whole("PUT", f"{place}south", json=STATED).status_code == 200
    for client, agreed in ((whole, True), (whole, True), (north, False)):
        assert client("PUT", link, json={"agreed": agreed}).status_code == 200
    told = network_rows(cluster)[before:]
    registered = [one for one in told if one["action"] == "platform registered"]
    assert [(one["by"], one["profile"]["contact"]) for one in registered[:2]] == [
        (kid(of_north), ""),
        (kid(of_north), moved["contact"]),
    ]
    assert [one["profile"]["platform_id"] for one in registered[2:]] == ["south"]
    assert registered[0]["public_key"] == cluster.services["north"].describe()[0]
    assert [one for one in told if one not in registered] == [
        {"action": "link", "source": a, "target": b, "agreed": agreed, "by": kid(by)}
        for a, b, agreed, by in (
            ("north", "south", True, token),
            ("south", "north", True, token),
            ("north", "south", False, of_north),
        )
    ]


def test_a_changed_row_of_the_network_is_found(cluster: LocalCluster) -> None:
    """Who hides who had a token breaks the chain, and the row is named."""
    for holder in ("north", "south"):
        cluster.token(Role.OPERATOR, holder)
    service = cluster.network_service
    assert service.broken_audit_row() is None
    with sqlite3.connect(cluster.settings.data_dir / NETWORK_LEDGER) as direct:
        direct.execute("UPDATE audit SET row = replace(row, 'south', 'north') WHERE seq = 2")
    assert service.broken_audit_row() == 2


def test_reading_a_case_and_its_consent_name_who(app: ASGIApp, cluster: LocalCluster) -> None:
    """Of a platform: who read, who withdrew, who let a peer in and who asked it; not the case."""
    token = cluster.token(Role.CLINICIAN, "north")
    operator = cluster.token(Role.OPERATOR)
    north, whole = Client(app, token), Client(app, operator)
    assert north("POST", CASES, json=PACKET).status_code == 200
    before = len(north_rows(cluster))
    assert north("GET", f"{CASES}/case-one").status_code == 200
    share = {"state": "active", "consent": "share"}
    assert whole("PUT", f"{CASES}/case-one/consent", json=share).status_code in {200, 204}
    peer = "/share/v1/platforms/north/matchmakers/peer"
    assert whole("PUT", peer, json={"agreed": True}).status_code == 200
    asked = north("POST", "/share/v1/platforms/north/matchmaking", json={"case_id": "case-one"})
    assert asked.status_code == 200
    for gone in ("GET", "PUT"):
        place = f"{CASES}/nobody" + ("/consent" if gone == "PUT" else "")
        assert north(gone, place, json=share).status_code == 404
    told = north_rows(cluster)[before:]
    case = told[0]["case"]
    assert told == [
        {"action": "case read", "case": case, "reader": kid(token)},
        {"action": "consent", "case": case, **share, "by": kid(operator)},
        {"action": "matchmaker agreement", "peer": "peer", "agreed": True, "by": kid(operator)},
        {"action": "disclosure attempted", "peers": [], "cases": [], "by": kid(token)},
    ]
    assert "case-one" not in json.dumps(told)


def test_what_a_peer_was_told_names_the_peer(cluster: LocalCluster) -> None:
    """Its platform, and the ids under which it was told; a peer without agreement leaves none."""
    app = application("standards", standards_routes(cluster), cluster.entrance(), "")
    service = cluster.services["north"]
    service.add_case(json.dumps(PACKET).encode(), "test", "", "share")
    contact = {"name": "T", "href": "mailto:t@example.org"}
    patient = {"id": "q", "contact": contact, "features": [{"id": "HP:0001250"}]}
    peer = Client(app, cluster.token(Role.PLATFORM, "peer"))
    before = len(north_rows(cluster))
    assert peer("POST", "/mme/match", json={"patient": patient}).json()["results"] == []
    assert north_rows(cluster)[before:] == []
    whole = Client(
        application("sharing", share_routes(cluster), cluster.entrance(), "/share/v1"),
        cluster.token(Role.OPERATOR),
    )
    place = "/share/v1/platforms/north/matchmakers/peer"
    assert whole("PUT", place, json={"agreed": True}).status_code == 200
    (found,) = peer("POST", "/mme/match", json={"patient": patient}).json()["results"]
    assert north_rows(cluster)[-1] == {
        "action": "disclosure attempted",
        "peer": "peer",
        "cases": [found["patient"]["id"]],
    }

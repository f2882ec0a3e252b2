"""Tokens and agreements give no more than they say (B9, A11)."""

import pytest

from actors.platform import PlatformService
from cluster.authorisation.roles import Role
from serve_apps.http.application import application
from serve_apps.share.api import routes
from tests.http_builders import Client, LocalCluster, quick

TOKENS = "/share/v1/tokens"


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> LocalCluster:
    made = LocalCluster(quick(tmp_path_factory.mktemp("data")))
    for name in ("north", "south"):
        made.services[name] = PlatformService(name, made.settings)
    return made


@pytest.fixture
def app(cluster: LocalCluster) -> object:
    made = application("sharing", routes(cluster), cluster.entrance(), "/share/v1")
    whole = Client(made, cluster.token(Role.OPERATOR))
    for name in cluster.services:
        said = {"person_years_at_risk": 1e6}
        assert whole("PUT", f"/share/v1/platforms/{name}", json=said).status_code == 200
    return made


def test_revoking_a_token_ends_all_that_were_rotated_from_it(
    app: object, cluster: LocalCluster
) -> None:
    operator = Client(app, cluster.token(Role.OPERATOR))
    first = cluster.token(Role.CLINICIAN, "north")
    kid = first.split(".")[0]
    second = Client(app, first)("POST", f"{TOKENS}/{kid}/rotation").json()["token"]
    assert Client(app, first)("GET", "/share/v1/platforms").status_code == 200, "both are good"
    assert Client(app, first)("POST", f"{TOKENS}/{kid}/rotation").status_code == 409
    third_of = second.split(".")[0]
    third = Client(app, second)("POST", f"{TOKENS}/{third_of}/rotation").json()["token"]
    assert operator("DELETE", f"{TOKENS}/{kid}").status_code == 204
    for token in (first, second, third):
        assert Client(app, token)("GET", "/share/v1/platforms").status_code == 401


def test_nobody_rotates_or_revokes_the_token_of_another(app: object, cluster: LocalCluster) -> None:
    kid = cluster.token(Role.CLINICIAN, "south").split(".")[0]
    for role in (Role.OPERATOR, Role.CLINICIAN):
        north = Client(app, cluster.token(role, "north"))
        assert north("POST", f"{TOKENS}/{kid}/rotation").status_code == 404
    operator = Client(app, cluster.token(Role.OPERATOR, "north"))
    assert operator("DELETE", f"{TOKENS}/{kid}").status_code == 404
    assert kid not in operator("GET", TOKENS).text


@pytest.mark.parametrize("platform", ["south", ""])
def test_an_operator_of_a_platform_issues_no_token_beyond_it(
    app: object, cluster: LocalCluster, platform: str
) -> None:
    north = Client(app, cluster.token(Role.OPERATOR, "north"))
    order = {"role": "operator", "holder": "x", "platform": platform}
    assert north("POST", TOKENS, json=order).status_code == 403


def test_a_repeated_order_issues_no_second_token(app: object, cluster: LocalCluster) -> None:
    """B9: the key is the caller's own; the answer names the first token, and no secret."""
    first, second = (Client(app, cluster.token(Role.OPERATOR)) for _ in range(2))
    order = {"role": "clinician", "holder": "ward", "platform": "north"}
    named = {"Idempotency-Key": "a"}
    issued = first("POST", TOKENS, json=order, headers=named).json()
    again = first("POST", TOKENS, json=order, headers=named)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    kid, secret = issued["token"].split(".")
    assert kid in again.text and secret not in again.text
    assert first("DELETE", f"{TOKENS}/{kid}").status_code == 204
    assert first("POST", TOKENS, json=order, headers=named).status_code == 409
    for caller, headers in ((first, {"Idempotency-Key": "b"}), (second, named), (first, {})):
        other = caller("POST", TOKENS, json=order, headers=headers).json()
        assert other["card"]["kid"] != kid


@pytest.mark.parametrize("days", ["0", "-1", "90.1", "nan", "inf"])
def test_a_token_lives_for_some_days(app: object, cluster: LocalCluster, days: str) -> None:
    token = cluster.token(Role.OPERATOR)
    place = f"{TOKENS}/{token.split('.')[0]}/rotation"
    assert Client(app, token)("POST", place, params={"days": days}).status_code == 422


def test_an_agreement_needs_the_word_of_both(app: object, cluster: LocalCluster) -> None:
    """An operator of one platform opens nobody else's cases to itself."""

    def agreed() -> dict[str, bool]:
        return {
            name: {p.peer_id: p.agreed for p in cluster.network_service.peers(name)}[other]
            for name, other in (("north", "south"), ("south", "north"))
        }

    north = Client(app, cluster.token(Role.OPERATOR, "north"))
    south = Client(app, cluster.token(Role.OPERATOR, "south"))
    yes = {"agreed": True}
    assert north("PUT", "/share/v1/links/north/south", json=yes).status_code == 200
    assert north("PUT", "/share/v1/links/south/north", json=yes).status_code == 404
    assert agreed() == {"north": False, "south": False}
    assert south("PUT", "/share/v1/links/south/north", json=yes).status_code == 200
    assert agreed() == {"north": True, "south": True}
    assert north("PUT", "/share/v1/links/north/south", json={"agreed": False}).status_code == 200
    assert agreed() == {"north": False, "south": False}


def test_who_runs_one_platform_does_not_run_the_cluster(app: object, cluster: LocalCluster) -> None:
    north = Client(app, cluster.token(Role.OPERATOR, "north"))
    assert north("GET", "/share/v1/links").status_code == 403
    said = {"agreed": True, "url": "http://127.0.0.1:9/", "token": "x"}
    place = "/share/v1/platforms/north/matchmakers/peer"
    assert north("PUT", place, json=said).status_code == 403
    assert Client(app, cluster.token(Role.OPERATOR))("PUT", place, json=said).status_code == 200


def test_a_new_case_is_private_and_can_always_be_withdrawn(
    app: object, cluster: LocalCluster
) -> None:
    north = Client(app, cluster.token(Role.CLINICIAN, "north"))
    place = "/share/v1/platforms/north/cases"
    feature = {"type": {"id": "HP:0001250"}}
    packet = {"id": "one", "subject": {"id": "p"}, "phenotypicFeatures": [feature]}
    assert north("POST", place, json=packet).status_code == 200
    assert north("GET", f"{place}/one").json()["consent"] == "private"
    given = north("POST", place, json=packet | {"id": "two"}, params={"consent": "share"})
    assert given.status_code == 200
    assert north("GET", f"{place}/two").json()["consent"] == "share"
    for name in ("a/b", "..", "", "a\nb", "x" * 256):
        assert north("POST", place, json=packet | {"id": name}).status_code == 422, name
    assert north("POST", place, content="{}").status_code == 415
    huge = b'{"id": "h", "subject": {"id": "p"}, "x": 1e999}'
    sent = north("POST", place, content=huge, headers={"content-type": "application/json"})
    assert sent.status_code == 422


@pytest.mark.parametrize("by_whole", [True, False])
def test_test_data_never_meets_real_cases(
    app: object, cluster: LocalCluster, by_whole: bool
) -> None:
    """B6 A11: no agreement joins a platform of test data and one of real cases."""
    cluster.services["trial"] = PlatformService("trial", cluster.settings)
    whole = Client(app, cluster.token(Role.OPERATOR))
    said = {"person_years_at_risk": 1e6, "test": True}
    assert whole("PUT", "/share/v1/platforms/trial", json=said).status_code == 200
    speaker = whole if by_whole else Client(app, cluster.token(Role.OPERATOR, "north"))
    answer = speaker("PUT", "/share/v1/links/north/trial", json={"agreed": True})
    assert (answer.status_code, answer.json()["code"]) == (403, "policy_refused")
    assert all(not one.agreed for one in cluster.network_service.peers("north"))
    linked = speaker("PUT", "/share/v1/links/north/trial", json={"agreed": False})
    assert linked.status_code == 200

"""Every route asks the role table, and the table says what was meant (B9)."""

import pytest
from fastapi.routing import APIRoute
from pydantic import SecretStr
from starlette.types import ASGIApp

from cluster.authorisation.roles import RIGHTS, Role
from cluster.contracts.peers import PeerCard, Remote
from serve_apps.http.application import router
from tests.http_builders import Client
from tests.whole_cluster import APPLICATIONS, WholeCluster, table_rows

HOMES = {"own": "north", "foreign": "south"}
FILLED = {"digest": "0" * 64, "kid": "0" * 16, "peer": "south"}
FILLED |= dict.fromkeys(("name", "run", "case_id", "delivery_id"), "none")
PLATFORM = "/share/v1/platforms/{platform}"
SENSITIVE = {
    (f"POST {PLATFORM}/cases", Role.PLATFORM): "-",
    (f"POST {PLATFORM}/cases", Role.SCIENTIST): "-",
    (f"POST {PLATFORM}/cases", Role.PUBLIC): "-",
    (f"GET {PLATFORM}/cases", Role.SCIENTIST): "-",
    (f"GET {PLATFORM}/cases/{{case_id}}", Role.PLATFORM): "-",
    (f"GET {PLATFORM}/cases/{{case_id}}", Role.CLINICIAN): "own",
    (f"GET {PLATFORM}/cases/{{case_id}}", Role.PUBLIC): "-",
    (f"PUT {PLATFORM}/cases/{{case_id}}/consent", Role.SCIENTIST): "-",
    (f"PUT {PLATFORM}/cases/{{case_id}}/consent", Role.PLATFORM): "-",
    (f"POST {PLATFORM}/search", Role.PLATFORM): "-",
    (f"POST {PLATFORM}/search", Role.PUBLIC): "-",
    (f"POST {PLATFORM}/search", Role.CLINICIAN): "own",
    (f"POST {PLATFORM}/network-search", Role.PLATFORM): "-",
    (f"POST {PLATFORM}/network-search", Role.SCIENTIST): "-",
    (f"POST {PLATFORM}/network-search", Role.PUBLIC): "-",
    (f"POST {PLATFORM}/network-search", Role.CLINICIAN): "own",
    (f"GET {PLATFORM}/deliveries", Role.PUBLIC): "-",
    (f"GET {PLATFORM}/decisions", Role.SCIENTIST): "-",
    (f"PUT {PLATFORM}", Role.CLINICIAN): "-",
    (f"PUT {PLATFORM}", Role.PLATFORM): "-",
    ("POST /share/v1/peer/deliveries", Role.OPERATOR): "-",
    ("POST /share/v1/peer/deliveries", Role.CLINICIAN): "-",
    ("POST /share/v1/peer/deliveries", Role.PUBLIC): "-",
    ("POST /share/v1/peer/questions", Role.CLINICIAN): "-",
    ("PUT /share/v1/remote-platforms/{peer}", Role.PLATFORM): "-",
    ("PUT /share/v1/remote-platforms/{peer}", Role.CLINICIAN): "-",
    ("GET /share/v1/links", Role.CLINICIAN): "-",
    ("PUT /share/v1/links/{platform}/{peer}", Role.CLINICIAN): "-",
    ("PUT /share/v1/links/{platform}/{peer}", Role.PLATFORM): "-",
    ("POST /share/v1/tokens", Role.CLINICIAN): "-",
    ("POST /share/v1/tokens", Role.SCIENTIST): "-",
    ("POST /share/v1/tokens", Role.PLATFORM): "-",
    ("POST /share/v1/tokens", Role.PUBLIC): "-",
    ("GET /share/v1/tokens", Role.SCIENTIST): "-",
    ("DELETE /share/v1/tokens/{kid}", Role.CLINICIAN): "-",
    ("POST /share/v1/tokens/{kid}/rotation", Role.PUBLIC): "-",
}
"""Written by hand, so that a wrong table does not prove itself."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> WholeCluster:
    return WholeCluster(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def apps(cluster: WholeCluster) -> dict[str, ASGIApp]:
    return cluster.apps()


@pytest.fixture(scope="module")
def tokens(cluster: WholeCluster) -> dict[Role, str]:
    return cluster.tokens("north")


@pytest.fixture(scope="module")
def far(cluster: WholeCluster) -> str:
    """A token of a platform of another cluster; no other one reaches the exchange."""
    card = PeerCard(platform_id="far", url="http://127.0.0.1:9", public_key="0" * 64)
    cluster.network_service.put_remote(Remote(card=card, token=SecretStr("t")))
    return cluster.token(Role.PLATFORM, "far")


@pytest.mark.parametrize(("name", "method", "path"), table_rows())
def test_a_route_lets_in_whom_the_table_names(
    name: str, method: str, path: str, apps: dict[str, ASGIApp], tokens: dict[Role, str], far: str
) -> None:
    """Refused: 401 without a token, 403 with one; foreign: 404, as if it were not there."""
    for role, token in tokens.items():
        is_exchange = role is Role.PLATFORM and "/peer/" in path
        client = Client(apps[name], far if is_exchange else token)
        cell = RIGHTS[f"{method} {path}"].cells[role]
        for whose, platform in HOMES.items():
            if whose == "foreign" and "{platform}" not in path:
                continue
            answer = client(method, path.format(platform=platform, **FILLED))
            allowed = cell in ("all", "few") or (cell == "own" and whose == "own")
            if cell == "whole":
                assert answer.status_code == 403, (role, whose)
            elif cell == "-":
                assert answer.status_code == (401 if role is Role.PUBLIC else 403), (role, whose)
            elif not allowed:
                assert answer.status_code == 404, (role, whose)
            elif (name, path, cell) != ("standards", "/beacon/individuals", "few"):
                assert answer.status_code not in (401, 403, 405, 500), (role, answer.text)


@pytest.mark.parametrize(("row", "role"), SENSITIVE)
def test_sensitive_cells_are_as_written_by_hand(row: str, role: Role) -> None:
    assert RIGHTS[row].cells[role] == SENSITIVE[row, role]


def test_an_expired_token_is_no_token(apps: dict[str, ASGIApp], cluster: WholeCluster) -> None:
    expired = Client(apps["share"], cluster.token(Role.OPERATOR, days=1e-9))
    assert expired("GET", "/share/v1/platforms").status_code == 401


def test_a_route_that_is_not_in_the_table_does_not_start() -> None:
    made = router("/share/v1")
    with pytest.raises(KeyError):
        made.get("/secret-door")(lambda: None)


def test_every_row_has_its_route(cluster: WholeCluster) -> None:
    """A row without a route would be a right that nobody can use, or a stub."""
    served = {
        (name, method, route.path)
        for name, routes in APPLICATIONS.items()
        for route in routes(cluster).routes
        if isinstance(route, APIRoute)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert served == set(table_rows())

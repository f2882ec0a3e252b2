"""The door before every application: limits at the limit and one beyond, load, and tokens (B9)."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from actors.platform import PlatformService
from cluster.authorisation.roles import Role
from serve_apps.http import door, guard
from serve_apps.http.application import application
from serve_apps.share.api import routes
from serve_apps.share.examples import PHENOPACKET
from tests.http_builders import URL, Client, Local, LocalCluster, quick

HOME = "/share/v1/platforms/north"
CONSENT = f"{HOME}/cases/simulated-1/consent"
GIVEN = {"state": "active", "consent": "share"}


def a_cluster(folder: Path, **changed: Any) -> LocalCluster:
    made = LocalCluster(quick(folder, **changed))
    made.services["north"] = PlatformService("north", made.settings)
    return made


def an_app(cluster: LocalCluster) -> ASGIApp:
    return application("sharing", routes(cluster), cluster.entrance(), "/share/v1")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> LocalCluster:
    return a_cluster(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def client(cluster: LocalCluster) -> Client:
    return Client(an_app(cluster), cluster.token(Role.OPERATOR))


@pytest.mark.parametrize(("beyond", "status"), [(-1, 200), (0, 200), (1, 431)])
def test_headers_are_counted(client: Client, beyond: int, status: int) -> None:
    sent = client("GET", "/share/v1/info").request.headers
    more = {f"x-{n}": "1" for n in range(door.HEADERS_MAX + beyond - len(sent))}
    assert client("GET", "/share/v1/info", headers=more).status_code == status


@pytest.mark.parametrize(("beyond", "status"), [(-1, 200), (0, 200), (1, 414)])
def test_the_address_is_measured(client: Client, beyond: int, status: int) -> None:
    path = "/share/v1/info?more="
    text = "a" * (door.ADDRESS_BYTES_MAX + beyond - len(path) + 1)  # the question mark is no part
    assert client("GET", path + text).status_code == status


@pytest.mark.parametrize(("beyond", "status"), [(-1, 422), (0, 422), (1, 413)])
@pytest.mark.parametrize("is_told", [True, False])
def test_a_body_is_measured_whether_its_length_is_told_or_not(
    client: Client, beyond: int, status: int, is_told: bool
) -> None:
    body = b'{"text": "' + b"a" * (guard.BODY_BYTES_MAX + beyond - 12) + b'"}'

    async def chunks() -> Any:
        for start in range(0, len(body), 10_000):
            yield body[start : start + 10_000]

    headers = {"content-type": "application/json"}
    content = body if is_told else chunks()
    answer = client("POST", f"{HOME}/search", content=content, headers=headers)
    assert answer.status_code == status, answer.text


def test_a_token_may_call_so_often_and_not_once_more(tmp_path: Path) -> None:
    cluster = a_cluster(tmp_path, calls_per_s=1e-6, calls_burst=5)
    app = an_app(cluster)
    first, second = (Client(app, cluster.token(Role.OPERATOR)) for _ in range(2))
    answers = [first("GET", "/share/v1/info") for _ in range(6)]
    assert [one.status_code for one in answers] == [200] * 5 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0
    assert second("GET", "/share/v1/info").status_code == 200, "others are not touched"


def test_who_has_no_token_has_a_rate_too(tmp_path: Path) -> None:
    cluster = a_cluster(tmp_path, public_calls_per_s=1e-6)
    public = Client(an_app(cluster))
    tries = [public("GET", "/share/v1/info").status_code for _ in range(door.PUBLIC_BURST + 1)]
    assert tries == [200] * door.PUBLIC_BURST + [429]


def test_guessing_tokens_ends_soon(tmp_path: Path) -> None:
    cluster = a_cluster(tmp_path)
    app = an_app(cluster)
    guess = Client(app, f"{'0' * 16}.{'A' * 43}")
    tries = [guess("GET", "/share/v1/platforms").status_code for _ in range(11)]
    assert tries == [401] * door.BAD_TOKENS_A_MINUTE + [429]


def test_overload_is_told_at_once_and_a_withdrawal_goes_through(tmp_path: Path) -> None:
    """One slot, taken: what is usual gets a 503 that says when, what is core is answered."""
    cluster = a_cluster(tmp_path, calls_at_once=1)
    document = json.dumps(PHENOPACKET).encode()
    cluster.services["north"].add_case(document, "test", "")
    held = Held(cluster)
    headers = {"Authorization": f"Bearer {cluster.token(Role.OPERATOR)}"}
    answers = asyncio.run(held.calls(an_app(held), headers))
    assert [one.status_code for one in answers] == [503, 200, 200]
    assert answers[0].json()["code"] == "overloaded"
    assert answers[0].headers["retry-after"] == "1"


class Held:
    """A cluster whose rarity report takes until the other calls have been answered."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._cluster = cluster
        self._begun, self._end = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)

    async def platform(self, platform_id: str) -> Any:
        found = await self._cluster.platform(platform_id)
        begun, end = self._begun, self._end

        class Slow(Local):
            async def rarity(self) -> object:
                begun.set()
                await end.wait()
                return await found.rarity()

        return Slow(self._cluster.services[platform_id])

    async def calls(self, app: ASGIApp, headers: dict[str, str]) -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=URL, headers=headers) as client:
            slow = asyncio.create_task(client.get(f"{HOME}/rarity"))
            await self._begun.wait()
            refused = await client.get(f"{HOME}/cases")
            core = await client.put(CONSENT, json=GIVEN)
            self._end.set()
            return [refused, core, await slow]


@pytest.mark.parametrize(
    ("path", "method", "methods"),
    [
        (f"{HOME}/cases", "PATCH", "GET, POST"),
        (HOME, "POST", "GET, PUT"),
        (f"{HOME}/search", "GET", "POST"),
    ],
)
def test_who_uses_a_wrong_method_is_told_all_right_ones(
    client: Client, path: str, method: str, methods: str
) -> None:
    answer = client(method, path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == methods


JSON, FHIR = "application/json", "application/fhir+json"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("*/*", JSON),
        (FHIR, FHIR),
        (f"{FHIR};fhirVersion=4.0, {JSON};q=0.9", FHIR),
        (f"{FHIR}, {JSON}", FHIR),
        (f"{FHIR};q=0.5, {JSON}", JSON),
        (f"{FHIR};q=0, */*", JSON),
        (f"{JSON};q=0, */*;q=0.1", FHIR),
        (f"application/*;q=0, {FHIR};q=0.001", FHIR),
        ("text/html", JSON),  # not refused; an answer is better than none
        (f"{FHIR};q=2", JSON),  # no weight
        (f"{JSON};q=0, {FHIR};q=0", ""),
        ("*/*;q=0", ""),
    ],
)
def test_a_case_comes_in_the_form_that_is_wanted_most(
    cluster: LocalCluster, client: Client, accept: str, form: str
) -> None:
    """One that has the weight 0 is never sent, and where both have it nothing is done."""
    document = json.dumps(PHENOPACKET).encode()
    cluster.services["north"].add_case(document, "test", "")
    place = f"{HOME}/cases/{PHENOPACKET['id']}"
    audited = _audited(cluster)
    answer = client("GET", place, headers={"accept": accept})
    if form:
        assert (answer.status_code, answer.headers["content-type"]) == (200, form)
    else:
        assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
        assert answer.headers["content-type"] == "application/problem+json"
        assert _audited(cluster) == audited, "who got nothing has read nothing"


def _audited(cluster: LocalCluster) -> int:
    ledger = cluster.settings.data_dir / "platforms/north/ledger.sqlite"
    with closing(sqlite3.connect(ledger)) as read:
        rows: int = read.execute("SELECT count(*) FROM audit").fetchone()[0]
        return rows


def test_routes_of_one_form_honour_a_refusal_too(client: Client) -> None:
    given = [client("GET", "/share/v1/info", headers={"accept": one}) for one in ("text/html", "")]
    assert [one.status_code for one in given] == [200, 200]
    refused = client("GET", "/share/v1/info", headers={"accept": "application/json; q=0.000"})
    assert refused.status_code == 406

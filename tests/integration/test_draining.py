"""Several replicas behave as one, and none goes with what it has begun (B9)."""

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from serve_apps.http.door import PUBLIC_BURST
from serve_apps.share.examples import PHENOPACKET
from tests.integration.deployed import (
    Config,
    Head,
    a_head,
    an_environment,
    from_folder,
    processes_with,
    until,
)

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]
NORTH, SOUTH = "/share/v1/platforms/north", "/share/v1/platforms/south"
SLOTS = 4
TRIES = 20
"""Calls after which each of two replicas has answered one, but for one time in half a million."""


class Deployed:
    """The sharing application alone, with two replicas."""

    def __init__(self, head: Head, config: Config) -> None:
        self.head = head
        self._share = next(one for one in config["applications"] if one["name"] == "share")
        self._rest = {"logging_config": config["logging_config"]}

    def deploy(self, *, replicas: int = 2, version: str = "1") -> None:
        """Deploy with so many replicas; another version puts new ones in the place of all."""
        (shipped,) = self._share["deployments"]
        runtime = self._share["runtime_env"] | {"env_vars": {"VERSION": version}}
        share = self._share | {
            "deployments": [shipped | {"num_replicas": replicas}],
            "runtime_env": runtime,
        }
        self.head.hand_over(self._rest | {"applications": [share]})

    def has(self, *states: str) -> bool:
        """Say whether there are replicas in these states and no others."""
        return sorted(self.head.replicas("share").values()) == sorted(states)

    def lets_go(self, before: set[str]) -> bool:
        """Say whether one of these replicas is to go, or has gone."""
        found = self.head.replicas("share")
        return bool(found) and any(found.get(one) != "RUNNING" for one in before)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("typed")
    python, config = an_environment(tmp_path_factory.mktemp("env")), from_folder(folder)
    limits = {"calls_per_s": "1e6", "calls_burst": "1e6", "public_calls_per_s": "1e-6"}
    with a_head(python, folder, calls_at_once=str(SLOTS), **limits) as head:
        yield Deployed(head, config)


@pytest.fixture(scope="module")
def token(deployed: Deployed) -> str:
    return deployed.head.token()


@pytest.fixture
def operator(deployed: Deployed, token: str) -> Iterator[httpx.Client]:
    """A client of two replicas, with both platforms there."""
    deployed.deploy()
    until(lambda: deployed.head.is_running() and deployed.has("RUNNING", "RUNNING"))
    with a_client(deployed.head, token) as client:
        for home in (NORTH, SOUTH):
            assert client.put(home, json={"person_years_at_risk": 1e6}).status_code == 200
        yield client


def a_client(head: Head, token: str = "") -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    many = httpx.Limits(max_connections=None)
    return httpx.Client(base_url=head.url, headers=headers, timeout=240, limits=many)


def a_case(name: str) -> dict[str, Any]:
    return PHENOPACKET | {"id": name}


def test_it_does_not_matter_which_replica_answers(
    deployed: Deployed, operator: httpx.Client
) -> None:
    """Tokens, roles, keys and pages are of the cluster; limits are of each replica."""
    with a_client(deployed.head) as public:
        told = [public.get("/share/v1/info").status_code for _ in range(4 * PUBLIC_BURST)]
    assert set(told) == {200, 429}
    assert told.count(200) == 2 * PUBLIC_BURST, "each replica has answered, and has its own limit"

    ward = {"role": "clinician", "platform": "north", "holder": "ward"}
    issued = operator.post("/share/v1/tokens", json=ward).json()
    with a_client(deployed.head, issued["token"]) as clinician:
        seen = {clinician.get(f"{SOUTH}/cases").status_code for _ in range(TRIES)}
        seen |= {clinician.get("/share/v1/tokens").status_code for _ in range(TRIES)}
        assert seen == {404, 403}
        kid = issued["card"]["kid"]
        assert operator.delete(f"/share/v1/tokens/{kid}").status_code == 204
        ended = {clinician.get(f"{NORTH}/cases").status_code for _ in range(TRIES // 2)}
        assert ended == {401}, "with the call, in every replica"

    key = {"Idempotency-Key": "once"}
    firsts = [operator.post(f"{NORTH}/cases", json=a_case("a"), headers=key) for _ in range(TRIES)]
    assert {one.text for one in firsts} == {firsts[0].text}
    others = [operator.post(f"{NORTH}/cases", json=a_case("b"), headers=key) for _ in range(TRIES)]
    assert {one.status_code for one in others} == {409}

    names = [f"page-{n:02}" for n in range(TRIES)]
    for name in names:
        assert operator.post(f"{NORTH}/cases", json=a_case(name)).json()["result"] == "added"
    assert list(_listed(operator)) == ["a", *names]
    asked = {"terms": ["HP:0001250"], "k": 50}
    found = {operator.post(f"{NORTH}/search", json=asked).text for _ in range(TRIES)}
    assert len(found) == 1


def _listed(client: httpx.Client) -> Iterator[str]:
    """Read the list of cases, a case a page."""
    after = ""
    while True:
        page = client.get(f"{NORTH}/cases", params={"after": after, "limit": "1"}).json()
        yield from (one["case_id"] for one in page["cases"])
        if not page["next"]:
            return
        after = page["next"]


class Load:
    """Clients that each add a case, again with the same key until they hear that it is there."""

    def __init__(self, client: httpx.Client, name: str) -> None:
        self._client, self._name = client, name
        self._pool = ThreadPoolExecutor(64)
        self.sent: list[Future[list[httpx.Response]]] = []

    def one_more(self) -> None:
        self.sent.append(self._pool.submit(self._add, f"{self._name}-{len(self.sent)}"))

    def _add(self, name: str) -> list[httpx.Response]:
        heard: list[httpx.Response] = []
        while not heard or heard[-1].status_code >= 500:
            if heard:
                threading.Event().wait(float(heard[-1].headers.get("retry-after", 1)))
            key = {"Idempotency-Key": name}
            heard.append(self._client.post(f"{NORTH}/cases", json=a_case(name), headers=key))
        return heard

    def answers(self) -> list[list[httpx.Response]]:
        """Return what each client has heard, when all have ended."""
        return [one.result() for one in self.sent]


@contextmanager
def every_slot_taken(deployed: Deployed, client: httpx.Client, name: str) -> Iterator[Load]:
    """Let the platform stand still, and calls of it take all slots of all replicas."""
    (platform,) = [
        one
        for one in processes_with(deployed.head.env["RAY_AUTH_TOKEN"])
        if _has_open(one, deployed.head.folder / "data/platforms/north/ledger.sqlite")
    ]
    os.kill(platform, signal.SIGSTOP)
    try:
        load = Load(client, name)
        probe = {"terms": ["HP:0001250"]}
        for _ in range(2 * SLOTS):
            load.one_more()
        until(
            lambda: all(
                client.post(f"{NORTH}/search", json=probe).status_code == 503 for _ in range(TRIES)
            )
        )
        load.one_more()  # finds none
        yield load
    finally:
        os.kill(platform, signal.SIGCONT)


def _has_open(process: int, path: Path) -> bool:
    try:
        return any(one.readlink() == path for one in Path(f"/proc/{process}/fd").iterdir())
    except OSError:
        return False


@pytest.mark.parametrize("change", [{"replicas": 1}, {"version": "2"}])
def test_a_replica_that_is_to_go_ends_what_it_has_begun(
    deployed: Deployed, operator: httpx.Client, change: dict[str, Any]
) -> None:
    """A shrink and a new version lose no call: each is answered, or told at once to come again."""
    name = "-".join(change)
    home = f"{SOUTH}/cases/{PHENOPACKET['id']}/consent"
    operator.post(f"{SOUTH}/cases", json=PHENOPACKET)
    before = set(deployed.head.replicas("share"))
    with every_slot_taken(deployed, operator, name) as load:
        deployed.deploy(**change)
        until(lambda: deployed.lets_go(before))
        withdrawn = operator.put(home, json={"state": "active", "consent": "private"})
        assert withdrawn.status_code == 200, "new calls go on beside it"
    heard = load.answers()
    for answers in heard:
        *refused, last = answers
        assert (last.status_code, last.json()["result"]) == (200, "added"), last.text
        for one in refused:
            assert (one.status_code, one.headers.get("retry-after")) == (503, "1"), one.text
            assert one.json()["code"] == "overloaded"
    assert [one for one in _listed(operator) if one.startswith(name)] == sorted(
        f"{name}-{n}" for n in range(len(heard))
    )
    until(lambda: deployed.has(*["RUNNING"] * change.get("replicas", 2)))
    assert not before <= set(deployed.head.replicas("share"))


def test_what_a_killed_replica_had_begun_is_made_good_by_a_repeat(
    deployed: Deployed, operator: httpx.Client
) -> None:
    """Serve itself tells 500 then; the same key adds the case once, whether it was added or not."""
    with every_slot_taken(deployed, operator, "killed") as load:
        one = deployed.head.state()["share"]["deployments"]["share"]["replicas"][0]
        os.kill(one["pid"], signal.SIGKILL)
    heard = load.answers()
    assert {answers[-1].json()["result"] for answers in heard} == {"added"}
    told = {answer.status_code for answers in heard for answer in answers}
    assert told == {200, 500, 503}
    assert [one for one in _listed(operator) if one.startswith("killed")] == sorted(
        f"killed-{n}" for n in range(len(heard))
    )

"""A search of several platforms over HTTP: who answers, who is away, and what is told (S400)."""

import asyncio
import json
from typing import Any

import pytest

from cluster.authorisation.roles import Role
from serve_apps.http.application import application
from serve_apps.share import network_search
from serve_apps.share.api import PREFIX, routes
from tests.http_builders import Client, LocalCluster, quick

HOME = "/share/v1/platforms/north"
SEARCH = f"{HOME}/network-search"
SEIZURE = {"type": {"id": "HP:0001250", "label": "Seizure"}}
QUERY = {"terms": ["HP:0001250"]}


class SlowPeer:
    """A platform that takes calls and never answers."""

    async def find_hits(self, asker: str, query: object) -> None:
        await asyncio.Event().wait()


class Cluster(LocalCluster):
    """With platforms that may hang."""

    hanging: tuple[str, ...] = ()

    async def platform(self, platform_id: str) -> Any:
        return SlowPeer() if platform_id in self.hanging else await super().platform(platform_id)


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return Cluster(quick(tmp_path_factory.mktemp("data")))


@pytest.fixture
def app(cluster: Cluster) -> object:
    """North has agreements with south and east, and a link with west."""
    made = application("sharing", routes(cluster), cluster.entrance(), PREFIX)
    operator = Client(made, cluster.token(Role.OPERATOR))
    for name in ("north", "south", "east", "west"):
        said = {"person_years_at_risk": 1e6}
        assert operator("PUT", f"{PREFIX}/platforms/{name}", json=said).status_code == 200
        disease = [{"term": {"id": "OMIM:615273", "label": "own words"}}]
        for consent in ("share", "private"):
            packet = {"id": f"{name}-{consent}", "subject": {"id": "p"}, "diseases": disease}
            cluster.services[name].add_case(
                json.dumps(packet | {"phenotypicFeatures": [SEIZURE]}).encode(), "t", "", consent
            )
    for name, agreed in (("south", True), ("east", True), ("west", False)):
        place = f"{PREFIX}/links/north/{name}"
        assert operator("PUT", place, json={"agreed": agreed}).status_code == 200
    return made


@pytest.fixture
def clinician(app: object, cluster: Cluster) -> Client:
    return Client(app, cluster.token(Role.CLINICIAN, "north"))


def asked(caller: Client, **query: Any) -> tuple[dict[str, str], list[tuple[str, str]], Any]:
    """States, (platform, case) of the hits, and the whole answer."""
    answer = caller("POST", SEARCH, json=QUERY | query)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    states = {one["platform"]: one["state"] for one in told["platforms"]}
    return states, [(hit["platform"], hit["case_id"]) for hit in told["hits"]], told


def shared(cluster: Cluster, name: str, case: str = "share") -> tuple[str, str]:
    service = cluster.services[name]
    return name, service._platform.shared_id(f"{name}-{case}", "north")


def test_own_cases_and_those_of_others_come_in_one_list(
    clinician: Client, cluster: Cluster
) -> None:
    """Private ones are there at home alone; diseases are counted at home alone."""
    states, hits, told = asked(clinician)
    assert states == {"north": "answered", "south": "answered", "east": "answered"}
    own = {("north", "north-share"), ("north", "north-private")}
    assert {*hits} == own | {shared(cluster, "south"), shared(cluster, "east")}
    assert [one["n_cases"] for one in told["diseases"]] == [2]
    foreign = [hit for hit in told["hits"] if hit["platform"] != "north"]
    assert "own words" not in json.dumps(foreign)
    assert "rare_feature" not in json.dumps(told)


def test_a_platform_without_an_agreement_is_named_and_counts_nothing(clinician: Client) -> None:
    """One that is not there at all looks the same."""
    states, hits, told = asked(clinician, platforms=["west", "nowhere"])
    assert states == {"west": "not_interconnected", "nowhere": "not_interconnected"}
    assert hits == []
    first, second = ({**one, "platform": ""} for one in told["platforms"])
    assert first == second


def test_a_platform_that_is_away_says_so_and_the_others_answer(
    clinician: Client, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage is never an empty list of hits."""
    del cluster.services["south"]
    monkeypatch.setattr(network_search, "ANSWER_S", 0.05)
    cluster.hanging = ("east",)
    states, hits, _ = asked(clinician)
    assert states == {"north": "answered", "south": "unreachable", "east": "timed_out"}
    assert {name for name, _ in hits} == {"north"}


def test_a_withdrawn_case_is_gone_with_the_next_call(clinician: Client, cluster: Cluster) -> None:
    name = shared(cluster, "south")
    assert name in asked(clinician)[1]
    cluster.services["south"].set_consent("south-share", "withdrawn", "share")
    states, hits, _ = asked(clinician)
    assert states["south"] == "answered"
    assert name not in hits


def test_an_agreement_that_ends_ends_the_answers(
    app: object, clinician: Client, cluster: Cluster
) -> None:
    """By the word of either side."""
    south = Client(app, cluster.token(Role.OPERATOR, "south"))
    place = f"{PREFIX}/links/south/north"
    assert south("PUT", place, json={"agreed": False}).status_code == 200
    states, hits, _ = asked(clinician, platforms=["south"])
    assert (states, hits) == ({"south": "not_interconnected"}, [])


def test_whose_cases_they_are_has_the_last_word(clinician: Client, cluster: Cluster) -> None:
    """Who asks may not have heard yet that the agreement is over."""
    peers = cluster.network_service.peers("south")
    ended = [peer.model_copy(update={"agreed": False}) for peer in peers]
    cluster.services["south"].set_peers(ended)
    states, hits, _ = asked(clinician, platforms=["south"])
    assert (states, hits) == ({"south": "not_interconnected"}, [])


def test_a_private_case_is_not_asked_about(clinician: Client) -> None:
    body = {"like": "north-private"}
    answer = clinician("POST", SEARCH, json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "policy_refused")
    given = clinician("POST", SEARCH, json={"like": "north-share"}).json()
    assert "north-share" not in {hit["case_id"] for hit in given["hits"]}
    assert len(given["hits"]) == 3


def test_words_are_for_the_own_platform(clinician: Client) -> None:
    answer = clinician("POST", SEARCH, json={"text": "own words"})
    assert (answer.status_code, answer.json()["where"]) == (422, "text")


def test_a_service_chooses_whom_it_asks(clinician: Client, cluster: Cluster) -> None:
    """Who is not named is not told that anybody looks for something."""
    rows = cluster.services["east"]._platform.ledger

    def written() -> int:
        with rows.begin() as tx:
            return int(tx.exec_driver_sql("SELECT count(*) FROM audit").scalar_one())

    before = written()
    states, hits, _ = asked(clinician, platforms=["south"])
    assert (states, hits) == ({"south": "answered"}, [shared(cluster, "south")])
    assert written() == before

"""A cluster's supervisor carries cases to a platform of another cluster, and takes them back."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import ray
from pydantic import SecretStr

from actors.network import start_network
from actors.platform import PlatformService, start_platform
from actors.supervisor import start_supervisor
from cluster.authorisation.roles import Role
from cluster.contracts.peers import PeerCard, Remote
from cluster.contracts.sharing import DeliveryStatus, PlatformProfile
from cluster.settings import Settings
from serve_apps.http.application import application
from serve_apps.share.api import PREFIX, routes
from serve_apps.share.examples import PHENOPACKET
from tests.http_builders import Client, LocalCluster, listening, quick
from tests.unit.flow.world import PRESETS, a_prediction

CASE = str(PHENOPACKET["id"])
NOW = 1_750_000_000.0


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[tuple[LocalCluster, Client, str]]:
    """Another cluster with the platform south, which listens."""
    cluster = LocalCluster(quick(tmp_path / "elsewhere", **PRESETS))
    cluster.services["south"] = PlatformService("south", cluster.settings)
    app = application("sharing", routes(cluster), cluster.entrance(), PREFIX)
    operator = Client(app, cluster.token(Role.OPERATOR))
    said = {"person_years_at_risk": 1e6}
    assert operator("PUT", f"{PREFIX}/platforms/south", json=said).status_code == 200
    with listening(app) as url:
        yield cluster, operator, url


class Here(NamedTuple):
    """A cluster of real actors with the platforms north and west."""

    supervisor: Any
    network: Any
    north: Any
    west: Any

    def statuses(self, platform: Any) -> list[DeliveryStatus]:
        rows: list[DeliveryStatus] = ray.get(platform.delivery_statuses.remote())
        return rows

    def join(self, name: str, platform: Any, remote: Remote) -> None:
        """Register a remote platform, agree with it, and let a case go there."""
        ray.get(self.network.put_remote.remote(remote))
        ray.get(self.network.link.remote(name, remote.card.platform_id, True))
        peers = ray.get(self.network.peers.remote(name))
        ray.get(platform.set_peers.remote(peers))
        ray.get(platform.add_case.remote(json.dumps(PHENOPACKET).encode(), "test", "", "share"))
        ray.get(platform.decide.remote(NOW, [a_prediction(CASE, 0.9)], [], peers))


@pytest.fixture
def here(ray_cluster: None, tmp_path: Path) -> Iterator[Here]:
    """Two platforms, which do not know each other."""
    settings = Settings(data_dir=tmp_path / "here", **PRESETS)
    network = start_network(settings)
    platforms = {name: start_platform(name, settings) for name in ("north", "west")}
    for name, actor in platforms.items():
        key = ray.get(actor.describe.remote())[0]
        profile = PlatformProfile(platform_id=name, person_years_at_risk=1e6)
        ray.get(network.register.remote(profile, key))
    made = Here(start_supervisor(settings), network, **platforms)
    yield made
    for actor in made:
        ray.kill(actor)


def south_of(here: Here, elsewhere: tuple[LocalCluster, Client, str]) -> Remote:
    """Let south know and trust north; returns how north calls it."""
    cluster, operator, url = elsewhere
    card = operator("GET", f"{PREFIX}/platforms/south/card").json() | {"url": url + PREFIX}
    key = ray.get(here.north.describe.remote())[0]
    back = PeerCard(platform_id="north", url="https://north.example", public_key=key)
    told = {"card": back.model_dump(), "token": "unused"}
    assert operator("PUT", f"{PREFIX}/remote-platforms/north", json=told).status_code == 200
    agreed = {"agreed": True}
    assert operator("PUT", f"{PREFIX}/links/south/north", json=agreed).status_code == 200
    token = cluster.token(Role.PLATFORM, "north")
    return Remote.model_validate({"card": card, "token": token})


def held(operator: Client) -> list[str]:
    shown = operator("GET", f"{PREFIX}/platforms/south/cases").json()["cases"]
    return [case["origin"] for case in shown]


def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so; the time limit of the test ends it."""
    while not is_so():
        threading.Event().wait(0.05)


@pytest.mark.ray
@pytest.mark.timeout(300)
def test_a_case_goes_to_another_cluster_and_is_taken_back(
    here: Here, elsewhere: tuple[LocalCluster, Client, str]
) -> None:
    """A11 B9: through the real supervisor, outbox, door and inbox."""
    _, operator, _ = elsewhere
    here.join("north", here.north, south_of(here, elsewhere))
    assert ray.get(here.supervisor.deliver.remote()) == 1
    assert held(operator) == ["north"]
    ray.get(here.north.set_consent.remote(CASE, "withdrawn", "share"))
    assert ray.get(here.supervisor.deliver.remote()) == 1
    assert held(operator) == []
    kinds = [(row.kind, row.state) for row in here.statuses(here.north)]
    assert sorted(kinds) == [("case", "delivered"), ("recall", "delivered")]


@pytest.mark.ray
@pytest.mark.timeout(300)
def test_a_platform_that_waits_for_a_dead_peer_holds_up_no_other(
    here: Here, elsewhere: tuple[LocalCluster, Client, str]
) -> None:
    """A11 B9: a withdrawal goes out while another platform's courier waits to try again."""
    _, operator, _ = elsewhere
    gone = PeerCard(platform_id="far", url="http://127.0.0.1:9", public_key="0" * 64)
    here.join("west", here.west, Remote(card=gone, token=SecretStr("t")))
    here.join("north", here.north, south_of(here, elsewhere))
    ray.get(here.supervisor.nudge.remote())
    until(lambda: held(operator) == ["north"])
    until(lambda: [row.reason for row in here.statuses(here.west)] == ["peer_unreachable"])
    ray.get(here.north.set_consent.remote(CASE, "withdrawn", "share"))
    ray.get(here.supervisor.nudge.remote())
    until(lambda: held(operator) == [])
    assert [row.state for row in here.statuses(here.west)] != ["delivered"]

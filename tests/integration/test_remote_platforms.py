"""A cluster's supervisor carries cases to a platform of another cluster, and takes them back."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray

from actors.network import start_network
from actors.platform import PlatformService, start_platform
from actors.supervisor import start_supervisor
from cluster.authorisation.roles import Role
from cluster.contracts.peers import PeerCard, Remote
from cluster.contracts.sharing import PlatformProfile
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


@pytest.fixture
def actors(ray_cluster: None, tmp_path: Path) -> Iterator[tuple[Any, Any, Any]]:
    """The actors of a cluster with the platform north: supervisor, network and platform."""
    settings = Settings(data_dir=tmp_path / "here", **PRESETS)
    network, north = start_network(settings), start_platform("north", settings)
    key = ray.get(north.describe.remote())[0]
    profile = PlatformProfile(platform_id="north", person_years_at_risk=1e6)
    ray.get(network.register.remote(profile, key))
    supervisor = start_supervisor(settings)
    yield supervisor, network, north
    for actor in (supervisor, network, north):
        ray.kill(actor)


def held(operator: Client) -> list[str]:
    shown = operator("GET", f"{PREFIX}/platforms/south/cases").json()["cases"]
    return [case["origin"] for case in shown]


@pytest.mark.ray
@pytest.mark.timeout(300)
def test_a_case_goes_to_another_cluster_and_is_taken_back(
    actors: tuple[Any, Any, Any], elsewhere: tuple[LocalCluster, Client, str]
) -> None:
    """A11 B9: through the real supervisor, outbox, door and inbox; a nudge carries the recall."""
    supervisor, network, north = actors
    cluster, operator, url = elsewhere
    card = operator("GET", f"{PREFIX}/platforms/south/card").json() | {"url": url + PREFIX}
    token = cluster.token(Role.PLATFORM, "north")
    remote = Remote.model_validate({"card": card, "token": token})
    ray.get(network.put_remote.remote(remote))
    ray.get(network.link.remote("north", "south", True))
    peers = ray.get(network.peers.remote("north"))
    ray.get(north.set_peers.remote(peers))
    key = ray.get(north.describe.remote())[0]
    back = PeerCard(platform_id="north", url="https://north.example", public_key=key)
    here = {"card": back.model_dump(), "token": "unused"}
    assert operator("PUT", f"{PREFIX}/remote-platforms/north", json=here).status_code == 200
    agreed = {"agreed": True}
    assert operator("PUT", f"{PREFIX}/links/south/north", json=agreed).status_code == 200
    ray.get(north.add_case.remote(json.dumps(PHENOPACKET).encode(), "test", "", "share"))
    ray.get(north.decide.remote(NOW, [a_prediction(CASE, 0.9)], [], peers))

    assert ray.get(supervisor.deliver.remote()) == 1
    assert held(operator) == ["north"]
    ray.get(north.set_consent.remote(CASE, "withdrawn", "share"))
    ray.get(supervisor.nudge.remote())
    ray.get(supervisor.deliver.remote())
    assert held(operator) == []
    kinds = [(row.kind, row.state) for row in ray.get(north.delivery_statuses.remote())]
    assert sorted(kinds) == [("case", "delivered"), ("recall", "delivered")]

"""Two clusters in this process, which know each other and listen."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from starlette.types import ASGIApp

from actors.platform import PlatformService
from cluster.authorisation.roles import Role
from serve_apps.http.application import application
from serve_apps.share.api import PREFIX, routes
from serve_apps.share.examples import PHENOPACKET
from tests.http_builders import Client, LocalCluster, listening, quick
from tests.unit.flow.world import PRESETS

DOCUMENT = json.dumps(PHENOPACKET).encode()
CASE = str(PHENOPACKET["id"])


class Side(NamedTuple):
    """One cluster with one platform, listening."""

    cluster: LocalCluster
    name: str
    url: str
    operator: Client
    machine: Client
    """With the token that it has given to the other platform."""

    @property
    def service(self) -> PlatformService:
        return self.cluster.services[self.name]


def an_app(cluster: LocalCluster) -> ASGIApp:
    return application("sharing", routes(cluster), cluster.entrance(), PREFIX)


@contextmanager
def two_sides(folder: Path) -> Iterator[tuple[Side, Side]]:
    """North on one cluster and south on another, which know each other and have an agreement."""
    clusters = [LocalCluster(quick(folder / name, **PRESETS)) for name in ("a", "b")]
    apps = [an_app(cluster) for cluster in clusters]
    with listening(apps[0]) as first, listening(apps[1]) as second:
        made = []
        for cluster, app, url, name, other in zip(
            clusters, apps, (first, second), ("north", "south"), ("south", "north"), strict=True
        ):
            operator = Client(app, cluster.token(Role.OPERATOR))
            said = {"person_years_at_risk": 1e6}
            assert operator("PUT", f"{PREFIX}/platforms/{name}", json=said).status_code == 200
            token = cluster.token(Role.PLATFORM, other)
            made.append((Side(cluster, name, url, operator, Client(app, token)), token))
        (north, north_token), (south, south_token) = made
        introduce(north, south, south_token)
        introduce(south, north, north_token)
        yield north, south


def introduce(here: Side, there: Side, token: str) -> None:
    """Register the other side's platform here, as an operator does, and agree."""
    card = there.operator("GET", f"{PREFIX}/platforms/{there.name}/card").json()
    card["url"] = there.url + PREFIX
    place = f"{PREFIX}/remote-platforms/{there.name}"
    answer = here.operator("PUT", place, json={"card": card, "token": token})
    assert answer.status_code == 200, answer.text
    link = f"{PREFIX}/links/{here.name}/{there.name}"
    assert here.operator("PUT", link, json={"agreed": True}).status_code == 200

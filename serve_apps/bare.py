"""python -m serve_apps.bare PORT: the services and applications in one process, without Ray.

The same routes behind the same door, on one uvicorn: what Ray Serve is measured against. Settings
come from the environment; nothing of a running cluster may have the data folder open.
"""

import sys
from collections.abc import Callable, Coroutine
from functools import cached_property
from typing import Any, Final, cast

import uvicorn
from fastapi import APIRouter
from starlette.types import ASGIApp, Receive, Scope, Send

from actors.network import NetworkService
from actors.platform import PlatformService
from actors.session import known_platforms
from actors.trend import TrendService
from cluster.authorisation.roles import Role
from cluster.authorisation.tokens import TokenOrder
from cluster.clock import SystemClock
from cluster.errors import NotFound
from cluster.flow.reading import CaseReaders
from cluster.settings import Settings, load_settings
from cluster.storage.blobs import BlobStore
from cluster.storage.names import gene_symbols
from cluster.storage.tokens import TokenReader
from cluster.storage.trend_serving import TrendServing, TrendServingReader
from serve_apps.http.application import Entrance, application, limits_of
from serve_apps.http.reading import Reading
from serve_apps.http.serving import HOST, TOKEN_FOLLOWS
from serve_apps.prediction import api as prediction
from serve_apps.prediction.models import Models
from serve_apps.share import api as share
from serve_apps.standards import api as standards
from serve_apps.standards.identity import beacon_identity

ROUTES: Final[dict[str, Callable[[Any], APIRouter]]] = {
    "/share": share.routes,
    "/prediction": prediction.routes,
    "/": standards.routes,
}


class InProcess:
    """A service as a port: its methods are awaited, and run here."""

    def __init__(self, service: object) -> None:
        """Stand for a service."""
        self._service = service

    def __getattr__(self, method: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        async def call(*asked: object, **named: object) -> object:
            return getattr(self._service, method)(*asked, **named)

        return call


class NoCourier:
    """Without a supervisor nothing is carried: deliveries wait in the outbox."""

    async def nudge(self) -> None:
        """Leave them there."""


class BareCluster:
    """Services of one data folder, as the ports of all applications."""

    def __init__(self, settings: Settings) -> None:
        """Open the network; platforms are opened when they are started."""
        self.settings, self.clock, self.limits = settings, SystemClock(), limits_of(settings)
        self.public_url, self.is_production = settings.public_url, False
        self.beacon = beacon_identity(settings)
        self.network_service = NetworkService(settings)
        self.network = cast(Any, InProcess(self.network_service))
        self.courier = NoCourier()
        self.services: dict[str, PlatformService] = {}
        readers = CaseReaders(settings)
        self.searcher = self.readers = Reading(readers)
        self.ontology, self.symbol_of = readers.ontology, gene_symbols(settings.data_dir)
        self.models = Models(BlobStore.of(settings))
        self._serving = TrendServingReader(settings.data_dir)

    @cached_property
    def trend(self) -> Any:  # noqa: ANN401 - a port of another application each time
        """The trend models as a service, opened when it is first asked."""
        return InProcess(TrendService(self.settings))

    def serving(self) -> TrendServing:
        """Return which trend models serve."""
        return self._serving.serving()

    def platform_ids(self) -> list[str]:
        """Return the platforms, by name."""
        return sorted(self.services)

    async def platform(self, platform_id: str) -> Any:  # noqa: ANN401 - as above
        """Return a platform."""
        if platform_id not in self.services:
            what = "there is nothing here"
            raise NotFound(what, remedy="List the platforms.")
        return InProcess(self.services[platform_id])

    async def start_platform(self, platform_id: str) -> Any:  # noqa: ANN401 - as above
        """Return a platform, opened where it was not."""
        if platform_id not in self.services:
            self.services[platform_id] = PlatformService(platform_id, self.settings)
        return await self.platform(platform_id)

    def entrance(self) -> Entrance:
        """Return what stands before the routes."""
        reader = TokenReader(self.settings.data_dir, SystemClock())
        return Entrance(self.settings, reader.card_of)

    def token(self, role: Role, platform: str = "", days: float = 1) -> str:
        """Issue a token."""
        order = TokenOrder(role=role, holder="bare", platform=platform, days=days)
        return self.network_service.issue_token(order).token

    def close(self) -> None:
        """Let go of the ledgers of the network and of the platforms."""
        self.network_service.close()
        for service in self.services.values():
            service.close()


def whole(cluster: BareCluster) -> ASGIApp:
    """Put all applications into one, each at its place."""
    entrance = cluster.entrance()
    apps = {
        prefix: application(prefix, made(cluster), entrance, prefix.rstrip("/"))
        for prefix, made in ROUTES.items()
    }

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "/")
        await apps[next(prefix for prefix in apps if path.startswith(prefix))](scope, receive, send)

    return dispatch


def main(port: int) -> None:
    """Serve until the process is ended."""
    cluster = BareCluster(load_settings())
    for name in known_platforms(cluster.settings):
        cluster.services[name] = PlatformService(name, cluster.settings)
    sys.stdout.write(f"{TOKEN_FOLLOWS}\n{cluster.token(Role.OPERATOR)}\n")
    sys.stdout.flush()
    uvicorn.run(whole(cluster), host=HOST, port=port, log_level="error", access_log=False)


if __name__ == "__main__":
    main(int(sys.argv[1]))

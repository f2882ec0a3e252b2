"""The front doors of the standards on Ray Serve."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

from ray import serve

from actors.options import NETWORK, platform_name
from actors.session import known_platforms, open_session
from cluster.clock import SystemClock
from cluster.flow.reading import CaseReaders
from cluster.settings import Settings, load_settings
from cluster.storage.tokens import TokenReader
from serve_apps.http.application import Entrance, application
from serve_apps.http.reading import Reading
from serve_apps.http.remote import Remote
from serve_apps.http.serving import deployment_options
from serve_apps.standards.api import routes
from serve_apps.standards.identity import beacon_identity
from serve_apps.standards.ports import NetworkPort, PlatformPort


class Cluster:
    """The cluster as the standards see it."""

    def __init__(self, settings: Settings) -> None:
        """Find the network's actor, and open the indexes for reading."""
        self.settings, self.clock = settings, SystemClock()
        self.network = cast(NetworkPort, Remote(NETWORK))
        readers = CaseReaders(settings)
        self.readers, self.ontology = Reading(readers), readers.ontology
        self.is_production = settings.environment == "prod"
        self.beacon = beacon_identity(settings)
        self._found = lru_cache(maxsize=1024)(lambda name: Remote(platform_name(name)))

    def platform_ids(self) -> Sequence[str]:
        """Return the platforms of this cluster, by name."""
        return known_platforms(self.settings)

    async def platform(self, platform_id: str) -> PlatformPort:
        """Return a running platform."""
        return cast(PlatformPort, self._found(platform_id))


def asgi() -> Any:  # noqa: ANN401 - an ASGI application
    """Make the application in its replica, and start the actors that are not there."""
    settings = load_settings()
    open_session(settings, known_platforms(settings))
    entrance = Entrance(settings, TokenReader(settings.data_dir, SystemClock()).card_of)
    return application("Dazzle: standards", routes(Cluster(settings)), entrance, "")


app = serve.deployment(**deployment_options("standards"))(serve.ingress(asgi)()).bind()

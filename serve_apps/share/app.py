"""The share application on Ray Serve."""

from functools import lru_cache
from typing import Any, cast

from ray import serve

from actors.options import NETWORK, platform_name
from actors.platform import start_platform
from actors.session import known_platforms, open_session
from cluster.clock import SystemClock
from cluster.flow.reading import CaseReaders
from cluster.ids import checked_platform_id
from cluster.settings import Settings, load_settings
from cluster.storage.tokens import TokenReader
from serve_apps.http.application import Entrance, application, limits_of
from serve_apps.http.reading import Reading
from serve_apps.http.remote import Remote
from serve_apps.http.serving import deployment_options
from serve_apps.share.api import PREFIX, routes
from serve_apps.share.ports import NetworkPort, PlatformPort


class Cluster:
    """The cluster as the share application sees it."""

    def __init__(self, settings: Settings) -> None:
        """Find the network's actor, and open the indexes for reading."""
        self.settings, self.limits = settings, limits_of(settings)
        self.public_url = settings.public_url
        self.network = cast(NetworkPort, Remote(NETWORK))
        self.searcher = Reading(CaseReaders(settings))
        self._found = lru_cache(maxsize=1024)(lambda name: Remote(platform_name(name)))

    async def platform(self, platform_id: str) -> PlatformPort:
        """Return a running platform."""
        return cast(PlatformPort, self._found(checked_platform_id(platform_id)))

    async def start_platform(self, platform_id: str) -> PlatformPort:
        """Return a platform, started where there is none."""
        start_platform(platform_id, self.settings)
        return await self.platform(platform_id)


def asgi() -> Any:  # noqa: ANN401 - an ASGI application
    """Make the application in its replica, and start the actors that are not there."""
    settings = load_settings()
    open_session(settings, known_platforms(settings))
    entrance = Entrance(settings, TokenReader(settings.data_dir, SystemClock()).card_of)
    return application("Dazzle: sharing", routes(Cluster(settings)), entrance, PREFIX)


app = serve.deployment(**deployment_options("share"))(serve.ingress(asgi)()).bind()

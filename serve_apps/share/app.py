"""The share application on Ray Serve."""

import threading
import time
from typing import Any, Final, cast

import ray

from actors.options import NAMESPACE, NETWORK, SUPERVISOR
from actors.platform import start_platform
from cluster.flow.reading import CaseReaders
from cluster.settings import Settings
from serve_apps.http.application import limits_of
from serve_apps.http.reading import Reading
from serve_apps.http.remote import Remote, running_platform
from serve_apps.http.serving import placed
from serve_apps.share.api import PREFIX, routes
from serve_apps.share.ports import CourierPort, NetworkPort, PlatformPort

ROUND_S: Final = 30.0


class Courier:
    """Has the supervisor carry what is due; nobody waits for it."""

    def __init__(self) -> None:
        """Find the supervisor, and have carried what an earlier run has left."""
        self._supervisor: Any = ray.get_actor(SUPERVISOR, NAMESPACE)
        threading.Thread(target=self._go_round, daemon=True).start()

    def _go_round(self) -> None:
        """Call it now and then: a supervisor that was started again has no couriers."""
        while True:
            self._supervisor.nudge.remote()
            time.sleep(ROUND_S)

    async def nudge(self) -> None:
        """Call it."""
        self._supervisor.nudge.remote()


class Cluster:
    """The cluster as the share application sees it."""

    def __init__(self, settings: Settings) -> None:
        """Find the network's actor, and open the indexes for reading."""
        self.settings, self.limits = settings, limits_of(settings)
        self.public_url = settings.public_url
        self.network = cast(NetworkPort, Remote(NETWORK))
        self.courier: CourierPort = Courier()
        self.searcher = Reading(CaseReaders(settings))

    async def platform(self, platform_id: str) -> PlatformPort:
        """Return a running platform."""
        return cast(PlatformPort, running_platform(platform_id))

    async def start_platform(self, platform_id: str) -> PlatformPort:
        """Return a platform, started where there is none."""
        start_platform(platform_id, self.settings)
        return await self.platform(platform_id)


app = placed("share", Cluster, routes, PREFIX)

"""The front doors of the standards on Ray Serve."""

from collections.abc import Sequence
from typing import cast

from actors.options import NETWORK
from actors.session import known_platforms
from cluster.clock import SystemClock
from cluster.flow.reading import CaseReaders
from cluster.settings import Settings
from cluster.storage.names import gene_symbols
from serve_apps.http.reading import Reading
from serve_apps.http.remote import Remote, running_platform
from serve_apps.http.serving import placed
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
        self.symbol_of = gene_symbols(settings.data_dir)

    def platform_ids(self) -> Sequence[str]:
        """Return the platforms of this cluster, by name."""
        return known_platforms(self.settings)

    async def platform(self, platform_id: str) -> PlatformPort:
        """Return a running platform."""
        return cast(PlatformPort, running_platform(platform_id))


app = placed("standards", Cluster, routes, "")

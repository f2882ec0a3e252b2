"""What the front doors of the standards ask of the cluster."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import pyarrow as pa

from cluster.clock import Clock
from cluster.contracts.matchmaking import Told
from cluster.contracts.sharing import PlatformTag
from cluster.ontology import Ontology
from cluster.standards.beacon.framework import BeaconIdentity
from cluster.standards.beacon.query import BeaconQuery
from cluster.standards.mme.match import Question, SymbolOf


class PlatformPort(Protocol):
    """A platform; as ``PlatformService``."""

    async def disclose(self, asker: str, chosen: Mapping[str, float]) -> list[Told]: ...
    async def matchable(self, asker: str) -> pa.Table: ...
    async def count_individuals(self, query: BeaconQuery) -> int: ...


class ReaderPort(Protocol):
    """Indexes of platforms, read in this process; as ``Reading``."""

    async def choose(self, platform_id: str, question: Question) -> dict[str, float]: ...


class NetworkPort(Protocol):
    """Who is there; as ``NetworkService``."""

    async def tags(self) -> list[PlatformTag]: ...


class StandardsPorts(Protocol):
    """The cluster, as these applications see it."""

    @property
    def clock(self) -> Clock: ...

    @property
    def ontology(self) -> Ontology: ...

    @property
    def symbol_of(self) -> SymbolOf: ...

    @property
    def beacon(self) -> BeaconIdentity: ...

    @property
    def is_production(self) -> bool: ...

    @property
    def readers(self) -> ReaderPort: ...

    @property
    def network(self) -> NetworkPort: ...

    def platform_ids(self) -> Sequence[str]:
        """Return the platforms of this cluster, by name."""
        ...

    async def platform(self, platform_id: str) -> PlatformPort:
        """Return a running platform."""
        ...


async def kept_for(ports: StandardsPorts, *, test: bool) -> dict[str, str]:
    """Return the platforms of test data, or all others, each with whom to write to.

    A platform that nobody has registered is none of test data.
    """
    said = {tag.profile.platform_id: tag.profile for tag in await ports.network.tags()}
    page = ports.beacon.base_url.removesuffix("/beacon") + "/share/v1/info"
    return {
        name: (said[name].contact if name in said else "") or page
        for name in ports.platform_ids()
        if (name in said and said[name].test) == test
    }

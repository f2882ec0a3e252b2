"""The network of platforms as a process: tags, links and agreements (S100, S200, S900)."""

import os
from typing import Any

import ray

from actors.options import NETWORK, actor_options
from cluster.contracts.sharing import Peer, PlatformProfile, PlatformTag
from cluster.ids import checked_platform_id
from cluster.settings import Settings
from cluster.sharing.tag import tags_by
from cluster.storage import network, tables
from cluster.storage.ledger import Ledger


class NetworkService:
    """Who is interconnected with whom, and who may receive what."""

    def __init__(self, settings: Settings) -> None:
        """Open the network's ledger."""
        self._settings = settings
        self._ledger = Ledger(settings.data_dir / "network" / "ledger.sqlite", tables.NETWORK)

    def describe(self) -> tuple[str, int, str]:
        """Return the service's name, its process id, and the digest of its settings."""
        return NETWORK, os.getpid(), self._settings.digest()

    def register(self, profile: PlatformProfile, public_key: str) -> PlatformTag:
        """Register a platform; the same profile again changes nothing (S100, S200)."""
        checked_platform_id(profile.platform_id)
        with self._ledger.begin() as tx:
            return network.put_profile(tx, profile, public_key)

    def set_mix(self, platform_id: str, mix: dict[str, float]) -> PlatformTag:
        """Store the vector of a platform's tag (S200)."""
        with self._ledger.begin() as tx:
            return network.put_mix(tx, platform_id, mix)

    def link(self, source: str, target: str, agreed: bool) -> None:
        """Interconnect two platforms, both ways, with or without an agreement."""
        with self._ledger.begin() as tx:
            network.put_link(tx, source, target, agreed=agreed)
            network.put_link(tx, target, source, agreed=agreed)

    def tags(self) -> list[PlatformTag]:
        """Return every platform's newest tag."""
        with self._ledger.begin() as tx:
            return network.get_tags(tx)

    def groups(self, facet: str) -> dict[str, list[str]]:
        """Group the platforms by a facet of their tags."""
        return tags_by(self.tags(), facet)

    def links(self) -> list[tuple[str, str, bool]]:
        """Return (from, to, agreed) of every link."""
        with self._ledger.begin() as tx:
            return network.get_links(tx)

    def peers(self, platform_id: str) -> list[Peer]:
        """Return the other platforms as one of them sees them (S900)."""
        with self._ledger.begin() as tx:
            return network.get_peers(tx, platform_id)

    def backup(self, folder: str) -> list[str]:
        """Copy the ledger into a folder; returns the file."""
        return [str(self._ledger.backup_to(folder, NETWORK))]


def start_network(settings: Settings) -> Any:  # noqa: ANN401 - a handle, which Ray does not type
    """Return the network's actor, started where there is none."""
    return ray.remote(NetworkService).options(**actor_options(NETWORK)).remote(settings)

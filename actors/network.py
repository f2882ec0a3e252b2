"""The network of platforms as a process: tags, links and agreements (S100, S200, S900)."""

import os
from typing import Any

import ray

from actors.options import NETWORK, actor_options
from cluster.authorisation.tokens import TokenCard, TokenIssued, TokenOrder, issue
from cluster.clock import SystemClock
from cluster.contracts.sharing import Peer, PlatformProfile, PlatformTag
from cluster.errors import Conflict, NotFound
from cluster.ids import checked_platform_id
from cluster.settings import Settings
from cluster.sharing.tag import tags_by
from cluster.storage import network, tables, tokens
from cluster.storage.keys import load_token_key
from cluster.storage.ledger import Ledger


class NetworkService:
    """Who is interconnected with whom, and who may receive what."""

    def __init__(self, settings: Settings) -> None:
        """Open the network's ledger."""
        self._settings = settings
        path = settings.data_dir / tokens.NETWORK_LEDGER
        self._ledger = Ledger(path, tables.NETWORK, tables.NETWORK_MIGRATIONS)
        self._key = load_token_key(settings.data_dir)

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

    def agree(self, platform_id: str, peer: str, agreed: bool) -> None:
        """Interconnect a platform with a peer as far as the platform says; the peer says its part.

        An agreement needs both.
        """
        with self._ledger.begin() as tx:
            network.put_link(tx, platform_id, peer, agreed=agreed)
            if not network.has_link(tx, peer, platform_id):
                network.put_link(tx, peer, platform_id, agreed=False)

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

    def issue_token(self, order: TokenOrder) -> TokenIssued:
        """Issue a token; its secret is told once and is nowhere kept (B9)."""
        now = SystemClock().now()
        stored, issued = issue(order, self._key, now)
        with self._ledger.begin() as tx:
            tokens.put_token(tx, stored)
        return issued

    def token_cards(self) -> list[TokenCard]:
        """Return what is known of the tokens that are not revoked."""
        with self._ledger.begin() as tx:
            return [one.card for one in tokens.get_tokens(tx)]

    def rotate_token(self, kid: str, days: float) -> TokenIssued:
        """Issue the token that follows one; each has one follower that lives (B9).

        Raises:
            NotFound: there is no such token.
            Conflict: a later one of its line lives.
        """
        now = SystemClock().now()
        with self._ledger.begin() as tx:
            cards = {one.card.kid: one.card for one in tokens.get_tokens(tx)}
            old = cards.get(kid)
            if old is None:
                what = "there is no such token"
                raise NotFound(what, remedy="List the tokens.")
            later = [one for one in cards.values() if one.line == old.line]
            if any(one.issued_at > old.issued_at and one.expires_at > now for one in later):
                what = "a later token of this line lives"
                raise Conflict(what, "kid", "Rotate that one, or have the line revoked.")
            order = TokenOrder(role=old.role, holder=old.holder, platform=old.platform, days=days)
            stored, issued = issue(order, self._key, now, old.line)
            tokens.put_token(tx, stored)
        return issued

    def revoke_token(self, kid: str) -> bool:
        """End a token and its line at once; says whether there was one."""
        with self._ledger.begin() as tx:
            return tokens.revoke_line(tx, kid, SystemClock().now())

    def close(self) -> None:
        """Let go of the ledger."""
        self._ledger.close()

    def backup(self, folder: str) -> list[str]:
        """Copy the ledger into a folder; returns the file."""
        return [str(self._ledger.backup_to(folder, NETWORK))]


def start_network(settings: Settings) -> Any:  # noqa: ANN401 - a handle, which Ray does not type
    """Return the network's actor, started where there is none."""
    return ray.remote(NetworkService).options(**actor_options(NETWORK)).remote(settings)

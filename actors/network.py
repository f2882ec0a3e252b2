"""The network of platforms as a process: tags, links and agreements (S100, S200, S900)."""

import os
from collections.abc import Mapping
from typing import Any

import ray
from sqlalchemy import Connection

from actors.options import NETWORK, actor_options
from cluster.authorisation.tokens import TokenCard, TokenIssued, TokenOrder, issue
from cluster.clock import SystemClock
from cluster.contracts.peers import Remote
from cluster.contracts.sharing import Peer, PlatformProfile, PlatformTag
from cluster.errors import Conflict, NotFound, PolicyRefusal
from cluster.flow.consents import OPERATOR
from cluster.ids import checked_platform_id
from cluster.settings import Settings
from cluster.sharing.tag import tags_by
from cluster.storage import journal, network, remotes, tables, tokens
from cluster.storage.keys import load_token_key
from cluster.storage.ledger import Ledger


class NetworkService:
    """Who is interconnected with whom, and who may receive what.

    ``by`` is the name of the token over HTTP, else whoever runs jobs; each change has its audit row
    in the transaction that makes it.
    """

    def __init__(self, settings: Settings) -> None:
        """Open the network's ledger."""
        self._settings, self._clock = settings, SystemClock()
        path = settings.data_dir / tokens.NETWORK_LEDGER
        self._ledger = Ledger(path, tables.NETWORK, tables.NETWORK_MIGRATIONS)
        self._key = load_token_key(settings.data_dir)

    def describe(self) -> tuple[str, int, str]:
        """Return the service's name, its process id, and the digest of its settings."""
        return NETWORK, os.getpid(), self._settings.digest()

    def register(
        self, profile: PlatformProfile, public_key: str, by: str = OPERATOR
    ) -> PlatformTag:
        """Register a platform; the same profile again changes nothing (S100, S200)."""
        checked_platform_id(profile.platform_id)
        with self._ledger.begin() as tx:
            if profile.platform_id in remotes.get_epochs(tx):
                what = f"{profile.platform_id} is a platform of another cluster"
                raise Conflict(what, "platform_id", "A name is one platform's on all clusters.")
            is_known = network.is_registered(tx, profile, public_key)
            tag = network.put_profile(tx, profile, public_key)
            if not is_known:
                facts = {"profile": profile.model_dump(mode="json"), "public_key": public_key}
                self._audit(tx, "platform registered", by, facts)
        return tag

    def set_mix(self, platform_id: str, mix: dict[str, float]) -> PlatformTag:
        """Store the vector of a platform's tag (S200)."""
        with self._ledger.begin() as tx:
            return network.put_mix(tx, platform_id, mix)

    def link(self, source: str, target: str, agreed: bool, by: str = OPERATOR) -> None:
        """Interconnect two platforms, both ways, with or without an agreement."""
        with self._ledger.begin() as tx:
            self._put_link(tx, source, target, agreed, by)
            self._put_link(tx, target, source, agreed, by)

    def agree(self, platform_id: str, peer: str, agreed: bool, by: str = OPERATOR) -> None:
        """Interconnect a platform with a peer as far as the platform says; the peer says its part.

        An agreement needs both.
        """
        with self._ledger.begin() as tx:
            self._put_link(tx, platform_id, peer, agreed, by)
            known = (one.card.platform_id for one in remotes.get_remotes(tx))
            if peer in known:  # its word is the token that it has given
                self._put_link(tx, peer, platform_id, agreed, by)
            elif not network.has_link(tx, peer, platform_id):
                self._put_link(tx, peer, platform_id, False, by)

    def _put_link(self, tx: Connection, source: str, target: str, agreed: bool, by: str) -> None:
        if agreed and network.is_test(tx, source) != network.is_test(tx, target):
            what = "one of the platforms has test data, the other real cases"
            raise PolicyRefusal(what, f"{source}, {target}", "Let test data stay among themselves.")
        if network.put_link(tx, source, target, agreed=agreed):
            facts = {"source": source, "target": target, "agreed": agreed}
            self._audit(tx, "link", by, facts)

    def put_remote(self, remote: Remote, by: str = OPERATOR) -> None:
        """Keep a platform of another cluster (S900).

        Raises:
            Conflict: a platform of this cluster has the name.
        """
        name = remote.card.platform_id
        with self._ledger.begin() as tx:
            if network.get_tag(tx, name):
                what = f"{name} is a platform of this cluster"
                raise Conflict(what, "platform_id", "A name is one platform's on all clusters.")
            remotes.put_remote(tx, remote)
            self._audit(tx, "remote platform", by, {"card": remote.card.model_dump(mode="json")})

    def end_remote(self, peer: str, by: str = OPERATOR) -> None:
        """End the exchange with a platform of another cluster, and the tokens that it was given.

        Raises:
            NotFound: there never was one with such a platform.
        """
        with self._ledger.begin() as tx:
            if peer not in remotes.get_epochs(tx):
                what = "there is no such platform of another cluster"
                raise NotFound(what, remedy="List the remote platforms.")
            if not remotes.end_remote(tx, peer):
                return
            for source, target, agreed in network.get_links(tx):
                if agreed and peer in (source, target):
                    self._put_link(tx, source, target, False, by)
            given = [one.card.kid for one in tokens.get_tokens(tx) if one.card.platform == peer]
            ended = [kid for one in given for kid in tokens.revoke_line(tx, one, self._clock.now())]
            self._audit(tx, "remote platform ended", by, {"platform": peer, "ended": ended})

    def remotes(self) -> list[Remote]:
        """Return the platforms of other clusters, with their tokens."""
        with self._ledger.begin() as tx:
            return remotes.get_remotes(tx)

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

    def issue_token(self, order: TokenOrder, by: str = OPERATOR, key: str = "") -> TokenIssued:
        """Issue a token; its secret is told once and is nowhere kept (B9).

        Raises:
            Conflict: the caller has given this command, under this key, before.
        """
        command = (by, key) if key else ()
        stored, issued = issue(order, self._key, self._clock.now(), command=command)
        with self._ledger.begin() as tx:
            tokens.put_token(tx, stored)
            self._audit(tx, "token issued", by, {"token": stored.card.model_dump(mode="json")})
        return issued

    def token_cards(self) -> list[TokenCard]:
        """Return what is known of the tokens that are not revoked."""
        with self._ledger.begin() as tx:
            return [one.card for one in tokens.get_tokens(tx)]

    def rotate_token(self, kid: str, days: float, by: str = OPERATOR) -> TokenIssued:
        """Issue the token that follows one; each has one follower that lives (B9).

        Raises:
            NotFound: there is no such token.
            Conflict: a later one of its line lives.
        """
        now = self._clock.now()
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
            facts = {"token": stored.card.model_dump(mode="json"), "follows": kid}
            self._audit(tx, "token rotated", by, facts)
        return issued

    def revoke_token(self, kid: str, by: str = OPERATOR) -> bool:
        """End a token and its line at once; says whether there was one."""
        with self._ledger.begin() as tx:
            ended = tokens.revoke_line(tx, kid, self._clock.now())
            if ended:
                self._audit(tx, "token revoked", by, {"token": kid, "ended": ended})
        return bool(ended)

    def broken_audit_row(self) -> int | None:
        """Return the first audit row that does not follow from the one before."""
        with self._ledger.begin() as tx:
            return journal.first_broken_audit_row(tx)

    def _audit(self, tx: Connection, action: str, by: str, facts: Mapping[str, Any]) -> None:
        journal.append_audit(tx, self._clock.now(), action, {**facts, "by": by})

    def close(self) -> None:
        """Let go of the ledger."""
        self._ledger.close()

    def backup(self, folder: str) -> list[str]:
        """Copy the ledger into a folder; returns the file."""
        return [str(self._ledger.backup_to(folder, NETWORK))]


def start_network(settings: Settings) -> Any:  # noqa: ANN401 - a handle, which Ray does not type
    """Return the network's actor, started where there is none."""
    return ray.remote(NetworkService).options(**actor_options(NETWORK)).remote(settings)

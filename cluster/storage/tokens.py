"""Tokens of callers in the network's ledger, and how replicas read them (B9)."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.sqlite import insert

from cluster.authorisation.tokens import StoredToken, TokenCard, is_good, split_token
from cluster.clock import Clock
from cluster.errors import Conflict, StoreUnavailable
from cluster.storage.keys import token_key_path
from cluster.storage.tables import tokens

NETWORK_LEDGER = Path("network") / "ledger.sqlite"


def put_token(tx: Connection, stored: StoredToken) -> None:
    """Keep a token.

    Raises:
        Conflict: there was one of its kid: the command was given before.
    """
    taken = select(tokens.c.kid).where(tokens.c.kid == stored.card.kid)
    if tx.execute(taken).first():
        what = f"token {stored.card.kid} was issued under this key, and its secret told then"
        remedy = "Use that one; or revoke it, and order another under a new key."
        raise Conflict(what, "Idempotency-Key", remedy)
    row = {"card": stored.card.model_dump_json(), "digest": stored.digest, "revoked_at": None}
    tx.execute(insert(tokens).values(kid=stored.card.kid, **row))


def get_tokens(tx: Connection) -> list[StoredToken]:
    """Return the tokens that are not revoked, by kid."""
    chosen = select(tokens).where(tokens.c.revoked_at.is_(None)).order_by(tokens.c.kid)
    return [_stored(row.card, row.digest) for row in tx.execute(chosen)]


def revoke_line(tx: Connection, kid: str, now: float) -> list[str]:
    """End a token and all that were rotated from it or to it; returns those that lived."""
    alive = [one.card for one in get_tokens(tx)]
    line = next((one.line for one in alive if one.kid == kid), None)
    ended = [one.kid for one in alive if one.line == line]
    tx.execute(update(tokens).where(tokens.c.kid.in_(ended)).values(revoked_at=now))
    return ended


def _stored(card: str, digest: str) -> StoredToken:
    return StoredToken(card=TokenCard.model_validate_json(card), digest=digest)


class TokenReader:
    """Checks tokens against the ledger of another process.

    A check asks SQLite whether the ledger has changed, so a token ends with the call that revokes
    it, and reads it only then.
    """

    def __init__(self, data_dir: Path, clock: Clock) -> None:
        """Open the network's ledger for reading.

        Args:
            data_dir: folder of the ledgers.
            clock: says whether a token has expired.

        Raises:
            StoreUnavailable: there is no such ledger yet.
        """
        path = data_dir / NETWORK_LEDGER
        self._clock = clock
        try:
            self._key = token_key_path(data_dir).read_bytes()
            self._ledger = sqlite3.connect(
                f"{path.as_uri()}?mode=ro", uri=True, check_same_thread=False, isolation_level=None
            )
            self._read()
        except (OSError, sqlite3.OperationalError) as error:
            what = f"the network's ledger cannot be read: {error}"
            raise StoreUnavailable(what, path.name, "Start the cluster's actors first.") from None

    def card_of(self, token: str) -> TokenCard | None:
        """Return the card of a token that is good now."""
        parts = split_token(token)
        if parts is None:
            return None
        if self._version() != self._seen:
            self._read()
        stored = self._tokens.get(parts[0])
        if stored is None or not is_good(stored, self._key, parts[1], self._clock.now()):
            return None
        return stored.card

    def _version(self) -> int:
        found: Sequence[int] = self._ledger.execute("PRAGMA data_version").fetchone()
        return found[0]

    def _read(self) -> None:
        self._seen = self._version()
        rows = self._ledger.execute("SELECT card, digest FROM tokens WHERE revoked_at IS NULL")
        self._tokens = {one.card.kid: one for one in (_stored(*row) for row in rows)}

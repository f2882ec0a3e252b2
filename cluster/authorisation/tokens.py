"""Tokens of callers: ``kid.secret``, of which only a keyed digest is kept."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from typing import Final

from pydantic import Field

from cluster.authorisation.roles import Role
from cluster.clock import DAY_S
from cluster.contracts.message import Frozen
from cluster.errors import InputError
from cluster.ids import pseudonym

SECRET_BYTES: Final = 32
KID_BYTES: Final = 8
DAYS_MAX: Final = 90
"""A token lives no longer; a new one is issued before, and both are good for a time."""
PATTERN: Final = re.compile(r"([0-9a-f]{16})\.([A-Za-z0-9_-]{43})")


class TokenCard(Frozen):
    """What is known of a token, beside its digest."""

    kid: str
    """Its name, which is no secret."""
    role: Role
    platform: str = ""
    """Whose it is; empty for the whole cluster."""
    holder: str = Field(max_length=200)
    """A service, a person's pseudonym or a peer, as the operator calls it."""
    issued_at: float
    expires_at: float
    """Seconds since the epoch, UTC."""
    root: str = ""
    """First token of a line of rotations; empty where this is the first."""

    @property
    def line(self) -> str:
        """What it has in common with the tokens that it was rotated to or from."""
        return self.root or self.kid


class StoredToken(Frozen):
    """A token as the ledger keeps it."""

    card: TokenCard
    digest: str
    """HMAC-SHA256 of the secret under the cluster's key, in hexadecimal."""


class TokenOrder(Frozen):
    """A token that an operator issues."""

    role: Role
    holder: str = Field(min_length=1, max_length=200)
    platform: str = Field("", pattern=r"^([a-z0-9][a-z0-9-]{0,62})?$")
    """Whose it is; empty for the whole cluster, which only a token of the whole cluster issues."""
    days: float = Field(DAYS_MAX, gt=0, le=DAYS_MAX)


class TokenIssued(Frozen):
    """A new token; it is shown this once."""

    token: str
    card: TokenCard


def issue(
    order: TokenOrder, key: bytes, now: float, root: str = "", command: Sequence[str] = ()
) -> tuple[StoredToken, TokenIssued]:
    """Draw a token: what is kept of it, and what its holder is told.

    Args:
        order: what it is for.
        key: of the cluster.
        now: seconds since the epoch.
        root: line of the token that it follows.
        command: who asks, under which key; the same ones give the same kid. Empty draws one.

    Raises:
        InputError: nobody holds a token of the public.
    """
    if order.role is Role.PUBLIC:
        what = "the public needs no token"
        raise InputError(what, "role", "Name another role.")
    drawn = secrets.token_hex(KID_BYTES)
    kid = pseudonym(key, "token", *command)[: len(drawn)] if command else drawn
    secret = secrets.token_urlsafe(SECRET_BYTES)
    card = TokenCard(
        kid=kid,
        role=order.role,
        platform=order.platform,
        holder=order.holder,
        issued_at=now,
        expires_at=now + order.days * DAY_S,
        root=root,
    )
    stored = StoredToken(card=card, digest=digest_of(key, kid, secret))
    return stored, TokenIssued(token=f"{kid}.{secret}", card=card)


def digest_of(key: bytes, kid: str, secret: str) -> str:
    """Return what is stored of a secret."""
    return hmac.new(key, f"{kid}.{secret}".encode(), hashlib.sha256).hexdigest()


def split_token(token: str) -> tuple[str, str] | None:
    """Return kid and secret of a token that has the right form."""
    found = PATTERN.fullmatch(token)
    return (found[1], found[2]) if found else None


def is_good(stored: StoredToken, key: bytes, secret: str, now: float) -> bool:
    """Say whether a secret is that of a stored token, which is still good.

    Args:
        stored: the token of the kid.
        key: of the cluster.
        secret: what was shown.
        now: seconds since the epoch.
    """
    told = digest_of(key, stored.card.kid, secret)
    return hmac.compare_digest(told, stored.digest) and now < stored.card.expires_at

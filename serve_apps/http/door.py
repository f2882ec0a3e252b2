"""The door of an application: size, token and rate of a call are looked at before anything else.

It is the outermost ASGI layer, so what it refuses costs no work and no slot. What it lets in has
``scope["state"]["caller"]``; whether that caller may use the route is the route's question
(``guard``), which is asked before the body is read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cluster.authorisation.limits import RateLimit
from cluster.authorisation.roles import Role
from cluster.authorisation.tokens import TokenCard
from cluster.settings import Settings
from serve_apps.http.problems import Refused, logger, of_refusal, unforeseen

HEADERS_MAX: Final = 100
HEADER_BYTES_MAX: Final = 16 << 10
ADDRESS_BYTES_MAX: Final = 4 << 10
BAD_TOKENS_A_MINUTE: Final = 10
PUBLIC_BURST: Final = 30
"""Calls at once without a token, after a rest: a device that begins asks some ten times."""
CACHE: Final = b"cache-control"
ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
"""Headers of every answer."""
Check = Callable[[str], TokenCard | None]
"""Returns the card of a good token."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls."""

    role: Role
    platform: str
    """Whose token it is; empty for the whole cluster, or for the public."""
    name: str
    """Of the token, or the address where there is none."""


class Limits:
    """What one replica allows; several replicas each allow as much."""

    def __init__(self, settings: Settings) -> None:
        """Read the settings."""
        self.known = RateLimit(settings.calls_per_s, settings.calls_burst)
        self.public = RateLimit(settings.public_calls_per_s, PUBLIC_BURST)
        self.bad = RateLimit(BAD_TOKENS_A_MINUTE / 60, BAD_TOKENS_A_MINUTE)


class Door:
    """Lets a call in, or answers it with a problem."""

    def __init__(self, app: ASGIApp, check: Check, limits: Limits) -> None:
        """Stand before an application.

        Args:
            app: which is called with what is let in.
            check: of tokens.
            limits: of callers.
        """
        self._app, self._check, self._limits = app, check, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        begun = False

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message.get("headers", ())
                own = () if any(n.lower() == CACHE for n, _ in given) else ((CACHE, b"no-store"),)
                message["headers"] = [*given, *own, *ALWAYS]
                nonlocal begun
                begun = True
            await send(message)

        try:
            caller = self._caller(scope)
        except Refused as refused:
            await of_refusal(refused)(scope, receive, sent)
            return
        scope.setdefault("state", {})["caller"] = caller
        scope["root_path"] = ""  # routes are named in full, wherever Serve puts the application
        try:
            await self._app(scope, receive, sent)
        except Exception as error:
            # Told by its kind only: who else would log it would log what was sent as well.
            logger.error("%s", type(error).__name__)
            if not begun:
                await unforeseen(error)(scope, receive, sent)

    def _caller(self, scope: Scope) -> Caller:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if len(headers) > HEADERS_MAX or sum(len(n) + len(v) for n, v in headers) > (
            HEADER_BYTES_MAX
        ):
            raise Refused(431, "the headers are too many or too long")
        if len(scope.get("raw_path", b"")) + len(scope["query_string"]) > ADDRESS_BYTES_MAX:
            raise Refused(414, "the address is too long")
        address = (scope.get("client") or ("unknown",))[0]
        now = monotonic()
        token = _token_of(headers)
        if token is None:
            _allow(self._limits.public, address, now)
            return Caller(Role.PUBLIC, "", address)
        card = self._check(token)
        if card is None:
            _allow(self._limits.bad, address, now)
            raise Refused(
                401,
                "the token is unknown, has expired or was revoked",
                code="token_invalid",
                headers={"WWW-Authenticate": "Bearer"},
            )
        _allow(self._limits.known, card.line, now)
        return Caller(card.role, card.platform, card.kid)


def _token_of(headers: list[tuple[bytes, bytes]]) -> str | None:
    """Return the token of ``Authorization: Bearer`` or of ``X-Auth-Token``, if there is one."""
    for name, value in headers:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            return token.strip() if scheme.lower() == "bearer" else ""
        if name == b"x-auth-token":
            return value.decode("latin-1")
    return None


def _allow(limit: RateLimit, caller: str, now: float) -> None:
    wait_s = limit.wait_s(caller, now)
    if wait_s:
        raise _too_often(wait_s)


def _too_often(wait_s: float) -> Refused:
    headers = {"Retry-After": str(int(wait_s) + 1)}
    return Refused(429, "calls come too often", headers=headers)

"""Asks other Matchmaker Exchange servers about a patient, all at once.

Each peer has its own time and its own state: who did not answer is never taken for one who found
nothing. A token goes to its peer alone, over HTTPS or to this machine, and into no message.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from cluster.clock import Clock
from cluster.errors import InputError
from cluster.ids import canonical_json
from cluster.settings import is_loopback
from cluster.standards.mme.conformance import accepted
from cluster.standards.mme.messages import (
    Json,
    Result,
    parsed_answer,
    parsed_json,
    parsed_request,
)
from cluster.standards.mme.versions import (
    MEDIA_TYPE_WRONG,
    NOT_ACCEPTABLE,
    SUPPORTED,
    MmeProblem,
    Version,
    newest_common,
)
from cluster.storage.literature import plain

ANSWER_BYTES_MAX: Final = 4 << 20
TOKEN_CHARS_MAX: Final = 255
MESSAGE_CHARS_MAX: Final = 200
AGENT: Final = "dazzle"
TOKEN_HEADER: Final = "X-Auth-Token"  # noqa: S105 - the name of a header

State = Literal["answered", "refused", "timed_out", "unreachable", "unreadable"]


@dataclass(frozen=True)
class MmePeer:
    """A server that may be asked.

    Raises:
        InputError: the address is not safe or no address, or the token or version cannot be used.
    """

    peer_id: str
    base_url: str
    """May have a prefix and a slash at its end."""
    token: SecretStr
    api_version: str = str(SUPPORTED[-1])

    def __post_init__(self) -> None:
        checked_base(self.base_url)
        checked_token(self.token)
        if self.api_version not in map(str, SUPPORTED):
            what = f"peer {self.peer_id} has an unknown API version"
            raise InputError(what, "api_version", f"Known are {', '.join(map(str, SUPPORTED))}.")

    @property
    def version(self) -> Version:
        """The version in which it is asked first."""
        return next(one for one in SUPPORTED if str(one) == self.api_version)


@dataclass(frozen=True)
class PeerAnswer:
    """What came of asking a peer."""

    peer_id: str
    state: State
    seconds: float
    results: tuple[Result, ...] = ()
    """Only where it answered; none of them means that it found nobody."""
    faults: tuple[str, ...] = ()
    """What is wrong with results that cannot be read."""
    status: int | None = None
    """Of HTTP, where there was an answer."""
    message: str = ""
    """Why it is not ``answered``; of a refusal the peer's own words, for no log."""
    disclaimer: str = ""
    terms: str = ""


class Unreadable(Exception):
    """An answer is too long, or packed, so that nobody knows how long it is."""


def checked_base(url: str) -> str:
    """Return the base address of a server with a slash at its end.

    Raises:
        InputError: it is not HTTPS nor on this machine, or has a user, a query or a fragment.
    """
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or "@" in parts.netloc or parts.query or parts.fragment:
        what = "the address of the server cannot be used"
        raise InputError(what, "url", "Give https://host/prefix, without user and query.")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(url)):
        what = "the address of the server is not encrypted"
        raise InputError(what, "url", "Give https://host/prefix; http only for this machine.")
    return url.rstrip("/") + "/"


def checked_token(token: SecretStr) -> str:
    """Return a token that can be sent.

    Raises:
        InputError: it is empty, longer than 255 characters, or has one that a header cannot have.
    """
    text = token.get_secret_value()
    if not 0 < len(text) <= TOKEN_CHARS_MAX or not all("!" <= char <= "~" for char in text):
        what = "the token cannot be sent"
        raise InputError(what, "token", f"Give 1 to {TOKEN_CHARS_MAX} printable characters.")
    return text


async def ask_peers(
    peers: Sequence[MmePeer], patient: Json, *, clock: Clock, timeout_s: float
) -> list[PeerAnswer]:
    """Ask all peers about a patient; returns one answer each, in their order.

    Args:
        peers: whom to ask.
        patient: as the API has it; every part of it leaves.
        clock: for the seconds that each needs.
        timeout_s: of each peer by itself, from the connection to the last byte.

    Raises:
        MmeProblem: the patient is none that a server would take.
    """
    body = canonical_json({"patient": patient}).encode()
    parsed_request(body)
    async with httpx.AsyncClient(
        headers={"User-Agent": AGENT, "Accept-Encoding": "identity"},
        timeout=timeout_s,
        follow_redirects=False,
        trust_env=False,
    ) as client:
        return await asyncio.gather(
            *(_timed(client, peer, body, clock, timeout_s) for peer in peers)
        )


async def _timed(
    client: httpx.AsyncClient, peer: MmePeer, body: bytes, clock: Clock, timeout_s: float
) -> PeerAnswer:
    began = clock.now()

    def failed(state: State, message: str) -> PeerAnswer:
        return PeerAnswer(peer.peer_id, state, clock.now() - began, message=message)

    try:
        async with asyncio.timeout(timeout_s):
            response, content = await _asked(client, peer, peer.version, body)
            other = _other_version(response, content, peer.version)
            if other is not None:
                response, content = await _asked(client, peer, other, body)
    except (TimeoutError, httpx.TimeoutException):
        return failed("timed_out", f"no answer in {timeout_s:g} s")
    except Unreadable as error:
        return failed("unreadable", str(error))
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        return failed("unreachable", f"no connection ({type(error).__name__})")
    return _read(peer, response.status_code, content, clock.now() - began)


async def _asked(
    client: httpx.AsyncClient, peer: MmePeer, version: Version, body: bytes
) -> tuple[httpx.Response, bytes]:
    headers = {
        "Content-Type": version.media_type,
        "Accept": accepted(version.media_type),
        TOKEN_HEADER: peer.token.get_secret_value(),
    }
    url = checked_base(peer.base_url) + "match"
    async with client.stream("POST", url, headers=headers, content=body) as response:
        content = bytearray()
        check_packing(response)
        async for part in response.aiter_raw():
            content += part
            check_size(content)
    return response, bytes(content)


def check_packing(response: httpx.Response) -> None:
    """Refuse an answer that is packed although that was not asked for.

    Raises:
        Unreadable: it is.
    """
    if response.headers.get("content-encoding", "identity") != "identity":
        text = "the answer is packed"
        raise Unreadable(text)


def check_size(content: bytearray) -> None:
    """Refuse an answer that is too long.

    Raises:
        Unreadable: it is.
    """
    if len(content) > ANSWER_BYTES_MAX:
        text = f"the answer is over {ANSWER_BYTES_MAX} bytes"
        raise Unreadable(text)


def _other_version(response: httpx.Response, content: bytes, asked: Version) -> Version | None:
    """Return the version to ask in next, where the one asked in was refused for another.

    That is the newest one that both know. A server that refuses a media type altogether (415) is
    asked in the oldest: some know that one only, and cannot say so.
    """
    if response.status_code == MEDIA_TYPE_WRONG:
        return SUPPORTED[0] if asked != SUPPORTED[0] else None
    if response.status_code != NOT_ACCEPTABLE:
        return None
    try:
        told = parsed_json(content)
    except MmeProblem:
        return None
    other = newest_common(told.get("supportedVersions")) if isinstance(told, dict) else None
    return other if other != asked else None


def _read(peer: MmePeer, status: int, content: bytes, seconds: float) -> PeerAnswer:
    if status != httpx.codes.OK:
        message = _message(content, peer.token.get_secret_value())
        return PeerAnswer(peer.peer_id, "refused", seconds, status=status, message=message)
    try:
        answer = parsed_answer(content)
    except MmeProblem as problem:
        return PeerAnswer(
            peer.peer_id, "unreadable", seconds, status=status, message=problem.message
        )
    return PeerAnswer(
        peer_id=peer.peer_id,
        state="answered",
        seconds=seconds,
        results=answer.results,
        faults=answer.faults,
        status=status,
        disclaimer=answer.disclaimer,
        terms=answer.terms,
    )


def _message(content: bytes, token: str) -> str:
    """Return what a server says of a refusal, short, on one line and without the token."""
    try:
        told = parsed_json(content)
    except MmeProblem:
        return ""
    message = told.get("message") if isinstance(told, dict) else told
    text = plain(message.replace(token, "…")) if isinstance(message, str) else ""
    return text[:MESSAGE_CHARS_MAX]

"""Questions between a platform and servers of the Matchmaker Exchange, as they cross processes."""

from typing import Any, Literal

from pydantic import Field, SecretStr

from cluster.contracts.message import Frozen

Json = dict[str, Any]
PEERS_MAX = 50


class Matchmaker(Frozen):
    """A server of the Matchmaker Exchange, as one platform knows it."""

    peer_id: str
    """The platform that stands in the peer's token."""
    agreed: bool
    """Whether it may be told of cases of this platform, asked or asking."""
    url: str = ""
    """Where it is asked; empty for one that asks only."""
    token: SecretStr = SecretStr("")
    """That it has given for being asked."""


class MatchmakerPut(Frozen):
    """What an operator says of a peer."""

    agreed: bool
    url: str = Field("", max_length=255, pattern=r"^(https?://[^\s@?#]+)?$")
    token: SecretStr = Field(SecretStr(""), max_length=255)


class MatchmakerRow(Frozen):
    """A peer in a list; its token is never shown."""

    peer_id: str
    agreed: bool
    url: str


class Told(Frozen):
    """A case that may be shown to one peer."""

    shared_id: str
    document: Json
    """The phenopacket after redaction."""
    similarity: float


class PeerQuestion(Frozen):
    """What one peer is asked."""

    peer: Matchmaker
    shared_id: str
    document: Json
    """The phenopacket after redaction."""


class MatchmakingOrder(Frozen):
    """A case, and whom to ask for patients like it."""

    case_id: str = Field(min_length=1, max_length=255)
    peers: tuple[str, ...] = Field((), max_length=PEERS_MAX)
    """Empty for all that have an agreement."""


class PeerResult(Frozen):
    """How one peer answered; an outage is a state, never an empty list of matches."""

    peer_id: str
    state: Literal["answered", "refused", "timed_out", "unreachable", "unreadable"]
    message: str = ""
    seconds: float
    results: tuple[Json, ...] = ()
    disclaimer: str = ""


class Matchmaking(Frozen):
    """What the peers answered."""

    case_id: str
    peers: tuple[PeerResult, ...]
    disclaimer: str

"""Cases, events and tokens as callers send and get them over HTTP."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from cluster.contracts.ingest import Finding
from cluster.contracts.sharing import Frozen, PlatformTag

Json = dict[str, Any]


class Info(Frozen):
    """What a service is told before it calls anything else."""

    version: str
    """Of the release."""
    limits: dict[str, float]
    """Settings by name, of each replica."""


class CaseAdded(Frozen):
    """What became of a case that was sent."""

    case_id: str
    rev: int
    result: Literal["added", "revised", "unchanged"]
    digest: str
    """SHA-256 of the case, as it is kept."""
    findings: tuple[Finding, ...] = ()
    """What is to be said of its quality."""


class CaseSummary(Frozen):
    """A case in a list."""

    case_id: str
    rev: int
    origin: str
    """Platform that the case comes from."""
    state: str
    consent: str
    disease_id: str
    disease_label: str
    category: str
    rare_feature: float


class CaseView(CaseSummary):
    """A case with its phenopacket; one that was received has what its home let out."""

    digest: str
    phenopacket: Json


class CasePage(Frozen):
    """A part of a list of cases."""

    cases: tuple[CaseSummary, ...]
    next: str | None
    """Cursor of the next page; null at the end."""


class Consent(Frozen):
    """Whether a case is active and may be shared."""

    state: Literal["active", "withdrawn"]
    consent: Literal["share", "private"]


class AccessEvent(TypedDict):
    """Who looked at or used which case (S500); a dictionary, since a thousand come at a time."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]  # as pydantic has it

    event_id: Annotated[str, Field(min_length=1, max_length=200)]
    case_id: Annotated[str, Field(min_length=1, max_length=255)]
    kind: Annotated[str, Field(max_length=20)]
    at: Annotated[float, Field(allow_inf_nan=False)]
    """Seconds since the epoch, UTC."""
    user: Annotated[str, Field(min_length=1, max_length=200)]
    """A pseudonym."""
    parent_id: NotRequired[Annotated[str | None, Field(max_length=200)]]


class AccessEvents(Frozen):
    """A batch of events at one platform."""

    events: tuple[AccessEvent, ...] = Field(min_length=1, max_length=1000)


class EventRefusal(Frozen):
    """An event that is not counted."""

    row: int
    code: str
    message: str


class EventsTaken(Frozen):
    """How a batch was taken; all that is counted here is durable."""

    new: int
    repeated: int
    refused: tuple[EventRefusal, ...]


class InboxRow(Frozen):
    """Something that a platform has received."""

    sender: str
    delivery_id: str
    kind: str
    case_id: str
    digest: str
    received_at: float


class PlatformPut(Frozen):
    """What a platform says of itself (S100)."""

    region: str = Field("", max_length=80)
    kind: str = Field("hospital", max_length=80)
    specialities: tuple[str, ...] = Field((), max_length=50)
    data_categories: tuple[str, ...] = Field(("phenopacket",), max_length=50)
    standards: tuple[str, ...] = Field(("GA4GH Phenopackets 2.0",), max_length=50)
    consent_tiers: tuple[str, ...] = Field(("share",), max_length=50)
    person_years_at_risk: float = Field(ge=0, allow_inf_nan=False)


class PlatformRow(Frozen):
    """A platform in a list; who may not see more sees its name and kind."""

    platform_id: str
    kind: str
    tag: PlatformTag | None = None


class Link(Frozen):
    """An interconnection of two platforms."""

    source: str
    target: str
    agreed: bool


class Agreed(Frozen):
    """Whether two linked platforms have an agreement, which lets cases go both ways."""

    agreed: bool

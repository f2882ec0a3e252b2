"""Cases, events and tokens as callers send and get them over HTTP."""

from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from cluster.contracts.ingest import Finding
from cluster.contracts.message import Frozen
from cluster.contracts.sharing import DecisionRecord, DeliveryStatus, PlatformProfile, PlatformTag

Json = dict[str, Any]
CONTACT = r"^(https://[^\s/?#@]+(/\S*)?|mailto:[^\s@]+@[^\s@]+)?$"


Facet = Annotated[str, Field(min_length=1, max_length=80)]
Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", max_length=35)]
FACETS: Final = {
    "region": "region",
    "kind": "kind",
    "speciality": "specialities",
    "research_area": "research_areas",
    "data_category": "data_categories",
    "standard": "standards",
    "format": "formats",
    "consent_tier": "consent_tiers",
    "language": "languages",
}
"""Fields of a profile, by the names with which platforms are asked for."""


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
    disease_id: str = ""
    """Of the case, where it is held."""
    evidence: tuple[str, ...] = ()
    """What related items there are beside the case and why, five at the most."""


class OutboxRow(DeliveryStatus):
    """A delivery with what it is about."""

    disease_id: str = ""
    """Of the case."""
    evidence: tuple[str, ...] = ()
    """Of a case why it was sent out; of related material what it says, five items at the most."""


class InboxPage(Frozen):
    """A part of what was received."""

    received: tuple[InboxRow, ...]
    next: str | None
    """Cursor of the next page; null at the end."""


class DecisionPage(Frozen):
    """A part of a list of decisions."""

    decisions: tuple[DecisionRecord, ...]
    next: str | None
    """Cursor of the next page; null at the end."""


class DeliveryPage(Frozen):
    """A part of the outbox."""

    deliveries: tuple[OutboxRow, ...]
    next: str | None
    """Cursor of the next page; null at the end."""


class PlatformPut(Frozen):
    """What a platform says of itself (S100)."""

    region: str = Field("", max_length=80)
    kind: str = Field("hospital", max_length=80)
    specialities: tuple[str, ...] = Field((), max_length=50)
    data_categories: tuple[str, ...] = Field(("phenopacket",), max_length=50)
    standards: tuple[str, ...] = Field(("GA4GH Phenopackets 2.0",), max_length=50)
    consent_tiers: tuple[str, ...] = Field(("share",), max_length=50)
    person_years_at_risk: float = Field(ge=0, allow_inf_nan=False)
    contact: str = Field("", max_length=255, pattern=CONTACT)
    """Whom to write to about its cases, as ``mailto:`` or ``https:``; told to other servers."""
    test: bool = False
    """Whether its cases are test data; said once, at the first registration."""
    research_areas: tuple[Facet, ...] = Field((), max_length=50)
    formats: tuple[Facet, ...] = Field(("application/json",), max_length=50)
    """Media types of what may be sent to it."""
    languages: tuple[Language, ...] = Field((), max_length=50)
    """In which it may be written to."""
    response_days: float | None = Field(None, gt=0, le=365, allow_inf_nan=False)
    """Within which it answers who writes to it."""


class PlatformFilter(Frozen):
    """Facets by which platforms are chosen; each that is given must be among what one says."""

    region: str = Field("", max_length=80)
    kind: str = Field("", max_length=80)
    speciality: str = Field("", max_length=80)
    research_area: str = Field("", max_length=80)
    data_category: str = Field("", max_length=80)
    standard: str = Field("", max_length=80)
    format: str = Field("", max_length=80)
    consent_tier: str = Field("", max_length=80)
    language: str = Field("", max_length=80)

    def chosen(self) -> dict[str, str]:
        """Return what is asked for, by the names of a profile's fields."""
        return {field: value for name, field in FACETS.items() if (value := getattr(self, name))}

    def lets_pass(self, profile: PlatformProfile) -> bool:
        """Say whether a platform has every facet that is asked for."""
        for field, value in self.chosen().items():
            said = getattr(profile, field)
            if value not in (said if isinstance(said, tuple) else (said,)):
                return False
        return True


class PlatformRow(Frozen):
    """A platform in a list; who may not see more sees its name and kind."""

    platform_id: str
    kind: str
    tag: PlatformTag | None = None


class PlatformPage(Frozen):
    """A part of the list of platforms."""

    platforms: tuple[PlatformRow, ...]
    next: str | None
    """Cursor of the next page; null at the end."""


class Link(Frozen):
    """An interconnection of two platforms."""

    source: str
    target: str
    agreed: bool


class LinkPage(Frozen):
    """A part of the list of links."""

    links: tuple[Link, ...]
    next: str | None
    """Cursor of the next page; null at the end."""


class Agreed(Frozen):
    """Whether two linked platforms have an agreement, which lets cases go both ways."""

    agreed: bool

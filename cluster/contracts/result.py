"""The result of a flow: what an operator reads, and what the report draws."""

from pydantic import BaseModel, ConfigDict

from cluster.contracts.ingest import Finding, IngestReport
from cluster.contracts.related import RelatedItem, SourceState
from cluster.contracts.sharing import DecisionRecord, DeliveryStatus, PlatformTag
from cluster.contracts.trend import TrendCard, UpdateReport

SIMULATED = "SIMULATED"
"""Stands wherever a number was made from simulated data."""


class Message(BaseModel):
    """A part of a result."""

    model_config = ConfigDict(frozen=True)


class ClassSummary(Message):
    """A screened class: annual incidence, as posterior mean, median and 95 % interval."""

    class_id: str
    label: str
    n_cases: int
    person_years: float
    incidence: float
    incidence_low: float
    incidence_high: float
    """Mean and ends of the interval, per 100,000 person-years; 0 without a population at risk."""
    incidence_median: float | None = None
    """None without a population at risk, and in a result of a release that kept none."""
    prior_mean: float
    """Annual incidence per 100,000; 0 where the prior has no mean."""
    prior_source: str
    """Its kind, a colon, and what it was made from."""
    published: str = ""
    """Published rarity of any kind, with band, region, record and mapping; empty: none."""
    reason: str

    @property
    def middle(self) -> float:
        """The median where there is one, else the mean."""
        return self.incidence if self.incidence_median is None else self.incidence_median


class ScreenedCase(Message):
    """A case's place in the screening (S310-S330)."""

    rank: int
    """1 is the rarest; 0 for a case that is not a rare case."""
    case_id: str
    class_id: str
    category: str
    reason: str


class RatesFile(Message):
    """A file of published rates, and what was read of it."""

    file: str
    sha256: str
    records: int
    without_rate: int
    """Records whose rate is unknown, or that count cases or families."""
    priors: int
    """Classes that have a published annual incidence."""
    findings: tuple[Finding, ...] = ()
    """The first of them; ``by_code`` counts all."""
    by_code: dict[str, int] = {}


class ScreeningBasis(Message):
    """What a screening was made with (S310-S330)."""

    person_years: float
    at_risk_origin: str
    """Where the person-years come from."""
    rule: str
    preset_per_100k: float
    first_share: float
    prior_strength: float
    pooled_platforms: int
    """Platforms that know their population at risk; their counts make the pooled rates."""
    pooled_person_years: float
    rates: RatesFile | None = None


class ScreeningReport(Message):
    """Every class and every case of one platform, lowest incidence first."""

    platform: str
    classes: list[ClassSummary]
    cases: list[ScreenedCase]
    basis: ScreeningBasis | None = None
    """None before the first screening, and in a result of a release that kept none."""

    @property
    def rare(self) -> list[ScreenedCase]:
        """The rare cases, in order."""
        return [case for case in self.cases if case.rank]


class PropagationSummary(Message):
    """The propagation index of a case with its parts (S530)."""

    case_id: str
    index: float
    parts: dict[str, float]


class PeriodSummary(Message):
    """The first preset period of a platform (S500)."""

    period_end: float
    period_days: float
    visits_per_day: float
    events: int
    """Distinct events stored so far."""


class SharedCase(Message):
    """One shared case: where it went and what was kept beside it."""

    case_id: str
    deliveries: list[DeliveryStatus]
    related: list[RelatedItem]


class PlatformResult(Message):
    """Everything one platform has to show after a flow."""

    platform: str
    tag: PlatformTag | None
    ingest: IngestReport
    screening: ScreeningReport
    period: PeriodSummary
    propagation: list[PropagationSummary]
    """Of the rare cases that were passed on at least once, highest first."""
    rare_features: dict[str, float]
    decisions: list[DecisionRecord]
    shared: list[SharedCase]
    received: dict[str, list[str]]
    """Ids of the cases that came from other platforms, by origin."""


class FlowPlan(Message):
    """What a flow was asked to do; a run folder keeps it, so that it can be taken up again."""

    run: str
    cases: str
    """Path of the phenopackets, or SIMULATED."""
    events: str
    """Path of the access events, or SIMULATED."""
    as_of: float
    history_days: float
    seed: int
    platforms: int
    cases_per_platform: int
    no_agreement: tuple[str, ...]
    """Platforms that are linked to the others but have signed no agreement."""
    settings: dict[str, str]
    at_risk: dict[str, float] = {}
    """Stated person-years at risk, by platform; the others have the default of the settings."""


class FlowResult(Message):
    """One run of S100 to S1000."""

    plan: FlowPlan
    simulated: list[str]
    """Which parts are simulated; every table and plot that shows them says so."""
    ontology: str
    links: list[tuple[str, str, bool]]
    """Pairs of platforms, and whether an agreement lets cases go from the first to the second."""
    first_model: TrendCard
    second_model: TrendCard | None
    update: UpdateReport
    platforms: list[PlatformResult]
    unavailable: list[SourceState] = []
    """Sources of related material that left a question of this run without an answer."""

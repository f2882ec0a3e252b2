"""What the page and the terminal both say of a result: totals, marks, and cases in order.

It decides which numbers rest on simulated parts, and which cases come first. It computes nothing
that the flow has not decided; it only counts and sorts.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from cluster.clock import iso
from cluster.contracts.related import RelatedItem, SourceState
from cluster.contracts.result import (
    SIMULATED,
    ClassSummary,
    FlowResult,
    PlatformResult,
    ScreeningBasis,
    ScreeningReport,
    SharedCase,
)
from cluster.contracts.sharing import DecisionRecord, DeliveryStatus
from cluster.contracts.trend import TrendCard, TrendMetrics
from cluster.screening.incidence import KEPT

PARTS: Final = {
    "accesses": frozenset({"access", "accesses", "event", "events"}),
    "cases": frozenset({"case", "cases", "cohort", "phenopackets"}),
    "links": frozenset({"link", "links", "agreements", "network"}),
    "populations": frozenset({"population", "populations", "person-years"}),
}
"""First words by which a simulated part is known."""
METRICS: Final = ("msle", "spearman", "auroc_hot", "auprc_hot", "brier")
LOWER_IS_BETTER: Final = frozenset({"msle", "brier"})
FIRST: Final = "first screening"
SECOND: Final = "second screening"
"""How the reasons of the two screenings begin."""
STATES: Final = ("delivered", "parked", "queued", "claimed")


@dataclass(frozen=True)
class Marks:
    """Which numbers rest on something simulated."""

    accesses: bool
    """Accesses, periods, propagation, models and their metrics."""
    cases: bool
    """Cases, their categories, and ingest."""
    links: bool
    """Who is interconnected with whom, and by agreement."""
    populations: bool
    """Populations at risk."""

    @property
    def network(self) -> bool:
        """The network is drawn with the cases of its platforms."""
        return self.cases or self.links

    @property
    def screening(self) -> bool:
        """Incidence is cases over a population."""
        return self.cases or self.populations

    @property
    def decisions(self) -> bool:
        """Decisions and deliveries rest on everything."""
        return self.accesses or self.cases or self.links or self.populations


@dataclass(frozen=True)
class Totals:
    """The head line in numbers."""

    platforms: int
    cases: int
    rare_cases: int
    decisions: int
    uploads: int
    deliveries: int
    """Deliveries of cases; related material goes its own way."""
    delivered: int
    receipts: int
    received: int
    """Cases that platforms hold from others, by their own ledgers."""


@dataclass(frozen=True)
class CaseRow:
    """One decided case with everything that belongs to it."""

    decision: DecisionRecord
    screened: ClassSummary | None
    """The class of the case; None where the result has none for it."""
    category: str
    deliveries: tuple[DeliveryStatus, ...]
    """Of the case itself."""
    related: tuple[RelatedItem, ...]
    related_pushed: int
    """Deliveries of related material that came with a receipt."""

    @property
    def label(self) -> str:
        """Name of the disease, or its id, or a dash."""
        if self.screened is None:
            return "–"
        return self.screened.label or self.screened.class_id

    @property
    def delivered(self) -> int:
        """Deliveries of the case that have arrived."""
        return sum(one.state == "delivered" for one in self.deliveries)

    @property
    def receipts(self) -> int:
        """Deliveries of the case with a signed receipt."""
        return sum(one.receipt is not None for one in self.deliveries)


@dataclass(frozen=True)
class MetricsRow:
    """Held-out figures of one model, and which of them are the best of their column."""

    name: str
    is_model: bool
    metrics: TrendMetrics
    best: frozenset[str]


def marks_of(result: FlowResult) -> Marks:
    """Say which numbers of a result are simulated.

    The plan and the list of simulated parts both count. A part that is not known here marks
    everything: a mark too many misleads nobody.
    """
    heads = {(part.lower().split() or [""])[0].strip(",.:;") for part in result.simulated}
    if heads - frozenset().union(*PARTS.values()):
        return Marks(**dict.fromkeys(PARTS, True))
    found = {name: bool(heads & words) for name, words in PARTS.items()}
    found["accesses"] |= result.plan.events == SIMULATED
    found["cases"] |= result.plan.cases == SIMULATED
    return Marks(**found)


def simulated_parts(result: FlowResult) -> list[str]:
    """Name what is simulated, in words; empty where nothing is."""
    if result.simulated:
        return list(result.simulated)
    marks = marks_of(result)
    return [name for name in PARTS if getattr(marks, name)]


def totals_of(result: FlowResult) -> Totals:
    """Count what the head line says."""
    sent = [one for platform in result.platforms for one in case_deliveries(platform)]
    decisions = [one for platform in result.platforms for one in platform.decisions]
    return Totals(
        platforms=len(result.platforms),
        cases=sum(len(platform.screening.cases) for platform in result.platforms),
        rare_cases=sum(len(platform.screening.rare) for platform in result.platforms),
        decisions=len(decisions),
        uploads=sum(one.outcome == "upload" for one in decisions),
        deliveries=len(sent),
        delivered=sum(one.state == "delivered" for one in sent),
        receipts=sum(one.receipt is not None for one in sent),
        received=sum(n_received(platform) for platform in result.platforms),
    )


def case_deliveries(platform: PlatformResult) -> list[DeliveryStatus]:
    """Return a platform's deliveries of cases, without those of related material."""
    return [one for shared in platform.shared for one in shared.deliveries if one.kind == "case"]


def n_received(platform: PlatformResult) -> int:
    """Count the cases that a platform holds from others."""
    return sum(map(len, platform.received.values()))


def n_uploads(platform: PlatformResult) -> int:
    """Count the decisions of a platform that let a case go out."""
    return sum(one.outcome == "upload" for one in platform.decisions)


def deciding_index(record: DecisionRecord) -> float:
    """Return the index a case is ordered by: the one that decided, or else the first."""
    if record.decided_by == "second" and record.second is not None:
        return record.second.index
    return record.first.index


def case_rows(result: FlowResult, n_max: int | None = None) -> list[CaseRow]:
    """Return the decided cases: uploads first, then by index, highest first."""
    rows = [row for platform in result.platforms for row in _rows_of(platform)]
    rows.sort(
        key=lambda row: (
            row.decision.outcome != "upload",
            -deciding_index(row.decision),
            row.decision.platform,
            row.decision.case_id,
        )
    )
    return rows[:n_max]


def agreements(result: FlowResult) -> dict[tuple[str, str], bool]:
    """Return each linked pair, in alphabetical order, and whether both ways have an agreement."""
    ways = {(source, target): agreed for source, target, agreed in result.links}
    pairs = sorted({(min(pair), max(pair)) for pair in ways})
    return {(a, b): ways.get((a, b), False) and ways.get((b, a), False) for a, b in pairs}


def metrics_rows(result: FlowResult) -> list[MetricsRow]:
    """Return the held-out figures of the models and baselines, best ones marked.

    All windows of a run have one shape. Only rows that were measured on the same number of
    windows as the first model compete.
    """
    cards = [("first model", result.first_model)]
    if result.second_model is not None:
        cards.append(("second model", result.second_model))
    named = [(name, True, shape.held_out) for name, card in cards for shape in card.shapes]
    named += [
        (name.replace("_", "–"), False, measured)
        for shape in result.first_model.shapes
        for name, measured in sorted(shape.baselines.items())
    ]
    sizes = {shape.held_out.n for shape in result.first_model.shapes}
    rivals = [row for row in named if row[2].n in sizes]
    best: dict[str, set[str]] = {name: set() for name, _, _ in named}
    for metric in METRICS if len(rivals) > 1 else ():
        known = {name: getattr(m, metric) for name, _, m in rivals}
        values = [value for value in known.values() if value is not None]
        if values:
            top = min(values) if metric in LOWER_IS_BETTER else max(values)
            for name in (name for name, value in known.items() if value == top):
                best[name].add(metric)
    return [
        MetricsRow(name, is_model, measured, frozenset(best[name]))
        for name, is_model, measured in named
    ]


def state_counts(platform: PlatformResult) -> dict[str, int]:
    """Count a platform's deliveries of cases by where they stand."""
    counts = Counter(one.state for one in case_deliveries(platform))
    return {state: counts.pop(state, 0) for state in STATES} | dict(sorted(counts.items()))


def interval_text(screened: ClassSummary) -> str:
    """Write a median incidence with its 95 % interval, per 100,000 person-years."""
    if screened.person_years <= 0:
        return "not known"
    ends = (screened.middle, screened.incidence_low, screened.incidence_high)
    middle, low, high = (number(one) if one >= 100 else f"{one:#.3g}" for one in ends)
    return f"{middle} ({low}–{high})"


def prior_text(screened: ClassSummary) -> str:
    """Write the mean of a prior, per 100,000 person-years, with its source."""
    mean = f"{number(screened.prior_mean)}, " if screened.prior_mean else ""
    return f"{mean}{screened.prior_source}"


def prior_name(screened: ClassSummary) -> str:
    """Write the mean of a prior, per 100,000 person-years, with the kind of its source only."""
    mean = f"{number(screened.prior_mean)}, " if screened.prior_mean else ""
    return f"{mean}{screened.prior_source.partition(':')[0]}"


def reason_text(screened: ClassSummary, basis: ScreeningBasis | None) -> str:
    """Say why a class passed or not, with the number that was compared."""
    if screened.reason != KEPT or basis is None:
        return screened.reason
    strict = basis.rule == "strict"
    what = "upper end" if strict else "median"
    value = screened.incidence_high if strict else screened.middle
    return f"{KEPT}: {what} {number(value)} ≤ {number(basis.preset_per_100k)}"


def at_risk_text(screening: ScreeningReport) -> str:
    """Write a platform's population at risk and where the number comes from."""
    basis = screening.basis
    if basis is None:
        return "not screened"
    return f"{basis.person_years:,.0f} person-years ({basis.at_risk_origin})"


def basis_text(screening: ScreeningReport) -> str:
    """Say by which rule and with what beside its own cases a platform was screened."""
    basis = screening.basis
    if basis is None:
        return ""
    what = "upper end of the interval" if basis.rule == "strict" else "median"
    parts = [
        f"{basis.rule} rule: {what} at most {number(basis.preset_per_100k)} per 100,000",
        f"lowest {100 * basis.first_share:g} % of the classes",
        f"prior of {number(basis.prior_strength)} cases",
        f"pooled over {basis.pooled_platforms} platforms with "
        f"{basis.pooled_person_years:,.0f} person-years",
    ]
    if basis.rates is None:
        return "; ".join([*parts, "no published rates"])
    rates = basis.rates
    read = f"published rates from {rates.file} ({rates.sha256[:12]}), {rates.records:,} records"
    return "; ".join([*parts, read])


def screening_steps(screening: ScreeningReport) -> dict[str, int]:
    """Count the cases that are left after each step of the screening (S310-S330)."""
    reasons = Counter(one.reason for one in screening.cases)
    n = len(screening.cases)
    stopped = {reason: count for reason, count in reasons.items() if reason != KEPT}
    first = sum(count for reason, count in stopped.items() if reason.startswith(FIRST))
    second = sum(count for reason, count in stopped.items() if reason.startswith(SECOND))
    without = n - reasons[KEPT] - first - second
    return {
        "cases": n,
        "with a class and a population": n - without,
        "after the first screening": n - without - first,
        "after the second screening": n - without - first - second,
    }


def prior_kinds(screening: ScreeningReport) -> dict[str, int]:
    """Count the classes by the kind of their prior, commonest first."""
    kinds = Counter(one.prior_source.partition(":")[0] for one in screening.classes)
    return dict(sorted(kinds.items(), key=lambda pair: (-pair[1], pair[0])))


def index_text(value: float | None) -> str:
    """Write an index with three decimals; a dash where there is none."""
    return "–" if value is None else f"{value:.3f}"


def number(value: float | None) -> str:
    """Write a number with three significant digits and no exponent that a reader stumbles on."""
    if value is None:
        return "–"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 1e-3 else f"{value:.1e}"


def instant(seconds: float) -> str:
    """Write an instant as a date, with the time where it is not midnight UTC."""
    day, _, time = iso(seconds).partition("T")
    return day if time == "00:00:00Z" else f"{day} {time.removesuffix('Z')} UTC"


def unavailable_text(state: SourceState) -> str:
    """Say which source did not answer, and why."""
    left = state.asked - state.answered
    return f"{state.source} left {left} of {state.asked} questions open ({state.reason})."


def epochs_text(card: TrendCard) -> str:
    """Say how long a model was fitted, and whether it converged."""
    return f"{card.epochs} epochs, {'converged' if card.converged else 'not converged'}"


def _rows_of(platform: PlatformResult) -> list[CaseRow]:
    classes = {one.class_id: one for one in platform.screening.classes}
    place = {case.case_id: case for case in platform.screening.cases}
    shared = {one.case_id: one for one in platform.shared}
    rows = []
    for decision in platform.decisions:
        screened = place.get(decision.case_id)
        kept = shared.get(decision.case_id) or SharedCase(
            case_id=decision.case_id, deliveries=[], related=[]
        )
        rows.append(
            CaseRow(
                decision=decision,
                screened=classes.get(screened.class_id) if screened else None,
                category=screened.category if screened else "",
                deliveries=tuple(one for one in kept.deliveries if one.kind == "case"),
                related=tuple(kept.related),
                related_pushed=sum(
                    one.kind == "related" and one.state == "delivered" for one in kept.deliveries
                ),
            )
        )
    return rows

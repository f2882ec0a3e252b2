"""A small flow result, built by hand, with every number known to the tests."""

from cluster.contracts.ingest import Finding, IngestReport
from cluster.contracts.related import RelatedItem
from cluster.contracts.result import (
    SIMULATED,
    ClassSummary,
    FlowPlan,
    FlowResult,
    PeriodSummary,
    PlatformResult,
    PropagationSummary,
    ScreenedCase,
    ScreeningBasis,
    ScreeningReport,
    SharedCase,
)
from cluster.contracts.sharing import (
    DecisionRecord,
    DeliveryStatus,
    PlatformProfile,
    PlatformTag,
    Receipt,
)
from cluster.contracts.trend import Prediction, ShapeCard, TrendCard, TrendMetrics, UpdateReport

AS_OF = 1_767_225_600.0  # 2026-01-01
FIRST_VERSION = "f1" * 32
SECOND_VERSION = "5e" * 32
KEPT = "kept"
COMMON = "first screening: the class is among the platform's commoner ones"

BASIS = ScreeningBasis(
    person_years=1_000_000.0,
    at_risk_origin="stated",
    rule="lenient",
    preset_per_100k=0.3,
    first_share=0.75,
    prior_strength=0.5,
    pooled_platforms=2,
    pooled_person_years=2_000_000.0,
)


def prediction(case_id: str, index: float, version: str = FIRST_VERSION) -> Prediction:
    return Prediction(
        item_id=case_id,
        sample_id=f"{case_id}@1",
        model_version=version,
        index=index,
        log_growth=3.0,
        clicks=4.0,
        usages=1.0,
        inputs_digest="ab" * 32,
    )


def decision(
    case_id: str, platform: str, first: float, second: float | None = None
) -> DecisionRecord:
    """Decide with the preset range 0.3 to 1."""
    by = "first" if first >= 0.3 else "second" if second is not None and second >= 0.3 else "none"
    return DecisionRecord(
        decision_id=f"decision-{case_id}".ljust(32, "0"),
        case_id=case_id,
        rev=1,
        platform=platform,
        period_end=AS_OF,
        period_days=14.0,
        visits_per_day=812.0,
        clicks=321,
        usages=45,
        propagation_index=0.234,
        index_min=0.3,
        index_max=1.0,
        first=prediction(case_id, first),
        second=None if second is None else prediction(case_id, second, SECOND_VERSION),
        outcome="hold" if by == "none" else "upload",
        decided_by=by,
        reason=f"first index {first:.3f} and the preset range [0.3, 1]",
        targets=(),
    )


def delivery(case_id: str, peer: str, state: str, kind: str = "case") -> DeliveryStatus:
    receipt = Receipt(
        delivery_id=f"{kind}-{case_id}-{peer}",
        receiver=peer,
        digest="cd" * 32,
        received_at=AS_OF + 60.0,
        signature="5169a1" * 20,
    )
    return DeliveryStatus(
        delivery_id=receipt.delivery_id,
        kind=kind,
        case_id=case_id,
        peer=peer,
        state=state,
        attempts=1,
        reason="agreement_missing" if state == "parked" else "",
        receipt=receipt if state == "delivered" else None,
    )


def screened_class(class_id: str, label: str, n_cases: int, reason: str = KEPT) -> ClassSummary:
    return ClassSummary(
        class_id=class_id,
        label=label,
        n_cases=n_cases,
        person_years=1_000_000.0,
        incidence=0.1432 * n_cases,
        incidence_median=0.1234 * n_cases,
        incidence_low=0.0271 * n_cases,
        incidence_high=0.4567 * n_cases,
        prior_mean=0.25,
        prior_source="pooled: annual incidence, 5 in 2,000,000 person-years of 2 platforms",
        published="point prevalence 1-9 / 100 000, Europe, ORPHA:63 (exact)",
        reason=reason,
    )


def platform_result(
    platform: str,
    *,
    label: str = "Alport syndrome",
    decisions: list[DecisionRecord] | None = None,
    shared: list[SharedCase] | None = None,
    received: dict[str, list[str]] | None = None,
) -> PlatformResult:
    """Two rare cases of one class, and seven of a common one."""
    rare = [f"{platform}-rare-{i}" for i in (1, 2)]
    cases = [
        ScreenedCase(rank=i, case_id=case_id, class_id="OMIM:1", category="Kidney", reason=KEPT)
        for i, case_id in enumerate(rare, start=1)
    ]
    cases += [
        ScreenedCase(
            rank=0, case_id=f"{platform}-c-{i}", class_id="OMIM:2", category="Heart", reason=COMMON
        )
        for i in range(7)
    ]
    classes = [
        screened_class("OMIM:1", label, 2),
        screened_class("OMIM:2", "Common thing", 7, COMMON),
    ]
    return PlatformResult(
        platform=platform,
        tag=PlatformTag(
            version=1,
            profile=PlatformProfile(
                platform_id=platform, region="Bavaria", person_years_at_risk=1e6
            ),
            mix={"Kidney": 0.22, "Heart": 0.78},
        ),
        ingest=IngestReport(
            platform=platform,
            read=11,
            added=9,
            refused=2,
            observed_terms=87,
            excluded_terms=13,
            findings=[
                Finding(level="note", code="term_obsolete", file="a.json", line=3, case_id="x"),
                Finding(level="refused", code="case_invalid", file="b.json", line=4, message="no"),
            ],
        ),
        screening=ScreeningReport(platform=platform, classes=classes, cases=cases, basis=BASIS),
        period=PeriodSummary(
            period_end=AS_OF, period_days=14.0, visits_per_day=812.0, events=12_345
        ),
        propagation=[
            PropagationSummary(case_id=rare[0], index=0.234, parts={"size": 0.2, "recent": 0.034})
        ],
        rare_features={rare[0]: 1.5, rare[1]: 0.5},
        decisions=decisions or [],
        shared=shared or [],
        received=received or {},
    )


def shape_card() -> ShapeCard:
    return ShapeCard(
        name="3 platforms",
        n_obs=8,
        n_fut=8,
        bin_days=(7.0 / 8, 28.0 / 8),
        n_windows=300,
        n_items=200,
        hot_threshold_log2=6.0,
        correction_share=0.5,
        held_out=TrendMetrics(n=300, msle=0.811, spearman=0.802, auroc_hot=0.911, brier=0.071),
        baselines={
            "persistence": TrendMetrics(n=300, msle=1.201, spearman=0.703),
            "linear": TrendMetrics(n=300, msle=0.822, spearman=0.809, auroc_hot=0.905, brier=0.08),
        },
    )


def trend_card(role: str = "first") -> TrendCard:
    return TrendCard(
        version=FIRST_VERSION if role == "first" else SECOND_VERSION,
        role=role,
        parent=None if role == "first" else FIRST_VERSION,
        dataset_digest="da" * 32,
        seed=7,
        epochs=3,
        converged=True,
        n_train=900,
        shapes=(shape_card(),),
        learning_curve=[(1.2, 1.3), (0.9, 1.0), (0.8, 0.95)],
    )


def update_report(*, accepted: bool = True) -> UpdateReport:
    return UpdateReport(
        accepted=accepted,
        reason="better on new windows and within the bound on old ones"
        if accepted
        else "too few windows reach the propagation preset: 3 of 40",
        n_gated=50,
        n_random=25,
        n_rehearsal=200,
        propagation_preset=0.2,
        loss_data_mean=0.6123,
        old_before=0.8001,
        old_after=0.8042,
        new_before=0.9107,
        new_after=0.8708,
    )


def two_platforms(label: str = "Alport syndrome") -> list[PlatformResult]:
    """North uploads one case by the first index and one by the second; south may not send."""
    related = RelatedItem(
        item_id="PMID:1",
        kind="literature",
        title="A family",
        platform="east",
        score=0.777,
        why="Hematuria",
    )
    uploads = [
        decision("north-rare-1", "north", 0.651),
        decision("north-rare-2", "north", 0.1, 0.4),
    ]
    shared = [
        SharedCase(
            case_id="north-rare-1",
            deliveries=[
                delivery("north-rare-1", "east", "delivered"),
                delivery("north-rare-1", "south", "parked"),
                delivery("north-rare-1", "east", "delivered", "related"),
            ],
            related=[related],
        ),
        SharedCase(
            case_id="north-rare-2",
            deliveries=[delivery("north-rare-2", "east", "queued")],
            related=[],
        ),
    ]
    return [
        platform_result("north", label=label, decisions=uploads, shared=shared),
        platform_result("south", decisions=[decision("south-rare-1", "south", 0.05, 0.06)]),
        platform_result("east", received={"north": ["p-1"]}),
    ]


def flow_result(
    platforms: list[PlatformResult] | None = None,
    *,
    simulated: tuple[str, ...] = (),
    cases: str = "/srv/cases.zip",
    events: str = "/srv/events.parquet",
    second: bool = True,
) -> FlowResult:
    """A run of three platforms, of which south has signed no agreement."""
    chosen = two_platforms() if platforms is None else platforms
    names = {one.platform for one in chosen}
    links = [(a, b, "south" not in (a, b)) for a in sorted(names) for b in sorted(names) if a != b]
    return FlowResult(
        plan=FlowPlan(
            run="run-7",
            cases=cases,
            events=events,
            as_of=AS_OF,
            history_days=180.0,
            seed=7,
            platforms=len(chosen),
            cases_per_platform=9,
            no_agreement=("south",),
            settings={"incidence_preset_per_100k": "0.3"},
        ),
        simulated=list(simulated),
        ontology="hp/releases/2025-01-16",
        links=links,
        first_model=trend_card(),
        second_model=trend_card("second") if second else None,
        update=update_report(accepted=second),
        platforms=chosen,
    )


def simulated_accesses() -> FlowResult:
    """The same run on simulated accesses of given cases."""
    return flow_result(simulated=("accesses",), events=SIMULATED)

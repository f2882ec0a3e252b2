"""S100 to S1000 over the actors; each step may be repeated and changes nothing twice."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import ray

from actors.session import Session
from actors.trainers.trend import fit_first
from cluster.access.simulated_network import simulated_network
from cluster.clock import DAY_S, SystemClock
from cluster.contracts.ingest import IngestReport, Source
from cluster.contracts.related import RefreshReport
from cluster.contracts.result import (
    SIMULATED,
    FlowPlan,
    FlowResult,
    PlatformResult,
    ScreeningReport,
)
from cluster.contracts.sharing import DecisionRecord, PlatformProfile, PlatformTag
from cluster.contracts.trend import Prediction, TrendCard, UpdateReport
from cluster.errors import EventInvalid, ModelNotReady, NotFound, SourceUnreadable
from cluster.flow.accesses import Recorded
from cluster.flow.screening import AtRisk
from cluster.flow.windows import WindowSets, divide, to_bytes
from cluster.ids import key_of, sha256
from cluster.models.cards import DataSetCard, model_of
from cluster.screening.prevalence import NOTHING_PUBLISHED
from cluster.screening.priors import Known, pooled
from cluster.storage.ontology import load_ontology
from cluster.storage.prevalence import load_rates
from cluster.storage.sources import read_events
from cluster.trend.fit import FitConfig

Progress = Callable[[str, int, int], None]
"""Called with the name of a step, how many of its parts are done, and how many there are."""


@dataclass(frozen=True)
class Run:
    """One run: what it was asked, with whom it talks, and whom it tells how far it is."""

    plan: FlowPlan
    sources: dict[str, Source]
    session: Session
    progress: Progress

    def each(self, step: str, calls: dict[str, Any]) -> dict[str, Any]:
        """Wait for one call to each platform, telling how many are back."""
        names = {call: name for name, call in calls.items()}
        waiting, results = list(names), {}
        self.progress(step, 0, len(names))
        while waiting:
            (done, *_), waiting = ray.wait(waiting)
            results[names[done]] = ray.get(done)
            self.progress(step, len(results), len(names))
        return {name: results[name] for name in calls}


def register(run: Run) -> None:
    """Register the platforms, link them, and tell each of the others (S100, S200).

    The links are those of a SIMULATED network: a ring and chords. A platform without agreement is
    linked all the same. A platform whose person-years at risk are not stated has the default of the
    settings, and its profile says so. What else a platform has said of itself stays.
    """
    network, names = run.session.network, list(run.sources)
    stated, default = run.plan.at_risk, run.session.settings.person_years_at_risk
    keys = run.each("register", {n: run.session.platforms[n].describe.remote() for n in names})
    known = {tag.profile.platform_id: tag.profile for tag in ray.get(network.tags.remote())}
    for name in names:
        at_risk: dict[str, Any] = {
            "person_years_at_risk": stated.get(name, default),
            "at_risk_origin": "stated" if name in stated else "assumed default",
        }
        new = PlatformProfile(platform_id=name, kind="case collection", **at_risk)
        profile = known.get(name, new).model_copy(update=at_risk)
        ray.get(network.register.remote(profile, keys[name][0]))
    weights = simulated_network(names, run.plan.seed).weights
    for here, source in enumerate(names):
        for there, target in enumerate(names[:here]):
            if weights[here, there] > 0:
                agreed = not {source, target} & set(run.plan.no_agreement)
                ray.get(network.link.remote(source, target, agreed))
    _tell_peers(run)


def ingest(run: Run) -> dict[str, IngestReport]:
    """Take in every platform's cases, and renew the tags (S200, S310, S400).

    Raises:
        SourceUnreadable: no platform could take in a single case.
    """
    platforms = run.session.platforms
    taken = run.each("ingest", {n: platforms[n].ingest.remote(s) for n, s in run.sources.items()})
    reports = {name: report for name, (report, _) in taken.items()}
    if not any(mix for _, mix in taken.values()):
        codes = sorted({code for report in reports.values() for code in report.by_code()})
        what = f"no case could be read ({', '.join(codes) or 'nothing found'})"
        raise SourceUnreadable(what, run.plan.cases, "Give phenopackets v2 as JSON.")
    for name, (_, mix) in taken.items():
        ray.get(run.session.network.set_mix.remote(name, mix))
    _tell_peers(run)
    return reports


def screen(run: Run) -> dict[str, ScreeningReport]:
    """Screen every case of every platform (S310-S330).

    The counts of all platforms are put together first: their pooled rates are priors. A platform is
    told those of its own classes only.

    Raises:
        SourceUnreadable: the file of published rates cannot be read.
    """
    platforms, path = run.session.platforms, run.session.settings.prevalence_path
    published, rates = load_rates(Path(path)) if path else (NOTHING_PUBLISHED, None)
    profiles = {name: tag.profile for name, tag in _tags(run).items()}
    at_risk = {
        name: AtRisk(profiles[name].person_years_at_risk, profiles[name].at_risk_origin)
        for name in run.sources
    }
    asked = [platforms[name].class_counts.remote() for name in run.sources]
    counts: dict[str, pa.Table] = dict(zip(run.sources, ray.get(asked), strict=True))
    pool = pooled((counts[name], at_risk[name].person_years) for name in run.sources)
    calls = {}
    for name in run.sources:
        class_ids = counts[name]["class_id"]
        known = Known(published.restricted(class_ids), pool.restricted(class_ids))
        calls[name] = platforms[name].screen.remote(at_risk[name], known, rates)
    return run.each("screen", calls)


def record_accesses(run: Run) -> dict[str, Recorded]:
    """Store the given access events, or a SIMULATED history of the rare cases (S500).

    Raises:
        SourceUnreadable: the file of events cannot be read.
        EventInvalid: nothing was stored.
    """
    platforms, plan = run.session.platforms, run.plan
    if plan.events != SIMULATED:
        events = ray.put(read_events(Path(plan.events)))
        calls = {name: platforms[name].record_events.remote(events) for name in run.sources}
    else:
        network = simulated_network(list(run.sources), plan.seed)
        days, start = plan.history_days, plan.as_of - plan.history_days * DAY_S
        calls = {
            name: platforms[name].simulate_accesses.remote(network, start, days, plan.seed)
            for name in run.sources
        }
    recorded = run.each("accesses", calls)
    if not any(batch.new + batch.repeated for batch in recorded.values()):
        what = "none of the events is about a case of these platforms"
        raise EventInvalid(what, plan.events, "Use the case ids of the phenopackets.")
    return recorded


def cut_windows(run: Run) -> WindowSets:
    """Cut every platform's history into windows (S600)."""
    days, as_of = run.plan.history_days, run.plan.as_of
    platforms = run.session.platforms
    calls = {name: platforms[name].access_windows.remote(as_of, days) for name in run.sources}
    return divide(pa.concat_tables(run.each("windows", calls).values()))


def fit(run: Run, windows: WindowSets) -> TrendCard:
    """Train the first model on the old windows, unless that was done before (S600-S640)."""
    registry, settings, plan = run.session.registry, run.session.settings, run.plan
    run.progress("fit", 0, 1)
    content = to_bytes(windows.old)
    simulated = plan.events == SIMULATED
    card = DataSetCard(n_windows=windows.old.num_rows, as_of=plan.as_of, simulated=simulated)
    digest = ray.get(registry.add_data_set.remote(content, card))
    config = key_of("fit", settings.train_epochs_max)
    known = model_of(ray.get(registry.models.remote()), digest, plan.seed, None, config)
    if known is None:
        weights, known = fit_first(
            windows.old,
            FitConfig(epochs_max=settings.train_epochs_max, seed=plan.seed),
            workers=settings.train_workers,
            storage_path=str(settings.data_dir / "training"),
            dataset_digest=digest,
            run_name=f"trend-{digest[:16]}",
        )
        known = known.model_copy(update={"config": config})
        ray.get(registry.publish.remote(weights, known))
    run.progress("fit", 1, 1)
    return known


def update(
    run: Run, windows: WindowSets, first: TrendCard
) -> tuple[TrendCard | None, UpdateReport]:
    """Learn incrementally from the new windows; a second model only if it is better (S540-S550)."""
    registry = run.session.registry
    simulated = run.plan.events == SIMULATED
    card = DataSetCard(n_windows=windows.new.num_rows, as_of=run.plan.as_of, simulated=simulated)
    digest = ray.get(registry.add_data_set.remote(to_bytes(windows.new), card))
    key = _update_key(run, first, digest)
    report = ray.get(registry.updates.remote()).get(key)
    if report is None:
        call = run.session.trend.update.remote(
            first.version, windows.old, windows.new, digest, run.plan.seed
        )
        run.progress("update", 0, 1)
        made, report = ray.get(call)
        if made is not None:
            content, made_card = made
            made_card = made_card.model_copy(update={"config": key})
            ray.get(registry.publish.remote(content, made_card))
        ray.get(registry.add_update.remote(key, first.version, report))
    second = model_of(ray.get(registry.models.remote()), digest, run.plan.seed, first.version, key)
    run.progress("update", 1, 1)
    return (second if report.accepted else None), report


def decide(
    run: Run, windows: WindowSets, first: TrendCard, second: TrendCard | None
) -> dict[str, list[DecisionRecord]]:
    """Predict, ask the second index where the return instruction says so, decide (S700-S840)."""
    trend, network = run.session.trend, run.session.network
    calls = {}
    for name in run.sources:
        actor = run.session.platforms[name]
        mine = windows.current.filter(pc.equal(windows.current["platform"], pa.scalar(name)))
        predicted = ray.get(trend.predict.remote(first.version, mine))
        asked: list[Prediction] = []
        if second is not None:
            returned = ray.get(actor.returned.remote(predicted))
            again = mine.filter(
                pc.is_in(mine["item_id"], value_set=pa.array(returned, pa.string()))
            )
            asked = ray.get(trend.predict.remote(second.version, again))
        peers = network.peers.remote(name)
        calls[name] = actor.decide.remote(run.plan.as_of, predicted, asked, peers)
    return run.each("decide", calls)


def deliver(run: Run) -> int:
    """Carry every due delivery to its receiver (S900, S1000)."""
    call = run.session.supervisor.deliver.remote()
    run.progress("deliver", 0, 1)
    attempts: int = ray.get(call)
    run.progress("deliver", 1, 1)
    return attempts


def refresh(run: Run) -> RefreshReport:
    """Renew what stands beside the shared cases, and push what is new (S1010-S1040)."""
    now = max(run.plan.as_of, SystemClock().now())
    call = run.session.supervisor.refresh.remote(now, run.session.settings)
    run.progress("refresh", 0, 1)
    report: RefreshReport = ray.get(call)
    ray.get(run.session.supervisor.deliver.remote())
    run.progress("refresh", 1, 1)
    return report


def gather(
    run: Run, first: TrendCard, second: TrendCard | None, report: UpdateReport
) -> FlowResult:
    """Read the whole result back from the ledgers."""
    session, plan = run.session, run.plan
    tags = _tags(run)
    calls = {
        name: session.platforms[name].result.remote(source, tags[name], plan.as_of)
        for name, source in run.sources.items()
    }
    results: dict[str, PlatformResult] = run.each("gather", calls)
    kinds = {"cases": plan.cases, "accesses": plan.events}
    simulated = [name for name, path in kinds.items() if path == SIMULATED]
    simulated.append("links between platforms")
    if any(tags[name].profile.at_risk_origin != "stated" for name in run.sources):
        simulated.append("populations at risk, where none is stated")
    return FlowResult(
        plan=plan,
        simulated=simulated,
        ontology=load_ontology(session.settings.data_dir, session.settings.hpo_path).version,
        links=ray.get(session.network.links.remote()),
        first_model=first,
        second_model=second,
        update=report,
        platforms=list(results.values()),
    )


def trained(run: Run) -> tuple[TrendCard, TrendCard | None, UpdateReport]:
    """Return the models of this run that were published before.

    Raises:
        ModelNotReady: the first model or its update is missing.
    """
    windows = cut_windows(run)
    cards = ray.get(run.session.registry.models.remote())
    old, new = (sha256(to_bytes(part)) for part in (windows.old, windows.new))
    config = key_of("fit", run.session.settings.train_epochs_max)
    first = model_of(cards, old, run.plan.seed, None, config)
    updates = ray.get(run.session.registry.updates.remote())
    report = updates.get(_update_key(run, first, new)) if first else None
    if first is None or report is None:
        what = "no trend model was trained on the accesses of this run"
        raise ModelNotReady(what, run.plan.run, "Run fit_trend first.")
    key = _update_key(run, first, new)
    return first, model_of(cards, new, run.plan.seed, first.version, key), report


def run_all(run: Run) -> FlowResult:
    """Run S100 to S1000 once, or what is left of it."""
    register(run)
    ingest(run)
    screen(run)
    record_accesses(run)
    windows = cut_windows(run)
    first = fit(run, windows)
    second, report = update(run, windows, first)
    decide(run, windows, first, second)
    deliver(run)
    unavailable = refresh(run).unavailable
    result = gather(run, first, second, report)
    return result.model_copy(update={"unavailable": unavailable})


def _update_key(run: Run, first: TrendCard, dataset: str) -> str:
    settings = run.session.settings
    presets = (settings.propagation_preset, settings.forgetting_max, run.plan.seed)
    return key_of("update", first.version, dataset, *presets)


def _tags(run: Run) -> dict[str, PlatformTag]:
    tags = {tag.profile.platform_id: tag for tag in ray.get(run.session.network.tags.remote())}
    missing = sorted(set(run.sources) - set(tags))
    if missing:
        what = f"{missing[0]} is not registered"
        raise NotFound(what, remedy="Run register_platforms first.")
    return tags


def _tell_peers(run: Run) -> None:
    """Bring every platform up to date about the others."""
    for name in run.sources:
        peers = ray.get(run.session.network.peers.remote(name))
        ray.get(run.session.platforms[name].set_peers.remote(peers))

"""One sharing platform as a process: the only writer of its ledger and its index."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import ray

from actors.options import actor_options, platform_name
from cluster.access.simulated_network import SimulatedNetwork
from cluster.clock import SystemClock
from cluster.contracts.ingest import IngestReport, Source
from cluster.contracts.matchmaking import Matchmaker, PeerQuestion, Told
from cluster.contracts.related import (
    DiseaseCases,
    DiseaseQuestion,
    RelatedAnswers,
    RelatedItem,
    RelatedQuery,
    RelatedQuestions,
)
from cluster.contracts.result import PlatformResult, RatesFile, ScreeningReport
from cluster.contracts.share import (
    CaseAdded,
    CasePage,
    CaseView,
    DecisionPage,
    DeliveryPage,
    EventsTaken,
    InboxPage,
)
from cluster.contracts.sharing import (
    DecisionRecord,
    DeliveryStatus,
    Envelope,
    Peer,
    PlatformTag,
    Receipt,
    Refusal,
    ReplayedDecision,
    Settlement,
)
from cluster.contracts.trend import Prediction
from cluster.errors import NotFound
from cluster.flow import (
    accesses,
    beacon,
    cases,
    cases_of_disease,
    consents,
    decisions,
    matchmaking,
    network_search,
    pages,
    projection,
    related,
    replay,
    requests,
    screening,
    search,
    summary,
)
from cluster.flow import deliveries as delivery_steps
from cluster.flow.accesses import Recorded
from cluster.flow.platform import open_platform, platform_folder
from cluster.flow.screening import AtRisk
from cluster.flow.search import Found
from cluster.retrieval.profiles import Presentation
from cluster.retrieval.query import CaseHit, CaseQuery, Hit, NetworkQuery, NetworkQuestion
from cluster.screening.priors import Known
from cluster.settings import Settings
from cluster.standards.beacon.query import BeaconQuery
from cluster.storage.lance import LanceIndex
from cluster.storage.ontology import load_ontology


class PlatformService:
    """The steps of one platform, one call at a time; every call may be repeated."""

    def __init__(self, platform_id: str, settings: Settings) -> None:
        """Open the platform's storage, and let the index catch up with the ledger."""
        index = LanceIndex(str(platform_folder(settings.data_dir, platform_id) / "index"))
        ontology = load_ontology(settings.data_dir, settings.hpo_path)
        self._platform = open_platform(platform_id, index, ontology, settings, SystemClock())
        projection.project(self._platform)

    def describe(self) -> tuple[str, int, str]:
        """Return the platform's public key, its process id, and the digest of its settings."""
        platform = self._platform
        return platform.keys.public_key, os.getpid(), platform.settings.digest()

    def set_peers(self, peers: Sequence[Peer]) -> None:
        """Take over what the network says of the others; new ones get what is shared."""
        decisions.take_over_peers(self._platform, peers)

    def ingest(self, source: Source) -> tuple[IngestReport, dict[str, float]]:
        """Take in a source; returns the report and what the platform's cases are about."""
        report = cases.ingest(self._platform, source)
        return report, cases.category_mix(self._platform)

    def add_case(
        self, document: bytes, caller: str, key: str, consent: str = "private"
    ) -> CaseAdded:
        """Take in one phenopacket."""
        return requests.add_case(self._platform, document, requests.Command(caller, key), consent)

    def get_case(self, case_id: str, reader: str) -> CaseView:
        """Return a case, and note who read it."""
        return requests.get_case(self._platform, case_id, reader)

    def list_cases(self, after: str, limit: int) -> CasePage:
        """Return a page of cases."""
        return requests.list_cases(self._platform, after, limit)

    def inbox_page(self, after: str, limit: int, chosen: Mapping[str, str]) -> InboxPage:
        """Return a page of what was received."""
        return pages.inbox_page(self._platform, after, limit, chosen)

    def record_batch(self, events: pa.Table) -> EventsTaken:
        """Store a caller's batch of access events (S500)."""
        return accesses.record_batch(self._platform, events)

    def rarity(self) -> ScreeningReport:
        """Return the newest screening (S310-S330)."""
        return screening.screening_report(self._platform)

    def decision_page(
        self, after: str, limit: int, *, period_end: float | None, outcome: str
    ) -> DecisionPage:
        """Return a page of decisions."""
        return pages.decision_page(
            self._platform, after, limit, period_end=period_end, outcome=outcome
        )

    def class_counts(self) -> pa.Table:
        """Count the own cases of each class."""
        return screening.own_class_counts(self._platform)

    def screen(self, at_risk: AtRisk, known: Known, rates: RatesFile | None) -> ScreeningReport:
        """Screen every own case (S310-S330)."""
        return screening.screen_cases(self._platform, at_risk, known, rates)

    def find(self, query: CaseQuery) -> Found:
        """Find this platform's part of an answer (S400)."""
        return search.find(self._platform, query)

    def explained(
        self, query: CaseQuery, patient: Presentation, scores: Mapping[str, float]
    ) -> list[CaseHit]:
        """Explain the cases of this platform that an answer shows (S400)."""
        return search.explained(self._platform, query, patient, scores)

    def asked_like(self, query: CaseQuery) -> CaseQuery | None:
        """Return a query with the terms of the case it names; None where the case is not here."""
        try:
            return search.asked_like(self._platform, query)
        except NotFound:
            return None

    def network_question(self, query: NetworkQuery, by: str) -> NetworkQuestion:
        """Return what is asked of which platforms (S400)."""
        return network_search.question(self._platform, query, by)

    def find_hits(self, asker: str, query: CaseQuery) -> tuple[Hit, ...] | None:
        """Answer a platform that looks for cases (S400)."""
        return network_search.find_hits(self._platform, asker, query)

    def rebuild_index(self) -> int:
        """Make the index anew from the ledger."""
        return projection.rebuild_index(self._platform)

    def record_events(self, events: pa.Table) -> Recorded:
        """Store the access events of own cases (S500)."""
        return accesses.record_events(self._platform, accesses.own_events(self._platform, events))

    def simulate_accesses(
        self, network: SimulatedNetwork, start: float, days: float, seed: int
    ) -> Recorded:
        """Draw and store a SIMULATED access history."""
        return accesses.record_simulated_events(
            self._platform, network, start=start, days=days, seed=seed
        )

    def access_windows(self, as_of: float, history_days: float) -> pa.Table:
        """Cut the access history into windows (S600)."""
        return accesses.access_windows(self._platform, as_of, history_days)

    def returned(self, first: Sequence[Prediction]) -> list[str]:
        """Return the cases whose second index is asked (S820)."""
        return decisions.returned(self._platform, first)

    def decide(
        self,
        as_of: float,
        first: Sequence[Prediction],
        second: Sequence[Prediction],
        peers: Sequence[Peer],
    ) -> list[DecisionRecord]:
        """Decide on every rare case of the period (S800-S840)."""
        return decisions.decide(self._platform, as_of, first, second, peers)

    def replay_decisions(self) -> list[ReplayedDecision]:
        """Make every stored decision again, and say what differs (A10)."""
        return replay.replay_decisions(self._platform)

    def approve(self, case_id: str) -> bool:
        """Let a case go out although its accesses may come from one platform only (S840)."""
        return decisions.approve(self._platform, case_id)

    def set_consent(
        self, case_id: str, state: str, consent: str, by: str = consents.OPERATOR
    ) -> None:
        """Say whether a case is active and may be shared."""
        consents.set_consent(self._platform, case_id, state=state, consent=consent, by=by)

    def broken_audit_row(self) -> int | None:
        """Return the first audit row that does not follow from the one before."""
        return consents.broken_audit_row(self._platform)

    def release_claims(self, owner: str) -> int:
        """Take back what an earlier courier left claimed."""
        return delivery_steps.release_claims(self._platform, owner)

    def claim(self, owner: str, limit: int) -> list[Envelope]:
        """Hand due deliveries to a courier, through the gate (S900)."""
        return delivery_steps.claim(self._platform, owner, limit)

    def settle(self, settlements: Sequence[Settlement]) -> float | None:
        """Bring home how attempts went; returns when the next delivery is due."""
        delivery_steps.settle(self._platform, settlements)
        return delivery_steps.next_due_at(self._platform)

    def delivery_statuses(self) -> list[DeliveryStatus]:
        """Return the outbox."""
        return delivery_steps.statuses(self._platform)

    def delivery_page(self, after: str, limit: int, chosen: Mapping[str, str]) -> DeliveryPage:
        """Return a page of the outbox."""
        return pages.delivery_page(self._platform, after, limit, chosen)

    def receive(self, envelopes: Sequence[Envelope]) -> list[Receipt | Refusal]:
        """Take in deliveries from other platforms (S1000)."""
        return delivery_steps.receive(self._platform, envelopes)

    def receipt(self, sender: str, delivery_id: str) -> Receipt:
        """Return the receipt that a sender was given."""
        return delivery_steps.receipt(self._platform, sender, delivery_id)

    def related_questions(self, now: float, sources: Sequence[str]) -> RelatedQuestions:
        """Return what to ask for the shared cases that are due, and whom (S1020)."""
        return related.due_questions(self._platform, now, sources)

    def find_related(
        self, asker: str, queries: Sequence[RelatedQuery]
    ) -> dict[str, list[RelatedItem]]:
        """Answer another platform's questions (S1010)."""
        return related.find_related(self._platform, asker, queries)

    def store_related(self, now: float, answers: RelatedAnswers) -> int:
        """Keep and push what is new or changed (S1030)."""
        return related.store_related(self._platform, now, answers)

    def related_of(self, case_id: str) -> list[RelatedItem]:
        """Return what is kept beside a case (S1040)."""
        return related.related_of(self._platform, case_id)

    def platforms_to_ask(self, question: DiseaseQuestion, by: str) -> tuple[str, ...]:
        """Return who is asked for the cases of a disease (C8)."""
        return cases_of_disease.platforms_to_ask(self._platform, question, by)

    def find_cases(self, asker: str, question: DiseaseQuestion) -> DiseaseCases | None:
        """Answer a platform that asks for the rare cases of a disease (C8)."""
        return cases_of_disease.find_cases(self._platform, asker, question)

    def disclose(self, asker: str, chosen: Mapping[str, float]) -> list[Told]:
        """Tell a peer of the Matchmaker Exchange of cases that it may know (B6)."""
        return matchmaking.disclose(self._platform, asker, chosen)

    def matchable(self, asker: str) -> pa.Table:
        """Return columns of the cases that a peer may be told of (B6)."""
        return matchmaking.matchable(self._platform, asker)

    def matchmaking_questions(
        self, case_id: str, peers: Sequence[str], by: str
    ) -> list[PeerQuestion]:
        """Return what peers are asked about a case (B6)."""
        return matchmaking.questions(self._platform, case_id, peers, by)

    def put_matchmaker(self, peer: Matchmaker, by: str) -> None:
        """Keep a server of the Matchmaker Exchange."""
        matchmaking.put_matchmaker(self._platform, peer, by)

    def matchmakers(self) -> list[Matchmaker]:
        """Return the servers of the Matchmaker Exchange that are known here."""
        return matchmaking.get_matchmakers(self._platform)

    def count_individuals(self, query: BeaconQuery) -> int:
        """Count for a Beacon, exactly."""
        return beacon.count_individuals(self._platform, query)

    def result(self, source: Source, tag: PlatformTag | None, as_of: float) -> PlatformResult:
        """Gather the platform's result."""
        return summary.platform_result(self._platform, source, tag, as_of)

    def close(self) -> None:
        """Let go of the ledger."""
        self._platform.ledger.close()

    def backup(self, folder: str) -> list[str]:
        """Copy the ledger and the keys into a folder; returns the files."""
        return summary.backup(self._platform, folder)


def start_platform(platform_id: str, settings: Settings) -> Any:  # noqa: ANN401 - a handle, which Ray does not type
    """Return the platform's actor, started where there is none."""
    actor = ray.remote(PlatformService).options(**actor_options(platform_name(platform_id)))
    return actor.remote(platform_id, settings)

"""The decision on each rare case, and the deliveries that follow from it (S700-S900)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from cluster.case.case import read_case
from cluster.case.redaction import redact
from cluster.contracts.sharing import DecisionRecord, Peer
from cluster.contracts.trend import Prediction
from cluster.errors import NotFound
from cluster.flow import outbox
from cluster.flow.accesses import PeriodCounts, count_period, propagation
from cluster.flow.platform import Platform
from cluster.ids import canonical_json, key_of
from cluster.sharing import decision, gate
from cluster.sharing.decision import IndexRange, Origins
from cluster.sharing.delivery import Event
from cluster.sharing.tag import related_platforms
from cluster.storage import cases as case_rows
from cluster.storage import deliveries, journal
from cluster.storage.cases import StoredCase


@dataclass(frozen=True)
class _Known:
    """What is known of the cases of a platform besides their first index."""

    counts: PeriodCounts
    spread: dict[str, float]
    """Propagation index by case."""
    second: dict[str, Prediction]
    """By case."""
    approved: set[tuple[str, int]]
    """(case, revision)"""


def preset_range(platform: Platform) -> IndexRange:
    """Return the preset index of a platform (S800)."""
    return IndexRange(platform.settings.share_index_min, platform.settings.share_index_max)


def returned(platform: Platform, first: Iterable[Prediction]) -> list[str]:
    """Return the cases that get the return instruction: their second index is asked (S820)."""
    preset = preset_range(platform)
    return [p.item_id for p in first if decision.returns(p.index, preset)]


def decide(
    platform: Platform,
    as_of: float,
    first: Sequence[Prediction],
    second: Sequence[Prediction],
    peers: Sequence[Peer],
) -> list[DecisionRecord]:
    """Decide on every rare case of the period that is not out yet, once (S800-S840).

    A decision, the deliveries that it starts and its audit row are one transaction. Decisions that
    stand already are returned as they are.

    Args:
        platform: the home of the cases.
        as_of: end of the period.
        first: first index of each case.
        second: second index of the cases that got the return instruction; empty without a model.
        peers: the other platforms with what their tags say, nearest field first for each case.
    """
    counts = count_period(platform, as_of)
    spread = {summary.case_id: summary.index for summary in propagation(platform, as_of)}
    second_of = {prediction.item_id: prediction for prediction in second}
    with platform.ledger.begin() as tx:
        known = _Known(counts, spread, second_of, deliveries.approved_revisions(tx))
        out = deliveries.uploaded_revisions(tx)
        stored = case_rows.get_cases(tx, [p.item_id for p in first])
        for prediction in first:
            case = stored.get(prediction.item_id)
            if case is None or not _is_open(platform, case, out):
                continue
            record = _record(platform, case, prediction, known)
            targets = related_platforms(peers, case.category)
            record = record.model_copy(
                update={"targets": targets if record.outcome == "upload" else ()}
            )
            if deliveries.put_decision(tx, record):
                _upload(tx, platform, case, record)
        return deliveries.get_decisions(tx, period_end=as_of)


def _is_open(platform: Platform, case: StoredCase, out: set[tuple[str, int]]) -> bool:
    """Say whether a case is to be decided on: own, active, and this revision is not out yet."""
    is_own = case.origin == platform.platform_id
    return is_own and case.state == "active" and (case.case_id, case.rev) not in out


def take_over_peers(platform: Platform, peers: Sequence[Peer]) -> int:
    """Store what is known of the other platforms, and queue the shared cases for new ones (S900).

    Returns:
        The number of shared cases that were looked at.
    """
    with platform.ledger.begin() as tx:
        deliveries.put_peers(tx, peers)
        _reopen(tx, platform, {peer.peer_id for peer in peers if peer.linked and peer.agreed})
        shared = [r for r in deliveries.get_decisions(tx) if r.outcome == "upload"]
        stored = case_rows.get_cases(tx, [record.case_id for record in shared])
        for record in shared:
            case = stored.get(record.case_id)
            if case is not None and case.rev == record.rev:
                _queue(tx, platform, case, record, related_platforms(peers, case.category))
    return len(shared)


def _reopen(tx: Connection, platform: Platform, allowed: set[str]) -> None:
    """Queue again what was parked because its receiver had no link, agreement or key.

    Recalls go again whatever parked them.
    """
    waiting = [one for one, to in deliveries.parked_for(tx, gate.PEER_REASONS) if to in allowed]
    for parked in (*waiting, *deliveries.parked_recalls(tx)):
        outbox.move(tx, platform, parked, Event.REOPEN)


def queue_again(tx: Connection, platform: Platform, case: StoredCase) -> None:
    """Queue a case that may be shared again for who may have it, where a decision sent it out."""
    for record in deliveries.decisions_of(tx, case.case_id):
        if record.outcome == "upload" and record.rev == case.rev:
            _queue(tx, platform, case, record, deliveries.agreed_peers(tx))


def approve(platform: Platform, case_id: str) -> bool:
    """Let an own case go out although its accesses may come from one platform only (S840).

    It holds for the present revision, from the next decision on: what was decided stands.

    Returns:
        Whether this revision had not been approved before.

    Raises:
        NotFound: the platform has no such case of its own.
    """
    now = platform.clock.now()
    with platform.ledger.begin() as tx:
        case = case_rows.get_case(tx, case_id)
        if case is None or case.origin != platform.platform_id:
            what = f"there is no case {case_id}"
            raise NotFound(what, platform.platform_id, "Give the id that its phenopacket has.")
        is_new = deliveries.put_approval(tx, case_id, case.rev, now=now)
        if is_new:
            facts = {"case": platform.shared_id(case_id, "audit"), "rev": case.rev}
            journal.append_audit(tx, now, "approval", facts)
    return is_new


def _record(
    platform: Platform, case: StoredCase, first: Prediction, known: _Known
) -> DecisionRecord:
    preset, counts, settings = preset_range(platform), known.counts, platform.settings
    second = known.second.get(case.case_id)
    origins = Origins(
        by_platform=counts.by_platform.get(case.case_id, {}),
        platform_share_max=settings.platform_share_max,
        approved=(case.case_id, case.rev) in known.approved,
    )
    verdict = decision.decide(first.index, second.index if second else None, preset)
    verdict = decision.confirm(verdict, origins)
    period = counts.period
    return DecisionRecord(
        decision_id=key_of(platform.platform_id, case.case_id, case.rev, period.period_end),
        case_id=case.case_id,
        rev=case.rev,
        platform=platform.platform_id,
        period_end=period.period_end,
        period_days=period.period_days,
        visits_per_day=period.visits_per_day,
        clicks=counts.clicks.get(case.case_id, 0),
        usages=counts.usages.get(case.case_id, 0),
        propagation_index=known.spread.get(case.case_id, 0.0),
        index_min=preset.low,
        index_max=preset.high,
        first=first,
        second=second,
        outcome=verdict.outcome,
        decided_by=verdict.decided_by,
        reason=verdict.reason,
        targets=(),
        user_events_max=settings.user_events_max,
        by_platform=dict(origins.by_platform),
        platform_share_max=origins.platform_share_max,
        approved=origins.approved,
    )


def _upload(tx: Connection, platform: Platform, case: StoredCase, record: DecisionRecord) -> None:
    """Queue a delivery to each target: the upload instruction (S900)."""
    facts = {"decision": record.decision_id, "outcome": record.outcome}
    journal.append_audit(tx, platform.clock.now(), "decision", facts)
    _queue(tx, platform, case, record, record.targets)


def _queue(
    tx: Connection,
    platform: Platform,
    case: StoredCase,
    record: DecisionRecord,
    targets: Sequence[str],
) -> None:
    """Put one delivery a target into the outbox, where it is not there yet."""
    for peer in targets:
        rounds = (case.round,) if case.round else ()
        delivery_id = key_of("case", record.decision_id, peer, *rounds)
        if deliveries.get_delivery(tx, delivery_id):
            continue
        payload = redacted_payload(platform, case, platform.shared_id(case.case_id, peer))
        envelope = outbox.addressed(platform, case, ("case", delivery_id), peer, payload)
        outbox.queue(tx, platform, case, envelope)


def redacted_payload(platform: Platform, case: StoredCase, shared_id: str) -> str:
    """Return what of a case may leave, as canonical JSON."""
    read = read_case(case.document)
    return canonical_json(redact(read, shared_id, platform.platform_id, platform.names))

"""Stored decisions are made again from what they say they were made from (A10).

Late events may have come since, so the counts of a decision are not made again: they can only have
grown. Counts that are lower by now mean that an event was lost, or that the decision was changed.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Row

from cluster.contracts.sharing import DecisionRecord, ReplayedDecision
from cluster.flow.accesses import counts_of
from cluster.flow.platform import Platform
from cluster.ids import key_of
from cluster.sharing.decision import IndexRange, Origins, Verdict, confirm, decide
from cluster.storage import deliveries

UNCAPPED = 2**62
"""More events than a user has: earlier releases counted all."""


def replay_decisions(platform: Platform) -> list[ReplayedDecision]:
    """Make every stored decision of a platform again, and say what differs."""
    with platform.ledger.begin() as tx:
        rows = {row.decision_id: row for row in deliveries.decision_rows(tx)}
        read = {key: record for key, row in rows.items() if (record := _read(row))}
        now = _recounted(tx, read)
    return [
        _replayed(row, read[key], now.get(key), platform.platform_id)
        if key in read
        else _unreadable(row)
        for key, row in rows.items()
    ]


def with_unlike_predictions(
    replayed: Sequence[ReplayedDecision], unlike: Iterable[tuple[str, str]]
) -> list[ReplayedDecision]:
    """Add to each decision that one of its predictions is not the one that was kept.

    Args:
        replayed: decisions of any platforms.
        unlike: (model version, digest of the inputs) of such predictions.
    """
    known = set(unlike)
    told = "the prediction of model {} is not the one that was kept"
    return [
        one.model_copy(
            update={
                "differs": one.differs
                + tuple(
                    told.format(made.model_version[:12])
                    for made in one.predictions
                    if (made.model_version, made.inputs_digest) in known
                )
            }
        )
        for one in replayed
    ]


def verdict_on(record: DecisionRecord) -> Verdict:
    """Decide from nothing but what a decision has stored."""
    second = record.second.index if record.second else None
    preset = IndexRange(record.index_min, record.index_max)
    origins = Origins(record.by_platform, record.platform_share_max, record.approved)
    return confirm(decide(record.first.index, second, preset), origins)


_Counted = tuple[int, int, dict[str, int]]


def _read(row: Row[Any]) -> DecisionRecord | None:
    try:
        return DecisionRecord.model_validate_json(row.record)
    except ValidationError:
        return None


def _recounted(tx: Connection, read: Mapping[str, DecisionRecord]) -> dict[str, _Counted]:
    """Count the period of each decision as it is known now, where it is a period."""
    groups: dict[tuple[float, float, int], dict[str, str]] = {}
    for key, record in read.items():
        if record.period_days > 0 and record.user_events_max >= 0:
            period = (record.period_end, record.period_days, record.user_events_max or UNCAPPED)
            groups.setdefault(period, {})[key] = record.case_id
    found: dict[str, _Counted] = {}
    for (end, days, most), cases in groups.items():
        names = sorted(set(cases.values()))
        clicks, usages, by_platform = counts_of(tx, names, end, days, most)
        counted = zip(names, clicks.tolist(), usages.tolist(), strict=True)
        now = {name: (click, usage, by_platform[name]) for name, click, usage in counted}
        found |= {key: now[case_id] for key, case_id in cases.items()}
    return found


def _replayed(
    row: Row[Any], record: DecisionRecord, now: _Counted | None, platform_id: str
) -> ReplayedDecision:
    differs, late = [*_unlike_columns(row, record, platform_id), *_unlike_verdict(record)], 0
    if now is None:
        differs.append("the period cannot be counted")
    else:
        fewer, late = _unlike_counts(record, now)
        differs += fewer
    return ReplayedDecision(
        decision_id=row.decision_id,
        case_id=row.case_id,
        predictions=tuple(made for made in (record.first, record.second) if made),
        late=late,
        differs=tuple(differs),
    )


def _unreadable(row: Row[Any]) -> ReplayedDecision:
    return ReplayedDecision(
        decision_id=row.decision_id,
        case_id=row.case_id,
        predictions=(),
        late=0,
        differs=("the record cannot be read",),
    )


def _unlike_counts(record: DecisionRecord, now: _Counted) -> tuple[list[str], int]:
    """Compare the counts with those of now; returns what differs, and how many came later."""
    clicks, usages, by_platform = now
    grown = [clicks - record.clicks, usages - record.usages]
    grown += [by_platform.get(name, 0) - count for name, count in record.by_platform.items()]
    total = record.clicks + record.usages
    told = ["fewer accesses are stored now than were counted then"] if min(grown) < 0 else []
    if record.by_platform and sum(record.by_platform.values()) != total:
        told.append("the accesses by platform do not add up to clicks and usages")
    return told, max(clicks + usages - total, 0)


def _unlike_columns(row: Row[Any], record: DecisionRecord, platform_id: str) -> list[str]:
    """Compare the record with its key and with the columns that stand beside it."""
    named = key_of(record.platform, record.case_id, record.rev, record.period_end)
    pairs = {
        "the key": (row.decision_id, named),
        "the id": (row.decision_id, record.decision_id),
        "the platform": (platform_id, record.platform),
        "the case": (row.case_id, record.case_id),
        "the case of the first index": (row.case_id, record.first.item_id),
        "the case of the second index": (row.case_id, (record.second or record.first).item_id),
        "the revision": (row.rev, record.rev),
        "the period": (row.period_end, record.period_end),
        "the outcome of the row": (row.outcome, record.outcome),
    }
    return [f"{name} does not match" for name, (one, other) in pairs.items() if one != other]


def _unlike_verdict(record: DecisionRecord) -> list[str]:
    """Compare what was decided with what the stored inputs say."""
    again = verdict_on(record)
    pairs = {
        "outcome": (record.outcome, again.outcome),
        "decided by": (record.decided_by, again.decided_by),
        "reason": (record.reason, again.reason),
    }
    told = [
        f"{name}: stored {stored!r}, made again {now!r}"
        for name, (stored, now) in pairs.items()
        if stored != now
    ]
    if record.targets and again.outcome == "hold":
        told.append("a case that is held has targets")
    return told

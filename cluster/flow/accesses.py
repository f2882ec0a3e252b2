"""Accesses are counted, cut into windows, and followed along their paths (S350-S530)."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from cluster.access.caps import OWNER, accesses_by_platform, within_user_cap
from cluster.access.counting import Counts, Refusal, bin_counts, checked_events
from cluster.access.history import AccessHistory
from cluster.access.period import first_period_days, visits_per_day
from cluster.access.propagation import propagation_indexes
from cluster.access.simulated_network import SimulatedNetwork
from cluster.access.simulation import simulate_accesses
from cluster.clock import DAY_S
from cluster.contracts.access import EVENTS
from cluster.contracts.result import PeriodSummary, PropagationSummary
from cluster.contracts.share import EventRefusal, EventsTaken
from cluster.contracts.trend import N_FUT, N_OBS, WINDOWS
from cluster.errors import EventInvalid
from cluster.flow.platform import Platform
from cluster.flow.screening import rare_case_ids, rare_cases
from cluster.screening.rare_feature import rare_features
from cluster.settings import Settings
from cluster.storage import cases as case_rows
from cluster.storage import events as event_rows

UNKNOWN = "the platform has no such case of its own"
COUNTED = ("at", *OWNER)
"""Columns of ``EVENTS`` that counting needs."""


@dataclass(frozen=True)
class Recorded:
    """How a batch of events was taken."""

    new: int
    repeated: int
    refused: list[Refusal]


@dataclass(frozen=True)
class PeriodCounts:
    """Clicks and usages of each rare case in the current first preset period."""

    period: PeriodSummary
    clicks: dict[str, int]
    usages: dict[str, int]
    by_platform: dict[str, dict[str, int]]
    """Both together by the platform where they happened."""


def record_events(platform: Platform, events: pa.Table) -> Recorded:
    """Store access events; an id that was stored before counts once (S500)."""
    checked, refused = checked_events(events, now=platform.clock.now())
    with platform.ledger.begin() as tx:
        new = event_rows.put_events(tx, checked)
    try:
        is_whole = not len(platform.history) or platform.history.take(checked) == new
    except (BufferError, MemoryError):
        is_whole = False
    if not is_whole:
        platform.history.clear()  # what is stored stays stored: memory is filled again from it
    return Recorded(new, events.num_rows - len({r.row for r in refused}) - new, refused)


def own_events(platform: Platform, events: pa.Table) -> pa.Table:
    """Return the events that are about the platform's own cases: a case's events lie at its home.

    Raises:
        EventInvalid: there is no column ``case_id``.
    """
    if "case_id" not in events.column_names:
        what = "the column case_id is missing"
        raise EventInvalid(what, remedy=f"Columns are {', '.join(EVENTS.names)}.")
    named = [str(one) for one in pc.unique(events["case_id"]).to_pylist() if one is not None]
    with platform.ledger.begin() as tx:
        own = case_rows.own_among(tx, platform.platform_id, named)
    value_set = pa.array(own, pa.string())
    return events.filter(pc.is_in(events["case_id"], value_set=value_set))


def record_batch(platform: Platform, events: pa.Table) -> EventsTaken:
    """Store a caller's batch of access events that happened at this platform (S500).

    Args:
        platform: where they happened, and the home of the cases that they count for.
        events: columns as in ``EVENTS`` but ``platform``, which is this one whatever is given.

    Raises:
        EventInvalid: a column is missing or has another type.
    """
    here = pa.array([platform.platform_id] * events.num_rows, pa.string())
    named = [name for name in events.column_names if name != "platform"]
    batch = events.select(named).append_column("platform", here)
    if "parent_id" not in named:
        batch = batch.append_column("parent_id", pa.nulls(events.num_rows, pa.string()))
    own = own_events(platform, batch)
    recorded = record_events(platform, own)
    is_own = np.asarray(pc.is_in(batch["case_id"], value_set=own["case_id"].combine_chunks()))
    rows = np.flatnonzero(is_own).tolist()
    told = [(rows[one.row], one.code, one.message) for one in recorded.refused]
    told += [(row, "case_unknown", UNKNOWN) for row in np.flatnonzero(~is_own).tolist()]
    return EventsTaken(
        new=recorded.new,
        repeated=recorded.repeated,
        refused=tuple(EventRefusal(row=r, code=c, message=m) for r, c, m in sorted(told)),
    )


def record_simulated_events(
    platform: Platform, network: SimulatedNetwork, *, start: float, days: float, seed: int
) -> Recorded:
    """Draw a SIMULATED access history of the rare cases and store it."""
    return record_events(
        platform,
        simulate_accesses(
            rare_case_ids(platform),
            home=platform.platform_id,
            network=network,
            start=start,
            days=days,
            seed=seed,
            birth_days=days,
        ),
    )


def access_history(platform: Platform) -> AccessHistory:
    """Return every stored event, from memory; the ledger is read where memory lacks one.

    That is once after a start. Later batches are added as they are stored. Where one was stored
    and not added, because the call was interrupted, the number of events tells, or that of the new
    ones when one of them is sent again.
    """
    history = platform.history
    with platform.ledger.begin() as tx:
        if len(history) != event_rows.count_events(tx):
            history.clear()
            history.take(event_rows.get_events(tx, before=math.inf))
    return history


def current_period(platform: Platform, as_of: float) -> PeriodSummary:
    """Return the first preset period that ends at an instant; its length follows the visits."""
    return _period(access_history(platform), as_of, platform.settings)


def _period(history: AccessHistory, as_of: float, settings: Settings) -> PeriodSummary:
    days, most = settings.visits_window_days, settings.user_events_max
    visits = history.visits(as_of - days * DAY_S, as_of, user_events_max=most)
    per_day = visits_per_day(visits, days)
    return PeriodSummary(
        period_end=as_of,
        period_days=first_period_days(per_day, settings),
        visits_per_day=per_day,
        events=len(history),
    )


def count_period(platform: Platform, as_of: float) -> PeriodCounts:
    """Count the period that ends at an instant; renew the rare features from it (S360, S500)."""
    period = current_period(platform, as_of)
    rare = rare_cases(platform)
    case_ids = [str(case_id) for case_id in rare["case_id"].to_pylist()]
    with platform.ledger.begin() as tx:
        clicks, usages, by_platform = counts_of(
            tx, case_ids, as_of, period.period_days, platform.settings.user_events_max
        )
    heat = rare_features(clicks + usages, rare["category"].combine_chunks())
    values = dict(zip(case_ids, np.round(heat, 6).tolist(), strict=True))
    with platform.ledger.begin() as tx:
        case_rows.set_rare_features(tx, values)
    platform.index.set_rare_features(values)
    by_case = [dict(zip(case_ids, column.tolist(), strict=True)) for column in (clicks, usages)]
    return PeriodCounts(period, by_case[0], by_case[1], by_platform)


def counts_of(
    tx: Connection,
    case_ids: list[str],
    period_end: float,
    period_days: float,
    user_events_max: int,
) -> tuple[Counts, Counts, dict[str, dict[str, int]]]:
    """Count the clicks and usages of cases in one period as they are known now (S500).

    Args:
        tx: open transaction.
        case_ids: distinct.
        period_end: end of the period, seconds since the epoch.
        period_days: its length.
        user_events_max: events of one user, kind and case that count.

    Returns:
        Clicks and usages, each of shape [cases], and both together by case and platform.
    """
    length = period_days * DAY_S
    start = period_end - length
    events = event_rows.get_events(tx, after=start, before=period_end, columns=COUNTED)
    most = user_events_max
    counted = within_user_cap(events, start=start, period_s=length, user_events_max=most)
    events = events.filter(pa.array(counted))
    clicks, usages = bin_counts(events, cases=case_ids, start=start, bin_s=length, n_bins=1)
    return clicks[:, 0], usages[:, 0], accesses_by_platform(events, case_ids)


def propagation(platform: Platform, at: float) -> list[PropagationSummary]:
    """Return the propagation index of each case with an event before an instant (S520, S530)."""
    history = access_history(platform)
    period = _period(history, at, platform.settings)
    trees = history.trees(_counted(history, period, platform.settings))
    found = propagation_indexes(trees, at=at)
    return [PropagationSummary(case_id=p.case_id, index=p.index, parts=p.parts) for p in found]


def access_windows(platform: Platform, as_of: float, history_days: float) -> pa.Table:
    """Cut the history of the rare cases into windows (S600).

    The newest window of a case ends at ``as_of`` and has no label yet; earlier ones end a whole
    number of periods before, and are labelled by what came in the period after. A case has a
    window only from its first event on, but always the newest one.

    Returns:
        Rows of ``WINDOWS``, newest cut first.
    """
    history = access_history(platform)
    period = _period(history, as_of, platform.settings)
    length = period.period_days * DAY_S
    start = as_of - history_days * DAY_S
    case_ids = rare_case_ids(platform)
    counted = _counted(history, period, platform.settings)
    events, trees = history.events(counted), history.trees(counted)
    times = np.asarray(events["at"])
    born = _first_event(events, case_ids)
    parts = []
    for number in range(max(1, int((as_of - start) // length))):
        cut = as_of - number * length
        indexes = {p.case_id: p.index for p in propagation_indexes(trees, at=cut)}
        first, last = np.searchsorted(times, [cut - length, cut + length])
        near = events.slice(int(first), int(last - first))
        part = _windows_at(platform.platform_id, case_ids, near, born, cut=cut, length=length)
        spread = pa.array([indexes.get(case_id) for case_id in case_ids], pa.float64())
        part = part.set_column(part.schema.get_field_index("propagation"), "propagation", spread)
        if number == 0:
            future = part.schema.get_field_index("fut_total")
            unknown = pa.nulls(part.num_rows, pa.float64())
            parts.append(part.set_column(future, "fut_total", unknown))
        else:
            parts.append(part.filter(pa.array(born < cut)))
    return pa.concat_tables(parts).cast(WINDOWS) if parts else WINDOWS.empty_table()


def _counted(
    history: AccessHistory, period: PeriodSummary, settings: Settings
) -> npt.NDArray[np.bool_]:
    """Mark the events that count, in periods before the end of the present one."""
    return history.counted(
        before=period.period_end,
        start=period.period_end,
        period_s=period.period_days * DAY_S,
        user_events_max=settings.user_events_max,
    )


def _windows_at(
    platform_id: str,
    case_ids: list[str],
    events: pa.Table,
    born: npt.NDArray[np.float64],
    *,
    cut: float,
    length: float,
) -> pa.Table:
    n, bin_s, start = len(case_ids), length / N_OBS, cut - length
    clicks, usages = bin_counts(
        events, cases=case_ids, start=start, bin_s=bin_s, n_bins=N_OBS + N_FUT
    )
    at_home = events.filter(pc.equal(events["platform"], pa.scalar(platform_id)))
    home_clicks, home_usages = bin_counts(
        at_home, cases=case_ids, start=start, bin_s=bin_s, n_bins=N_OBS
    )
    home = home_clicks + home_usages
    seen, after = slice(0, N_OBS), slice(N_OBS, None)
    elsewhere = (clicks + usages)[:, seen] - home
    age = np.where(np.isfinite(born), (cut - born) / DAY_S, 0.0)
    columns = {
        "sample_id": [f"{platform_id}/{case_id}@{cut:.0f}" for case_id in case_ids],
        "item_id": case_ids,
        "platform": [platform_id] * n,
        "cut": np.full(n, cut),
        "bin_days": np.full(n, bin_s / DAY_S),
        "n_obs": np.full(n, N_OBS, np.int32),
        "n_fut": np.full(n, N_FUT, np.int32),
        "age_days": np.maximum(age, 0.0),
        "first_seen": np.clip((born - start) / bin_s, 0.0, N_OBS),
        "clicks": list(clicks[:, seen].astype(np.float64)),
        "usages": list(usages[:, seen].astype(np.float64)),
        "plat_a": list(home.astype(np.float64)),
        "plat_b": list(elsewhere.astype(np.float64)),
        "plat_c": pa.nulls(n, WINDOWS.field("plat_c").type),
        "propagation": pa.nulls(n, pa.float64()),
        "fut_total": (clicks + usages)[:, after].sum(axis=1).astype(np.float64),
        "hot": pa.nulls(n, pa.bool_()),
        "surge": pa.nulls(n, pa.bool_()),
    }
    return pa.table([pa.array(c, WINDOWS.field(k).type) for k, c in columns.items()], WINDOWS.names)


def _first_event(events: pa.Table, case_ids: list[str]) -> npt.NDArray[np.float64]:
    """Return the time of each case's first event [C]; infinite where it has none."""
    first = events.group_by("case_id").aggregate([("at", "min")])
    places = pc.index_in(pa.array(case_ids, pa.string()), value_set=first["case_id"])
    times = first["at_min"].combine_chunks().take(places)
    return np.asarray(times.fill_null(np.inf), np.float64)

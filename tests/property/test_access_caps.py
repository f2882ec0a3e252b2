"""Counts under a maximum for each user, against a plain recount."""

from collections import Counter

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.access.caps import accesses_by_platform, within_user_cap
from cluster.access.counting import bin_counts, checked_events
from cluster.contracts.access import CLICKS, EVENTS

PERIOD_S, BINS, PERIODS = 60.0, 4, 2
START = 1_000.0
CASES = ["a", "b"]

rows_drawn = st.lists(
    st.fixed_dictionaries(
        {
            "event_id": st.integers(0, 10_000).map("e{}".format),
            "case_id": st.sampled_from([*CASES, "other"]),
            "kind": st.sampled_from(["view", "cite"]),
            "at": st.integers(int(START) - 20, int(START) + 130).map(float),
            "platform": st.sampled_from(["north", "south"]),
            "user": st.just("u"),
            "parent_id": st.none(),
        }
    ),
    unique_by=lambda event: event["event_id"],
    max_size=60,
)


def counted(rows: list[dict], most: int) -> tuple[list, list, dict]:
    """Check, cap and count; the bins are a quarter of a period."""
    table, refusals = checked_events(pa.Table.from_pylist(rows, schema=EVENTS), now=1e6)
    assert refusals == []
    mask = within_user_cap(table, start=START, period_s=PERIOD_S, user_events_max=most)
    kept = table.filter(pa.array(mask))
    bin_s, n_bins = PERIOD_S / BINS, BINS * PERIODS
    counts = bin_counts(kept, cases=CASES, start=START, bin_s=bin_s, n_bins=n_bins)
    return counts[0].tolist(), counts[1].tolist(), accesses_by_platform(kept, CASES)


def by_period(counts: tuple[list, list, dict]) -> np.ndarray:
    """Sum the bins of each period, shape [clicks and usages, cases, periods]."""
    return np.array(counts[:2]).reshape(2, len(CASES), PERIODS, BINS).sum(axis=3)


@settings(deadline=None)
@given(rows_drawn, st.integers(1, 4))
def test_capped_counts_equal_a_plain_recount(rows: list[dict], most: int) -> None:
    """A5: event by event, in the order of time, each user's first ones of a period count."""
    seen: Counter = Counter()
    bins: Counter = Counter()
    origins: Counter = Counter()
    for row in sorted(rows, key=lambda row: row["at"]):
        period = (row["at"] - START) // PERIOD_S
        owner = (period, row["case_id"], row["kind"], row["platform"], row["user"])
        seen[owner] += 1
        if seen[owner] <= most:
            place = int((row["at"] - START) // (PERIOD_S / BINS))
            bins[row["case_id"], place, row["kind"] in CLICKS] += 1
            origins[row["case_id"], row["platform"]] += 1
    clicks, usages, by_platform = counted(rows, most)
    places = range(BINS * PERIODS)
    assert clicks == [[bins[case, n, True] for n in places] for case in CASES]
    assert usages == [[bins[case, n, False] for n in places] for case in CASES]
    assert {(c, p): n for c in CASES for p, n in by_platform[c].items()} == {
        key: n for key, n in origins.items() if key[0] in CASES
    }


@settings(deadline=None)
@given(rows_drawn, st.integers(1, 4))
def test_a_cap_never_adds(rows: list[dict], most: int) -> None:
    """A5: no bin of a period's total has more with a maximum than without, and all at a high one.

    A further event of the same user, kind and case never lowers the count of its period.
    """
    clicks, usages, _ = counted(rows, most)
    all_clicks, all_usages, _ = counted(rows, len(rows) + 1)
    plain = pa.Table.from_pylist(rows, schema=EVENTS)
    bin_s, n_bins = PERIOD_S / BINS, BINS * PERIODS
    free = bin_counts(plain, cases=CASES, start=START, bin_s=bin_s, n_bins=n_bins)
    assert (all_clicks, all_usages) == (free[0].tolist(), free[1].tolist())
    assert (np.array([clicks, usages]) <= np.array([all_clicks, all_usages])).all()
    if rows:
        fewer = counted(rows[:-1], most)
        assert (by_period(fewer) <= by_period((clicks, usages, {}))).all()


@settings(deadline=None)
@given(st.data(), rows_drawn, st.integers(1, 4))
def test_order_and_repetition_change_nothing_under_a_cap(
    data: st.DataObject, rows: list[dict], most: int
) -> None:
    """A5: which events count depends on their times, not on when or how often they came."""
    again = data.draw(st.lists(st.sampled_from(rows), max_size=20)) if rows else []
    assert counted(data.draw(st.permutations(rows + again)), most) == counted(rows, most)

"""Counts against a plain recount, for any batch in any order, sent any number of times."""

from collections import Counter

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.access.counting import bin_counts, checked_events
from cluster.contracts.access import CLICKS, EVENTS, KINDS

START, BIN_S, N_BINS = 1_000, 60, 4
CASES = ["a", "b", "c"]

events = st.lists(
    st.fixed_dictionaries(
        {
            "event_id": st.integers(0, 10_000).map("e{}".format),
            "case_id": st.sampled_from([*CASES, "other"]),
            "kind": st.sampled_from(KINDS),
            "at": st.integers(START - 90, START + 330).map(float),
            "platform": st.just("north"),
            "user": st.just("u"),
            "parent_id": st.none(),
        }
    ),
    unique_by=lambda event: event["event_id"],
    max_size=40,
)


def counted(rows: list[dict]) -> tuple[list, list]:
    table = pa.Table.from_pylist(rows, schema=EVENTS)
    kept, refusals = checked_events(table, now=1e6)
    assert refusals == []
    clicks, usages = bin_counts(kept, cases=CASES, start=START, bin_s=BIN_S, n_bins=N_BINS)
    return clicks.tolist(), usages.tolist()


@settings(deadline=None)
@given(events)
def test_counts_equal_a_plain_recount(rows: list[dict]) -> None:
    """A5: no event is lost and none counted twice, per case and bin."""
    plain: Counter = Counter()
    for event in rows:
        for number in range(N_BINS):
            begin = START + number * BIN_S
            if begin <= event["at"] < begin + BIN_S:
                plain[event["case_id"], number, event["kind"] in CLICKS] += 1
    clicks, usages = counted(rows)
    assert clicks == [[plain[case, n, True] for n in range(N_BINS)] for case in CASES]
    assert usages == [[plain[case, n, False] for n in range(N_BINS)] for case in CASES]


@settings(deadline=None)
@given(st.data(), events)
def test_order_and_repetition_change_nothing(data: st.DataObject, rows: list[dict]) -> None:
    """A5: a batch that is sent again, in part and in another order, counts the same."""
    again = data.draw(st.lists(st.sampled_from(rows), max_size=20)) if rows else []
    shuffled = data.draw(st.permutations(rows + again))
    assert counted(shuffled) == counted(rows)

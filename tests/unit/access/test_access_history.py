"""Events kept in memory: what waits for its parent, what is passed over, what counts."""

import numpy as np
import pyarrow as pa
import pytest
from builders import tree_events

from cluster.access.history import AccessHistory
from cluster.access.propagation import ROOT, Trees, propagation_indexes
from cluster.contracts.access import EVENTS

LATE = 1e9


def table_of(events: list[dict]) -> pa.Table:
    return pa.Table.from_pylist(events, schema=EVENTS)


def taken(*batches: list[dict]) -> AccessHistory:
    """Take batches, and read after each."""
    history = AccessHistory()
    for batch in batches:
        history.take(table_of(batch))
        trees_of(history)
    return history


def trees_of(history: AccessHistory, before: float = LATE, most: int = 99) -> Trees:
    counted = history.counted(before=before, start=0.0, period_s=1e6, user_events_max=most)
    return history.trees(counted)


def parents_of(trees: Trees) -> dict[str, str | None]:
    ids = trees.event_ids.to_pylist()
    above = [None if parent == ROOT else ids[parent] for parent in trees.node_parent]
    return dict(zip(ids, above, strict=True))


def test_nothing_taken_is_nothing_found() -> None:
    """A8: no events, no trees; clicks alone make a case without a node."""
    history = AccessHistory()
    assert history.take(EVENTS.empty_table()) == 0
    assert (len(history), trees_of(history).case_ids) == (0, ())
    assert history.visits(0, LATE, user_events_max=3) == 0
    assert history.events(np.zeros(0, bool)).num_rows == 0
    history.take(table_of(tree_events([ROOT])[:1]))
    trees = trees_of(history)
    assert (trees.case_ids, trees.node_parent.tolist()) == (("case",), [])


@pytest.mark.parametrize("late", [2, 3], ids=["the click", "the transmission above"])
def test_a_path_hangs_under_the_root_until_all_of_it_has_come(late: int) -> None:
    """A8: what comes late joins what it led to, with all that hangs below."""
    events = tree_events([ROOT, 0, 1, 1])
    whole = {f"case-0-{node}": above for node, above in enumerate([None, 0, 1, 1])}
    whole = {k: None if v is None else f"case-0-{v}" for k, v in whole.items()}
    missing = events.pop(late)
    history = taken(events)
    assert parents_of(trees_of(history)) != whole
    history.take(table_of([missing]))
    assert parents_of(trees_of(history)) == whole


def test_an_event_id_counts_once_and_the_first_stays() -> None:
    """A5: an event that comes again, even with another content, changes nothing."""
    events = tree_events([ROOT, 0])
    changed = [event | {"case_id": "other", "kind": "cite", "at": 1.0} for event in events]
    history = taken(events)
    assert history.take(table_of(changed + events)) == 0
    twice = taken([events[0], changed[0], *events[1:], *changed])
    assert len(history) == len(twice) == 4
    for one in (history, twice):
        assert parents_of(trees_of(one)) == {"case-0-0": None, "case-0-1": "case-0-0"}
        assert trees_of(one).case_ids == ("case",)


def test_the_instant_itself_is_not_in_the_span() -> None:
    """A8: neither a transmission nor a click nor a case counts from its own instant on."""
    events = tree_events([ROOT, 0])
    events[2]["at"] = 50.0  # the click came, by its own clock, after what it led to
    history = taken(events)
    assert trees_of(history, before=5.0).case_ids == ()
    assert parents_of(trees_of(history, before=19.0)) == {"case-0-0": None}
    assert parents_of(trees_of(history, before=50.0)) == {"case-0-0": None, "case-0-1": None}
    assert parents_of(trees_of(history, before=51.0))["case-0-1"] == "case-0-0"


def test_what_is_above_the_cap_carries_no_path() -> None:
    """A8: a click or a transmission that does not count leaves what hangs below at the root."""
    events = tree_events([ROOT, 0, 1])
    for event in (events[0], events[2]):
        event["user"] = "keen"  # a second view, which showed case-0-0
    found = parents_of(trees_of(taken(events), most=1))
    assert found == {"case-0-0": None, "case-0-1": None, "case-0-2": "case-0-1"}
    for event in (events[1], events[3]):
        event["user"] = "keen"
    assert parents_of(trees_of(taken(events), most=1)) == {"case-0-0": None, "case-0-2": None}


def test_a_late_event_takes_the_place_of_a_later_one() -> None:
    """A5: of a user's events the earliest count, and of one instant the first by id."""
    share = tree_events([ROOT])[1]
    history = taken([share | {"event_id": name, "at": 9.0} for name in "cb"])
    assert trees_of(history, most=1).event_ids.to_pylist() == ["b"]
    history.take(table_of([share | {"event_id": "a", "at": 9.0}]))
    assert trees_of(history, most=1).event_ids.to_pylist() == ["a"]
    history.take(table_of([share | {"event_id": "z", "at": 8.0}]))
    assert trees_of(history, most=1).event_ids.to_pylist() == ["z"]


def test_visits_are_those_of_a_half_open_span_and_capped() -> None:
    """A5: the start belongs to a period, the end to the next; a robot counts a few times."""
    view = tree_events([ROOT])[0]
    history = taken([view | {"event_id": f"e{at}", "at": float(at)} for at in (3, 1, 2)])
    spans = [(1, 3), (3, 5), (0, 1), (2, 2)]
    assert [history.visits(*span, user_events_max=9) for span in spans] == [2, 1, 0, 0]
    many = [view | {"event_id": f"e{n}", "at": 1 + n / 100, "user": "robot"} for n in range(50)]
    robot = taken(many, [view | {"event_id": "x", "at": 1.0}])
    assert robot.visits(0.0, 2.0, user_events_max=3) == 4
    assert robot.visits(0.0, 2.0, user_events_max=50) == 51
    assert robot.visits(0.0, 1.0, user_events_max=3) == 0


def test_counted_events_come_by_time() -> None:
    """A6: time, case, kind and platform of the events that count, whatever the order of arrival."""
    events = tree_events([ROOT, ROOT])
    history = taken(events[::-1])
    found = history.events(history.counted(before=19.0, start=0.0, period_s=1e6, user_events_max=9))
    expected = sorted(events, key=lambda event: event["at"])[:3]
    names = ("at", "case_id", "kind", "platform")
    assert found.to_pylist() == [{name: event[name] for name in names} for event in expected]


def test_a_forgotten_history_is_empty() -> None:
    """A8: after it is cleared the same events are new again."""
    events = tree_events([ROOT, 0])
    history = taken(events)
    history.clear()
    assert len(history) == 0
    assert history.take(table_of(events)) == 4
    assert parents_of(trees_of(history)) == {"case-0-0": None, "case-0-1": "case-0-0"}


def test_a_long_chain_in_batches_keeps_its_closed_form() -> None:
    """A8: a path of 3,000 that comes from its end to its beginning, in two batches."""
    n = 3000
    events = tree_events(range(-1, n - 1))[::-1]
    history = taken(events[:2500], events[2500:])
    (found,) = propagation_indexes(trees_of(history), at=LATE)
    assert found.measures["depth"] == n
    assert found.measures["structural_virality"] == pytest.approx((n + 2) / 3)

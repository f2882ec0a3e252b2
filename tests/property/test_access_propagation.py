"""Trees and indexes of any events, well formed or not, against plain graph search."""

from collections import Counter, deque
from itertools import combinations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.access.caps import within_user_cap
from cluster.access.history import AccessHistory
from cluster.access.propagation import Trees, propagation_indexes, transmission_trees
from cluster.contracts.access import EVENTS, TRANSMISSIONS

CASES = ("a", "b")
LATE = 1_000.0


@st.composite
def any_events(draw: st.DrawFn) -> list[dict]:
    """Draw transmissions and clicks that name any parents: later, foreign, missing, themselves."""
    n = draw(st.integers(0, 14))
    shares = [f"share-{i}" for i in range(n)]
    clicks = [f"click-{i}" for i in range(n)]
    case = st.sampled_from(["a"] * 5 + ["b"])
    place = {"platform": st.sampled_from(["p", "q", "r"]), "user": st.sampled_from(["u", "v"])}
    events = []
    for i in range(n):
        click = {
            "event_id": st.just(clicks[i]),
            "kind": st.sampled_from(["view", "open"]),
            "parent_id": st.one_of(st.none(), *[st.sampled_from(shares)] * 4, st.just("unknown")),
        }
        share = {
            "event_id": st.just(shares[i]),
            "kind": st.sampled_from(TRANSMISSIONS),
            "parent_id": st.one_of(*[st.just(clicks[i])] * 6, st.none(), st.sampled_from(shares)),
        }
        at = st.integers(0, 3).map(lambda noise, i=i: float(i + noise))
        common = place | {"case_id": case, "at": at}
        events.extend(draw(st.fixed_dictionaries(fields | common)) for fields in (click, share))
    return draw(st.permutations(events))


def table_of(events: list[dict]) -> pa.Table:
    return pa.Table.from_pylist(events, schema=EVENTS)


def parents_by_search(events: list[dict]) -> dict[str, str | None]:
    """Return each transmission's parent, None for the root, event by event."""
    by_id = {event["event_id"]: event for event in events}
    parents: dict[str, str | None] = {}
    for event in events:
        if event["kind"] not in TRANSMISSIONS:
            continue
        click = by_id.get(event["parent_id"])
        ok = click and click["kind"] in ("view", "open") and click["case_id"] == event["case_id"]
        above = by_id.get(click["parent_id"]) if ok else None
        ok = above and above["kind"] in TRANSMISSIONS and above["case_id"] == event["case_id"]
        parents[event["event_id"]] = above["event_id"] if ok and above["at"] < event["at"] else None
    return parents


def distances(names: list[str], parents: dict[str, str | None]) -> dict[tuple, int]:
    """Return the distance of each pair of a tree by breadth-first search; None is the root."""
    near: dict = {name: set() for name in [None, *names]}
    for name in names:
        near[name].add(parents[name])
        near[parents[name]].add(name)
    found = {}
    for begin in near:
        waiting, seen = deque([begin]), {begin: 0}
        while waiting:
            here = waiting.popleft()
            for there in near[here] - set(seen):
                seen[there] = seen[here] + 1
                waiting.append(there)
        found |= {(begin, end): steps for end, steps in seen.items()}
    return found


@settings(deadline=None)
@given(any_events())
def test_parents_equal_a_search_event_by_event(events: list[dict]) -> None:
    """A8: the joins find the same parents as a plain search, and every parent is earlier."""
    trees = transmission_trees(table_of(events))
    ids = trees.event_ids.to_pylist()
    found = {
        name: ids[parent] if parent >= 0 else None
        for name, parent in zip(ids, trees.node_parent, strict=True)
    }
    assert found == parents_by_search(events)
    inner = trees.node_parent >= 0
    assert (trees.node_at[trees.node_parent[inner]] < trees.node_at[inner]).all()


@settings(deadline=None)
@given(any_events())
def test_measures_equal_breadth_first_search(events: list[dict]) -> None:
    """A8: size, depth, breadth, virality and branching are those of the tree, by brute force."""
    trees = transmission_trees(table_of(events))
    parents = parents_by_search(events)
    for found in propagation_indexes(trees, at=LATE):
        case_of = {event["event_id"]: event["case_id"] for event in events}
        names = [name for name in parents if case_of[name] == found.case_id]
        if not names:
            assert found.index == 0
            continue
        steps = distances(names, parents)
        depths = Counter(steps[None, name] for name in names)
        pairs = [steps[pair] for pair in combinations([None, *names], 2)]
        assert found.measures["size"] == len(names)
        assert found.measures["depth"] == max(depths)
        assert found.measures["breadth_max"] == max(depths.values())
        assert found.measures["structural_virality"] == pytest.approx(sum(pairs) / len(pairs))
        born = sum(parents[name] is not None for name in names)
        assert found.measures["branching_ratio"] == pytest.approx(born / len(names))


@settings(deadline=None)
@given(any_events(), st.floats(0, 20))
def test_the_index_lies_between_0_and_1(events: list[dict], at: float) -> None:
    """A8: every index and part lies in [0, 1], at any instant."""
    for found in propagation_indexes(transmission_trees(table_of(events)), at=at):
        assert 0 <= found.index < 1
        assert all(0 <= part <= 1 for part in found.parts.values())
        assert sum(found.parts.values()) == pytest.approx(found.index)


@settings(deadline=None)
@given(st.data(), any_events(), st.floats(0, 20))
def test_order_and_batches_change_nothing(
    data: st.DataObject, events: list[dict], at: float
) -> None:
    """A8: events that arrive in two batches, in any order, give the index of a recount."""
    once = propagation_indexes(transmission_trees(table_of(events)), at=at)
    cut = data.draw(st.integers(0, len(events)))
    shuffled = data.draw(st.permutations(events))
    batches = pa.concat_tables([table_of(shuffled[cut:]), table_of(shuffled[:cut])])
    assert propagation_indexes(transmission_trees(batches), at=at) == once


def paths_of(trees: Trees) -> dict[str, tuple]:
    """Write each node by names, so that trees with other numbers can be compared."""
    ids = trees.event_ids.to_pylist()
    return {
        name: (
            trees.case_ids[trees.node_case[node]],
            None if trees.node_parent[node] < 0 else ids[trees.node_parent[node]],
            trees.node_at[node],
            trees.platforms[trees.node_platform[node]],
            trees.users[trees.node_user[node]],
            TRANSMISSIONS[trees.node_kind[node]],
        )
        for node, name in enumerate(ids)
    }


@settings(deadline=None)
@given(st.data(), any_events(), st.integers(1, 4), st.floats(0.5, 20))
def test_a_history_that_grows_equals_a_recount_after_every_batch(
    data: st.DataObject, events: list[dict], most: int, period_s: float
) -> None:
    """A8: late, reordered, repeated, circular and capped events, to the last bit of an index."""
    history, taken = AccessHistory(), []
    while rest := events[len(taken) :]:
        batch = rest[: data.draw(st.integers(1, 9))]
        again = data.draw(st.lists(st.sampled_from(taken + batch), max_size=3))
        assert history.take(table_of(taken[-2:] + batch + again)) == len(batch)
        taken += batch
        before = data.draw(st.one_of(st.just(LATE), st.integers(0, 17).map(float)))
        cap = {"start": before, "period_s": period_s, "user_events_max": most}
        stored = table_of([event for event in taken if event["at"] < before])
        stored = stored.sort_by([("at", "ascending"), ("event_id", "ascending")])
        once = transmission_trees(stored.filter(pa.array(within_user_cap(stored, **cap))))
        trees = history.trees(history.counted(before=before, **cap))
        assert paths_of(trees) == paths_of(once)
        assert propagation_indexes(trees, at=before) == propagation_indexes(once, at=before)


@settings(deadline=None)
@given(any_events(), st.integers(1, 4), st.integers(0, 9), st.integers(0, 9))
def test_visits_equal_a_count_user_by_user(
    events: list[dict], most: int, start: int, length: int
) -> None:
    """A5: the events of a span, those of a user, kind and case up to a maximum only."""
    history = AccessHistory()
    history.take(table_of(events))
    owners = Counter(
        tuple(event[name] for name in ("case_id", "kind", "platform", "user"))
        for event in events
        if start <= event["at"] < start + length
    )
    expected = sum(min(n, most) for n in owners.values())
    assert history.visits(start, start + length, user_events_max=most) == expected

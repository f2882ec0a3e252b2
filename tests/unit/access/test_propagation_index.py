"""Transmission trees and the propagation index against closed forms and hand-made paths."""

import numpy as np
import pyarrow as pa
import pytest
from builders import tree_events

from cluster.access.propagation import (
    ROOT,
    WEIGHTS,
    PropagationIndex,
    propagation_indexes,
    transmission_trees,
)
from cluster.contracts.access import EVENTS, TRANSMISSIONS

LATE = 1e9


def table_of(events: list[dict]) -> pa.Table:
    return pa.Table.from_pylist(events, schema=EVENTS)


def index_of(events: list[dict], at: float = LATE) -> PropagationIndex:
    (index,) = propagation_indexes(transmission_trees(table_of(events)), at=at)
    return index


@pytest.mark.parametrize("n", [2, 3, 10, 100])
def test_a_star_has_the_virality_of_a_star(n: int) -> None:
    """A8: a star of n nodes, the root with it, has the mean distance 2(n-1)/n and depth 1."""
    found = index_of(tree_events([ROOT] * (n - 1)))
    assert found.measures["structural_virality"] == pytest.approx(2 * (n - 1) / n)
    assert (found.measures["depth"], found.measures["breadth_max"]) == (1, n - 1)
    assert found.measures["branching_ratio"] == 0
    assert found.parts["virality"] == pytest.approx(0)


@pytest.mark.parametrize("n", [2, 3, 10, 100, 1025])
def test_a_path_has_the_virality_of_a_path(n: int) -> None:
    """A8: a path of n nodes has the mean distance (n+1)/3, depth n-1 and breadth 1."""
    found = index_of(tree_events(range(-1, n - 2)))
    assert found.measures["structural_virality"] == pytest.approx((n + 1) / 3)
    assert (found.measures["depth"], found.measures["breadth_max"]) == (n - 1, 1)
    assert found.measures["branching_ratio"] == pytest.approx((n - 2) / (n - 1))


def balanced_tree(branches: int, height: int) -> list[int]:
    """Return the parents of a balanced tree without its root: each node has so many children."""
    n = sum(branches**level for level in range(1, height + 1))
    return [node // branches - 1 for node in range(n)]


@pytest.mark.parametrize(("branches", "height"), [(2, 1), (2, 3), (2, 9), (3, 4), (5, 3), (10, 3)])
def test_a_balanced_tree_has_its_own_virality(branches: int, height: int) -> None:
    """A8: depth, breadth, branching and mean distance of a balanced tree in closed form."""
    found = index_of(tree_events(balanced_tree(branches, height))).measures
    n = sum(branches**level for level in range(height + 1))
    below = {d: sum(branches**k for k in range(height - d + 1)) for d in range(1, height + 1)}
    distance = sum(branches**d * s * (n - s) for d, s in below.items())
    assert found["structural_virality"] == pytest.approx(2 * distance / (n * (n - 1)))
    assert (found["depth"], found["breadth_max"]) == (height, branches**height)
    assert found["branching_ratio"] == pytest.approx(1 - branches / (n - 1))


def test_the_distances_of_a_small_balanced_tree_are_counted_by_hand() -> None:
    """A8: of 7 nodes 6 pairs are 1 apart, 7 are 2, 4 are 3 and 4 are 4 apart."""
    found = index_of(tree_events(balanced_tree(2, 2))).measures
    assert found["structural_virality"] == pytest.approx((6 * 1 + 7 * 2 + 4 * 3 + 4 * 4) / 21)


def test_parents_are_found_through_the_click() -> None:
    """A8: a transmission hangs under the one that had exposed the case, across platforms."""
    events = tree_events([ROOT, 0, 0, 2])
    events[2]["platform"] = events[3]["platform"] = "south"
    events[3]["kind"] = "forward"
    events[7]["kind"] = "download"
    trees = transmission_trees(table_of(events[::-1]))
    assert trees.event_ids.to_pylist() == [f"case-0-{i}" for i in range(4)]
    assert trees.node_parent.tolist() == [ROOT, 0, 0, 2]
    assert [trees.platforms[code] for code in trees.node_platform] == [
        "north",
        "south",
        "north",
        "north",
    ]
    assert [TRANSMISSIONS[code] for code in trees.node_kind] == [
        "share",
        "forward",
        "share",
        "download",
    ]
    assert [trees.users[code] for code in trees.node_user] == [f"u0-{i}" for i in range(4)]


@pytest.mark.parametrize(
    ("event", "change"),
    [
        (3, {"parent_id": None}),
        (3, {"parent_id": "never-seen"}),
        (3, {"parent_id": "case-0-0"}),
        (2, {"parent_id": "never-seen"}),
        (2, {"parent_id": "click-case-0-0"}),
        (2, {"case_id": "other"}),
        (3, {"at": 9.0}),
        (3, {"at": 8.0}),
    ],
    ids=[
        "no click",
        "unknown click",
        "a transmission as click",
        "unknown transmission",
        "a click as transmission",
        "click of another case",
        "same instant",
        "earlier than its parent",
    ],
)
def test_what_is_not_known_hangs_under_the_root(event: int, change: dict) -> None:
    """A8: a path that was not recorded is not claimed; the node stays, under the case itself."""
    events = tree_events([ROOT, 0])
    assert sorted(transmission_trees(table_of(events)).node_parent) == [ROOT, 0]
    events[event] |= change
    assert transmission_trees(table_of(events)).node_parent.tolist() == [ROOT, ROOT]


def test_a_tree_never_reaches_into_another_case() -> None:
    """A8: a click that names the share of another case does not join the two trees."""
    events = tree_events([ROOT], case="a") + tree_events([ROOT, ROOT], case="b")
    events[4]["parent_id"] = "a-0-0"
    trees = transmission_trees(table_of(events))
    assert trees.node_parent.tolist() == [ROOT] * 3
    assert trees.node_case.tolist() == [0, 1, 1]


def test_a_circle_of_parents_is_cut() -> None:
    """A8: events that name each other as parents still make a tree."""
    events = tree_events([ROOT, 0, 1])
    events[0]["parent_id"] = "case-0-2"
    assert transmission_trees(table_of(events)).node_parent.tolist() == [ROOT, 0, 1]


def test_a_case_that_was_never_passed_on_has_the_index_0() -> None:
    """A8: clicks and citations alone spread nothing."""
    events = tree_events([ROOT])
    events[1]["kind"] = "cite"
    found = index_of(events)
    assert (found.index, set(found.parts.values())) == (0, {0.0})
    assert set(found.measures.values()) == {0.0}
    assert propagation_indexes(transmission_trees(EVENTS.empty_table()), at=LATE) == []


def test_the_parts_explain_the_index() -> None:
    """A8: the published weights add up to 1, and the parts of an index to the index."""
    assert sum(WEIGHTS.values()) == pytest.approx(1)
    found = index_of(tree_events([ROOT, 0, 0, 1, 3, ROOT]))
    assert set(found.parts) == set(WEIGHTS)
    assert sum(found.parts.values()) == pytest.approx(found.index)
    assert min(found.parts.values()) >= 0


@pytest.mark.parametrize("parents", [[ROOT], [ROOT, 0, 1], [ROOT, ROOT, 1, 1, 3]])
def test_a_larger_tree_of_the_same_shape_has_a_higher_index(parents: list[int]) -> None:
    """A8: one more copy of a tree beside the others raises the index, and it stays below 1."""
    indexes = [index_of(tree_events(parents, copies=n)).index for n in (1, 2, 3, 10, 100, 1000)]
    assert indexes == sorted(set(indexes))
    assert 0 < indexes[0] < indexes[-1] < 1


def test_deeper_wider_fresher_trees_of_one_size_have_a_higher_index() -> None:
    """A8: of trees of one size, more generations, platforms or recent growth weigh more."""
    star, chain = tree_events([ROOT] * 6), tree_events([ROOT, 0, 1, 2, 3, 4])
    assert index_of(chain).index > index_of(star).index
    abroad = [e | {"platform": f"p{i // 2}"} for i, e in enumerate(star)]
    assert index_of(abroad).index > index_of(star).index
    assert index_of(abroad).measures["platforms"] == 6
    assert index_of(star, at=60.0).index > index_of(star, at=6000.0).index


def test_an_index_of_the_past_ignores_what_came_later() -> None:
    """A8: the index at an instant is that of the events up to it."""
    events = tree_events([ROOT, 0, 0, 1, 3])
    assert index_of(events, at=29.0) == index_of(events[:6], at=29.0)
    assert index_of(events, at=29.0).measures["size"] == 3
    assert index_of(events, at=8.9).index == 0


def test_recent_growth_is_the_last_quarter_since_the_first_transmission() -> None:
    """A8: of shares at 9, 19, 29, 39, 49, seen at 49, those from 39 on are recent."""
    assert index_of(tree_events([ROOT] * 5), at=49.0).measures["recent_share"] == 2 / 5


def test_a_long_chain_is_measured() -> None:
    """A8: depth is no limit; a chain of 20,000 transmissions keeps its closed form."""
    n = 20_000
    at = np.arange(n, dtype=float)
    shares = [f"s{i}" for i in range(n)]
    clicks = [f"c{i}" for i in range(n)]
    table = pa.table(
        [
            pa.array(shares + clicks),
            pa.array(["case"] * 2 * n),
            pa.array(["share"] * n + ["open"] * n),
            pa.array(np.concatenate([at, at - 0.5])),
            pa.array(["north"] * 2 * n),
            pa.array(["u"] * 2 * n),
            pa.array([*clicks, None, *shares[:-1]]),
        ],
        schema=EVENTS,
    )
    (found,) = propagation_indexes(transmission_trees(table), at=LATE)
    assert found.measures["depth"] == n
    assert found.measures["structural_virality"] == pytest.approx((n + 2) / 3)


def test_nodes_are_stored_by_case_time_and_event() -> None:
    """A8: the stored order of a path is the same whatever order its events came in."""
    events = tree_events([ROOT] * 3, case="b") + tree_events([ROOT] * 2, case="a")
    events[1]["event_id"] = "zz"
    events[3] |= {"at": 40.0, "event_id": "y"}
    events[5] |= {"at": 40.0, "event_id": "z"}
    trees = transmission_trees(table_of(events[::-1]))
    assert trees.case_ids == ("a", "b")
    assert trees.event_ids.to_pylist() == ["a-0-0", "a-0-1", "zz", "y", "z"]
    assert trees.node_at.tolist() == [9.0, 19.0, 9.0, 40.0, 40.0]

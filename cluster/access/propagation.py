"""Who passed a case on to whom, and how strongly it spreads (S510, S520, S530).

The transmission path of a case is a tree. Its root is the case at its origin; every other node is
one transmission: a forward, a share or a download. A transmission hangs under the one that had
exposed the case to its user, found through the user's click. Where that is not known it hangs
under the root, so that the tree never claims a path that was not recorded.

The propagation index lies in [0, 1) and is a product: the size of the tree, as n / (n + SIZE_HALF),
times the weighted mean of what its shape says (``WEIGHTS``). The factor of the size also says how
far the shape can be believed, for the shares of a small tree are mostly chance. A larger tree of
the same shape never has a lower index. Nothing is fitted: the index is a yardstick, and whether it
helps a forecast is for the trend model to find out.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cluster.access.counting import is_of_kind, positions_in
from cluster.contracts.access import CLICKS, TRANSMISSIONS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

ROOT: Final = -1
"""Parent of a node that hangs under the case itself."""

SIZE_HALF: Final = 180.0
"""Transmissions that make half of a very large tree; about the median of published retweet
cascades of at least 20 nodes."""
VIRALITY_HALF: Final = 1.0
"""Structural virality above a star's that counts half; the median of the same cascades."""
RECENT_PART: Final = 0.25
"""Last part of the time since the first transmission that counts as recent."""

WEIGHTS: Final = {
    "size": 0.25,  # counts with any shape: a broadcast reaches people too
    "branching": 0.25,  # transmissions that came from transmissions
    "virality": 0.20,  # mean distance above a star's
    "recent": 0.15,  # still growing
    "platforms": 0.15,  # spread over platforms
}
"""Weight of each part of the propagation index; they add up to 1."""


@dataclass(frozen=True, eq=False)
class Trees:
    """Transmission trees of many cases, one row a node (S510, S520)."""

    case_ids: tuple[str, ...]
    """Every case that has an event, sorted; a case may have no node."""
    platforms: tuple[str, ...]
    users: tuple[str, ...]
    """Names behind the codes of the nodes, sorted."""
    event_ids: "pa.Array[Any]"
    """Transmission of each node."""
    node_case: Ints
    """Index into ``case_ids``."""
    node_parent: Ints
    """Index of the parent node, or ``ROOT``; a parent is earlier and of the same case."""
    node_at: Floats
    """Seconds since the epoch."""
    node_platform: Ints
    """Index into ``platforms``: where it was passed on."""
    node_user: Ints
    """Index into ``users``: who passed it on."""
    node_kind: Ints
    """Index into ``TRANSMISSIONS``."""


@dataclass(frozen=True)
class PropagationIndex:
    """How strongly a case spreads, and why (S530)."""

    case_id: str
    index: float
    """0 (never passed on) up to, but not reaching, 1."""
    parts: dict[str, float]
    """What each part of ``WEIGHTS`` adds to the index; their sum is the index."""
    measures: dict[str, float]
    """Size, depth, breadth_max, structural_virality, branching_ratio, recent_share, platforms and
    users of the tree; the root is not counted in the size."""


def transmission_trees(events: pa.Table) -> Trees:
    """Rebuild the transmission trees of all cases from their events (S510, S520).

    The parent of a transmission is the one that its click names. It hangs under the root where
    its click or that transmission is not among the events, belongs to another case, or is not
    earlier; so no tree has a cycle, whatever was sent.

    Args:
        events: checked events with the schema ``EVENTS``, each event id once, in any order.

    Returns:
        The trees; their nodes are by case, time and event id.
    """
    events = events.combine_chunks()
    case_ids = _names(events, "case_id")
    platforms, users = _names(events, "platform"), _names(events, "user")
    clicks = events.filter(pa.array(is_of_kind(events, CLICKS)))
    nodes = events.filter(pa.array(is_of_kind(events, TRANSMISSIONS)))
    coded = nodes.set_column(
        nodes.schema.get_field_index("case_id"),
        "case_id",
        pa.array(positions_in(nodes["case_id"], case_ids)),
    )
    nodes = coded.sort_by([(name, "ascending") for name in ("case_id", "at", "event_id")])
    node_case = np.asarray(nodes["case_id"], dtype=np.int64)
    node_at = np.asarray(nodes["at"], dtype=np.float64)
    event_ids = _array(nodes, "event_id")
    return Trees(
        case_ids=_texts(case_ids),
        platforms=_texts(platforms),
        users=_texts(users),
        event_ids=event_ids,
        node_case=node_case,
        node_parent=_parents(
            _array(nodes, "parent_id"), event_ids, node_case, node_at, clicks, case_ids
        ),
        node_at=node_at,
        node_platform=positions_in(nodes["platform"], platforms),
        node_user=positions_in(nodes["user"], users),
        node_kind=positions_in(nodes["kind"], pa.array(TRANSMISSIONS)),
    )


def propagation_indexes(trees: Trees, *, at: float) -> list[PropagationIndex]:
    """Return the propagation index of every case as it stood at an instant (S530).

    Only transmissions up to and at ``at`` count, so an index of the past can be computed again
    at any time. A case without one has the index 0. Cost: O(nodes * log depth).

    Args:
        trees: the transmission trees of the cases.
        at: the instant, seconds since the epoch.

    Returns:
        One index for each of ``trees.case_ids``, in that order.
    """
    measures = _measures(trees, at)
    size = measures["size"]
    star = 2.0 * size / (size + 1.0)
    excess = np.maximum(measures["structural_virality"] - star, 0.0)
    shape = {
        "size": np.ones_like(size),
        "branching": measures["branching_ratio"],
        "virality": excess / (excess + VIRALITY_HALF),
        "recent": measures["recent_share"],
        "platforms": _spread(trees, at),
    }
    mass = size / (size + SIZE_HALF)
    parts = {name: mass * weight * shape[name] for name, weight in WEIGHTS.items()}
    index = sum(parts.values(), start=np.zeros_like(size))
    return [
        PropagationIndex(
            case_id=case_id,
            index=float(index[row]),
            parts={name: float(part[row]) for name, part in parts.items()},
            measures={name: float(measure[row]) for name, measure in measures.items()},
        )
        for row, case_id in enumerate(trees.case_ids)
    ]


def _parents(
    clicks_named: "pa.Array[Any]",
    event_ids: "pa.Array[Any]",
    node_case: Ints,
    node_at: Floats,
    clicks: pa.Table,
    case_ids: "pa.Array[Any]",
) -> Ints:
    """Return the parent of each node: the transmission that its click names, or the root."""
    if not len(node_case):
        return node_case
    click_parent = np.append(positions_in(clicks["parent_id"], event_ids), ROOT)
    click_case = np.append(positions_in(clicks["case_id"], case_ids), -1)
    # An unknown click is -1, which picks the element appended above: no case, no parent.
    click = positions_in(clicks_named, _array(clicks, "event_id"))
    parent = click_parent[click]
    own = (click_case[click] == node_case) & (node_case[parent] == node_case)
    return np.where((parent >= 0) & own & (node_at[parent] < node_at), parent, ROOT)


def _measures(trees: Trees, at: float) -> dict[str, Floats]:
    """Measure every tree as it stood at an instant; each measure is of shape [cases]."""
    n_cases = len(trees.case_ids)
    known = trees.node_at <= at
    case, times = trees.node_case[known], trees.node_at[known]
    # A parent is earlier than its child, so it is among the known ones too.
    place = np.cumsum(known) - 1
    parent = trees.node_parent[known]
    parent = np.where(parent >= 0, place[parent], ROOT) if len(parent) else parent
    depth, below = _depths_and_sizes(parent)
    size = np.bincount(case, minlength=n_cases).astype(np.float64)
    deepest, widest = np.zeros(n_cases), np.zeros(n_cases)
    np.maximum.at(deepest, case, depth)
    np.maximum.at(widest, *_tally(case, depth))
    n = size + 1.0
    # An edge lies on the way of s * (n - s) pairs, s the nodes below it and n all nodes.
    distance = np.bincount(case, weights=below * (n[case] - below), minlength=n_cases)
    begin = np.full(n_cases, at)
    np.minimum.at(begin, case, times)
    recent = times >= at - RECENT_PART * (at - begin[case])
    return {
        "size": size,
        "depth": deepest,
        "breadth_max": widest,
        "structural_virality": _ratio(2.0 * distance, n * size),
        "branching_ratio": _ratio(np.bincount(case[parent >= 0], minlength=n_cases), size),
        "recent_share": _ratio(np.bincount(case[recent], minlength=n_cases), size),
        "platforms": _distinct(case, trees.node_platform[known], n_cases),
        "users": _distinct(case, trees.node_user[known], n_cases),
    }


def _depths_and_sizes(parent: Ints) -> tuple[Ints, Floats]:
    """Return the depth of each node below the root, and the size of its subtree with itself.

    Pointer doubling: after k rounds ``above`` is the 2^k-th ancestor, and the depth and the size
    are right up to that distance; so a chain of N nodes takes log2 N rounds and not N.
    """
    above = parent.copy()
    depth = np.ones(len(parent), dtype=np.int64)
    below = np.ones(len(parent))
    while (going := above >= 0).any():
        ancestor = above[going]
        depth[going] += depth[ancestor]
        below += np.bincount(ancestor, weights=below[going], minlength=len(parent))
        above[going] = above[ancestor]
    return depth, below


def _spread(trees: Trees, at: float) -> Floats:
    """Return 1 - 1 / (effective number of platforms) of each case, by the entropy of its nodes."""
    n_cases = len(trees.case_ids)
    known = trees.node_at <= at
    case = trees.node_case[known]
    of_case, count = _tally(case, trees.node_platform[known])
    share = count / np.bincount(case, minlength=n_cases)[of_case]
    entropy = np.bincount(of_case, weights=-share * np.log(share), minlength=n_cases)
    return np.maximum(1.0 - np.exp(-entropy), 0.0)


def _distinct(case: Ints, codes: Ints, n_cases: int) -> Floats:
    """Count the distinct codes of each case, shape [cases]."""
    of_case, _ = _tally(case, codes)
    return np.bincount(of_case, minlength=n_cases).astype(np.float64)


def _tally(case: Ints, codes: Ints) -> tuple[Ints, Ints]:
    """Count each code, 0 or more, in each case: the case and the count of each pair, in order."""
    step = int(codes.max(initial=0)) + 1
    pairs = case * step + codes
    if len(case) and int(case.max()) * step < 4 * len(case):
        every = np.bincount(pairs)
        found = np.flatnonzero(every)
        return found // step, every[found]
    found, count = np.unique(pairs, return_counts=True)
    return found // step, count


def _ratio(part: npt.NDArray[Any], whole: Floats) -> Floats:
    """Divide, with 0 where there is nothing."""
    quotient = np.zeros_like(whole)
    np.divide(part, whole, out=quotient, where=whole > 0)
    return quotient


def _names(events: pa.Table, column: str) -> "pa.Array[Any]":
    """Return the distinct values of a column, sorted."""
    distinct = pc.unique(_array(events, column))
    return distinct.take(pc.sort_indices(distinct))


def _texts(names: "pa.Array[Any]") -> tuple[str, ...]:
    """Return names as Python text."""
    return tuple(map(str, names.to_pylist()))


def _array(table: pa.Table, column: str) -> "pa.Array[Any]":
    """Return a column in one piece."""
    chunks = table[column].chunks
    return pa.concat_arrays(chunks) if chunks else pa.array([], table[column].type)

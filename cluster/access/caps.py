"""How much one user, or one platform, can add to what is known of a case (S500, S840).

Of the events of one user, of one kind, on one case, the earliest of a period count, up to a
maximum; the others are kept and not counted. A user is a pseudonym and the platform that gave it:
platforms may use the same names for different people.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cluster.contracts.access import KINDS
from cluster.errors import InputError

OWNER: Final = ("case_id", "kind", "platform", "user")
"""Columns of ``EVENTS`` that say whose events are counted together."""

_Ints = npt.NDArray[np.int64]


def within_user_cap(
    events: pa.Table, *, start: float, period_s: float, user_events_max: int
) -> npt.NDArray[np.bool_]:
    """Mark the events that count: at most so many of a user, kind and case in each period (S500).

    An event at time t lies in period ``floor((t - start) / period_s)``, which may be negative. Of
    events at the same instant it makes no difference to a count which of them is marked.

    Args:
        events: the columns ``at`` and ``OWNER`` of checked events, in any order.
        start: an instant at which a period begins, seconds since the epoch.
        period_s: length of a period in seconds, above 0.
        user_events_max: events that count, 1 or more.

    Returns:
        A mask of shape [events].

    Raises:
        InputError: the period has no length, or nothing would count.
    """
    if not period_s > 0 or user_events_max < 1:
        what = f"{user_events_max} events in periods of {period_s} s cannot be counted"
        raise InputError(what, "user_events_max", "Use at least one event, and more than 0 s.")
    at = np.asarray(events["at"], dtype=np.float64)
    owner = _codes(pa.chunked_array([np.floor((at - start) / period_s)], pa.float64()))
    for name in OWNER:
        column = _codes(events[name])
        owner = _codes(pa.chunked_array([owner * (column.max(initial=0) + 1) + column]))
    above = np.flatnonzero(np.bincount(owner)[owner] > user_events_max)
    # Few users have so many events, so only theirs are put in order.
    above = above[np.lexsort((at[above], owner[above]))]
    first = np.searchsorted(owner[above], owner[above])
    counts = np.ones(len(at), dtype=np.bool_)
    counts[above[np.arange(len(above)) - first >= user_events_max]] = False
    return counts


def accesses_by_platform(events: pa.Table, cases: Sequence[str]) -> dict[str, dict[str, int]]:
    """Count the accesses of each case by the platform that they come from (S840).

    Args:
        events: the columns ``case_id``, ``kind`` and ``platform`` of the events that count.
        cases: ids of the cases; every one is in the result, also one without an access.
    """
    wanted = pc.and_(
        pc.is_in(events["case_id"], value_set=pa.array(cases, pa.string())),
        pc.is_in(events["kind"], value_set=pa.array(KINDS)),
    )
    groups = events.filter(wanted).group_by(["case_id", "platform"]).aggregate([([], "count_all")])
    found: dict[str, dict[str, int]] = {case_id: {} for case_id in cases}
    for row in groups.sort_by(
        [(name, "ascending") for name in ("case_id", "platform")]
    ).to_pylist():
        found[row["case_id"]][row["platform"]] = row["count_all"]
    return found


def _codes(column: "pa.ChunkedArray[Any]") -> _Ints:
    """Number the distinct values of a column as they appear, shape [values]."""
    if not len(column):
        return np.zeros(0, dtype=np.int64)
    return np.asarray(column.combine_chunks().dictionary_encode().indices, dtype=np.int64)

"""A platform's access events in memory, with the paths between them, as events come (S500-S530).

An event may be late, repeated, out of order, or name a parent that comes later or never. What is
kept is what no later event can make wrong: the numbers of each event, and the place of the event
that it names, found by whichever of the two comes last. So a batch costs as much as it has rows.

Which events count, and the measures of a tree, are read from these columns at each call and not
kept. Both depend on the instant that is asked about: a user's events are capped in periods whose
length follows the visits, a late event changes which of them come first, and the recent share
moves with the clock. A pass over columns of numbers is cheap: reading the ledger and joining names,
which it saves, takes about ten times as long.
"""

from array import array
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cluster.access.caps import OWNER, within_user_cap
from cluster.access.counting import positions_in
from cluster.access.propagation import ROOT, Trees
from cluster.contracts.access import CLICKS, KINDS, TRANSMISSIONS

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

UNKNOWN: Final = -1
"""Place of a parent that an event does not name, or that has not come."""

_IS_CLICK: Final = np.array([kind in CLICKS for kind in KINDS])
_IS_TRANSMISSION: Final = np.array([kind in TRANSMISSIONS for kind in KINDS])
_TRANSMISSION: Final = np.array(
    [TRANSMISSIONS.index(kind) if kind in TRANSMISSIONS else -1 for kind in KINDS]
)


class AccessHistory:
    """Events by their place in the order in which they were taken; an event id counts once."""

    def __init__(self) -> None:
        self.clear()

    def __len__(self) -> int:
        return len(self._event_ids)

    def clear(self) -> None:
        """Forget every event."""
        self._places: dict[str, int] = {}
        self._event_ids: list[str] = []
        self._waiting: dict[str, list[int]] = {}
        """Places of the events that name a parent which has not come, by its id."""
        self._names: dict[str, dict[str, int]] = {"case_id": {}, "platform": {}, "user": {}}
        self._codes = {name: array("i") for name in OWNER}
        self._at = array("d")
        self._parent = array("q")

    def take(self, events: pa.Table) -> int:
        """Take a batch of events, and return how many of them were new.

        Args:
            events: checked events with the schema ``EVENTS``, in any order. Of events with one id
                the first that was taken stays, as in a ledger.
        """
        places, begin = self._places, len(self)
        event_ids: list[Any] = events["event_id"].to_pylist()
        rows: list[int] = []
        for row, event_id in enumerate(event_ids):
            if places.setdefault(event_id, len(places)) == begin + len(rows):
                rows.append(row)
        if not rows:
            return 0
        new = events if len(rows) == events.num_rows else events.take(rows)
        event_ids = [event_ids[row] for row in rows]
        self._at.frombytes(np.asarray(new["at"], dtype=np.float64).tobytes())
        for name, codes in self._codes.items():
            codes.frombytes(self._coded(new[name], name).astype(np.int32).tobytes())
        self._join(event_ids, new["parent_id"].to_pylist(), begin)
        self._event_ids.extend(event_ids)  # last: a batch that is cut short does not look whole
        return len(rows)

    def visits(self, start: float, end: float, *, user_events_max: int) -> int:
        """Count the events in [start, end), those of a user, kind and case up to a maximum only."""
        at = np.frombuffer(self._at)
        sizes = np.bincount(self._owners((at >= start) & (at < end)))
        return int(np.minimum(sizes, user_events_max).sum())

    def counted(
        self, *, before: float, start: float, period_s: float, user_events_max: int
    ) -> Mask:
        """Mark the events before an instant that are within the cap of their user (S500).

        They are those of ``within_user_cap`` over the earlier events by time and id.

        Args:
            before: an instant, not in the span.
            start: an instant at which a period begins, seconds since the epoch.
            period_s: length of a period in seconds, above 0.
            user_events_max: events of a user, kind and case that count in a period.

        Returns:
            A mask of shape [events], by place.
        """
        counted = np.frombuffer(self._at) < before
        # Only an owner with more events in all can have more in a period.
        owner = self._owners(slice(None))
        crowded = np.flatnonzero(counted & (np.bincount(owner) > user_events_max)[owner])
        names = {name: self._named(name, crowded) for name in OWNER}
        event_ids = pa.array([self._event_ids[place] for place in crowded.tolist()], pa.string())
        at = np.frombuffer(self._at)[crowded]
        table = pa.table({"at": at, "event_id": event_ids, "place": crowded, **names})
        table = table.sort_by([("at", "ascending"), ("event_id", "ascending")])
        within = within_user_cap(
            table, start=start, period_s=period_s, user_events_max=user_events_max
        )
        counted[np.asarray(table["place"])[~within]] = False
        return counted

    def events(self, counted: Mask) -> pa.Table:
        """Return the time, case, kind and platform of the marked events, by time.

        Args:
            counted: a mask of shape [events], by place.
        """
        at = np.frombuffer(self._at)
        places = np.flatnonzero(counted)
        places = places[np.argsort(at[places], kind="stable")]
        names = {name: self._named(name, places) for name in ("case_id", "kind", "platform")}
        return pa.table({"at": at[places], **names})

    def trees(self, counted: Mask) -> Trees:
        """Return the trees of ``transmission_trees`` over the marked events (S510, S520).

        Args:
            counted: a mask of shape [events], by place.

        Returns:
            The trees; their nodes are in the order in which the events were taken.
        """
        nodes = np.flatnonzero(counted & _IS_TRANSMISSION[self._numbers("kind")])
        ranks = {}
        for name, codes in self._names.items():
            used = self._numbers(name)[counted if name == "case_id" else nodes]
            ranks[name] = _ranks(codes, np.bincount(used, minlength=len(codes)) > 0)
        return Trees(
            case_ids=ranks["case_id"][0],
            platforms=ranks["platform"][0],
            users=ranks["user"][0],
            event_ids=pa.array([self._event_ids[place] for place in nodes.tolist()], pa.string()),
            node_case=ranks["case_id"][1][self._numbers("case_id")[nodes]],
            node_parent=self._node_parents(nodes, counted),
            node_at=np.frombuffer(self._at)[nodes],
            node_platform=ranks["platform"][1][self._numbers("platform")[nodes]],
            node_user=ranks["user"][1][self._numbers("user")[nodes]],
            node_kind=_TRANSMISSION[self._numbers("kind")[nodes]],
        )

    def _node_parents(self, nodes: Ints, counted: Mask) -> Ints:
        """Return the node that each node hangs under: the one that its click names, or the root."""
        at, parent = np.frombuffer(self._at), np.frombuffer(self._parent, dtype=np.int64)
        case, kind = self._numbers("case_id"), self._numbers("kind")
        click = parent[nodes]
        is_joined = (click != UNKNOWN) & counted[click] & _IS_CLICK[kind[click]]
        above = np.where(is_joined, parent[click], UNKNOWN)
        is_joined &= (above != UNKNOWN) & counted[above] & _IS_TRANSMISSION[kind[above]]
        is_joined &= (case[click] == case[nodes]) & (case[above] == case[nodes])
        is_joined &= at[above] < at[nodes]
        node_of = np.zeros(len(self), dtype=np.int64)
        node_of[nodes] = np.arange(len(nodes))
        return np.where(is_joined, node_of[above], ROOT)

    def _coded(self, column: "pa.ChunkedArray[Any]", name: str) -> Ints:
        """Number the values of a column, new ones after those that are known."""
        if name == "kind":
            return positions_in(column, pa.array(KINDS))
        codes = self._names[name]
        coded = column.combine_chunks().dictionary_encode()
        values: list[Any] = coded.dictionary.to_pylist()
        known = np.array([codes.setdefault(value, len(codes)) for value in values], dtype=np.int64)
        numbers: Ints = known[np.asarray(coded.indices)]
        return numbers

    def _join(self, event_ids: list[str], parent_ids: list[str | None], begin: int) -> None:
        """Find the parents of new events, and those of earlier ones that have waited for them."""
        places, waiting = self._places, self._waiting
        for event_id in filter(waiting.__contains__, event_ids) if waiting else ():
            for place in waiting.pop(event_id):
                self._parent[place] = places[event_id]
        for place, parent_id in enumerate(parent_ids, start=begin):
            parent = UNKNOWN if parent_id is None else places.get(parent_id, UNKNOWN)
            self._parent.append(parent)
            if parent == UNKNOWN and parent_id is not None:
                waiting.setdefault(parent_id, []).append(place)

    def _owners(self, places: Mask | slice) -> Ints:
        """Number the users, kinds and cases of some events, as ``OWNER`` has them."""
        owner = np.zeros(1, dtype=np.int64)
        for name in OWNER:
            owner = owner * len(self._names.get(name, KINDS)) + self._numbers(name)[places]
        return np.asarray(pa.array(owner).dictionary_encode().indices, dtype=np.int64)

    def _named(self, name: str, places: Ints) -> "pa.Array[Any]":
        """Return the values of a column at some places."""
        names = pa.array(list(self._names.get(name, KINDS)), pa.string())
        return names.take(pa.array(self._numbers(name)[places], pa.int32()))

    def _numbers(self, name: str) -> npt.NDArray[np.int32]:
        return np.frombuffer(self._codes[name], dtype=np.int32)


def _ranks(codes: dict[str, int], is_used: Mask) -> tuple[tuple[str, ...], Ints]:
    """Return the used names in order, and the place there of each code."""
    names = sorted(name for name, code in codes.items() if is_used[code])
    rank = np.zeros(len(codes), dtype=np.int64)
    rank[[codes[name] for name in names]] = np.arange(len(names))
    return tuple(names), rank

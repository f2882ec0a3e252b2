"""Measures paths and indexes of many transmissions: from the whole ledger, and as events come."""

import resource
import statistics
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from actors.timing import seconds
from cluster.access.caps import within_user_cap
from cluster.access.history import AccessHistory
from cluster.access.propagation import PropagationIndex, propagation_indexes, transmission_trees
from cluster.clock import DAY_S
from cluster.contracts.access import EVENTS
from cluster.storage import tables
from cluster.storage.events import get_events, put_events
from cluster.storage.ledger import Ledger

REPEATS: Final = 3
EDGES_PER_CASE: Final = 500
ROOT_SHARE: Final = 0.7
"""Transmissions at the root, as in published retweet cascades."""
PLATFORMS: Final = 8
USERS: Final = 20_000
BATCH: Final = 1_000
"""Events of a batch that comes to a history that is known."""
START: Final = 1.7e9
END: Final = 2e9
"""Instants before and after all events, seconds since the epoch."""
PERIOD_S: Final = 7 * DAY_S
USER_EVENTS_MAX: Final = 3
SEED: Final = 1
KIB: Final = 1024

Ints = npt.NDArray[np.int64]


def benchmark_propagation(scratch: Path, n_edges: int = 1_000_000) -> dict[str, float]:
    """Find the paths and indexes of a drawn history of so many transmissions, on one core.

    Each transmission has its edge to the one above it and a click between the two; the events come
    in no order, and the cap on a user's events holds. Two ways are timed in turn for each of
    ``REPEATS`` batches: the batch is added to the history in memory and every index read; and all
    events are read from a ledger and counted anew.

    Args:
        scratch: folder for the ledger.
        n_edges: transmissions, ``REPEATS`` batches or more.

    Returns:
        The numbers of edges, events and cases, and of events in a batch; medians, in seconds, of a
        batch with the reading after it and of a recount with and without reading the ledger; the
        ratios of both recounts to a batch; the largest difference between the indexes of the two
        ways; the seconds, of one time, in which the history is taken after a start, and in which
        one tree and one chain of as many edges are counted without a cap; and the memory that the
        history takes and the most that the process ever held, in MiB.
    """
    n_cases = max(1, n_edges // EDGES_PER_CASE)
    shape = {"edges": n_edges, "events": 2 * n_edges, "cases": n_cases, "batch_events": BATCH}
    threads = pa.cpu_count()
    pa.set_cpu_count(1)
    ledger = Ledger(scratch / "ledger.sqlite", tables.PLATFORM)
    try:
        measured = _in_turn(_drawn_events(n_edges, n_cases, ROOT_SHARE), ledger)
        for name, root_share in (("tree", ROOT_SHARE), ("chain", 0.0)):
            events = _drawn_events(n_edges, 1, root_share)
            begin = time.perf_counter()
            propagation_indexes(transmission_trees(events), at=END)
            measured[f"one_{name}_s"] = time.perf_counter() - begin
    finally:
        ledger.close()
        pa.set_cpu_count(threads)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB
    return {**{name: float(n) for name, n in shape.items()}, **measured, "memory_peak_mib": peak}


def _in_turn(events: pa.Table, ledger: Ledger) -> dict[str, float]:
    """Store and take a history but for its last batches, then time both ways for each of them."""
    first = max(0, events.num_rows - REPEATS * BATCH)
    held = _held_mib()
    history = AccessHistory()
    take_s = seconds(lambda: history.take(events.slice(0, first)))
    taken = _held_mib() - held
    with ledger.begin() as tx:
        put_events(tx, events.slice(0, first))
    adding, reading, counting, differences = [], [], [], []
    for number in range(REPEATS):
        batch = events.slice(first + number * BATCH, BATCH)
        begin = time.perf_counter()
        history.take(batch)
        added = propagation_indexes(history.trees(_counted(history)), at=END)
        adding.append(time.perf_counter() - begin)
        with ledger.begin() as tx:
            put_events(tx, batch)
            begin = time.perf_counter()
            stored = get_events(tx, before=END)
        reading.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        counted = _recount(stored)
        counting.append(time.perf_counter() - begin)
        pairs = zip(added, counted, strict=True)
        differences += [abs(one.index - other.index) for one, other in pairs]
    batch_s, recount_s = statistics.median(adding), statistics.median(counting)
    whole_s = statistics.median(map(sum, zip(reading, counting, strict=True)))
    return {
        "batch_s": batch_s,
        "recount_s": recount_s,
        "recount_with_ledger_s": whole_s,
        "ratio": recount_s / batch_s,
        "ratio_with_ledger": whole_s / batch_s,
        "index_difference_max": max(differences),
        "take_all_s": take_s,
        "history_mib": taken,
    }


def _counted(history: AccessHistory) -> npt.NDArray[np.bool_]:
    return history.counted(
        before=END, start=END, period_s=PERIOD_S, user_events_max=USER_EVENTS_MAX
    )


def _recount(events: pa.Table) -> list[PropagationIndex]:
    """Count from events by time and id, as many as the cap lets count."""
    counted = within_user_cap(events, start=END, period_s=PERIOD_S, user_events_max=USER_EVENTS_MAX)
    return propagation_indexes(transmission_trees(events.filter(pa.array(counted))), at=END)


def _drawn_events(n_edges: int, n_cases: int, root_share: float) -> pa.Table:
    """Draw transmissions, a click before each: at the root, or below an earlier one.

    Below means below any earlier one of the case; without a share at the root, below the last.
    """
    rng = np.random.default_rng(SEED)
    case = np.sort(rng.integers(0, n_cases, n_edges))
    first = np.searchsorted(case, case)
    place = np.arange(n_edges) - first
    above = np.floor(rng.random(n_edges) * place).astype(np.int64) if root_share else place - 1
    is_inner = (place > 0) & (rng.random(n_edges) >= root_share)
    nobody = n_edges
    parent = np.where(is_inner, first + above, nobody)
    shares, clicks = (_named(kind, np.arange(n_edges)) for kind in ("share", "click"))
    named = pa.concat_arrays([shares, pa.nulls(1, pa.string())]).take(parent)
    at = START + np.arange(n_edges, dtype=np.float64)
    events = pa.table(
        [
            pa.concat_arrays([clicks, shares]),
            _named("case", np.arange(n_cases)).take(np.tile(case, 2)),
            pa.array(["view", "share"]).take(np.repeat([0, 1], n_edges)),
            pa.array(np.concatenate([at - 0.5, at])),
            _drawn("platform", PLATFORMS, rng, 2 * n_edges),
            _drawn("user", USERS, rng, 2 * n_edges),
            pa.concat_arrays([named, clicks]),
        ],
        schema=EVENTS,
    )
    return events.take(rng.permutation(2 * n_edges))


def _named(kind: str, numbers: Ints) -> "pa.Array[Any]":
    return pa.array([f"{kind}-{number}" for number in numbers.tolist()], pa.string())


def _drawn(kind: str, n_names: int, rng: np.random.Generator, n: int) -> "pa.Array[Any]":
    return _named(kind, np.arange(n_names)).take(rng.integers(0, n_names, n))


def _held_mib() -> float:
    """Return the memory that the process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / KIB**2

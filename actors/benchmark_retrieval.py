"""Measures retrieval at several sizes, beside a search of every vector in the same run.

Up to the number of cases that are given an index holds real ones; beyond, SIMULATED ones made
from them. The queries are SIMULATED too, so that none is in the index.
"""

import multiprocessing
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc

from actors.timing import seconds
from cluster.clock import ManualClock, parse_iso
from cluster.contracts.ingest import Source
from cluster.flow.cases import ingest
from cluster.flow.platform import open_platform
from cluster.flow.search import search
from cluster.ontology import Floats, Ontology, term_id
from cluster.retrieval.feature import FEATURES
from cluster.retrieval.index import EVERY_CASE, Bools, CaseFilter
from cluster.retrieval.query import CaseQuery
from cluster.retrieval.search import CANDIDATES
from cluster.retrieval.simulation import simulated_features
from cluster.settings import Settings
from cluster.storage.lance import LanceIndex
from cluster.storage.ontology import load_ontology
from cluster.storage.resident import matrix_of

Figures = TypeVar("Figures")
K: Final = 10
SEARCHES: Final = {"all": K, "candidates": CANDIDATES, "disease": K, "rare": K}
"""Rows asked for without a filter, as candidates of the finer order, and behind two filters."""
N_QUERIES: Final = 200
N_BRUTE: Final = 5
N_SEARCHES: Final = 50
BLOCK: Final = 25_000
SEED: Final = 1
WORKERS: Final = 2
HOT_EVERY: Final = 100
"""Every which case is made hot, for the filter on rare features."""
HOT: Final = 5.0
N_CHANGED: Final = 1_000
SAME: Final = 1e-5
"""Two scores this near are the same one, summed in another order."""


def benchmark_retrieval(
    source: Source, sizes: Sequence[int], folder: Path, settings: Settings
) -> dict[str, Any]:
    """Measure an index of each size, each in a process of its own.

    Args:
        source: real cases.
        sizes: numbers of cases.
        folder: scratch space; a million cases take some 6 GB; each size is deleted before the next.
        settings: for the ontology.

    Returns:
        The number of cases given, and for each size its figures by name.
    """
    real = _real_features(source, folder / "real", settings)
    path = folder / "real.arrow"
    with ipc.new_file(str(path), real.schema) as writer:
        writer.write_table(real)
    found = {}
    for size in sizes:
        here = folder / str(size)
        facts = _apart(1, _measure, [(path, size, here, settings)])[0]
        workers = [(here, settings, number) for number in range(WORKERS)]
        facts["queries_per_s_of_2_processes"] = sum(_apart(WORKERS, _rate, workers))
        found[str(size)] = facts
        shutil.rmtree(here)
    return {"given_cases": real.num_rows, "sizes": found}


def _apart(
    workers: int, work: Callable[..., Figures], calls: Sequence[tuple[object, ...]]
) -> list[Figures]:
    """Run calls in new processes, so that the memory of one is not that of another."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        return list(pool.map(work, *zip(*calls, strict=True)))


def _real_features(source: Source, folder: Path, settings: Settings) -> pa.Table:
    """Take in real cases as a platform does, and return their columns."""
    index = LanceIndex(str(folder / "index"))
    here = settings.model_copy(update={"data_dir": folder})
    ontology = load_ontology(folder, settings.hpo_path)
    platform = open_platform("here", index, ontology, here, ManualClock(parse_iso("2026-01-02")))
    ingest(platform, source)
    return index.columns(FEATURES.names)


@dataclass
class _Brute:
    """The best scores of each query over all rows that pass a mask, found by looking at all."""

    k: int
    best: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.best = np.full((N_QUERIES, self.k), -np.inf, np.float32)

    def see(self, scores: Floats) -> None:
        both = np.concatenate([self.best, scores], axis=1)
        self.best = -np.partition(-both, self.k - 1, axis=1)[:, : self.k]

    def recall(self, found: Sequence[pa.Table]) -> float:
        """Return the share of the true best rows, by score, that were found."""
        n_true = np.isfinite(self.best).sum(axis=1)
        last = np.where(np.isfinite(self.best), self.best, np.inf).min(axis=1)
        hits = [
            min(int((np.asarray(table["score"]) >= last[q] - SAME).sum()), int(n_true[q]))
            for q, table in enumerate(found)
        ]
        return float(sum(hits) / n_true.sum())


@dataclass(frozen=True)
class _Queries:
    """SIMULATED queries, with the filters that are asked beside them."""

    table: pa.Table
    vectors: Floats

    def filters(self, name: str) -> list[CaseFilter]:
        if name == "disease":
            ids = self.table["disease_id"].to_pylist()
            return [CaseFilter(disease_id=str(i)) if i else EVERY_CASE for i in ids]
        one = CaseFilter(rare_min=HOT) if name == "rare" else EVERY_CASE
        return [one] * len(self.vectors)


def _queries(real: pa.Table, ontology: Ontology) -> _Queries:
    rng = np.random.default_rng(SEED)
    table = simulated_features(real, N_QUERIES, ontology, rng)
    return _Queries(table, matrix_of(table["vector"]))


def _blocks(real: pa.Table, size: int, ontology: Ontology) -> Iterator[pa.Table]:
    """Yield the cases of an index: the real ones first."""
    rng = np.random.default_rng(SEED + 1)
    yield real.slice(0, size)
    for start in range(real.num_rows, size, BLOCK):
        yield simulated_features(real, min(BLOCK, size - start), ontology, rng)


def _read(path: Path) -> pa.Table:
    with pa.memory_map(str(path)) as source:
        return ipc.open_file(source).read_all()


def _measure(path: Path, size: int, folder: Path, settings: Settings) -> dict[str, float]:
    """Build an index, and measure searches of it and its upkeep."""
    at_start = _memory_mb("VmRSS")
    real = _read(path)
    ontology = load_ontology(path.parent / "real", settings.hpo_path)
    queries = _queries(real, ontology)
    index = LanceIndex(str(folder / "index"))
    truth = {name: _Brute(k) for name, k in SEARCHES.items()}
    write_s, brute_s, hot, seen = 0.0, 0.0, [], 0
    for block in _blocks(real, size, ontology):
        write_s += seconds(partial(index.upsert, block))
        brute_s += _look_at_all(block, seen, queries, truth)
        hot += block["case_id"].take(np.flatnonzero(_is_hot(seen, block.num_rows))).to_pylist()
        seen += block.num_rows
    settle_s = seconds(index.settle)
    rare_s = seconds(lambda: index.set_rare_features(dict.fromkeys(map(str, hot), HOT)))
    facts = {
        "cases": float(size),
        "simulated_cases": float(max(0, size - real.num_rows)),
        "build_cases_per_s": size / (write_s + settle_s),
        "settle_s": settle_s,
        "brute_force_ms": 1000 * brute_s / N_BRUTE,
        "rare_features_set_per_s": len(hot) / rare_s,
        **_searched(index, queries, truth),
        **_changed(index, real, folder),
        "disk_mb": _bytes(folder) / 1e6,
        "memory_at_start_mb": at_start,
        "memory_peak_mb": _memory_mb("VmHWM"),
        **_whole(index, folder, queries, ontology, settings),
        "memory_peak_with_search_mb": _memory_mb("VmHWM"),
        "opened_s": seconds(lambda: LanceIndex(str(folder / "index"))),
    }
    return {name: round(value, 5) for name, value in facts.items()}


def _is_hot(start: int, n: int) -> Bools:
    hot: Bools = np.arange(start, start + n) % HOT_EVERY == 0
    return hot


def _look_at_all(block: pa.Table, seen: int, queries: _Queries, truth: dict[str, _Brute]) -> float:
    """Compare the queries with every vector of a block; returns the seconds of N_BRUTE of them."""
    rows = matrix_of(block["vector"])
    scores = queries.vectors @ rows.T
    for name in ("all", "candidates"):
        truth[name].see(scores)
    asked = queries.table["disease_id"]
    diseases = pc.unique(asked)
    theirs = np.asarray(pc.index_in(block["disease_id"], value_set=diseases).fill_null(-1))
    ours = np.asarray(pc.index_in(asked, value_set=diseases))
    same = ours[:, None] == theirs[None, :]
    truth["disease"].see(np.where(same, scores, -np.inf))
    truth["rare"].see(np.where(_is_hot(seen, len(rows))[None, :], scores, -np.inf))

    def one_by_one() -> None:
        for query in queries.vectors[:N_BRUTE]:
            np.argpartition(-(rows @ query), min(K, len(rows) - 1))

    return seconds(one_by_one)


def _searched(index: LanceIndex, queries: _Queries, truth: dict[str, _Brute]) -> dict[str, float]:
    """Return latencies in ms and recall at K, without a filter and with two."""
    facts: dict[str, float] = {}
    for name, brute in truth.items():
        filters = queries.filters(name)
        index.nearest(queries.vectors[:1], brute.k, filters[0])
        found, times = [], []
        for query, where in zip(queries.vectors, filters, strict=True):
            begin = time.perf_counter()
            found += index.nearest(query[None], brute.k, where)
            times.append(1000 * (time.perf_counter() - begin))
        facts |= _percentiles(f"nearest_{name}", times)
        facts[f"nearest_{name}_recall_at_{brute.k}"] = brute.recall(found)
    batch_s = seconds(lambda: index.nearest(queries.vectors, K))
    return facts | {"nearest_in_one_call_ms_each": 1000 * batch_s / N_QUERIES}


def _changed(index: LanceIndex, real: pa.Table, folder: Path) -> dict[str, float]:
    """Return what a new heat of a thousand cases writes and takes."""
    ids = [str(case_id) for case_id in real["case_id"].slice(0, N_CHANGED).to_pylist()]
    before = _bytes(folder)
    taken_s = seconds(lambda: index.set_rare_features(dict.fromkeys(ids, 2.0)))
    return {
        "rare_features_of_1000_ms": 1000 * taken_s,
        "rare_features_of_1000_written_kb": (_bytes(folder) - before) / 1e3,
    }


def _whole(
    index: LanceIndex, folder: Path, queries: _Queries, ontology: Ontology, settings: Settings
) -> dict[str, float]:
    """Return latencies of a platform's whole search by terms: candidates, finer order, reasons."""
    here = settings.model_copy(update={"data_dir": folder})
    clock = ManualClock(parse_iso("2026-01-02"))
    platform = open_platform("here", index, ontology, here, clock)
    times = []
    for numbers in queries.table["terms"].to_pylist()[: N_SEARCHES + 1]:
        query = CaseQuery(terms=tuple(map(term_id, numbers or ())), k=K)
        times.append(1000 * seconds(partial(search, platform, query)))
    platform.ledger.close()
    return {"search_first_ms": times[0]} | _percentiles("search", times[1:])


def _rate(folder: Path, settings: Settings, number: int) -> float:
    """Return queries a second of one of several processes that search an index."""
    real = _read(folder.parent / "real.arrow")
    ontology = load_ontology(folder.parent / "real", settings.hpo_path)
    queries = np.roll(_queries(real, ontology).vectors, number, axis=0)
    index = LanceIndex(str(folder / "index"))
    index.nearest(queries[:1], K)

    def ask() -> None:
        for query in queries:
            index.nearest(query[None], K)

    return len(queries) / seconds(ask)


def _percentiles(name: str, times: Sequence[float]) -> dict[str, float]:
    return {
        f"{name}_p50_ms": float(np.median(times)),
        f"{name}_p99_ms": float(np.quantile(times, 0.99)),
    }


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _memory_mb(name: str) -> float:
    """Return a figure of this process, which unlike its usage holds nothing of its parent's."""
    status = Path("/proc/self/status").read_text()
    (kib,) = re.findall(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)
    return float(kib) / 1024

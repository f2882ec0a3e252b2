"""Measures the flow on this machine, with the facts of the machine beside the figures."""

import importlib.metadata
import os
import platform as host
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from actors.flow import run_all
from actors.run import begun
from actors.timing import seconds
from cluster.access.simulated_network import simulated_network
from cluster.access.simulation import simulate_accesses
from cluster.clock import DAY_S, ManualClock, parse_iso
from cluster.contracts.ingest import Source
from cluster.contracts.result import FlowPlan
from cluster.flow import accesses, cases
from cluster.flow.plan import sources_of
from cluster.flow.platform import Platform, open_platform
from cluster.ingest.intake import take_in
from cluster.retrieval.feature import vectors
from cluster.screening.incidence import screen
from cluster.settings import Settings
from cluster.storage.lance import LanceIndex
from cluster.storage.ontology import load_ontology
from cluster.storage.sources import read_records

REPEATS: Final = 3
SCREENED_CASES: Final = 1_000_000
SCREENED_CLASSES: Final = 20_000
BATCHES: Final = (1, 100, 1_000, 10_000)
EVENTS_MAX: Final = 100_000
SINGLE_EVENTS_MAX: Final = 500
PACKAGES: Final = (
    *("ray", "torch", "torchvision", "onnxruntime", "lancedb", "pyarrow", "pydantic"),
    *("sqlalchemy", "numpy"),
)
AFTER_START: Final = ("ingest", "screen")


def machine_facts() -> dict[str, Any]:
    """Return what the figures depend on: processors, memory, system, versions."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "processors": os.cpu_count(),
        "architecture": host.machine(),
        "memory_gib": round(pages * size / 2**30, 1),
        "system": host.system(),
        "python": host.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
    }


def benchmark_flow(plan: FlowPlan, folder: Path, settings: Settings) -> dict[str, Any]:
    """Measure the whole flow on a local Ray, then each part in this process.

    Args:
        plan: the cases and the size of the run.
        folder: where the run is kept; it must be new, for a finished run has nothing to do.
        settings: of the run.
    """
    flow = _measure_run(plan, folder, settings)
    source = next(iter(sources_of(plan, folder, settings).values()))
    with tempfile.TemporaryDirectory() as scratch:
        parts = _measure_parts(source, Path(scratch), settings.hpo_path)
    return {
        "machine": machine_facts(),
        "cases": plan.cases,
        "one process": parts,
        "flow": flow,
    }


def _measure_parts(source: Source, scratch: Path, hpo_path: str) -> dict[str, float]:
    ontology = load_ontology(scratch, hpo_path)
    taken = take_in(read_records(source), ontology, source).cases
    rows = [case.terms.rows for case in taken]
    n = len(taken)
    rng = np.random.default_rng(1)
    class_ids = pa.array(rng.zipf(1.3, SCREENED_CASES) % SCREENED_CLASSES).cast(pa.string())
    settings = Settings(data_dir=scratch)
    platforms = iter([_platform(scratch / str(number)) for number in range(REPEATS)])
    return {
        "intake_cases_per_s": n
        / _median_s(lambda: take_in(read_records(source), ontology, source)),
        "feature_cases_per_s": n / _median_s(lambda: vectors(rows, ontology)),
        "ingest_durable_and_indexed_cases_per_s": n
        / _median_s(lambda: cases.ingest(next(platforms), source)),
        "screen_million_cases_s": _median_s(lambda: screen(class_ids, 1e8, settings)),
        **_measure_events(scratch / "events"),
    }


def _measure_events(folder: Path) -> dict[str, float]:
    """Return acknowledged, durable events a second for several batch sizes."""
    names = [f"case-{number}" for number in range(200)]
    network = simulated_network(["here", "there"], 1)
    end = parse_iso("2026-01-01")
    events = simulate_accesses(
        names, home="here", network=network, start=end - 60 * DAY_S, days=60, seed=1
    ).slice(0, EVENTS_MAX)
    rates = {}
    for batch in BATCHES:
        target = _platform(folder / str(batch))
        total = min(events.num_rows, SINGLE_EVENTS_MAX if batch == 1 else EVENTS_MAX)
        parts = [events.slice(start, batch) for start in range(0, total, batch)]
        begin = time.perf_counter()
        for part in parts:
            accesses.record_events(target, part)
        rates[f"events_per_s_in_batches_of_{batch}"] = total / (time.perf_counter() - begin)
    return rates


def _platform(folder: Path) -> Platform:
    ontology = load_ontology(folder)
    clock = ManualClock(parse_iso("2026-01-02"))
    index = LanceIndex(str(folder / "index"))
    return open_platform("here", index, ontology, Settings(data_dir=folder), clock)


def _measure_run(plan: FlowPlan, folder: Path, settings: Settings) -> dict[str, Any]:
    """Return the seconds of each step of a whole run, start-up apart."""
    started: dict[str, float] = {}
    ended: dict[str, float] = {}

    def tell(step: str, done: int, total: int) -> None:
        now = time.perf_counter()
        started.setdefault(step, now)
        if done == total:
            ended[step] = now

    begin = time.perf_counter()
    with begun(folder, plan, settings, tell) as run:
        up = time.perf_counter()
        result = run_all(run)
        end = time.perf_counter()
    n_cases = sum(report.ingest.added for report in result.platforms)
    steps = {step: ended[step] - started[step] for step in ended}
    return {
        "cases": n_cases,
        "platforms": len(result.platforms),
        "start_up_s": up - begin,
        "steps_s": steps,
        "ingested_screened_indexed_s": sum(steps[step] for step in AFTER_START),
        "whole_s": end - up,
    }


def _median_s(work: Callable[[], object]) -> float:
    return statistics.median(seconds(work) for _ in range(REPEATS))

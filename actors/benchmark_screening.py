"""Measures the screening of many cases beside the least that it must do: to count them."""

import resource
import statistics
from typing import Final

import numpy as np
import pyarrow as pa

from actors.timing import seconds
from cluster.screening.incidence import screen
from cluster.settings import Settings

REPEATS: Final = 3
PERSON_YEARS: Final = 1e8
SEED: Final = 1


def benchmark_screening(n_cases: int = 10_000_000, n_classes: int = 20_000) -> dict[str, float]:
    """Screen drawn cases, and count the same ones by class with Arrow's own group-by.

    Few classes have many cases and many have few, as diseases do (Zipf). The two are timed in turn.

    Returns:
        The numbers of cases and classes drawn; medians of three in seconds, of the screening and of
        the counting; their ratio; cases a second; and the most memory that the process ever held,
        with that before the screening, in MiB.
    """
    weights = 1.0 / np.arange(1, n_classes + 1)
    rng = np.random.default_rng(SEED)
    drawn = rng.choice(n_classes, n_cases, p=weights / weights.sum()).astype(np.int32)
    names = pa.array([f"OMIM:{number:06d}" for number in range(n_classes)])
    class_ids = names.take(drawn)
    n_drawn = float(np.count_nonzero(np.bincount(drawn)))
    del drawn
    settings = Settings()
    cases = pa.table({"class_id": class_ids})
    held = _peak_mib()
    counting, screening = [], []
    for _ in range(REPEATS):
        counting.append(seconds(lambda: cases.group_by("class_id").aggregate([([], "count_all")])))
        screening.append(seconds(lambda: screen(class_ids, PERSON_YEARS, settings)))
    count_s, screen_s = statistics.median(counting), statistics.median(screening)
    return {
        "cases": float(n_cases),
        "classes": n_drawn,
        "screen_s": screen_s,
        "group_by_s": count_s,
        "ratio": screen_s / count_s,
        "cases_per_s": n_cases / screen_s,
        "memory_before_mib": held,
        "memory_peak_mib": _peak_mib(),
    }


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

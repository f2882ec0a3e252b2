"""How much a server has to match with: the metrics of the API, counted over columns."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cluster.standards.mme.messages import Json


@dataclass(frozen=True)
class Traffic:
    """What was asked and answered until now; None where nobody counts it."""

    submitters: int | None = None
    """Owners of cases."""
    requests: int | None = None
    matches_sent: int | None = None
    genes_matched: Collection[str] | None = None
    """Symbols of the genes by which a request found something."""


def metrics_of(columns: pa.Table, traffic: Traffic, generated: str) -> Json:
    """Return the metrics; variants are not counted, for none are matched.

    Args:
        columns: of the cases that are matched with: ``terms`` and ``excluded`` (lists of numbers),
            ``genes`` (lists of symbols) and ``disease_id`` (empty for none).
        traffic: what was asked and answered.
        generated: when, in ISO 8601.
    """
    places = [_lists(columns, name) for name in ("terms", "excluded")]
    features = pa.concat_arrays([values for _, values in places])
    lengths = np.sum([np.diff(offsets) for offsets, _ in places], axis=0)
    _, genes = _lists(columns, "genes")
    diagnosed = np.asarray(pc.not_equal(columns["disease_id"], pa.scalar("")))
    matched = traffic.genes_matched
    counted = {
        "numberOfCases": columns.num_rows,
        "numberOfSubmitters": traffic.submitters,
        "numberOfGenes": len(genes),
        "numberOfUniqueGenes": _unique(genes),
        "numberOfFeatures": len(features),
        "numberOfUniqueFeatures": _unique(features),
        "numberOfFeatureSets": int(np.count_nonzero(lengths)),
        "numberOfUniqueGenesMatched": None if matched is None else len(set(matched)),
        "numberOfCasesWithDiagnosis": int(np.count_nonzero(diagnosed)),
        "numberOfRequestsReceived": traffic.requests,
        "numberOfPotentialMatchesSent": traffic.matches_sent,
        "dateGenerated": generated,
    }
    return {name: value for name, value in counted.items() if value is not None}


def _lists(columns: pa.Table, name: str) -> tuple[npt.NDArray[np.int32], "pa.Array[Any]"]:
    """Return the offsets of each row [N + 1] and the values of all rows."""
    lists: Any = columns[name].combine_chunks()
    return np.asarray(lists.offsets), lists.flatten()


def _unique(values: "pa.Array[Any]") -> int:
    return int(pc.count_distinct(values).as_py())

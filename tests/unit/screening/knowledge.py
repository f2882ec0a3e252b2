"""Small published rates to screen with."""

from typing import Any

import pyarrow as pa

from cluster.screening.prevalence import (
    EXACT,
    INCIDENCE,
    PRIORS,
    RARITIES,
    RATES,
    PublishedRates,
)


def a_prior(class_id: str, mean_per_100k: float) -> PublishedRates:
    """Return a published annual incidence of one class, and nothing to show beside it."""
    row = {"class_id": class_id, "mean": mean_per_100k, "source": f"annual incidence of {class_id}"}
    return PublishedRates(pa.Table.from_pylist([row], schema=PRIORS), RARITIES.empty_table())


def a_rarity(class_id: str, *, is_common: bool) -> pa.Table:
    """Return what is shown beside one class."""
    said = f"what is published of {class_id}"
    row = {"class_id": class_id, "published": said, "is_common": is_common}
    return pa.Table.from_pylist([row], schema=RARITIES)


def a_rate(class_id: str = "OMIM:100", **changes: Any) -> dict[str, Any]:
    """Return one row of ``RATES``: an exact, validated annual incidence, worldwide."""
    row = {
        "class_id": class_id,
        "record": "ORPHA:5",
        "mapping": EXACT,
        "type": INCIDENCE,
        "band": "1-9 / 100 000",
        "low": 1.0,
        "mean": 3.0,
        "region": "Worldwide",
        "status": "validated",
        "flagged_common": False,
    }
    return row | changes


def rate_table(*rows: dict[str, Any]) -> pa.Table:
    """Return rows as a table of ``RATES``."""
    return pa.Table.from_pylist(list(rows), schema=RATES)

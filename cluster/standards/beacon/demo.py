"""SIMULATED individuals for a Beacon's test mode: nobody's, and the same in every Beacon."""

from typing import Final

import pyarrow as pa

_GROUPS: Final = (
    (30, "FEMALE", "OMIM:154700", (1166, 1083, 2616)),  # long fingers, lens, aortic root
    (26, "MALE", "OMIM:154700", (1166, 2616)),
    (14, "FEMALE", "ORPHA:33069", (1250, 1263)),  # seizures, developmental delay
    (12, "MALE", "ORPHA:33069", (1250, 2069)),
    (5, "MALE", "MONDO:0007947", (1250, 1166)),
)
"""How many are alike, their sex and diagnosis, and the numbers of their HPO terms."""
SCHEMA: Final = pa.schema(
    [
        pa.field("terms", pa.list_(pa.int32()), nullable=False),
        pa.field("disease_id", pa.string(), nullable=False),
        pa.field("sex", pa.string(), nullable=False),
    ]
)


def simulated_individuals() -> pa.Table:
    """Return 87 SIMULATED individuals with the columns that are counted."""
    rows = [
        {"terms": list(terms), "disease_id": disease, "sex": sex}
        for size, sex, disease, terms in _GROUPS
        for _ in range(size)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)

"""A Beacon, and small tables of individuals, to test with."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from cluster.ontology import Ontology
from cluster.standards.beacon.count import Individuals
from cluster.standards.beacon.demo import SCHEMA
from cluster.standards.beacon.framework import BeaconIdentity
from cluster.standards.beacon.query import BeaconQuery, query_of_body

IDENTITY = BeaconIdentity(
    id="org.example.north",
    name="North",
    environment="test",
    organisation_id="north",
    organisation_name="Northern Hospital",
    base_url="https://north.example.org/beacon",
    software_version="0.1.0",
)
Person = tuple[Sequence[int], str, str]
"""Numbers of the observed terms, the diagnosis, the sex."""


def people(*persons: Person) -> pa.Table:
    """Return individuals as the columns that are counted."""
    rows = [{"terms": list(t), "disease_id": d, "sex": s} for t, d, s in persons]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def asking(ontology: Ontology, *filters: str | dict[str, Any], **query: Any) -> BeaconQuery:
    """Return a query of filters, by their ids or in full."""
    full = [one if isinstance(one, dict) else {"id": one} for one in filters]
    return query_of_body(
        {"meta": {"apiVersion": "v2.0"}, "query": {"filters": full} | query}, ontology
    )


def counting(table: pa.Table, ontology: Ontology, *filters: str | dict[str, Any]) -> int:
    """Return the exact count of those who pass the filters."""
    return Individuals.of(table, ontology).count(asking(ontology, *filters))

"""How many of a platform's shareable cases match a Beacon's question (B6)."""

import pyarrow as pa
import pyarrow.compute as pc

from cluster.flow.platform import Platform
from cluster.standards.beacon.count import COLUMNS, Individuals
from cluster.standards.beacon.query import BeaconQuery
from cluster.storage import cases as case_rows


def count_individuals(platform: Platform, query: BeaconQuery) -> int:
    """Count own, active cases whose consent is given; exact, so never to be shown as it is."""
    with platform.ledger.begin() as tx:
        shareable = sorted(case_rows.shareable_ids(tx, platform.platform_id))
    columns = platform.index.columns(["case_id", *COLUMNS])
    may_count = pc.is_in(columns["case_id"], value_set=pa.array(shareable, pa.string()))
    counted = columns.filter(may_count).select(list(COLUMNS)).combine_chunks()
    return Individuals.of(counted, platform.ontology).count(query)

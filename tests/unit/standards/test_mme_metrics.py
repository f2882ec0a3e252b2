"""What a server has to match with, counted over columns."""

import pyarrow as pa

from cluster.standards.mme.metrics import Traffic, metrics_of

NOW = "2026-01-02T03:04:05Z"
COLUMNS = pa.schema(
    [
        pa.field("terms", pa.list_(pa.int32())),
        pa.field("excluded", pa.list_(pa.int32())),
        pa.field("genes", pa.list_(pa.string())),
        pa.field("disease_id", pa.string()),
    ]
)
ROWS = [
    {"terms": [1, 2], "excluded": [3], "genes": ["A"], "disease_id": "OMIM:1"},
    {"terms": [1], "excluded": [], "genes": ["A", "B"], "disease_id": ""},
    {"terms": [], "excluded": [], "genes": [], "disease_id": "OMIM:1"},
    {"terms": [], "excluded": [1], "genes": [], "disease_id": ""},
]
COUNTED = {
    "numberOfCases": 4,
    "numberOfGenes": 3,
    "numberOfUniqueGenes": 2,
    "numberOfFeatures": 5,
    "numberOfUniqueFeatures": 3,
    "numberOfFeatureSets": 3,
    "numberOfCasesWithDiagnosis": 2,
    "dateGenerated": NOW,
}


def test_columns_are_counted_with_and_without_repetition() -> None:
    """Signs found absent are features too; what nobody counts is left out."""
    table = pa.Table.from_pylist(ROWS, schema=COLUMNS)
    assert metrics_of(table, Traffic(), NOW) == COUNTED


def test_chunks_and_slices_count_the_same() -> None:
    """However a table was put together."""
    table = pa.Table.from_pylist(ROWS, schema=COLUMNS)
    pieces = pa.concat_tables([table.slice(2), table.slice(0, 2)])
    assert metrics_of(pieces, Traffic(), NOW) == COUNTED
    one = metrics_of(table.slice(1, 1), Traffic(), NOW)
    assert (one["numberOfFeatures"], one["numberOfUniqueGenes"]) == (1, 2)


def test_nothing_is_zero() -> None:
    """A server without cases has metrics too."""
    empty = metrics_of(COLUMNS.empty_table(), Traffic(), NOW)
    assert {value for name, value in empty.items() if name != "dateGenerated"} == {0}


def test_traffic_is_told_where_it_is_counted() -> None:
    """Zero is a count; a gene that was matched twice is one."""
    traffic = Traffic(submitters=3, requests=0, matches_sent=7, genes_matched=["A", "A", "B"])
    told = metrics_of(COLUMNS.empty_table(), traffic, NOW)
    names = ("numberOfSubmitters", "numberOfRequestsReceived", "numberOfPotentialMatchesSent")
    assert [told[name] for name in names] == [3, 0, 7]
    assert told["numberOfUniqueGenesMatched"] == 2

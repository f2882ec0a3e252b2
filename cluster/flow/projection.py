"""The index follows the ledger: what was stored becomes findable (S400)."""

from typing import Any

import pyarrow as pa

from cluster.case.case import read_case
from cluster.flow.placement import place_anew
from cluster.flow.platform import Platform
from cluster.retrieval.feature import FEATURES, vectors
from cluster.storage import cases as case_rows
from cluster.storage import journal
from cluster.storage.cases import StoredCase

INDEX = "index"
ROWS_AT_ONCE = 20_000
"""Rows that are made and written together: 80 MB of vectors."""


def project(platform: Platform) -> int:
    """Bring the index up to what the ledger holds, and return how many rows were written.

    An index that lacks rows it should have, lost or restored without them, is made anew; under
    another ontology than before, every row is written anew.
    """
    with platform.ledger.begin() as tx:
        if place_anew(tx, platform.ontology):
            journal.set_applied(tx, INDEX, 0)
        seq = journal.applied_seq(tx, INDEX)
        if platform.index.count() < case_rows.count_cases(tx, seq):
            platform.index.clear()
            platform.searcher.forget()
            seq = 0
        changed = case_rows.cases_after(tx, seq)
        gone = case_rows.recalled_after(tx, seq)
        last = case_rows.last_change(tx)
    if not changed and not gone:
        return 0
    before = platform.index.count()
    platform.index.remove(gone)
    if platform.index.count() < before:
        platform.searcher.forget()
    for start in range(0, len(changed), ROWS_AT_ONCE):
        part = changed[start : start + ROWS_AT_ONCE]
        rows = _features(platform, part)
        platform.index.upsert(rows)
        platform.searcher.learn(rows)
        with platform.ledger.begin() as tx:
            journal.set_applied(tx, INDEX, part[-1].seq)
    with platform.ledger.begin() as tx:
        journal.set_applied(tx, INDEX, last)
    platform.index.settle()
    return len(changed)


def rebuild_index(platform: Platform) -> int:
    """Throw the index away and make it anew from the ledger; returns the number of rows."""
    platform.index.clear()
    platform.searcher.forget()
    with platform.ledger.begin() as tx:
        journal.set_applied(tx, INDEX, 0)
    return project(platform)


def _features(platform: Platform, stored: list[StoredCase]) -> pa.Table:
    """Build the index rows of cases from their documents."""
    cases = [read_case(row.document) for row in stored]
    terms = [platform.ontology.resolve(case.observed).rows for case in cases]
    absent = [platform.ontology.resolve(case.excluded).rows for case in cases]
    numbers = platform.ontology.numbers
    own = platform.platform_id
    columns: list[list[Any]] = [
        [row.case_id for row in stored],
        [row.digest for row in stored],
        [row.origin for row in stored],
        ["own" if row.origin == own else "received" for row in stored],
        [row.disease_id or "" for row in stored],
        [row.disease_label for row in stored],
        [row.category for row in stored],
        [list(case.genes) for case in cases],
        [case.publication[0] for case in cases],
        [case.publication[1] for case in cases],
        [case.sex for case in cases],
        [case.age_years for case in cases],
        [row.rare_feature for row in stored],
        [case.text for case in cases],
        *([[int(numbers[row]) for row in rows] for rows in lists] for lists in (terms, absent)),
    ]
    arrays = [pa.array(c, field.type) for c, field in zip(columns, FEATURES, strict=False)]
    flat = pa.array(vectors(terms, platform.ontology).ravel())
    arrays.append(pa.FixedSizeListArray.from_arrays(flat, type=FEATURES.field("vector").type))
    return pa.Table.from_arrays(arrays, schema=FEATURES)

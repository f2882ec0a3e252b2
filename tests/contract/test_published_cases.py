"""The published cases: every one is read, and not a term is lost or turned round."""

import csv
from collections import Counter
from pathlib import Path

import pytest
from builders import labels

from cluster.case.case import read_case
from cluster.case.redaction import redact
from cluster.contracts.ingest import Source
from cluster.ids import canonical_json
from cluster.ingest.intake import take_in
from cluster.ontology import Ontology
from cluster.storage.sources import platform_sources, read_records

pytestmark = pytest.mark.data
N_CASES = 7953
N_PLATFORMS = 8


def test_every_published_case_is_read(shared_data: Path, small_ontology: Ontology) -> None:
    """B1 A4: 7,953 cases are taken, none refused, with the terms that the list states."""
    folder = shared_data / "phenopackets"
    with (folder / "index.tsv").open(newline="", encoding="utf-8") as stream:
        listed = {row["id"]: row for row in csv.DictReader(stream, delimiter="\t")}
    sources: dict[str, Source] = platform_sources(folder, N_PLATFORMS)
    assert len(sources) == N_PLATFORMS
    totals: Counter[str] = Counter()
    for source in sources.values():
        intake = take_in(read_records(source), small_ontology, source)
        totals["refused"] += intake.refused
        for taken in intake.cases:
            case, row = taken.case, listed.pop(taken.case.case_id)
            totals["cases"] += 1
            totals["observed"] += len(case.observed) - int(row["n_observed"])
            totals["excluded"] += len(case.excluded) - int(row["n_excluded"])
            assert case.disease is not None
            assert case.disease.id == row["disease_id"]
            assert case.publication[0] == row["pmid"]
    assert not listed
    assert totals == Counter(cases=N_CASES, refused=0, observed=0, excluded=0)


def test_published_cases_survive_redaction(shared_data: Path) -> None:
    """A11: of one part every case leaves as a readable case with the same terms and no date."""
    part = Source(files=(str(shared_data / "phenopackets" / "part-0.jsonl.gz"),))
    for record in read_records(part):
        case = read_case(record.content)  # type: ignore[union-attr]  # no finding in this file
        shown = canonical_json(redact(case, "north.abc", "north", labels))
        arrived = read_case(shown)
        assert (arrived.observed, arrived.excluded) == (case.observed, case.excluded)
        assert (arrived.disease, arrived.genes) == (case.disease, case.genes)
        assert case.case_id not in shown
        assert 'created":' not in shown

"""Cases come in once, durable before findable (S310, S400)."""

from pathlib import Path

import pyarrow as pa
import pytest
from builders import MemoryIndex, a_phenopacket

from cluster.flow import cases, projection
from cluster.flow.platform import Platform
from cluster.flow.search import search
from cluster.retrieval.feature import FEATURES
from cluster.retrieval.query import CaseQuery
from cluster.storage.cases import set_state
from tests.unit.flow.world import (
    a_pair,
    a_source,
    open_at,
    read,
    reopened,
    take_in,
)


class StoppingIndex(MemoryIndex):
    """An index that is interrupted on its next write."""

    stop = True

    def upsert(self, features: pa.Table) -> None:
        """Stop once, then go on."""
        if self.stop:
            self.stop = False
            text = "the process ends here"
            raise InterruptedError(text)
        super().upsert(features)


def index_rows(index: object) -> dict[str, str]:
    """Return the digest of every row of an index."""
    assert isinstance(index, MemoryIndex)
    return {case_id: row["digest"] for case_id, row in index._rows.items()}


def test_the_report_counts_cases_and_terms(tmp_path: Path) -> None:
    """B1 A2: one bad record among good ones is refused with its place; the rest is taken in."""
    platform = open_at(tmp_path)
    packets = (
        a_phenopacket("a", observed=("HP:0001250", "HP:0001626"), excluded=("HP:0001627",)),
        "{ this is not JSON",
        a_phenopacket("b", disease=None),
        a_phenopacket("a", observed=("HP:0001626",)),
    )
    report = take_in(platform, *packets)
    assert (report.read, report.added, report.refused) == (4, 2, 2)
    assert (report.revised, report.unchanged) == (0, 0)
    assert (report.observed_terms, report.excluded_terms) == (3, 1)
    assert report.by_code() == {"case_id_conflict": 1, "case_invalid": 1, "no_disease": 1}
    refused = [f.line for f in report.findings if f.level == "refused"]
    assert refused == [2, 4]


def test_the_same_source_again_is_the_same_answer(tmp_path: Path) -> None:
    """A2 B1: a repeated ingest returns the first report and leaves ledger and index alone."""
    platform = open_at(tmp_path)
    source = a_source(tmp_path, a_phenopacket("a"), a_phenopacket("b"))
    report = cases.ingest(platform, source)
    before = read(platform, "SELECT * FROM cases"), index_rows(platform.index)
    assert cases.ingest(platform, source) == report
    assert (read(platform, "SELECT * FROM cases"), index_rows(platform.index)) == before
    assert report.added == 2


def test_a_source_that_appears_later_is_read(tmp_path: Path) -> None:
    """B1: a file that was not there is reported, and is no final answer: it is read once it is."""
    platform = open_at(tmp_path)
    source = a_source(tmp_path, a_phenopacket("a"))
    (path,) = map(Path, source.files)
    content = path.read_bytes()
    path.unlink()
    assert cases.ingest(platform, source).by_code() == {"file_unreadable": 1}
    path.write_bytes(content)
    assert cases.ingest(platform, source).added == 1


def test_a_file_that_changes_is_read_anew_each_time(tmp_path: Path) -> None:
    """B1 B3: what the file says now is in force, also when it says again what it said before."""
    platform = open_at(tmp_path)
    for number, term in enumerate(("HP:0001250", "HP:0001627", "HP:0001250"), start=1):
        source = a_source(tmp_path, a_phenopacket("a", observed=(term,)))
        cases.ingest(platform, source)
        (best,) = search(platform, CaseQuery(terms=(term,), k=1)).hits
        assert (best.case_id, best.similarity) == ("a", 1.0)
        assert read(platform, "SELECT rev FROM cases") == [(number,)]


def test_a_changed_document_is_a_revision(tmp_path: Path) -> None:
    """B3: the new revision is in force and findable, the old document is kept."""
    platform = open_at(tmp_path)
    take_in(platform, a_phenopacket("a"), a_phenopacket("b"))
    changed = a_phenopacket("a", observed=("HP:0001627",))
    report = take_in(platform, changed, a_phenopacket("b"), name="later")
    assert (report.added, report.revised, report.unchanged) == (0, 1, 1)
    kept = read(platform, "SELECT rev, document FROM revisions WHERE case_id = 'a' ORDER BY rev")
    assert [rev for rev, _ in kept] == [1, 2]
    assert "HP:0001250" in kept[0][1] and "HP:0001627" in kept[1][1]
    (best,) = search(platform, CaseQuery(terms=("HP:0001627",), k=1)).hits
    assert (best.case_id, best.similarity) == ("a", 1.0)


@pytest.mark.parametrize("state", ["withdrawn", "private"])
def test_a_revision_does_not_undo_a_refusal_to_share(tmp_path: Path, state: str) -> None:
    """B9: a case that was withdrawn or is private stays so when its document changes."""
    platform = open_at(tmp_path)
    take_in(platform, a_phenopacket("a"))
    given = ("withdrawn", "share") if state == "withdrawn" else ("active", "private")
    with platform.ledger.begin() as tx:
        set_state(tx, "a", state=given[0], consent=given[1])
    take_in(platform, a_phenopacket("a", observed=("HP:0001626",)), name="later")
    assert read(platform, "SELECT rev, state, consent FROM cases") == [(2, *given)]


def test_the_index_catches_up_after_a_crash(tmp_path: Path) -> None:
    """A4: a stop between the ledger's commit and the index leaves nothing out for good."""
    platform = open_at(tmp_path)
    stopping = Platform(**(vars(platform) | {"index": StoppingIndex()}))
    source = a_source(tmp_path, a_phenopacket("a"), a_phenopacket("b"))
    with pytest.raises(InterruptedError):
        cases.ingest(stopping, source)
    assert stopping.index.count() == 0
    again = reopened(stopping)
    stored = dict(read(again, "SELECT case_id, digest FROM cases"))
    assert index_rows(again.index) == stored
    assert set(stored) == {"a", "b"}
    assert projection.project(again) == 0
    assert cases.ingest(again, source).added == 2


def test_the_index_catches_up_with_a_revision_after_a_crash(tmp_path: Path) -> None:
    """A4 B3: also where no row is missing and only a newer document is."""
    index = StoppingIndex()
    index.stop = False
    platform = Platform(**(vars(open_at(tmp_path)) | {"index": index}))
    take_in(platform, a_phenopacket("a"))
    index.stop = True
    with pytest.raises(InterruptedError):
        take_in(platform, a_phenopacket("a", observed=("HP:0001627",)), name="later")
    again = reopened(platform)
    assert index_rows(again.index) == dict(read(again, "SELECT case_id, digest FROM cases"))


def test_a_rebuilt_index_answers_the_same(tmp_path: Path) -> None:
    """A4: the index is a projection: thrown away and made anew it finds the same."""
    platform = open_at(tmp_path)
    take_in(platform, *(a_phenopacket(name, disease=f"OMIM:{name}") for name in ("1", "2", "3")))
    query = CaseQuery(terms=("HP:0002069",), k=3)
    before = search(platform, query)
    assert projection.rebuild_index(platform) == 3
    assert search(platform, query) == before
    assert len(before.hits) == len(before.diseases) == 3


def test_an_interrupted_rebuild_is_made_good(tmp_path: Path) -> None:
    """A4: a stop after the index was thrown away does not leave it empty for good."""
    platform = open_at(tmp_path)
    take_in(platform, a_phenopacket("a"), a_phenopacket("b"))
    platform.index.clear()
    assert reopened(platform).index.count() == 2


def test_index_rows_say_what_the_case_says(tmp_path: Path) -> None:
    """A4: filterable columns come from the document; what came from elsewhere is marked so."""
    world = a_pair(tmp_path)
    world.decide("north", {"a": 0.9})
    world.deliver()
    south = world.platforms["south"]
    ((_, shared_id),) = read(south, "SELECT origin, case_id FROM cases WHERE origin = 'north'")
    found = south.index.rows(["s", shared_id])
    assert found.schema.names == FEATURES.names
    rows = {row["case_id"]: row for row in found.to_pylist()}
    assert (rows["s"]["state"], rows["s"]["origin"]) == ("own", "south")
    assert (rows[shared_id]["state"], rows[shared_id]["origin"]) == ("received", "north")
    assert rows[shared_id]["terms"] == [1250]
    assert rows[shared_id]["disease_id"] == "OMIM:100"

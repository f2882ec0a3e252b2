"""The index on disk: what it writes, what it drops, and that its approximation finds the rows."""

from collections.abc import Sequence
from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa
import pytest
from builders import a_feature, feature_table

from cluster.ontology import Floats
from cluster.retrieval.feature import DIMENSIONS, FEATURES
from cluster.retrieval.index import CaseFilter
from cluster.storage import lance
from cluster.storage.lance import LanceIndex, predicate

ROWS = 3_000
K = 10
FLOAT_BYTES = 4


def vectors_of(rows: int, seed: int) -> Floats:
    """Draw unit vectors around forty directions, with as much noise as signal."""
    rng = np.random.default_rng(seed)
    heads = np.random.default_rng(0).standard_normal((40, DIMENSIONS))
    drawn = heads[rng.integers(0, 40, rows)] + rng.standard_normal((rows, DIMENSIONS))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def many(start: int, stop: int) -> pa.Table:
    """Return rows of ``FEATURES``; every hundredth is of a rare disease."""
    names = [f"case-{number:06d}" for number in range(start, stop)]
    diseases = ["OMIM:7" if number % 100 == 0 else "OMIM:1" for number in range(start, stop)]
    flat = pa.array(vectors_of(stop - start, start).ravel())
    table = feature_table(a_feature("x")).take([0] * (stop - start))
    for name, values in {
        "case_id": pa.array(names),
        "disease_id": pa.array(diseases),
        "vector": pa.FixedSizeListArray.from_arrays(flat, type=FEATURES.field("vector").type),
    }.items():
        table = table.set_column(FEATURES.get_field_index(name), FEATURES.field(name), values)
    return table


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> LanceIndex:
    """An index that holds no vector in memory, with three thousand rows."""
    index = LanceIndex(str(tmp_path_factory.mktemp("on_disk")), resident_max=0)
    index.upsert(many(0, ROWS))
    index.settle()
    return index


def recall(found: Sequence[pa.Table], asked: Floats, rows: pa.Table) -> float:
    """Return the share of the true K best scores that were found."""
    vectors = np.asarray(rows["vector"].combine_chunks().flatten()).reshape(-1, DIMENSIONS)
    last = np.sort(asked @ vectors.T, axis=1)[:, -K]
    scores = np.array([np.asarray(table["score"]) for table in found])
    return float((scores >= last[:, None] - 1e-5).mean())


def bytes_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def fitted_to(index: LanceIndex) -> list[str]:
    return [i.name for i in index._cases.list_indices() if i.columns == ["vector"]]


def test_an_index_of_codes_finds_the_nearest(on_disk: LanceIndex) -> None:
    """A4: recall at 10 is at least 0.98, beside comparing with every vector."""
    assert fitted_to(on_disk) == [f"vector_{ROWS}"]
    asked = vectors_of(30, seed=9)
    assert recall(on_disk.nearest(asked, K), asked, many(0, ROWS)) >= 0.98


@pytest.mark.parametrize("ids_max", [lance.IDS_MAX, 5])
def test_a_selective_filter_still_gives_k(
    on_disk: LanceIndex, ids_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A4: where thirty of three thousand pass, ten are found, and they are the nearest ones."""
    monkeypatch.setattr(lance, "IDS_MAX", ids_max)
    rare = many(0, ROWS).filter(pa.compute.equal(many(0, ROWS)["disease_id"], "OMIM:7"))
    on_disk.set_rare_features(dict.fromkeys(map(str, rare["case_id"].to_pylist()), 5.0))
    asked = vectors_of(10, seed=8)
    for where in (CaseFilter(disease_id="OMIM:7"), CaseFilter(rare_min=5)):
        found = on_disk.nearest(asked, K, where)
        assert [table.num_rows for table in found] == [K] * 10
        assert recall(found, asked, rare) >= 0.98
        assert on_disk.nearest(asked[:1], 50, where)[0].num_rows == rare.num_rows


def test_rows_that_are_not_indexed_yet_are_found(on_disk: LanceIndex) -> None:
    """A4: what came after the index was made is found at once, and what was replaced is not."""
    later = many(ROWS, ROWS + 5)
    on_disk.upsert(later)
    asked = np.asarray(later["vector"].combine_chunks().flatten()).reshape(-1, DIMENSIONS)
    found = on_disk.nearest(asked, 1)
    assert [table["case_id"][0].as_py() for table in found] == later["case_id"].to_pylist()
    on_disk.upsert(feature_table(a_feature(f"case-{ROWS:06d}", vector=[0.0] * DIMENSIONS)))
    assert on_disk.nearest(asked[:1], 1)[0]["case_id"][0].as_py() != f"case-{ROWS:06d}"


def test_an_index_is_fitted_anew_when_it_has_doubled(tmp_path: Path) -> None:
    """A4: parts that were fitted to few rows do not serve many."""
    index = LanceIndex(str(tmp_path), resident_max=100)
    index.upsert(many(0, 90))
    index.settle()
    assert fitted_to(index) == []
    index.upsert(many(90, 400))
    index.settle()
    assert fitted_to(index) == ["vector_400"]
    index.upsert(many(400, 700))
    index.settle()
    assert fitted_to(index) == ["vector_400"]
    index.upsert(many(700, 800))
    index.settle()
    assert fitted_to(index) == ["vector_800"]
    assert LanceIndex(str(tmp_path), resident_max=100).nearest(vectors_of(1, 3), K)[0].num_rows == K


@pytest.mark.parametrize("resident_max", [0, ROWS])
def test_heat_writes_no_vector(tmp_path: Path, resident_max: int) -> None:
    """A3 A4: new rare features of all rows write less than a tenth of their vectors' bytes."""
    index = LanceIndex(str(tmp_path), resident_max)
    index.upsert(many(0, 500))
    index.settle()
    before = bytes_of(tmp_path)
    for heat in (2.0, 3.0):
        index.set_rare_features(
            dict.fromkeys(index.columns(["case_id"])["case_id"].to_pylist(), heat)
        )
    index.settle()
    assert bytes_of(tmp_path) - before < 500 * DIMENSIONS * FLOAT_BYTES / 10
    hot = CaseFilter(rare_min=3, rare_max=3)
    for opened in (index, LanceIndex(str(tmp_path), resident_max)):
        assert opened.listed(1000, hot).num_rows == 500
        assert opened.nearest(vectors_of(1, 1), K, hot)[0]["rare_feature"].to_pylist() == [3.0] * K
        assert set(opened.rows(["case-000001", "case-000002"])["rare_feature"].to_pylist()) == {3.0}


def test_a_written_row_brings_its_own_heat(tmp_path: Path) -> None:
    """A4: the ledger is the truth: a row that is written anew has the rare feature it came with."""
    index = LanceIndex(str(tmp_path))
    index.upsert(feature_table(a_feature("a")))
    index.set_rare_features({"a": 9.0})
    index.upsert(feature_table(a_feature("a", rare_feature=4.0)))
    for opened in (index, LanceIndex(str(tmp_path))):
        assert opened.rows(["a"])["rare_feature"].to_pylist() == [4.0]


def test_an_index_of_an_older_shape_is_dropped(tmp_path: Path) -> None:
    """A4: older columns are no error: the index is empty, to be filled from the ledger."""
    older = feature_table(a_feature("a")).drop_columns(["sex", "age_years", "excluded"])
    lancedb.connect(str(tmp_path)).create_table(lance.TABLE, older)
    index = LanceIndex(str(tmp_path))
    assert index.count() == 0
    index.upsert(feature_table(a_feature("a")))
    assert LanceIndex(str(tmp_path)).count() == 1


def test_an_index_that_outgrows_memory_goes_on(tmp_path: Path) -> None:
    """A4: no row is lost where vectors leave memory, nor where replaced rows are cleared."""
    index = LanceIndex(str(tmp_path), resident_max=60)
    for start, stop in ((0, 50), (0, 50), (0, 50), (30, 100)):
        index.upsert(many(start, stop))
        asked = np.asarray(many(start, stop)["vector"].combine_chunks().flatten())
        (found,) = index.nearest(asked.reshape(-1, DIMENSIONS)[-1:], 1)
        assert found["case_id"].to_pylist() == [f"case-{stop - 1:06d}"]
        assert index.count() == index.listed(1000).num_rows == stop


def test_a_predicate_quotes_texts_and_writes_numbers() -> None:
    """B9: a quote is doubled, a number is one the column can hold; rare features are not in it."""
    where = CaseFilter(disease_id="a'b", gene="x' OR 1", age_min=30.1, age_max=40, rare_min=2)
    assert predicate(where) == (
        "disease_id = 'a''b' AND array_has(genes, 'x'' OR 1') "
        "AND age_years >= 30.100000381469727 AND age_years <= 40.0"
    )
    assert predicate(CaseFilter(rare_max=3)) == ""

"""The index on disk follows the ledger, whatever state its folder is in."""

from dataclasses import replace
from pathlib import Path

import lancedb
import pytest
from builders import a_feature, a_phenopacket, feature_table

from cluster.flow import projection
from cluster.flow.platform import Platform
from cluster.retrieval.index import CaseFilter
from cluster.storage.lance import TABLE, LanceIndex
from tests.unit.flow.world import open_at, take_in

CHILD = {"id": "1", "sex": "MALE", "timeAtLastEncounter": {"age": {"iso8601duration": "P4Y"}}}


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    """A platform with an index on disk and three cases."""
    opened = replace(open_at(tmp_path), index=LanceIndex(str(tmp_path / "index")))
    take_in(
        opened,
        a_phenopacket("a", excluded=("HP:0001626",), subject=CHILD),
        a_phenopacket("b", disease="OMIM:2"),
        a_phenopacket("c", disease=None),
    )
    return opened


def test_an_index_of_an_older_shape_is_filled_again(platform: Platform, tmp_path: Path) -> None:
    """A4: after an upgrade of the columns the index is made anew from the ledger, by itself."""
    older = feature_table(a_feature("a")).drop_columns(["sex", "age_years", "excluded"])
    db = lancedb.connect(str(tmp_path / "older"))
    db.create_table(TABLE, older)
    upgraded = replace(platform, index=LanceIndex(str(tmp_path / "older")))
    assert projection.project(upgraded) == 3
    names = ["case_id", "sex", "age_years", "excluded"]
    assert upgraded.index.columns(names).equals(platform.index.columns(names))
    assert projection.project(upgraded) == 0


def test_what_a_filter_asks_comes_from_the_document(platform: Platform) -> None:
    """A4 B1: sex, age in years and the terms found absent; what is missing is said so."""
    rows = {row["case_id"]: row for row in platform.index.rows(["a", "b"]).to_pylist()}
    assert (rows["a"]["sex"], rows["b"]["sex"]) == ("MALE", "UNKNOWN_SEX")
    assert rows["a"]["age_years"] == pytest.approx(4, abs=0.01)
    assert rows["b"]["age_years"] is None
    assert (rows["a"]["excluded"], rows["b"]["excluded"]) == ([1626], [])
    boys = platform.index.listed(9, CaseFilter(sex="MALE", age_max=5))
    assert boys["case_id"].to_pylist() == ["a"]


def test_many_cases_are_written_in_parts(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A4: memory is bounded while an index is rebuilt, and every case is in it once."""
    monkeypatch.setattr(projection, "ROWS_AT_ONCE", 2)
    assert projection.rebuild_index(platform) == 3
    assert platform.index.columns(["case_id"])["case_id"].to_pylist() == ["a", "b", "c"]
    assert projection.project(platform) == 0

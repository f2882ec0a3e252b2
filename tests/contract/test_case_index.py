"""What every case index promises: the one on disk, and the reference in memory."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from builders import MemoryIndex, a_feature, feature_table, unit_vector

from cluster.ontology import Floats
from cluster.retrieval.feature import ANSWERS, DIMENSIONS, FEATURES
from cluster.retrieval.index import CaseFilter, CaseIndex
from cluster.storage.lance import RESIDENT_MAX, LanceIndex


@pytest.fixture(params=["memory", "lance", "lance on disk"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> CaseIndex:
    """An empty index; the last one keeps no vector in memory."""
    if request.param == "memory":
        return MemoryIndex()
    held = {"lance": RESIDENT_MAX, "lance on disk": 0}[request.param]
    return LanceIndex(str(tmp_path / "index"), resident_max=held)


def ids(table: pa.Table) -> list[str]:
    return [str(case_id) for case_id in table["case_id"].to_pylist()]


def query(axis: int, towards: int | None = None) -> Floats:
    return np.array([unit_vector(axis, towards)], np.float32)


def test_an_empty_index_answers(index: CaseIndex) -> None:
    """A4: nothing is in it, and nothing is found, by vector, words or id."""
    index.settle()
    assert index.count() == 0
    assert ids(index.nearest(query(0), 3)[0]) == []
    assert ids(index.matching("seizure", 3)) == []
    assert ids(index.rows(["a"])) == []
    assert ids(index.rows([])) == []


def test_words_can_be_asked_for_before_anything_was_indexed(index: CaseIndex) -> None:
    """A4: a search on a new platform finds nothing, and is no error."""
    assert ids(index.matching("seizure", 3)) == []


def test_the_same_key_twice_is_one_row(index: CaseIndex) -> None:
    """A4: an upsert replaces by case id, also when it is repeated after a crash."""
    for _ in range(2):
        index.upsert(feature_table(a_feature("a"), a_feature("b")))
    index.upsert(feature_table(a_feature("a", digest="new", terms=[1, 2], genes=["NF1"])))
    index.upsert(feature_table())
    assert index.count() == 2
    (row,) = index.rows(["a"]).to_pylist()
    assert row == a_feature("a", digest="new", terms=[1, 2], genes=["NF1"])
    assert index.rows(["a", "b", "none"]).schema.names == FEATURES.names


def test_the_nearest_comes_first(index: CaseIndex) -> None:
    """A4: best first, at most k, one answer for each query."""
    index.upsert(
        feature_table(
            a_feature("far", vector=unit_vector(1)),
            a_feature("same", vector=unit_vector(0)),
            a_feature("half", vector=unit_vector(0, 1)),
        )
    )
    assert ids(index.nearest(query(0), 2)[0]) == ["same", "half"]
    both = index.nearest(np.concatenate([query(0), query(1)]), 3)
    assert [ids(table) for table in both] == [["same", "half", "far"], ["far", "half", "same"]]


HOSTILE = "O'1\" OR '1'='1"


def test_a_disease_narrows_the_search(index: CaseIndex) -> None:
    """A4: only cases of the disease are found, the nearest first, more than k others aside."""
    others = [a_feature(f"o{n}", vector=unit_vector(0)) for n in range(20)]
    found = a_feature("mine", disease_id="OMIM:2", vector=unit_vector(0, 1))
    index.upsert(feature_table(*others, found))
    assert ids(index.nearest(query(0), 3, CaseFilter(disease_id="OMIM:2"))[0]) == ["mine"]
    assert ids(index.nearest(query(0), 3, CaseFilter(disease_id="OMIM:3"))[0]) == []


@pytest.mark.parametrize("text", [HOSTILE, "'", "''", "x' --", "\\'", "a\\", "%", "é\u2028"])
def test_any_text_is_only_a_text(index: CaseIndex, text: str) -> None:
    """B9: a quote in a disease or case id changes no query."""
    index.upsert(feature_table(a_feature("a"), a_feature(text, disease_id=text)))
    assert ids(index.nearest(query(0), 5, CaseFilter(disease_id=text))[0]) == [text]
    assert ids(index.rows([text])) == [text]
    index.set_rare_features({text: 4.0})
    rows = {row["case_id"]: row["rare_feature"] for row in index.rows(["a", text]).to_pylist()}
    assert rows == {"a": 1.0, text: 4.0}
    assert index.count() == 2


@pytest.mark.parametrize("text", ["'; DROP TABLE cases", "x' OR '1'='1"])
def test_a_hostile_text_finds_nothing(index: CaseIndex, text: str) -> None:
    """B9: what looks like a query is an id that nobody has."""
    index.upsert(feature_table(a_feature("a")))
    assert ids(index.nearest(query(0), 5, CaseFilter(disease_id=text))[0]) == []
    assert ids(index.rows([text])) == []
    assert index.count() == 1


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("seizure", {"a", "b"}),
        ("Ataxia", {"a"}),
        ("spasms seizure", {"a", "b"}),
        ("ataxia, unheard", {"a"}),
        ("(ataxia)", {"a"}),
        ("X-linked", {"b"}),
        ("nothing-here", set()),
        ("", set()),
        ("?!", set()),
        ('"', set()),
        ("ataxia AND (", {"a"}),
    ],
)
def test_words_are_matched(index: CaseIndex, asked: str, found: set[str]) -> None:
    """A4: a case is found by its words, in any case and among punctuation; no text breaks it."""
    index.upsert(
        feature_table(
            a_feature("a", text="Seizure\nAtaxia"), a_feature("b", text="seizure, X-linked")
        )
    )
    index.settle()
    assert set(ids(index.matching(asked, 5))) == found
    assert len(ids(index.matching("seizure", 1))) == 1


def test_words_of_later_cases_are_matched(index: CaseIndex) -> None:
    """A4: what came after the first indexing is found after the next."""
    index.upsert(feature_table(a_feature("a", text="ataxia")))
    index.settle()
    index.upsert(feature_table(a_feature("b", text="ataxia"), a_feature("a", text="spasms")))
    index.settle()
    assert ids(index.matching("ataxia", 5)) == ["b"]
    assert ids(index.matching("spasms", 5)) == ["a"]


def test_a_rare_feature_changes_nothing_else(index: CaseIndex) -> None:
    """A3: heat changes, vectors and everything else stay; an unknown case is passed over."""
    index.upsert(feature_table(a_feature("a", vector=unit_vector(3, 5)), a_feature("b")))
    index.set_rare_features({"a": 2.5, "nobody": 9.0})
    index.set_rare_features({})
    (row,) = index.rows(["a"]).to_pylist()
    assert row == a_feature("a", vector=unit_vector(3, 5), rare_feature=2.5)
    assert index.rows(["b"]).to_pylist() == [a_feature("b")]
    assert index.count() == 2


def test_clearing_forgets_everything_and_can_be_filled_again(index: CaseIndex) -> None:
    """A4: the index is a projection that can be thrown away and rebuilt."""
    index.upsert(feature_table(a_feature("a", text="ataxia")))
    index.settle()
    index.clear()
    index.clear()
    assert index.count() == 0
    assert ids(index.nearest(query(0), 3)[0]) == []
    index.upsert(feature_table(a_feature("b", text="ataxia")))
    index.settle()
    assert ids(index.matching("ataxia", 5)) == ["b"]


def test_a_removed_case_is_found_no_more(index: CaseIndex) -> None:
    """A4 B9: by vector, words or id; what is not here is no error, and it may come again."""
    index.upsert(feature_table(a_feature("a", text="seizure"), a_feature("b", text="seizure")))
    index.set_rare_features({"a": 5.0})
    index.remove(["a", "O'1", "none"])
    index.remove([])
    index.settle()
    assert index.count() == 1
    assert ids(index.nearest(query(0), 9)[0]) == ["b"]
    assert ids(index.matching("seizure", 9)) == ["b"]
    assert ids(index.rows(["a"])) == []
    index.upsert(feature_table(a_feature("a", rare_feature=1.0)))
    assert index.rows(["a"])["rare_feature"].to_pylist() == [1.0]


def test_an_index_on_disk_is_there_again(tmp_path: Path) -> None:
    """A4: a reopened index has its rows, and finds them by vector and words."""
    first = LanceIndex(str(tmp_path / "index"))
    first.upsert(feature_table(a_feature("a", text="ataxia")))
    first.settle()
    again = LanceIndex(str(tmp_path / "index"))
    assert again.count() == 1
    assert ids(again.nearest(query(0), 1)[0]) == ["a"]
    assert ids(again.matching("ataxia", 1)) == ["a"]
    first.upsert(feature_table(a_feature("b")))
    assert again.count() == 2


def test_nearest_rows_of_an_origin(index: CaseIndex) -> None:
    """A12: what came from elsewhere does not push own cases out of the candidates."""
    index.upsert(
        feature_table(
            a_feature("own", origin="north", vector=unit_vector(0, 1)),
            *(a_feature(f"copy-{n}", origin="south", vector=unit_vector(0)) for n in range(5)),
        )
    )
    assert ids(index.nearest(query(0), 3, CaseFilter(origin="north"))[0]) == ["own"]
    assert "own" not in ids(index.nearest(query(0), 3)[0])


def test_answers_carry_a_score_and_ties_go_by_case_id(index: CaseIndex) -> None:
    """A4: cosine to six decimals; of equals, however many, the lowest case ids are found."""
    names = [f"c{n:02d}" for n in range(50)]
    index.upsert(feature_table(*(a_feature(name) for name in reversed(names))))
    index.upsert(feature_table(a_feature("best", vector=unit_vector(0, 1))))
    (found,) = index.nearest(query(0, 1), 4)
    assert found.schema == ANSWERS
    assert ids(found) == ["best", *names[:3]]
    assert found["score"].to_pylist() == pytest.approx([1.0, *[0.707107] * 3], abs=1e-6)


def test_a_query_without_direction_lists(index: CaseIndex) -> None:
    """A4: nothing is nearer than another to a case without terms: the order is that of the ids."""
    index.upsert(feature_table(*(a_feature(name) for name in "cba")))
    nothing = np.zeros((1, DIMENSIONS), np.float32)
    assert ids(index.nearest(nothing, 2)[0]) == ids(index.listed(2)) == ["a", "b"]
    assert index.listed(2).schema == ANSWERS
    assert ids(index.listed(2, CaseFilter(disease_id="OMIM:404"))) == []


def test_words_and_a_filter(index: CaseIndex) -> None:
    """A4: only cases that pass are found, though the words of others fit better."""
    others = (a_feature(f"o{n:02d}", text="ataxia") for n in range(40))
    mine = a_feature("z", text="ataxia and more words", rare_feature=3.0, sex="MALE")
    index.upsert(feature_table(*others, mine))
    index.settle()
    for where in (CaseFilter(sex="MALE"), CaseFilter(rare_min=2)):
        found = index.matching("ataxia", 3, where)
        assert found.schema == ANSWERS
        assert ids(found) == ["z"]
    assert ids(index.matching("ataxia", 3)) == ["o00", "o01", "o02"]


def test_a_new_rare_feature_counts_at_once(index: CaseIndex) -> None:
    """A3 A4: filters and answers see the new value, also where none was near it before."""
    index.upsert(feature_table(*(a_feature(name) for name in "abc")))
    index.settle()
    index.set_rare_features({"b": 2.5})
    hot = CaseFilter(rare_min=2, rare_max=2.5)
    for found in (index.nearest(query(0), 3, hot)[0], index.listed(3, hot)):
        assert ids(found) == ["b"]
        assert found["rare_feature"].to_pylist() == [2.5]
    assert ids(index.listed(3, CaseFilter(rare_max=2))) == ["a", "c"]
    assert index.columns(["case_id", "rare_feature"])["rare_feature"].to_pylist() == [1, 2.5, 1]
    index.set_rare_features({"b": 0.5})
    assert ids(index.listed(3, hot)) == []


def test_an_age_is_in_a_range_only_where_it_is_known(index: CaseIndex) -> None:
    """A4: bounds belong to the range; a case without an age is in none."""
    index.upsert(
        feature_table(
            a_feature("child", age_years=3.5), a_feature("adult", age_years=40), a_feature("none")
        )
    )
    for where, expected in (
        (CaseFilter(age_min=3.5), ["adult", "child"]),
        (CaseFilter(age_max=3.5), ["child"]),
        (CaseFilter(age_min=0, age_max=150), ["adult", "child"]),
        (CaseFilter(), ["adult", "child", "none"]),
    ):
        assert ids(index.listed(3, where)) == expected
        assert sorted(ids(index.nearest(query(0), 3, where)[0])) == expected


def test_columns_are_those_of_every_row(index: CaseIndex) -> None:
    """A4: any columns, in the order of case ids, once a row however often it was written."""
    assert index.columns(["vector"]).num_rows == 0
    for _ in range(3):
        index.upsert(feature_table(a_feature("b", terms=[7]), a_feature("a", excluded=[118])))
    found = index.columns(["terms", "case_id", "excluded"])
    assert found.column_names == ["terms", "case_id", "excluded"]
    assert found.to_pylist() == [
        {"terms": [1250], "case_id": "a", "excluded": [118]},
        {"terms": [7], "case_id": "b", "excluded": []},
    ]
    assert index.columns(FEATURES.names).schema.names == FEATURES.names

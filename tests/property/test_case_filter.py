"""A filter lets the same cases through in every index, whatever texts it is given."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import Json, MemoryIndex, a_feature, feature_table, passes, unit_vector
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cluster.retrieval.index import CaseFilter, CaseIndex
from cluster.storage.lance import RESIDENT_MAX, LanceIndex

HOSTILE = (
    "O'1",
    "' OR '1'='1",
    "'; DROP TABLE cases; --",
    "\\",
    "a\\'",
    '"',
    "%",
    "_",
    "\x00",
    "\u2028é",
    "NULL",
    "{}",
)
AGES = (0.0, 0.1, 30.1, 1e-9, 150.0)
HEATS = (0.0, 0.1, 1.0, 2.7, 1e6)


def some_rows() -> list[Json]:
    """Rows in which each hostile text is a value of each filterable column."""
    rng = np.random.default_rng(1)
    texts = [*HOSTILE, "plain"]

    def one(number: int) -> Json:
        pick = [texts[place] for place in rng.integers(0, len(texts), 7)]
        age = None if rng.random() < 0.3 else float(np.float32(rng.choice(AGES)))
        return a_feature(
            f"{number}{pick[0]}",
            disease_id=pick[1],
            category=pick[2],
            origin=pick[3],
            state=pick[4],
            sex=pick[5],
            genes=sorted({pick[0], pick[6]})[: rng.integers(0, 3)],
            age_years=age,
            rare_feature=float(np.float32(rng.choice(HEATS))),
            vector=unit_vector(number % 5, number % 7 + 5),
            text="word",
        )

    return [one(number) for number in range(120)]


ROWS = some_rows()
QUERY = np.array([unit_vector(3, 9)], np.float32)


@pytest.fixture(scope="module")
def indexes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, CaseIndex]]:
    """The reference, the index in memory and the one on disk, with the same rows."""
    folder: Path = tmp_path_factory.mktemp("filters")
    made: dict[str, CaseIndex] = {
        "reference": MemoryIndex(),
        "in memory": LanceIndex(str(folder / "in_memory"), RESIDENT_MAX),
        "on disk": LanceIndex(str(folder / "on_disk"), 0),
    }
    for index in made.values():
        index.upsert(feature_table(*ROWS))
        index.settle()
    return made


texts = st.sampled_from([*HOSTILE, "plain"]) | st.text(min_size=1, max_size=20)


def with_ordered_ranges(parts: dict[str, Any]) -> CaseFilter:
    """Make a filter; the ends of a range are put in their order."""
    for name in ("age", "rare"):
        ends = (parts[f"{name}_min"], parts[f"{name}_max"])
        if None not in ends:
            parts[f"{name}_min"], parts[f"{name}_max"] = sorted(ends)
    return CaseFilter(**parts)


filters: st.SearchStrategy[CaseFilter] = st.fixed_dictionaries(
    {
        **{
            name: st.none() | texts
            for name in ("disease_id", "category", "gene", "origin", "state", "sex")
        },
        **{
            name: st.none() | st.sampled_from(AGES) | st.floats(0, 150)
            for name in ("age_min", "age_max")
        },
        **{
            name: st.none() | st.sampled_from(HEATS) | st.floats(0, 1e300)
            for name in ("rare_min", "rare_max")
        },
    }
).map(with_ordered_ranges)
one_part = st.sampled_from(ROWS).flatmap(
    lambda row: st.sampled_from(
        [
            CaseFilter(**{name: row[name]})
            for name in ("disease_id", "category", "origin", "state", "sex")
        ]
        + [CaseFilter(gene=gene) for gene in row["genes"]]
        + [CaseFilter(rare_min=row["rare_feature"], disease_id=row["disease_id"])]
        + [CaseFilter(age_max=age) for age in [row["age_years"]] if age is not None]
    )
)


@given(where=filters | one_part)
@example(where=CaseFilter(rare_max=1e300))
@example(where=CaseFilter(age_min=30.1, age_max=30.1))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_index_lets_the_same_cases_through(
    where: CaseFilter, indexes: dict[str, CaseIndex]
) -> None:
    """A4 B9: the rows that pass are those a loop over all finds; no text changes the question."""
    expected = sorted(row["case_id"] for row in ROWS if passes(row, where))
    for name, index in indexes.items():
        listed = index.listed(500, where)
        assert listed["case_id"].to_pylist() == expected, name
        (near,) = index.nearest(QUERY, 500, where)
        assert sorted(map(str, near["case_id"].to_pylist())) == expected, name
        found = index.matching("word", 500, where)
        assert sorted(map(str, found["case_id"].to_pylist())) == expected, name
        assert index.count() == len(ROWS), name


@given(where=filters | one_part, k=st.integers(1, 8))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_index_finds_the_same_nearest(
    where: CaseFilter, k: int, indexes: dict[str, CaseIndex]
) -> None:
    """A4: the k nearest that pass, in one order: by score, then by case id."""
    expected = indexes["reference"].nearest(QUERY, k, where)[0]
    for name, index in indexes.items():
        (found,) = index.nearest(QUERY, k, where)
        assert found.schema == expected.schema, name
        assert found["case_id"].to_pylist() == expected["case_id"].to_pylist(), name
        assert np.asarray(found["score"]) == pytest.approx(np.asarray(expected["score"]), abs=2e-6)

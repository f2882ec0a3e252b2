"""Another release of the ontology: categories, index and reports follow it."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from builders import ABNORMALITY, NERVES, TERM_ROWS, a_phenopacket, a_small_ontology

from cluster.flow import cases
from cluster.flow.platform import Platform
from cluster.flow.projection import project
from cluster.flow.search import search
from cluster.ontology import TABLE, Ontology
from cluster.retrieval.query import CaseQuery
from tests.unit.flow.world import a_source, open_at, read, reopened

NEW = "HP:0009999"
PACKETS = (a_phenopacket("a", observed=(NEW,)), a_phenopacket("b", observed=("HP:0001626",)))


def a_newer_ontology() -> Ontology:
    """The small ontology with one more sign of the nervous system."""
    place = {"number": 9999, "name": "Aura", "parents": [NERVES], "information": 5.0}
    rest = {"ancestors": [0, ABNORMALITY, NERVES, len(TERM_ROWS)], "replaced_by": None}
    texts = {"obsolete": False, "synonyms": ["Warning"], "definition": "A sign before."}
    row = pa.Table.from_pylist([place | rest | texts], schema=TABLE)
    return Ontology(pa.concat_tables([a_small_ontology().table, row]), version="eleven terms")


def categories(platform: Platform) -> dict[str, str]:
    return dict(read(platform, "SELECT case_id, category FROM cases"))


def placed(platform: Platform, ontology: Ontology) -> Platform:
    """Stop the platform, and start it with another ontology."""
    return reopened(replace(platform, ontology=ontology))


def test_unknown_terms_become_known(tmp_path: Path) -> None:
    """B2 A3 A4: a term that the old release lacked counts, is found and is no longer remarked."""
    platform = open_at(tmp_path)
    source = a_source(tmp_path, *PACKETS)
    before = cases.ingest(platform, source)
    assert before.ontology == "ten terms"
    assert before.by_code() == {"term_unknown": 1}
    assert categories(platform) == {"a": "uncategorised", "b": "Heart"}

    newer = placed(platform, a_newer_ontology())
    assert categories(newer) == {"a": "Nervous system", "b": "Heart"}
    (hit,) = search(newer, CaseQuery(terms=(NEW,), k=1)).hits
    assert (hit.case_id, hit.category, hit.similarity) == ("a", "Nervous system", 1.0)

    after = cases.ingest(newer, source)
    assert (after.ontology, after.by_code(), after.unchanged) == ("eleven terms", {}, 2)
    assert read(newer, "SELECT DISTINCT rev FROM cases") == [(1,)]


def test_the_way_back_is_followed_too(tmp_path: Path) -> None:
    """B2: an older release that is put back is in force again."""
    platform = open_at(tmp_path)
    cases.ingest(platform, a_source(tmp_path, *PACKETS))
    older = placed(placed(platform, a_newer_ontology()), a_small_ontology())
    assert categories(older) == {"a": "uncategorised", "b": "Heart"}
    terms = dict(zip(*older.index.rows(["a", "b"]).select(["case_id", "terms"]), strict=True))
    assert {str(name): numbers.as_py() for name, numbers in terms.items()} == {"a": [], "b": [1626]}


def test_the_same_release_writes_nothing_again(tmp_path: Path) -> None:
    """A4: a start under the same release costs no rewriting."""
    platform = open_at(tmp_path)
    cases.ingest(platform, a_source(tmp_path, *PACKETS))
    assert project(reopened(platform)) == 0


def test_a_stop_while_placing_anew_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A4 B2: the index is still written anew after a stop between ledger and index."""
    platform = open_at(tmp_path)
    cases.ingest(platform, a_source(tmp_path, *PACKETS))
    newer = replace(platform, ontology=a_newer_ontology())
    with monkeypatch.context() as stop, pytest.raises(InterruptedError):
        stop.setattr(platform.index, "upsert", _stop)
        project(newer)
    newer = reopened(newer)
    row = newer.index.rows(["a"])
    assert pc.list_flatten(row["terms"]).to_pylist() == [9999]
    assert row["category"].to_pylist() == ["Nervous system"]


def _stop(*_: object) -> None:
    raise InterruptedError

"""The ontology that comes with the product, built into a folder and mapped."""

from pathlib import Path

import numpy as np
import pytest
from builders import a_small_ontology

from cluster.ontology import TABLE, Ontology
from cluster.storage.ontology import load_annotated_diseases, load_ontology

EPILEPSY = "OMIM:607208"
"""Dravet syndrome."""


@pytest.fixture(scope="session")
def ontology_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ontology")


@pytest.fixture(scope="session")
def embedded(ontology_folder: Path) -> Ontology:
    return load_ontology(ontology_folder)


def test_the_release_is_named_and_opened_again_from_its_file(
    embedded: Ontology, ontology_folder: Path
) -> None:
    """B2: the version stands beside the terms, and the second opening reads the same table."""
    again = load_ontology(ontology_folder)
    assert embedded.version.startswith("HPO 20")
    assert again.version == embedded.version
    assert again.table.equals(embedded.table)
    assert embedded.table.schema.equals(TABLE)
    assert len(embedded.numbers) > 15_000
    assert embedded.synonyms(0) == () and embedded.definition(0) == ""


def test_an_old_file_never_stands_for_the_installed_release(
    embedded: Ontology, ontology_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B2: another release of the package makes other files, and leaves the first one alone."""
    (old,) = ontology_folder.glob("*.arrow")
    kept = tmp_path / old.name
    kept.write_bytes(old.read_bytes())
    monkeypatch.setattr("importlib.metadata.version", lambda name: "9.9")
    assert load_ontology(tmp_path).table.equals(embedded.table)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "genes-hpo3-9.9.json",
        old.name,
        "ontology-hpo3-9.9-2.arrow",
    ]


def test_annotated_diseases_are_put_in_todays_terms(embedded: Ontology) -> None:
    """B2: a disease's terms are those of the ontology at hand; what it lacks is left out."""
    (small,) = [d for d in load_annotated_diseases(a_small_ontology()) if d.disease_id == EPILEPSY]
    (whole,) = [d for d in load_annotated_diseases() if d.disease_id == EPILEPSY]
    assert small.terms == (2069,)
    assert set(small.terms) < set(whole.terms)
    assert load_annotated_diseases(embedded)[0] == load_annotated_diseases()[0]


def test_ancestors_are_the_closure_of_parents(embedded: Ontology) -> None:
    """A4: walking up the parents by hand gives the stored ancestors, for every fiftieth term."""
    parents = embedded.table["parents"].to_pylist()
    for row in range(0, len(parents), 50):
        found, frontier = {row}, [row]
        while frontier:
            frontier = [
                above for one in frontier for above in parents[one] or () if above not in found
            ]
            found.update(frontier)
        assert embedded.ancestors(row).tolist() == sorted(found)


def test_information_never_falls_on_the_way_down(embedded: Ontology) -> None:
    """A4: a term says at least as much as any living ancestor that some disease has."""
    information = embedded.information
    assert np.isfinite(information).all()
    assert (information >= 0).all()
    obsolete = embedded.table["obsolete"].to_pylist()
    for row in range(0, len(information), 20):
        if not obsolete[row]:
            assert information[row] >= information[embedded.ancestors(row)].max() - 1e-5


def test_known_terms_have_their_category(embedded: Ontology) -> None:
    """A3: seizures belong to the nervous system, and there are some twenty organ systems."""
    row = embedded.row_of("HP:0001250")
    assert embedded.names[row] == "Seizure"
    assert embedded.category([row]) == "Abnormality of the nervous system"
    assert 20 <= len(embedded.categories) <= 30


def test_every_successor_of_an_obsolete_term_lives(embedded: Ontology) -> None:
    """B2: an obsolete id never leads to another obsolete id."""
    table = embedded.table.select(["number", "replaced_by", "obsolete"]).to_pylist()
    successors = [row["replaced_by"] for row in table if row["obsolete"]]
    assert any(successor is not None for successor in successors)
    assert not [s for s in successors if s is not None and table[s]["obsolete"]]

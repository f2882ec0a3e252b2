"""The ontology that comes with the product, built into a folder and mapped."""

from pathlib import Path

import numpy as np
import pytest

from cluster.ontology import TABLE, Ontology
from cluster.storage.ontology import load_ontology


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

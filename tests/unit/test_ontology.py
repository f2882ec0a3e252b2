"""Terms find their place: closure, obsolete ids, unknown ids, organ systems."""

import numpy as np
import pytest
from builders import (
    ABNORMALITY,
    ALL,
    BOTH,
    HEART,
    HEART_SHAPE,
    NERVES,
    OLD,
    SEIZURE,
    TONIC,
)

from cluster.ontology import NO_CATEGORY, Ontology, term_id, term_number


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ("HP:0000118", 118),
        ("HP:9999999", 9999999),
        ("HP:118", -1),
        ("HP:00001180", -1),
        ("OMIM:100000", -1),
        ("MP:0000118", -1),
        ("HP:000011a", -1),
        ("HP:००००११८", -1),
        ("0000118", -1),
        ("HP:HP:0000118", -1),
        ("", -1),
    ],
)
def test_only_an_hpo_id_has_a_number(given: str, number: int) -> None:
    """B2: a term number comes from an HPO id of seven digits and from nothing else."""
    assert term_number(given) == number
    if number >= 0:
        assert term_id(number) == given


def test_a_row_is_found_by_its_id(small_ontology: Ontology) -> None:
    """A4: ids lead to rows, and an unknown one to KeyError."""
    assert small_ontology.row_of("HP:0001250") == SEIZURE
    with pytest.raises(KeyError):
        small_ontology.row_of("HP:0009999")


def test_the_closure_has_everything_above_once(small_ontology: Ontology) -> None:
    """A4: the closure of terms is the union of their ancestors, with themselves, ascending."""
    assert small_ontology.ancestors(BOTH).tolist() == [
        ALL,
        ABNORMALITY,
        NERVES,
        SEIZURE,
        HEART,
        HEART_SHAPE,
        BOTH,
    ]
    found = small_ontology.closure([TONIC, SEIZURE, HEART])
    assert found.tolist() == [ALL, ABNORMALITY, NERVES, SEIZURE, HEART, TONIC]
    assert small_ontology.closure([]).tolist() == []


def test_obsolete_terms_are_mapped_and_unknown_ones_named(small_ontology: Ontology) -> None:
    """B2: an obsolete id goes to its successor, one without a successor counts as unknown."""
    given = ["HP:0009000", "HP:0001250", "HP:0009001", "HP:0000002", "ORDO:1", "HP:0001626"]
    terms = small_ontology.resolve(given)
    assert terms.rows == (SEIZURE, HEART)
    assert terms.replaced == (("HP:0009000", "HP:0001250"),)
    assert terms.unknown == ("HP:0009001", "HP:0000002", "ORDO:1")
    assert OLD not in terms.rows


def test_the_category_has_most_information_below_it(small_ontology: Ontology) -> None:
    """A3: the organ system with the largest sum wins, not the one with most terms."""
    assert small_ontology.names[small_ontology.categories[0]] == "Nervous system"
    assert small_ontology.category([TONIC, HEART]) == "Nervous system"
    assert small_ontology.category([HEART, HEART_SHAPE, SEIZURE]) == "Heart"


def test_equal_sums_go_to_the_lower_number(small_ontology: Ontology) -> None:
    """A3: a tie has one answer whatever the order of the terms."""
    assert small_ontology.category([BOTH]) == "Nervous system"
    assert small_ontology.category([HEART, NERVES]) == "Nervous system"
    assert small_ontology.category([NERVES, HEART]) == "Nervous system"


def test_terms_above_the_organ_systems_have_no_category(small_ontology: Ontology) -> None:
    """A3: without a term below an organ system a case is uncategorised."""
    assert small_ontology.category([]) == NO_CATEGORY
    assert small_ontology.category([ALL, ABNORMALITY]) == NO_CATEGORY


def test_numbers_ascend(small_ontology: Ontology) -> None:
    """A4: rows are sorted by term number, so that a row order is one order everywhere."""
    assert np.all(np.diff(small_ontology.numbers) > 0)


def test_a_sign_is_told_from_a_mode(small_ontology: Ontology) -> None:
    """B2: only Phenotypic abnormality and what is below it are signs."""
    signs = [row for row in range(len(small_ontology.numbers)) if small_ontology.is_phenotypic(row)]
    assert signs == [ABNORMALITY, NERVES, SEIZURE, HEART, HEART_SHAPE, TONIC, BOTH]


def test_only_a_living_term_has_a_current_name(small_ontology: Ontology) -> None:
    """B2: labels are compared with today's names, and an obsolete id has none."""
    assert small_ontology.current_name("HP:0001250") == "Seizure"
    assert small_ontology.current_name("HP:0009000") == ""
    assert small_ontology.current_name("HP:0000002") == ""
    assert small_ontology.label("HP:0009000") == "Fit"


def test_what_is_given_twice_is_placed_once(small_ontology: Ontology) -> None:
    """B2: an id that is repeated is one row, one replacement, one unknown."""
    terms = small_ontology.resolve(["HP:0009000", "HP:0000002", "HP:0001250"] * 2)
    assert terms.rows == (SEIZURE,)
    assert terms.replaced == (("HP:0009000", "HP:0001250"),)
    assert terms.unknown == ("HP:0000002",)

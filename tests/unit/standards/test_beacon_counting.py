"""Which individuals a Beacon's filters let through."""

from itertools import combinations

import pytest
from beacons import Person, asking, counting, people
from builders import TERM_ROWS
from hypothesis import given
from hypothesis import strategies as st

from cluster.ontology import Ontology, term_id
from cluster.standards.beacon.count import Individuals
from cluster.standards.beacon.demo import simulated_individuals

SEIZURE, TONIC, HEART = "HP:0001250", "HP:0002069", "HP:0001626"
FEMALE, MALE = "NCIT:C16576", "NCIT:C20197"
LIVING = [number for number, *_, obsolete in TERM_ROWS if not obsolete]

persons = st.tuples(
    st.lists(st.sampled_from([*LIVING, 777]), max_size=4, unique=True),
    st.sampled_from(["", "OMIM:100", "Orphanet:5", "MONDO:0000001"]),
    st.sampled_from(["FEMALE", "MALE", "UNKNOWN_SEX"]),
)


def test_a_term_stands_for_what_is_below_it(small_ontology: Ontology) -> None:
    """Includes descendants unless they are left out on request."""
    table = people(([1250], "", ""), ([2069], "", ""), ([3000], "", ""), ([1626], "", ""))
    assert counting(table, small_ontology, SEIZURE) == 3
    assert counting(table, small_ontology, HEART) == 2
    alone = {"id": SEIZURE, "includeDescendantTerms": False}
    assert counting(table, small_ontology, alone) == 1


def test_every_filter_must_hold(small_ontology: Ontology) -> None:
    """A person counts once, and only with all that is asked."""
    table = people(
        ([1250, 2069, 1626], "OMIM:100", "FEMALE"),
        ([1250], "OMIM:100", "FEMALE"),
        ([1250, 1626], "OMIM:100", "MALE"),
    )
    assert counting(table, small_ontology) == 3
    assert counting(table, small_ontology, SEIZURE, HEART) == 2
    assert counting(table, small_ontology, SEIZURE, HEART, "OMIM:100", FEMALE) == 1
    assert counting(table, small_ontology, MALE, FEMALE) == 0


@pytest.mark.parametrize("asked", ["ORPHA:5", "Orphanet:5", "orpha:5"])
def test_a_diagnosis_is_found_under_any_spelling(small_ontology: Ontology, asked: str) -> None:
    """Codes are compared in their one form, on both sides; part of a code is no code."""
    table = people(([], "Orphanet:5", ""), ([], "ORPHA:5", ""), ([], "ORPHA:55", ""), ([], "", ""))
    assert counting(table, small_ontology, asked) == 2


def test_an_obsolete_term_is_asked_as_the_one_of_today(small_ontology: Ontology) -> None:
    """HP:0009000 was replaced by HP:0001250."""
    assert counting(people(([2069], "", "")), small_ontology, "HP:0009000") == 1


def test_a_part_of_a_table_and_none_are_counted(small_ontology: Ontology) -> None:
    """Rows outside of a slice count no more than rows of an empty table."""
    table = people(([1626], "", "MALE"), ([1250], "", "MALE"), ([1250], "", "FEMALE"))
    assert counting(table.slice(1, 1), small_ontology, SEIZURE) == 1
    assert counting(table.slice(2), small_ontology, SEIZURE, FEMALE) == 1
    assert counting(people(), small_ontology, SEIZURE, "OMIM:1", FEMALE) == 0


def test_a_term_that_the_ontology_lacks_is_nobodys(small_ontology: Ontology) -> None:
    """It is not taken for another one, such as the last of the table."""
    shorter = Ontology(small_ontology.table.slice(0, 8), "without obsolete terms")
    assert counting(people(([777], "", ""), ([3000], "", "")), shorter, "HP:0003000") == 1


@given(st.lists(persons, max_size=12), st.lists(st.sampled_from(LIVING), max_size=3, unique=True))
def test_counts_are_those_of_a_plain_search(
    small_ontology: Ontology, table: list[Person], asked: list[int]
) -> None:
    """Says what walking over all persons says."""
    above = {
        number: {int(small_ontology.numbers[row]) for row in small_ontology.ancestors(place)}
        for place, (number, *_) in enumerate(TERM_ROWS)
    }
    plain = sum(
        all(any(term in above.get(own, ()) for own in terms) for term in asked)
        for terms, _, _ in table
    )
    assert counting(people(*table), small_ontology, *map(term_id, asked)) == plain


def test_simulated_individuals_answer_something(small_ontology: Ontology) -> None:
    """Test mode has counts above and below what is shown."""
    table = simulated_individuals()
    individuals = Individuals.of(table, small_ontology)
    counts = [
        individuals.count(asking(small_ontology, *pair))
        for pair in combinations([SEIZURE, "OMIM:154700", "MONDO:0007947", FEMALE, MALE], 1)
    ]
    assert min(counts) in range(1, 11)
    assert max(counts) >= 22

"""Cases added up by disease and term, against a recount in loops."""

import numpy as np
import pytest
from builders import HEART, SEIZURE, TONIC

from cluster.retrieval.evidence import merged
from cluster.retrieval.profiles import Presentation
from tests.unit.retrieval.ranking_cases import a_base, a_row, as_loops

PATIENT = Presentation((SEIZURE, HEART), (TONIC,))
ROWS = [
    a_row("a", "OMIM:1", [1250], excluded=[1626], publication_id="PMID:1"),
    a_row("b", "OMIM:1", [1250, 1626], publication_id="PMID:1", state="received"),
    a_row("c", "OMIM:2", [2069], publication_id="PMID:2"),
    a_row("d", "", [1250], publication_id="PMID:2"),
    a_row("e", "OMIM:2", [1626], excluded=[2069, 1250], publication_id=""),
    a_row("f", "OMIM:3", [], publication_id="PMID:1"),
]


def test_counts_by_hand() -> None:
    """A4: cases, then seen and absent for each examined term; a term below another is another."""
    assert as_loops(a_base(ROWS).count(PATIENT)) == {
        "OMIM:1": (2, 2, 1, 0, 0, 1, 0),
        "OMIM:2": (2, 0, 1, 1, 1, 0, 1),
        "OMIM:3": (1, 0, 0, 0, 0, 0, 0),
    }


def test_a_disease_without_a_case_left_is_none() -> None:
    """A4: a disease is a candidate only while a case of it counts."""
    base = a_base(ROWS)
    left_out = base.cases_of(["PMID:1", "PMID:404", "PMID:1"])
    assert as_loops(base.count(PATIENT, left_out)) == {"OMIM:2": (2, 0, 1, 1, 1, 0, 1)}


def test_cases_of_publications_and_names() -> None:
    """A4: cases are found by publication, by id and as received; who is not there is nowhere."""
    base = a_base(ROWS)
    assert sorted(base.cases_of(["PMID:2"]).tolist()) == [2, 3]
    assert base.cases_of([""]).tolist() == []
    assert base.places_of(["e", "nobody", "a"]).tolist() == [4, 0]
    assert base.received.tolist() == [1]
    assert sorted(base.same_publication(0).tolist()) == [0, 1, 5]
    assert base.same_publication(4).tolist() == [4]


def test_a_term_that_the_ontology_lacks_is_passed_over() -> None:
    """A4: a number of another release neither counts nor shifts what is beside it."""
    rows = [
        a_row("a", "OMIM:1", [1250]) | {"terms": [4444444, 1250, 5], "excluded": [6]},
        a_row("b", "OMIM:1", [1626]),
    ]
    base = a_base(rows)
    assert base.profiles.presentation(0) == Presentation((SEIZURE,), ())
    assert base.profiles.presentation(1) == Presentation((HEART,), ())
    assert as_loops(base.count(PATIENT)) == {"OMIM:1": (2, 1, 1, 0, 0, 0, 0)}


def test_no_cases() -> None:
    """A4: an empty index has no disease."""
    base = a_base([])
    counts = base.count(PATIENT)
    assert (counts.diseases, len(base.profiles), base.places_of(["a"]).tolist()) == ([], 0, [])
    assert as_loops(merged([counts, counts])) == {}


@pytest.mark.parametrize("n_parts", [1, 2, 3])
def test_platforms_add_up(n_parts: int) -> None:
    """A4: what several platforms count comes to what one that had all cases would."""
    parts = [a_base(ROWS[n::n_parts]).count(PATIENT) for n in range(n_parts)]
    whole = a_base(ROWS).count(PATIENT)
    together = merged(parts)
    assert together.diseases == whole.diseases
    for name in ("n_cases", "observed", "excluded"):
        assert np.array_equal(getattr(together, name), getattr(whole, name))

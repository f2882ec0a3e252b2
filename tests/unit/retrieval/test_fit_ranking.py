"""Weights are learned from cases with known answers, and find what was put into them."""

import numpy as np
import pytest
from builders import MemoryIndex, feature_table

from cluster.retrieval.diagnosis import Evidence, Weights
from cluster.retrieval.evidence import Counts
from cluster.retrieval.fit_ranking import Question, fit_weights, questions
from cluster.retrieval.profiles import Presentation
from cluster.retrieval.search import CaseSearch
from cluster.retrieval.similarity import Likeness
from tests.unit.retrieval.ranking_cases import ONTOLOGY, a_row

PATIENT = Presentation((3, 4), (6,))
N_DISEASES, N_CASES = 5, 12


def planted(figure: str, n: int = 120, *, turned: bool = False) -> list[Question]:
    """Make questions of which only one figure knows the answer; everything else is chance.

    Args:
        figure: name among the figures of diseases and cases.
        n: how many, of which a sixth have a disease that no case has.
        turned: the figure is low for the right answer, not high.
    """
    rng = np.random.default_rng(7)
    names = [f"OMIM:{place}" for place in range(N_DISEASES)]
    asked = []
    for number in range(n):
        right = names[rng.integers(N_DISEASES)] if number % 6 else "OMIM:unknown"
        observed = rng.integers(0, 4, (3, N_DISEASES)).astype(np.float64)
        of_case = [names[place % N_DISEASES] for place in range(N_CASES)]
        is_right = np.array([name == right for name in of_case], np.float64)
        told = {name: rng.random(N_CASES) for name in ("nearest", "same_terms", "absent", "cosine")}
        if figure in told:
            told[figure] = told[figure] + (-2 if turned else 2) * is_right
        excluded = np.zeros((3, N_DISEASES))
        if figure == "observed":
            observed[:2] += 20 * np.array([name == right for name in names])
            excluded[:2] = 24 - observed[:2]  # as often examined in every disease
        counts = Counts(names, np.full(N_DISEASES, 30.0), observed, excluded)
        alike = Likeness(told["nearest"], told["same_terms"], told["absent"])
        asked.append(Question(PATIENT, Evidence(counts, of_case, alike, told["cosine"]), right))
    return asked


@pytest.mark.parametrize(("figure", "named"), [("nearest", "nearest"), ("absent", "same_absent")])
def test_the_figure_that_knows_a_disease_has_the_weight(figure: str, named: str) -> None:
    """A4: what tells the right disease apart weighs most, what is chance next to nothing."""
    weights = fit_weights(planted(figure)).disease
    others = [weight for name, weight in weights.items() if name != named]
    assert weights[named] > 2
    assert weights[named] > 5 * max(others)


def test_the_counts_that_know_a_disease_have_the_weight() -> None:
    """A4: the same for the likelihoods from the counts."""
    weights = fit_weights(planted("observed")).disease
    assert weights["observed"] == max(weights.values()) > 0.5


@pytest.mark.parametrize("figure", ["same_terms", "cosine"])
def test_the_figure_that_knows_a_case_has_the_weight(figure: str) -> None:
    """A4: what tells cases of the right disease apart weighs most."""
    weights = fit_weights(planted(figure)).case
    assert max(weights, key=lambda name: weights[name]) == figure
    assert weights[figure] > 2


@pytest.mark.parametrize("figure", ["nearest", "same_terms", "cosine", "absent"])
def test_no_weight_turns_evidence_round(figure: str) -> None:
    """A4: a figure that happens to be low for right answers is not used, never used backwards."""
    weights = fit_weights(planted(figure, turned=True))
    assert min((*weights.disease.values(), *weights.case.values())) >= 0
    named = {"absent": "same_absent"}.get(figure, figure)
    assert {**weights.case, **weights.disease}[named] == pytest.approx(0, abs=0.05)
    assert Weights.model_validate(weights.model_dump()) == weights


def test_the_same_questions_give_the_same_weights() -> None:
    """A4: the fit has no chance in it."""
    asked = planted("nearest", 60)
    assert fit_weights(asked).model_dump_json() == fit_weights(asked).model_dump_json()


def test_a_known_disease_is_told_from_an_unknown_one() -> None:
    """A4: near cases make it likelier that the disease is among those that have cases."""
    known = fit_weights(planted("nearest")).known
    near, far = (known["utility"] * utility + known["nearest"] * utility for utility in (3.0, 1.0))
    assert near > far
    assert all(np.isfinite(list(known.values())))


def test_each_case_is_asked_without_its_publication() -> None:
    """A4: siblings of a report do not answer for each other; what is not known stays so."""
    rows = [
        a_row("a", "OMIM:1", [1250], publication_id="PMID:1", excluded=[1626]),
        a_row("b", "OMIM:1", [1250], publication_id="PMID:1"),
        a_row("c", "OMIM:1", [2069], publication_id="PMID:2"),
        a_row("d", "OMIM:2", [1627], publication_id="PMID:3"),
        a_row("e", "", [1627], publication_id="PMID:4"),
        a_row("f", "OMIM:2", [], publication_id="PMID:5"),
        a_row("g", "OMIM:4", [707]),
    ]
    index = MemoryIndex()
    index.upsert(feature_table(*rows))
    told: list[int] = []
    search = CaseSearch(index, ONTOLOGY)
    asked = questions(search, range(7), with_excluded=True, tell=told.append)
    assert told == [1, 2, 3, 4, 5, 6, 7]
    assert [question.disease for question in asked] == [
        "OMIM:1",
        "OMIM:1",
        "OMIM:1",
        "OMIM:2",
        "OMIM:4",
    ]
    assert [question.is_known for question in asked] == [True, True, True, True, False]
    first = asked[0]
    assert first.patient.excluded and len(first.evidence.diseases) == 5
    place = first.evidence.counts.diseases.index("OMIM:1")
    assert first.evidence.counts.n_cases[place] == 1
    blind = questions(search, [0], with_excluded=False, tell=told.append)
    assert blind[0].patient.excluded == ()

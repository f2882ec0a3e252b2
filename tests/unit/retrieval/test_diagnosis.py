"""Figures, probabilities and the order, in closed form for a few cases."""

from math import exp, log, sqrt

import numpy as np
import pytest
from builders import HEART, SEIZURE, TONIC
from pydantic import ValidationError

from cluster.retrieval.diagnosis import (
    CASE_FIGURES,
    DISEASE_FIGURES,
    LOG_PROBABILITY_MIN,
    NONE_FIGURES,
    Evidence,
    RankingModel,
    Weights,
    case_figures,
    disease_figures,
    rank,
)
from cluster.retrieval.evidence import Counts
from cluster.retrieval.profiles import Presentation
from cluster.retrieval.similarity import Likeness
from cluster.storage.ranking import load_ranking

PATIENT = Presentation((SEIZURE, HEART), (TONIC,))
COUNTS = Counts(
    diseases=["OMIM:1", "OMIM:2", "OMIM:3"],
    n_cases=np.array([4.0, 2.0, 1.0]),
    observed=np.array([[3.0, 0.0, 1.0], [1.0, 2.0, 0.0], [0.0, 0.0, 0.0]]),
    excluded=np.array([[0.0, 1.0, 0.0], [2.0, 0.0, 0.0], [1.0, 0.0, 0.0]]),
)


def weights(**changes: list[float]) -> Weights:
    """Return weights of one figure each, unless they are changed."""
    given = {"disease": [1.0, 0.0, 0.0, 0.0], "known": [0.0] * 4, "case": [1.0, 0, 0, 0]} | changes
    names = {"disease": DISEASE_FIGURES, "known": NONE_FIGURES, "case": CASE_FIGURES}
    return Weights(**{part: dict(zip(names[part], given[part], strict=True)) for part in given})


def a_model(**changes: list[float]) -> RankingModel:
    both = weights(**changes)
    return RankingModel(
        examined=both, observed=both, learned_from="hand", n_cases=0, ontology="ten terms"
    )


def evidence(*cases: tuple[str, float, float, float, float], counts: Counts = COUNTS) -> Evidence:
    """Return evidence of candidates: disease, matched, same terms, same absent, cosine."""
    figures = np.array([case[1:] for case in cases], np.float64).reshape(len(cases), 4)
    likeness = Likeness(figures[:, 0], figures[:, 1], figures[:, 2])
    return Evidence(counts, [case[0] for case in cases], likeness, figures[:, 3])


NEAR = evidence(
    ("OMIM:1", 4.0, 0.5, 0.0, 0.9),
    ("OMIM:2", 3.0, 0.2, 1.0, 0.8),
    ("OMIM:1", 2.0, 0.1, 0.5, 0.7),
    ("", 9.0, 1.0, 1.0, 0.6),
    ("OMIM:1", 1.5, 0.0, 0.2, 0.5),
    ("OMIM:1", 1.0, 0.0, 0.0, 0.4),
)


def test_figures_in_closed_form() -> None:
    """A4: likelihoods shrunk by three cases of the average, three nearest, best agreement."""
    figures = disease_figures(PATIENT, COUNTS, [NEAR])

    def surplus(hits: list[int], of_all: int, n_cases: int, place: int) -> float:
        share = (of_all + 0.5) / (7 + 1)
        return log((hits[place] + 3 * share) / (n_cases + 3) / share)

    for place, n_cases in enumerate((4, 2, 1)):
        seen = [([3, 0, 1], 4), ([1, 2, 0], 3)]
        looked_for = [([3, 1, 1], 5), ([3, 2, 0], 5), ([1, 0, 0], 1)]
        expected = sum(surplus(*term, n_cases, place) for term in seen)
        assert figures[place, 0] == pytest.approx(expected)
        expected = sum(surplus(*term, n_cases, place) for term in looked_for) / sqrt(3)
        assert figures[place, 1] == pytest.approx(expected)
    # the fourth case of the first disease is not among its nearest; the third disease has none
    assert figures[:, 2] == pytest.approx([(4 + 2 + 1.5) / 3, 3.0, 1.0])
    assert figures[:, 3] == pytest.approx([0.5, 1.0, 0.0])


def test_probabilities_in_closed_form() -> None:
    """A4: shares by the exponent of the utility, times the probability that it is a known one."""
    ranking = rank(PATIENT, [NEAR], a_model(disease=[0, 0, 1, 0.5], known=[0.3, 0.2, 0.1, -1]), 9)
    utilities = {"OMIM:1": 2.5 + 0.25, "OMIM:2": 3 + 0.5, "OMIM:3": 1.0}
    total = sum(map(exp, utilities.values()))
    surprise = log(total) - 3.5
    known = 1 / (1 + exp(-(0.3 + 0.2 * 3.5 + 0.1 * 3.0 - surprise)))
    assert [hit.disease_id for hit in ranking.diseases] == ["OMIM:2", "OMIM:1", "OMIM:3"]
    for hit in ranking.diseases:
        assert hit.probability == pytest.approx(known * exp(utilities[hit.disease_id]) / total)
    assert ranking.none_of_these == pytest.approx(1 - known)
    assert [hit.n_cases for hit in ranking.diseases] == [2, 4, 1]
    assert ranking.diseases[0].figures["nearest"] == 3.0


def test_cases_in_closed_form() -> None:
    """A4: a case without a diagnosis is found too, as if every disease were equally likely."""
    shares = {"OMIM:1": -0.1, "OMIM:2": -40.0}
    figures = case_figures(NEAR, shares)
    assert figures[:, 0].tolist() == [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]
    assert figures[3, 1:].tolist() == [1.0, 1.0, -log(3)]
    assert figures[1, 3] == LOG_PROBABILITY_MIN
    ranking = rank(PATIENT, [NEAR], a_model(case=[0.0, 2.0, 1.0, 0.0]), 1)
    assert ranking.case_scores[0] == pytest.approx([1.0, 1.4, 0.7, 3.0, 0.2, 0.0])


def test_no_cases_is_none_of_them() -> None:
    """A4: where nothing is known the answer is empty, and certainly none of these."""
    nothing = Counts([], np.empty(0), np.empty((3, 0)), np.empty((3, 0)))
    ranking = rank(PATIENT, [evidence(counts=nothing)], load_ranking(), 9)
    assert (ranking.diseases, ranking.none_of_these) == ([], 1.0)
    assert [len(scores) for scores in ranking.case_scores] == [0]


def test_only_cases_without_a_diagnosis() -> None:
    """A4: they are put in order all the same, by their terms."""
    nothing = Counts([], np.empty(0), np.empty((3, 0)), np.empty((3, 0)))
    found = evidence(("", 1, 0.1, 0, 0.2), ("", 3, 0.9, 0, 0.9), counts=nothing)
    ranking = rank(PATIENT, [found], load_ranking(), 9)
    assert ranking.none_of_these == 1.0
    assert ranking.case_scores[0][1] > ranking.case_scores[0][0]


def test_a_rare_disease_of_which_nothing_was_found_is_still_in_the_sum() -> None:
    """A4: a disease without a candidate is as near as the least alike candidate, never nearer."""
    figures = disease_figures(PATIENT, COUNTS, [evidence(("OMIM:1", 4.0, 0, 0, 0))])
    assert figures[:, 2].tolist() == [4.0, 4.0, 4.0]
    assert disease_figures(PATIENT, COUNTS, [evidence()])[:, 2].tolist() == [0, 0, 0]


def test_the_weights_fit_what_is_known_of_the_patient() -> None:
    """A4: a patient of whom nothing was excluded has weights of its own."""
    model = load_ranking()
    assert model.weights_for(PATIENT) == model.examined
    assert model.weights_for(Presentation(PATIENT.observed)) == model.observed


@pytest.mark.parametrize(
    ("part", "changed"),
    [
        ("disease", {"observed": -0.1}),
        ("case", {"diagnosis": -1e-9}),
        ("disease", {"observed": float("nan")}),
        ("known", {"constant": float("inf")}),
        ("case", {"charm": 1.0}),
    ],
)
def test_weights_that_would_mislead_are_refused(part: str, changed: dict[str, float]) -> None:
    """A4: no evidence for something may speak against it; no figure is unknown or unweighed."""
    good = load_ranking().examined.model_dump()
    Weights.model_validate(good)
    with pytest.raises(ValidationError):
        Weights.model_validate(good | {part: good[part] | changed})
    with pytest.raises(ValidationError):
        Weights.model_validate(good | {part: dict(list(good[part].items())[1:])})

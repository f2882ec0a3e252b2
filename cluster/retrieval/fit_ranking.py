"""Learns the weights of the ranking from published cases (S400).

Each case in turn is asked about as if it were new: the cases of its own publication do not count,
because siblings and rows of one table share most of their terms. A case whose disease has no other
publication is one whose disease is not known.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from cluster.retrieval.diagnosis import (
    CASE_FIGURES,
    DISEASE_FIGURES,
    NONE_FIGURES,
    Evidence,
    Weights,
    case_figures,
    disease_figures,
    known_figures,
)
from cluster.retrieval.profiles import Presentation, Reals
from cluster.retrieval.search import CaseSearch

PENALTY: Final = 1e-3
"""Weight of the squared weights, so that figures which say the same share theirs."""


@dataclass(frozen=True)
class Question:
    """A case that is asked about, what was found for it, and what its disease is."""

    patient: Presentation
    evidence: Evidence
    disease: str

    @property
    def is_known(self) -> bool:
        """Whether the disease has a case that counts."""
        return self.disease in self.evidence.counts.diseases


def questions(
    search: CaseSearch, cases: Sequence[int], *, with_excluded: bool, tell: Callable[[int], None]
) -> list[Question]:
    """Ask about cases of the index, each without its own publication.

    Args:
        search: the index.
        cases: places of the cases; those without an observed term or a disease are passed over.
        with_excluded: whether the excluded terms of the patient are known.
        tell: called with the number of cases that are done.
    """
    base, asked = search.base, []
    for number, case in enumerate(cases):
        tell(number + 1)
        patient = base.profiles.presentation(case)
        if not with_excluded:
            patient = Presentation(patient.observed)
        code = int(base.profiles.disease[case])
        if patient.observed and code >= 0:
            _, evidence = search.look_up(patient, left_out=base.same_publication(case))
            asked.append(Question(patient, evidence, base.profiles.diseases[code]))
    return asked


def fit_weights(asked: Sequence[Question]) -> Weights:
    """Learn the weights from questions with known answers."""
    figures = [disease_figures(q.patient, q.evidence.counts, [q.evidence]) for q in asked]
    is_right = [np.array(q.evidence.counts.diseases) == q.disease for q in asked]
    known = np.array([question.is_known for question in asked])
    disease = _conditional_logit(
        [f for f, k in zip(figures, known, strict=True) if k],
        [r for r, k in zip(is_right, known, strict=True) if k],
    )
    utilities = [f @ disease for f in figures]
    speaking = np.stack([known_figures(*pair) for pair in zip(figures, utilities, strict=True)])
    logistic = LogisticRegression(C=np.inf, fit_intercept=False, max_iter=1000)
    logistic.fit(speaking, known)
    of_cases, is_same = [], []
    for question, utility in zip(asked, utilities, strict=True):
        shares = utility - np.logaddexp.reduce(utility)
        named = dict(zip(question.evidence.counts.diseases, shares.tolist(), strict=True))
        same = np.array([name == question.disease for name in question.evidence.diseases])
        if same.any():
            of_cases.append(case_figures(question.evidence, named))
            is_same.append(same)
    case = _conditional_logit(of_cases, is_same)
    return Weights(
        disease=_named(DISEASE_FIGURES, disease),
        known=_named(NONE_FIGURES, logistic.coef_[0]),
        case=_named(CASE_FIGURES, case),
    )


def _conditional_logit(figures: Sequence[Reals], is_right: Sequence[np.ndarray]) -> Reals:
    """Return the weights under which the right ones of each set have the greatest share.

    No weight is negative: more that speaks for a disease or a case never puts it lower.
    """
    starts = np.concatenate([[0], np.cumsum([len(part) for part in figures])])[:-1]
    sets = np.repeat(np.arange(len(figures)), [len(part) for part in figures])
    plain, right = np.concatenate(figures), np.concatenate(is_right)
    scale = plain.std(axis=0) + 1e-9
    scaled = plain / scale

    def loss(weights: Reals) -> tuple[float, Reals]:
        utility = scaled @ weights
        utility -= np.maximum.reduceat(utility, starts)[sets]
        odds = np.exp(utility)
        among_all = np.add.reduceat(odds, starts)
        among_right = np.add.reduceat(odds * right, starts)
        missing = -np.log(among_right / among_all).mean() + PENALTY * weights @ weights
        surplus = odds / among_all[sets] - odds * right / among_right[sets]
        slope = surplus @ scaled / len(starts) + 2 * PENALTY * weights
        return float(missing), slope

    start, bounds = np.zeros(plain.shape[1]), [(0.0, None)] * plain.shape[1]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    weights: Reals = found.x / scale
    return weights


def _named(names: Sequence[str], weights: Reals) -> dict[str, float]:
    return {name: round(float(weight), 6) for name, weight in zip(names, weights, strict=True)}

"""What is found is put in order: diseases with probabilities, then the cases (S400).

Each disease gets four figures from the counts and from its nearest cases; a conditional logit
(McFadden 1974) weighs them and gives probabilities over the diseases that have cases. That it is
none of them has a probability of its own. A case is ordered by how alike it is and by how likely
its disease is. The weights are learned from published cases, with each case's own publication left
out (``fit_ranking``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from cluster.retrieval.evidence import Counts, merged
from cluster.retrieval.profiles import Presentation, Reals, Rows
from cluster.retrieval.similarity import Likeness

DISEASE_FIGURES: Final = ("observed", "examined", "nearest", "same_absent")
"""What speaks for a disease.

observed: log of how much likelier the observed terms are in its cases than in all cases.
examined: the same for which terms were looked for at all, over the root of their number.
nearest: mean best-match average of its three nearest cases, in nats.
same_absent: largest overlap of excluded terms with one of its cases, 0 to 1.
"""
NONE_FIGURES: Final = ("constant", "utility", "nearest", "surprise")
"""What speaks for the disease being among those known: of the first one its utility, its nearest
cases, and the negative log of its probability among them."""
CASE_FIGURES: Final = ("cosine", "same_terms", "same_absent", "diagnosis")
"""What speaks for a case; ``diagnosis`` is the log of its disease's probability."""
NEAREST: Final = 3
PSEUDO_CASES: Final = 3.0
"""Cases with the frequencies of all cases, which every disease is given beforehand."""
LOG_PROBABILITY_MIN: Final = -12.0


def _names(names: Sequence[str]) -> AfterValidator:
    """Refuse weights of other figures than these."""

    def check(weights: dict[str, float]) -> dict[str, float]:
        if set(weights) != set(names):
            text = f"must have a weight for each of {', '.join(names)}"
            raise ValueError(text)
        return weights

    return AfterValidator(check)


Weight = Annotated[float, Field(ge=0)]


class Weights(BaseModel):
    """Weights of the figures, for patients with or without excluded terms.

    What speaks for a disease or a case never puts it lower: those weights are not negative.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    disease: Annotated[dict[str, Weight], _names(DISEASE_FIGURES)]
    known: Annotated[dict[str, float], _names(NONE_FIGURES)]
    case: Annotated[dict[str, Weight], _names(CASE_FIGURES)]


class RankingModel(BaseModel):
    """Weights and what they were learned from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    examined: Weights
    """For patients of whom excluded terms are known."""
    observed: Weights
    """For patients of whom only observed terms are known."""
    learned_from: str
    n_cases: int
    ontology: str

    def weights_for(self, patient: Presentation) -> Weights:
        """Return the weights that fit what is known of the patient."""
        return self.examined if patient.excluded else self.observed


@dataclass(frozen=True)
class Evidence:
    """What one platform has to say for a patient."""

    counts: Counts
    diseases: list[str]
    """Disease of each candidate case [C]; empty where none is given."""
    likeness: Likeness
    cosines: Reals
    """Cosine of the retrieval features of candidate and patient [C]."""

    def of(self, candidates: Rows) -> "Evidence":
        """Return the same counts with some of the candidates."""
        return Evidence(
            counts=self.counts,
            diseases=[self.diseases[place] for place in candidates],
            likeness=self.likeness.of(candidates),
            cosines=self.cosines[candidates],
        )


@dataclass(frozen=True)
class RankedDisease:
    """A disease with its probability, and the figures that made it."""

    disease_id: str
    probability: float
    n_cases: int
    figures: dict[str, float]


@dataclass(frozen=True)
class Ranking:
    """Diseases in order, and the scores of every platform's candidates."""

    diseases: list[RankedDisease]
    none_of_these: float
    """Probability that the disease is not among those that have cases here."""
    case_scores: list[Reals]
    """For each part that is shown, a score of each candidate; higher is nearer."""


def rank(
    patient: Presentation,
    found: Sequence[Evidence],
    model: RankingModel,
    diseases_max: int,
    shown: Sequence[Evidence] | None = None,
) -> Ranking:
    """Put diseases and cases in order.

    Args:
        patient: who is asked about.
        found: evidence of every platform asked.
        model: weights.
        diseases_max: how many diseases are returned.
        shown: candidates that are scored, where they are others than those of the evidence.
    """
    weights, scored = model.weights_for(patient), found if shown is None else shown
    counts = merged([part.counts for part in found])
    figures = disease_figures(patient, counts, found)
    if not len(figures):
        return Ranking([], 1.0, [_case_scores(part, {}, weights) for part in scored])
    utility = figures @ _vector(weights.disease, DISEASE_FIGURES)
    log_share = utility - _log_sum(utility)
    order = np.argsort(-utility, kind="stable")
    known = probability_known(figures, utility, weights)
    ranked = [
        RankedDisease(
            disease_id=counts.diseases[place],
            probability=float(np.exp(log_share[place])) * known,
            n_cases=int(counts.n_cases[place]),
            figures=dict(zip(DISEASE_FIGURES, map(float, figures[place]), strict=True)),
        )
        for place in order[:diseases_max]
    ]
    shares = dict(zip(counts.diseases, log_share.tolist(), strict=True))
    scores = [_case_scores(part, shares, weights) for part in scored]
    return Ranking(ranked, 1.0 - known, scores)


def disease_figures(patient: Presentation, counts: Counts, found: Sequence[Evidence]) -> Reals:
    """Return the figures of every disease [D, 4], in the order of ``DISEASE_FIGURES``."""
    nearest, same_absent = _nearest_cases(counts.diseases, found)
    n_observed = len(patient.observed)
    examined = counts.observed + counts.excluded
    columns = [
        _surplus(counts.observed[:n_observed], counts.n_cases),
        _surplus(examined, counts.n_cases) / np.sqrt(max(len(examined), 1)),
        nearest,
        same_absent,
    ]
    return np.stack(columns, axis=1)


def known_figures(figures: Reals, utility: Reals) -> Reals:
    """Return what speaks for the disease being among those known [4], as in ``NONE_FIGURES``."""
    best = int(np.argmax(utility))
    nearest = figures[best, DISEASE_FIGURES.index("nearest")]
    return np.array([1.0, utility[best], nearest, _log_sum(utility) - utility[best]])


def probability_known(figures: Reals, utility: Reals, weights: Weights) -> float:
    """Return the probability that the disease is among those that have cases."""
    logit = float(known_figures(figures, utility) @ _vector(weights.known, NONE_FIGURES))
    return float(1.0 / (1.0 + np.exp(-logit)))


def case_figures(part: Evidence, log_shares: dict[str, float]) -> Reals:
    """Return the figures of every candidate [C, 4], in the order of ``CASE_FIGURES``.

    A case without a diagnosis counts as if every disease were equally likely.
    """
    unknown = -np.log(len(log_shares) + 1.0)
    diagnosis = np.array([log_shares.get(name, unknown) for name in part.diseases], np.float64)
    likeness = part.likeness
    columns = [part.cosines, likeness.same_terms, likeness.same_absent]
    return np.stack([*columns, np.maximum(diagnosis, LOG_PROBABILITY_MIN)], axis=1)


def _case_scores(part: Evidence, log_shares: dict[str, float], weights: Weights) -> Reals:
    scores: Reals = case_figures(part, log_shares) @ _vector(weights.case, CASE_FIGURES)
    return scores


def _surplus(hits: Reals, n_cases: Reals) -> Reals:
    """Return the sum over terms of log(share in a disease / share in all), shrunk to all [D]."""
    share = (hits.sum(axis=1) + 0.5) / (n_cases.sum() + 1.0)
    shrunk = (hits + PSEUDO_CASES * share[:, None]) / (n_cases + PSEUDO_CASES)
    surplus: Reals = np.log(shrunk / share[:, None]).sum(axis=0)
    return surplus


def _nearest_cases(diseases: Sequence[str], found: Sequence[Evidence]) -> tuple[Reals, Reals]:
    """Return the mean of each disease's nearest matches and its best overlap of absent terms [D].

    A disease without a candidate is given what the least alike candidate has.
    """
    place = {disease: number for number, disease in enumerate(diseases)}
    code = np.array([place.get(name, -1) for part in found for name in part.diseases], np.int64)
    matched = np.concatenate([np.empty(0), *(part.likeness.matched for part in found)])
    absent = np.concatenate([np.empty(0), *(part.likeness.same_absent for part in found)])
    code, matched, absent = code[code >= 0], matched[code >= 0], absent[code >= 0]
    floor = float(matched.min()) if len(matched) else 0.0
    nearest, best_absent = np.full(len(diseases), floor), np.zeros(len(diseases))
    order = np.lexsort((-matched, code))
    rank_within = np.arange(len(order)) - np.searchsorted(code[order], code[order])
    chosen = order[rank_within < NEAREST]
    number = np.bincount(code[chosen], minlength=len(diseases))
    total = np.bincount(code[chosen], matched[chosen], len(diseases))
    np.divide(total, number, out=nearest, where=number > 0)
    np.maximum.at(best_absent, code, absent)
    return nearest, best_absent


def _log_sum(utility: Reals) -> float:
    highest = float(utility.max())
    return highest + float(np.log(np.exp(utility - highest).sum()))


def _vector(weights: dict[str, float], names: Sequence[str]) -> Reals:
    return np.array([weights[name] for name in names])

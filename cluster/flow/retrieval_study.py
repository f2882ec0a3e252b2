"""Measures the search of a platform on its own cases, beside simple methods (S400).

Each case is asked about by its terms alone, and does not count itself; once with the other cases of
its publication, once without any of them. The weights of the product's ranking are learned anew for
each fold of publications, from questions about the cases of the other folds; the fold's own cases
still stand in the index that those questions are asked of.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

import numpy as np

from cluster.errors import InputError
from cluster.flow.platform import Platform
from cluster.ontology import Ontology
from cluster.retrieval import baselines
from cluster.retrieval.baselines import CaseScores, DiseaseScores, counting, fused
from cluster.retrieval.diagnosis import RankingModel, Weights, rank
from cluster.retrieval.evaluation import (
    PRODUCT,
    PRODUCT_OBSERVED,
    WITH_PUBLICATION,
    WITHOUT_PUBLICATION,
    Answer,
    Answers,
    Comparison,
    Queries,
    Regime,
    Resampling,
    Study,
    certainty_of,
    compare,
    precision_at_first,
    rank_of,
    read,
    stratify,
)
from cluster.retrieval.evidence import CaseBase
from cluster.retrieval.fit_ranking import Question, fit_weights, questions
from cluster.retrieval.profiles import Presentation, Reals, Rows
from cluster.retrieval.search import CaseSearch

Tell = Callable[[str, int, int], None]
T = TypeVar("T")

FOLDS: Final = 4
QUESTIONS: Final = 2000
"""Cases that weights are learned from; each fold learns from those of the other folds."""
QUESTIONS_MIN: Final = 50
DISEASES_MAX: Final = 200
"""Diseases that the product is asked for; a disease below them counts as not named."""


@dataclass(frozen=True)
class Methods:
    """All that queries are put to: the product's search, and the simple methods."""

    search: CaseSearch
    cases: CaseScores
    diseases: DiseaseScores

    @staticmethod
    def of(search: CaseSearch, ontology: Ontology) -> "Methods":
        """Make the simple methods for the cases of a search."""
        base = search.base
        return Methods(search, CaseScores(base, ontology), DiseaseScores(base))

    @property
    def base(self) -> CaseBase:
        """The cases."""
        return self.search.base


def study_retrieval(
    platform: Platform, *, n_queries: int | None, seed: int, source: str, tell: Tell
) -> Study:
    """Measure the search and the simple methods on the cases of a platform.

    Args:
        platform: whose cases are asked about.
        n_queries: how many cases are asked about, drawn at random; every one where none is given.
        seed: of folds, draws and resampling.
        source: what the study says of where the cases come from.
        tell: called with step, done and total.

    Raises:
        InputError: there are too few cases to learn weights from, or no query has an answer.
    """
    generator = np.random.default_rng(seed)
    base = platform.searcher.base
    publication = _publications(base)
    folds = generator.permutation(len(publication))[publication] % FOLDS
    askable = (base.profiles.disease >= 0) & (base.profiles.observed.lengths() > 0)
    usable = np.flatnonzero(askable)
    asked = np.sort(generator.permutation(usable)[:n_queries])
    learning = np.sort(generator.permutation(usable)[:QUESTIONS])
    models = _models(platform, learning, folds[learning], source, tell)
    methods = Methods.of(platform.searcher, platform.ontology)
    answers: dict[str, list[dict[str, Answer]]] = {WITH_PUBLICATION: [], WITHOUT_PUBLICATION: []}
    for number, case in enumerate(asked.tolist(), start=1):
        left_out = {
            WITH_PUBLICATION: np.array([case]),
            WITHOUT_PUBLICATION: base.same_publication(case),
        }
        for regime, found in ask(methods, case, left_out, models[folds[case]]).items():
            answers[regime].append(found)
        tell("ask", number, len(asked))
    together = {regime: _together(found) for regime, found in answers.items()}
    queries = {regime: queries_of(base, asked, publication, regime) for regime in answers}
    return Study(
        cases=source,
        n_cases=len(base.profiles),
        ontology=platform.ontology.version,
        seed=seed,
        folds=FOLDS,
        n_questions=len(learning),
        regimes={name: _measured(together[name], queries[name], generator) for name in answers},
        case_ids=[str(base.profiles.case_ids[place]) for place in asked.tolist()],
        disease_ranks={
            regime: {name: _ranks(one) for name, one in found.items()}
            for regime, found in together.items()
        },
    )


def ask(
    methods: Methods, case: int, left_out: Mapping[str, Rows], model: RankingModel
) -> dict[str, dict[str, Answer]]:
    """Put one case to every method.

    Args:
        methods: what it is put to.
        case: place of the case.
        left_out: by regime, places of the cases that do not count.
        model: weights of the product.

    Returns:
        By regime and method, how it was answered.
    """
    profiles = methods.base.profiles
    patient, code = profiles.presentation(case), int(profiles.disease[case])
    scored = {
        name: _timed(partial(score, patient.observed))
        for name, score in methods.cases.methods.items()
    }
    found = {}
    for regime, out in left_out.items():
        answers = _of_baselines(methods, patient, code, scored, out)
        answers[PRODUCT] = _of_product(methods.search, patient, code, out, model)
        answers[PRODUCT_OBSERVED] = answers[PRODUCT]
        if patient.excluded:
            seen_only = Presentation(patient.observed)
            answers[PRODUCT_OBSERVED] = _of_product(methods.search, seen_only, code, out, model)
        found[regime] = answers
    return found


def _of_product(
    search: CaseSearch, patient: Presentation, code: int, left_out: Rows, model: RankingModel
) -> Answer:
    began = time.perf_counter()
    _, evidence = search.look_up(patient, left_out=left_out)
    ranking = rank(patient, [evidence], model, DISEASES_MAX)
    ms = _ms(began)
    name = search.base.profiles.diseases[code]
    probability = np.array([one.probability for one in ranking.diseases])
    is_right = np.array([one.disease_id == name for one in ranking.diseases], np.bool_)
    is_same = np.array([disease == name for disease in evidence.diseases], np.bool_)
    return Answer(
        disease_rank=rank_of(probability, is_right),
        case_rank=rank_of(ranking.case_scores[0], is_same),
        precision_10=precision_at_first(ranking.case_scores[0], is_same),
        stated=float(probability.max(initial=0.0)),
        none=ranking.none_of_these,
        ms=ms,
    )


def _of_baselines(
    methods: Methods,
    patient: Presentation,
    code: int,
    scored: Mapping[str, tuple[Reals, float]],
    left_out: Rows,
) -> dict[str, Answer]:
    diseases, answers = methods.diseases, {}
    is_same = methods.base.profiles.disease == code
    is_right = np.arange(len(methods.base.profiles.diseases)) == code
    scores: dict[str, Reals] = {}
    ms: dict[str, float] = {}
    for name, (every, ms_scoring) in scored.items():
        cases = counting(every, left_out)
        scores[name], ms_best = _timed(partial(diseases.best, cases))
        ms[name] = ms_scoring + ms_best
        answers[name] = Answer(
            disease_rank=rank_of(scores[name], is_right),
            case_rank=rank_of(cases, is_same),
            precision_10=precision_at_first(cases, is_same),
            ms=ms[name],
        )
    vote = baselines.SIMGIC_VOTE
    every, ms_scoring = scored[baselines.SIMGIC]
    scores[vote], ms_voting = _timed(partial(diseases.vote, counting(every, left_out)))
    ms[vote] = ms_scoring + ms_voting
    bayes, fusion = baselines.NAIVE_BAYES, baselines.FUSION
    naive = partial(diseases.naive_bayes, patient.observed, left_out)
    scores[bayes], ms[bayes] = _timed(naive)
    scores[fusion], ms_fusing = _timed(partial(fused, scores))
    ms[fusion] = ms_fusing + sum(ms[name] for name in baselines.FUSED)
    for name in (vote, bayes, fusion):
        answers[name] = Answer(rank_of(scores[name], is_right), ms=ms[name])
    return answers


def _models(
    platform: Platform, learning: Rows, fold: Rows, source: str, tell: Tell
) -> list[RankingModel]:
    """Return for each fold the weights that its queries are answered with."""
    weights = {}
    for name, with_excluded in (("examined", True), ("observed", False)):
        told = partial(_tell, tell, name, len(learning))
        weights[name] = weights_by_fold(
            questions(platform.searcher, learning.tolist(), with_excluded=with_excluded, tell=told),
            fold,
        )
    return [
        RankingModel(
            examined=examined,
            observed=observed,
            learned_from=source,
            n_cases=int((fold != number).sum()),
            ontology=platform.ontology.version,
        )
        for number, (examined, observed) in enumerate(
            zip(weights["examined"], weights["observed"], strict=True)
        )
    ]


def weights_by_fold(asked: Sequence[Question], fold: Rows) -> list[Weights]:
    """Return for each fold the weights learned from the questions of the other folds.

    Args:
        asked: cases that were asked about without their own publications.
        fold: which fold each belongs to [Q].

    Raises:
        InputError: too few of the cases have a disease with another publication, or all have.
    """
    learned = []
    for number in range(FOLDS):
        chosen = [asked[place] for place in np.flatnonzero(fold != number).tolist()]
        n_known = sum(question.is_known for question in chosen)
        if not QUESTIONS_MIN <= n_known < len(chosen):
            what = f"{n_known} of {len(chosen)} cases have a disease with another publication"
            remedy = f"Give cases of which {QUESTIONS_MIN} or more have one, but not all."
            raise InputError(what, "weights of the ranking", remedy)
        learned.append(fit_weights(chosen))
    return learned


def _publications(base: CaseBase) -> Rows:
    """Return a code of each case's publication; a case without one has a code of its own [C]."""
    codes = base.profiles.publication
    own = len(base.profiles.publication_ids) + np.arange(len(codes))
    _, dense = np.unique(np.where(codes >= 0, codes, own), return_inverse=True)
    return dense.astype(np.int64)


def queries_of(base: CaseBase, asked: Rows, publication: Rows, regime: str) -> Queries:
    """Return what is known of the queries, which both the strata and the answerable ones need."""
    disease = base.profiles.disease
    n_usable = np.bincount(disease[disease >= 0])[disease[asked]] - 1
    if regime == WITHOUT_PUBLICATION:
        pairs = disease + 1 + (int(disease.max()) + 2) * publication  # -1: no disease is given
        names, number = np.unique(pairs, return_counts=True)
        n_usable += 1 - number[np.searchsorted(names, pairs[asked])]
    return Queries(
        publication=publication[asked],
        disease=disease[asked],
        n_usable=n_usable,
        n_observed=base.profiles.observed.lengths()[asked],
    )


def _together(found: Sequence[Mapping[str, Answer]]) -> dict[str, Answers]:
    """Turn answers by query and method into answers by method, the product first."""
    names = [PRODUCT, PRODUCT_OBSERVED, baselines.FUSION]
    names += [name for name in (found[0] if found else ()) if name not in names]
    return {name: Answers.of([one[name] for one in found]) for name in names} if found else {}


def _measured(
    answers: Mapping[str, Answers], queries: Queries, generator: np.random.Generator
) -> Regime:
    can = queries.n_usable > 0
    if not can.any():
        what = f"none of {len(can)} queries has a disease with a case that counts"
        raise InputError(what, "queries", "Ask about more cases.")
    among = {name: one.among(can) for name, one in answers.items()}
    asked = queries.among(can)
    resampling = Resampling(asked.publication, generator)
    products = (PRODUCT, PRODUCT_OBSERVED)
    return Regime(
        n_queries=len(can),
        n_answerable=int(can.sum()),
        readings={name: read(one, asked, resampling) for name, one in among.items()},
        comparisons=[one for name in products for one in _comparisons(name, among, resampling)],
        strata=stratify(among, asked),
        certainty={name: certainty_of(answers[name], can) for name in products},
    )


def _comparisons(
    name: str, answers: Mapping[str, Answers], resampling: Resampling
) -> list[Comparison]:
    """Compare a method with the fusion on diseases and with the cosine on cases."""
    one, fusion, cosine = answers[name], answers[baselines.FUSION], answers[baselines.IC_COSINE]
    diseases = [(part.by_disease()) for part in (one, fusion)]
    cases = [(part.by_case()) for part in (one, cosine)]
    wanted = [
        (baselines.FUSION, "disease_top_1", diseases, 0),
        (baselines.FUSION, "disease_top_10", diseases, 2),
        (baselines.IC_COSINE, "case_top_1", cases, 0),
        (baselines.IC_COSINE, "case_precision_10", cases, 3),
    ]
    return [
        compare((name, other), measure, (pair[0][:, column], pair[1][:, column]), resampling)
        for other, measure, pair, column in wanted
    ]


def _ranks(answers: Answers) -> list[float | None]:
    return [rank if np.isfinite(rank) else None for rank in answers.disease_rank.tolist()]


def _tell(tell: Tell, step: str, total: int, done: int) -> None:
    tell(step, done, total)


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    began = time.perf_counter()
    return work(), _ms(began)


def _ms(began: float) -> float:
    return 1000 * (time.perf_counter() - began)

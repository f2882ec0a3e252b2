"""Learning the order of search results from the cases of a platform (S400)."""

from collections.abc import Callable
from functools import partial

import numpy as np

from cluster.errors import InputError
from cluster.flow.platform import Platform
from cluster.retrieval.diagnosis import RankingModel
from cluster.retrieval.fit_ranking import fit_weights, questions

QUESTIONS_MIN = 50
"""Cases asked about whose disease another publication reports too."""
UNKNOWN_MIN = 10
"""Cases asked about whose disease no other publication reports: they show what is not known."""


def fit_ranking(
    platform: Platform,
    *,
    n_cases: int,
    seed: int,
    source: str,
    tell: Callable[[str, int, int], None],
) -> RankingModel:
    """Learn weights, with and without the excluded terms of the patients.

    Args:
        platform: whose cases are asked about, each without its own publication.
        n_cases: how many are asked about, drawn at random.
        seed: of the draw.
        source: what the model says it was learned from.
        tell: called with step, done and total.

    Raises:
        InputError: too few cases with terms have a disease that is known from another publication,
            or too few have one that is not.
    """
    base = platform.searcher.base
    draw = np.random.default_rng(seed).permutation(len(base.profiles))[:n_cases]
    chosen = sorted(draw.tolist())
    fitted = {}
    for name, with_excluded in (("examined", True), ("observed", False)):
        asked = questions(
            platform.searcher,
            chosen,
            with_excluded=with_excluded,
            tell=partial(_tell, tell, name, len(chosen)),
        )
        known = sum(question.is_known for question in asked)
        if known < QUESTIONS_MIN:
            what = f"fewer than {QUESTIONS_MIN} cases have a disease with another publication"
            raise InputError(what, source, "Give more published cases.")
        if len(asked) - known < UNKNOWN_MIN:
            what = f"fewer than {UNKNOWN_MIN} cases have a disease without another publication"
            raise InputError(what, source, "Give cases of more diseases.")
        fitted[name] = fit_weights(asked)
    return RankingModel(
        **fitted, learned_from=source, n_cases=len(chosen), ontology=platform.ontology.version
    )


def _tell(tell: Callable[[str, int, int], None], step: str, total: int, done: int) -> None:
    tell(step, done, total)

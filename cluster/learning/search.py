"""Which configurations a search tries, and which of them is meant by an id (B7).

All that is drawn comes from the space, and from nothing but the seed and the number of the trial
(Sobol's points, scrambled as by Owen): a search with more trials begins with the same ones. The
first trial is always the default, so that no search ends worse than it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeVar

import numpy as np
from scipy.stats import qmc

from cluster.contracts.trend_search import Candidate, Parameter, Trial, Value
from cluster.errors import Conflict, NotFound

T = TypeVar("T", bound=Trial)
DEFAULT_ID: Final = "trial-00"
BEST: Final = "best"
"""Stands for the id of the trial with the least validation loss."""
DIGITS: Final = 3
"""Significant digits of a drawn value: as many as a person copies."""


def candidates_of(
    space: Sequence[Parameter], default: Mapping[str, Value], n: int, seed: int
) -> tuple[Candidate, ...]:
    """Return n configurations: the default, and as many drawn ones as are missing."""
    drawn = (
        Candidate(id=f"trial-{number:02d}", values=values)
        for number, values in enumerate(_draw(space, n - 1, seed), start=1)
    )
    return (Candidate(id=DEFAULT_ID, values=dict(default)), *drawn)


def ranked(trials: Iterable[T]) -> tuple[T, ...]:
    """Put trials in order: the least validation loss first, those that failed last."""

    def rank(trial: T) -> tuple[bool, float, str]:
        loss = trial.validation_loss
        return trial.state == "failed", float("inf") if loss is None else loss, trial.id

    return tuple(sorted(trials, key=rank))


def chosen(trials: Sequence[T], trial_id: str) -> T:
    """Return the trial of this id among those of a search, or the best one for ``BEST``.

    Raises:
        NotFound: there is no such trial, or none that did not fail.
        Conflict: the trial failed.
    """
    usable = [trial for trial in trials if trial.state != "failed"]
    if trial_id == BEST and usable:
        return usable[0]
    found = [trial for trial in trials if trial.id == trial_id]
    if not found:
        what = f"there is no trial {trial_id!r}"
        known = ", ".join(sorted(trial.id for trial in trials))
        remedy = f"Known are {BEST} and: {known}." if known else "Run the search to its end first."
        raise NotFound(what, "the search", remedy)
    if found[0].state == "failed":
        what = f"{trial_id} failed ({found[0].error})"
        raise Conflict(what, "the search", "Choose another trial, or start the search again.")
    return found[0]


def _draw(space: Sequence[Parameter], n: int, seed: int) -> list[dict[str, Value]]:
    """Draw n points of a scrambled Sobol sequence: a few trials already lie all over the space."""
    sequence = qmc.Sobol(len(space), rng=np.random.default_rng(seed))
    shares_NP = sequence.random_base2(max(n - 1, 0).bit_length())[:n]
    return [
        {one.name: _value(one, share) for one, share in zip(space, shares_P, strict=True)}
        for shares_P in shares_NP.tolist()
    ]


def _value(parameter: Parameter, share: float) -> Value:
    """Return the value at a share, 0 to 1, of the way through a parameter's range."""
    low, high = parameter.low, parameter.high
    if parameter.scale == "choice":
        return parameter.choices[int(share * len(parameter.choices))]
    value = low * (high / low) ** share if parameter.scale == "log" else low + (high - low) * share
    return min(max(float(f"{value:.{DIGITS}g}"), low), high)

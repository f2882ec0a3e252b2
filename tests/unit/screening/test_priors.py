"""Which prior a class is given."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from cluster.screening.priors import (
    NO_POOL,
    Known,
    Pool,
    Priors,
    choose_priors,
    class_counts,
    pooled,
)
from tests.unit.screening.knowledge import a_prior


def counts(**numbers: int) -> pa.Table:
    return class_counts(pa.array([name for name, n in numbers.items() for _ in range(n)]))


def chosen(known: Known, years: float = 1e6, strength: float = 0.5, **numbers: int) -> Priors:
    cases = np.array(list(numbers.values()), np.float64)
    return choose_priors(pa.array(list(numbers), pa.string()), cases, years, strength, known)


def kinds(priors: Priors) -> list[str]:
    return [source.partition(":")[0] for source in priors.source]


def test_published_before_pooled_before_background() -> None:
    """A2: each class has the best prior that is known of it, and says which."""
    pool = Pool(counts(x=4, y=8), 4e6, 2)
    priors = chosen(Known(a_prior("x", 0.3), pool), x=1, y=2, z=3)
    assert kinds(priors) == ["published", "pooled", "background"]
    assert priors.mean == pytest.approx([0.3e-5, 8 / 4e6, 6 / 3e6])
    assert priors.person_years == pytest.approx(0.5 / priors.mean)
    assert priors.shape.tolist() == [0.5] * 3
    assert priors.source[1] == (
        "pooled: annual incidence, 8 in 4,000,000 person-years of 2 platforms"
    )


def test_one_platform_is_no_pool() -> None:
    """A2: what only this platform has seen is not told to it as the rate of others."""
    priors = chosen(Known(pool=Pool(counts(x=4, y=8), 4e6, 1)), x=1, y=2)
    assert kinds(priors) == ["background", "background"]


def test_a_lone_class_has_the_prior_of_jeffreys() -> None:
    """A2: where no rate is known, half a case over no person-years, whatever the strength."""
    priors = chosen(Known(), strength=3.0, x=7)
    assert kinds(priors) == ["Jeffreys"]
    assert (priors.shape[0], priors.person_years[0], priors.mean[0]) == (0.5, 0.0, 0.0)


@pytest.mark.parametrize("n", [1, 3, 4, 5, 40])
@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_a_published_rate_that_does_not_fit_is_set_aside(n: int, strength: float) -> None:
    """A2: it counts where so many cases have a chance of 2.5 % under it: a negative binomial."""
    rate = 0.03e-5
    weight = strength / rate
    chance = stats.nbinom(strength, weight / (weight + 1e6)).sf(n - 1)
    priors = chosen(Known(a_prior("x", 0.03)), strength=strength, x=n, y=1)
    fits = chance >= 0.025
    assert kinds(priors)[0] == ("published" if fits else "background")
    assert ("too many cases for published annual incidence of x" in priors.source[0]) is not fits
    assert kinds(priors)[1] == "background"


def test_a_high_published_rate_gives_way_to_the_data() -> None:
    """A2: a rate far above what is seen weighs few person-years, so it is not set aside."""
    priors = chosen(Known(a_prior("x", 90.0)), x=1, y=1)
    assert kinds(priors)[0] == "published"
    assert priors.person_years[0] < 1000


def test_a_platform_without_a_population_is_not_pooled() -> None:
    """A2: its cases have no person-years, so they would raise every rate."""
    parts = [(counts(x=1, y=2), 1e6), (counts(x=100), 0.0), (counts(x=3), 2e6)]
    pool = pooled(parts)
    assert pool.counts.to_pylist() == [
        {"class_id": "x", "n_cases": 4},
        {"class_id": "y", "n_cases": 2},
    ]
    assert (pool.person_years, pool.platforms) == (3e6, 2)
    assert pooled([(counts(x=1), 0.0)]) is NO_POOL
    assert pooled(reversed(parts)) == pool


def test_a_platform_is_told_of_its_own_classes_only() -> None:
    """A2 B9: the pool that it gets has no class that it has not seen itself."""
    pool = pooled([(counts(x=1, y=2), 1e6), (counts(secret=1), 1e6)])
    told = pool.restricted(counts(x=1)["class_id"])
    assert told.counts["class_id"].to_pylist() == ["x"]
    assert (told.person_years, told.platforms) == (2e6, 2)


def test_cases_without_a_class_are_not_counted() -> None:
    """A2: a null is no class."""
    assert class_counts(pa.array([None, "x", None, "x"], pa.string())).to_pylist() == [
        {"class_id": "x", "n_cases": 2}
    ]

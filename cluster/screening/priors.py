"""Which prior each class of a platform is given, and why.

A published annual incidence comes first, then the pooled rate of all platforms (empirical Bayes),
then the platform's own background. A published rate is set aside where the platform's count is too
high for it: a clinic that draws patients from afar sees more than its population would make, and a
low rate would pull a class that is common there down to rare.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy import special

from cluster.screening.prevalence import NOTHING_PUBLISHED, PublishedRates

PER: Final = 100_000.0
JEFFREYS: Final = 0.5
TOO_MANY: Final = 0.025
"""Chance of a count as high as the platform's, below which a published rate is set aside."""

Floats = npt.NDArray[np.float64]

_COUNTS: Final[list["pa.Field[Any]"]] = [
    pa.field("class_id", pa.string(), nullable=False),
    pa.field("n_cases", pa.int64(), nullable=False),
]
COUNTS: Final = pa.schema(_COUNTS)


@dataclass(frozen=True)
class Pool:
    """What all platforms that know their population at risk have seen together."""

    counts: pa.Table
    """Rows of ``COUNTS``."""
    person_years: float
    platforms: int

    def restricted(self, class_ids: "pa.ChunkedArray[Any]") -> "Pool":
        """Return the pool of these classes only."""
        known = pc.is_in(self.counts["class_id"], value_set=class_ids.combine_chunks())
        return Pool(self.counts.filter(known), self.person_years, self.platforms)


NO_POOL: Final = Pool(COUNTS.empty_table(), 0.0, 0)


@dataclass(frozen=True)
class Known:
    """What is known of the classes beyond the platform's own cases."""

    published: PublishedRates = NOTHING_PUBLISHED
    pool: Pool = NO_POOL


KNOWN_NOTHING: Final = Known()


@dataclass(frozen=True)
class Priors:
    """The Gamma prior of each class [K]."""

    shape: Floats
    """Strength, in cases."""
    person_years: Floats
    """Weight: shape over mean; 0 for the prior of Jeffreys."""
    mean: Floats
    """Per person-year; 0 for the prior of Jeffreys, which has none."""
    source: npt.NDArray[np.object_]


def class_counts(class_ids: "pa.Array[Any] | pa.ChunkedArray[Any]") -> pa.Table:
    """Count the cases of each class; rows of ``COUNTS``, in no order."""
    counted: Any = pc.value_counts(class_ids.drop_null())
    return pa.table([counted.field("values"), counted.field("counts")], schema=COUNTS)


def pooled(platforms: Iterable[tuple[pa.Table, float]]) -> Pool:
    """Put the counts of platforms together, each with its person-years.

    A platform without a population at risk has no rate, so its cases are left out.
    """
    known = [(counts, years) for counts, years in platforms if years > 0]
    if not known:
        return NO_POOL
    together = pa.concat_tables([counts for counts, _ in known])
    summed = together.group_by("class_id").aggregate([("n_cases", "sum")])
    columns = [summed["class_id"], summed["n_cases_sum"]]
    counts = pa.table(columns, schema=COUNTS).sort_by("class_id")
    return Pool(counts, float(sum(years for _, years in known)), len(known))


def choose_priors(
    class_ids: "pa.Array[Any]", cases: Floats, person_years: float, strength: float, known: Known
) -> Priors:
    """Choose the prior of each class.

    Args:
        class_ids: the classes [K].
        cases: individuals of each class [K], each at least 1.
        person_years: of the platform, above 0.
        strength: weight of a prior that has a mean, in cases.
        known: published rates, and the pool of the platforms, this one among them.
    """
    n = len(class_ids)
    mean = np.full(n, cases.sum() / max(n, 1) / person_years)
    said = f"background: annual incidence, mean of the platform's {n:,} classes"
    source = np.full(n, said, object)
    has_mean = np.full(n, n > 1)
    pool = known.pool
    if pool.platforms > 1:
        is_pooled, at = _found(class_ids, pool.counts)
        counts = np.asarray(pool.counts["n_cases"].take(at))
        mean[is_pooled] = counts / pool.person_years
        end = f" in {pool.person_years:,.0f} person-years of {pool.platforms} platforms"
        source[is_pooled] = "pooled: annual incidence, " + counts.astype(str).astype(object) + end
        has_mean |= is_pooled
    source[~has_mean] = "Jeffreys: no rate of annual incidence is known"
    is_published, at = _found(class_ids, known.published.priors)
    rates = np.asarray(known.published.priors["mean"].take(at)) / PER
    texts = np.asarray(known.published.priors["source"].take(at), object)
    too_many = _is_too_many(cases[is_published], rates, person_years, strength)
    aside = source[is_published] + "; too many cases for published " + texts
    source[is_published] = np.where(too_many, aside, "published: " + texts)
    mean[is_published] = np.where(too_many, mean[is_published], rates)
    has_mean[is_published] |= ~too_many
    return Priors(
        shape=np.where(has_mean, strength, JEFFREYS),
        person_years=np.where(has_mean, strength / mean, 0.0),
        mean=np.where(has_mean, mean, 0.0),
        source=source,
    )


def _found(
    class_ids: "pa.Array[Any]", table: pa.Table
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Say which classes a table has [K], and in which of its rows those are."""
    places = pc.index_in(class_ids, value_set=table["class_id"].combine_chunks())
    rows = np.asarray(places.fill_null(-1), np.int64)
    return rows >= 0, rows[rows >= 0]


def _is_too_many(
    cases: Floats, rates: Floats, person_years: float, strength: float
) -> npt.NDArray[np.bool_]:
    """Say where so many cases would be surprising if the published rate were right.

    Under the prior the count is negative binomial; its upper tail is an incomplete beta function.
    """
    chance = special.betainc(cases, strength, person_years / (strength / rates + person_years))
    surprising: npt.NDArray[np.bool_] = chance < TOO_MANY
    return surprising

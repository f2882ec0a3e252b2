"""Which cases are rare: incidence of each class, and the two screenings (S310-S330).

Model: k new individuals of a class over N person-years at risk are Poisson; the annual incidence
has a Gamma prior of mean m and strength a (in cases), so it is Gamma(a + k, a/m + N) afterwards.
``priors`` says where m comes from. Every threshold is on annual incidence. A class that nobody on
the platform has is not listed: there would be no case to show. Everything is by class; no loop runs
over cases or classes.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy import special

from cluster.screening.prevalence import PublishedRates
from cluster.screening.priors import KNOWN_NOTHING, PER, Floats, Known, choose_priors
from cluster.settings import Settings

QUANTILES: Final = (0.025, 0.5, 0.975)

KEPT: Final = "kept"
PUBLISHED_COMMON: Final = "first screening: the class is published as not rare"
TOO_COMMON: Final = "first screening: the class is among the platform's commoner ones"
ABOVE_PRESET: Final = "second screening: incidence above the preset"
MAY_BE_ABOVE: Final = "second screening: incidence may be above the preset"
NO_POPULATION: Final = "no population at risk is registered"
NO_CLASS: Final = "no disease is given, so the case has no class"
NOT_SCREENED: Final = "the class came in after the last screening"
NO_PRIOR: Final = "none: no population at risk"

_FIELDS: Final[list["pa.Field[Any]"]] = [
    pa.field("class_id", pa.string(), nullable=False),
    pa.field("n_cases", pa.int64(), nullable=False),
    pa.field("person_years", pa.float64(), nullable=False),
    # posterior of the annual incidence per 100,000; 0 or null without a population at risk
    pa.field("incidence", pa.float64(), nullable=False),  # mean
    pa.field("incidence_median", pa.float64()),
    pa.field("incidence_low", pa.float64(), nullable=False),  # 2.5 %
    pa.field("incidence_high", pa.float64(), nullable=False),  # 97.5 %
    pa.field("prior_mean", pa.float64(), nullable=False),  # per 100,000 and year; 0: none
    pa.field("prior_source", pa.string(), nullable=False),
    pa.field("published", pa.string(), nullable=False),  # preferred record of any kind, or empty
    pa.field("reason", pa.string(), nullable=False),  # KEPT, or which screening stopped it
]
CLASSES: Final = pa.schema(_FIELDS)


@dataclass(frozen=True)
class Screening:
    """The classes in order, lowest incidence first, and each case's place among them."""

    classes: pa.Table
    """Rows of ``CLASSES``, ascending median, equal ones by class id."""
    class_of_case: npt.NDArray[np.int64]
    """Row of ``classes`` for each case [C]; -1 for a case without a class."""

    @property
    def is_rare(self) -> npt.NDArray[np.bool_]:
        """Whether each case passed both screenings [C]."""
        kept = np.append(np.asarray(pc.equal(self.classes["reason"], pa.scalar(KEPT))), False)
        rare: npt.NDArray[np.bool_] = kept[self.class_of_case]
        return rare


@dataclass(frozen=True)
class _Posterior:
    """Annual incidence per 100,000 of each class [K], and the prior it came from."""

    mean: Floats
    low: Floats
    median: Floats
    high: Floats
    prior_mean: Floats
    prior_source: npt.NDArray[np.object_]


def screen(
    class_ids: "pa.Array[Any]",
    person_years: float,
    settings: Settings,
    known: Known = KNOWN_NOTHING,
) -> Screening:
    """Screen every case of a platform.

    Args:
        class_ids: the disease of each case [C]; null where none is given.
        person_years: population at risk times years of observation; 0 where it is not known.
        settings: preset incidence, rule, share of the first screening, strength of the prior.
        known: published rates, and the pooled counts of all platforms.
    """
    encoded: Any = class_ids.dictionary_encode()
    ids = encoded.dictionary
    place = np.asarray(encoded.indices.fill_null(-1), np.int64)
    cases = np.bincount(place + 1, minlength=len(ids) + 1)[1:]
    after = _posterior(ids, cases.astype(np.float64), person_years, settings, known)
    published, is_common = _published(ids, known.published)
    reasons = _reasons(after, is_common, person_years, settings)
    is_known = person_years > 0
    table = pa.table(
        [
            ids,
            pa.array(cases),
            pa.array(np.full(len(cases), float(person_years))),
            pa.array(after.mean),
            pa.array(after.median) if is_known else pa.nulls(len(cases), pa.float64()),
            pa.array(after.low),
            pa.array(after.high),
            pa.array(after.prior_mean),
            pa.array(after.prior_source, pa.string()),
            published,
            pa.array(reasons, pa.string()),
        ],
        schema=CLASSES,
    )
    keys: list[tuple[str, Any]] = [("incidence_median", "ascending"), ("class_id", "ascending")]
    order = np.asarray(pc.sort_indices(table, sort_keys=keys), np.int64)
    rank = np.empty(len(order) + 1, np.int64)
    rank[order] = np.arange(len(order))
    rank[-1] = -1  # where a case without a class looks
    return Screening(table.take(order), rank[place])


def _posterior(
    ids: "pa.Array[Any]", cases: Floats, person_years: float, settings: Settings, known: Known
) -> _Posterior:
    if not len(cases) or person_years <= 0:
        none = np.zeros(len(cases))
        return _Posterior(none, none, none, none, none, np.full(len(cases), NO_PRIOR, object))
    strength = settings.incidence_prior_strength
    prior = choose_priors(ids, cases, person_years, strength, known)
    shape, rate = prior.shape + cases, (prior.person_years + person_years) / PER
    levels, where = np.unique(shape, return_inverse=True)
    quantiles = special.gammaincinv(levels, np.array(QUANTILES)[:, None])[:, where] / rate
    low, median, high = quantiles
    return _Posterior(shape / rate, low, median, high, prior.mean * PER, prior.source)


def _published(
    ids: "pa.Array[Any]", published: PublishedRates
) -> tuple["pa.Array[Any]", npt.NDArray[np.bool_]]:
    """Return what is published beside each class, and whether it says that it is not rare."""
    rarities = published.rarities
    rows = pc.index_in(ids, value_set=rarities["class_id"].combine_chunks())
    texts: Any = rarities["published"].combine_chunks().take(rows).fill_null("")
    common: Any = rarities["is_common"].combine_chunks().take(rows).fill_null(False)
    return texts, np.asarray(common, np.bool_)


def _reasons(
    after: _Posterior, is_common: npt.NDArray[np.bool_], person_years: float, settings: Settings
) -> npt.NDArray[np.object_]:
    n = len(after.median)
    if person_years <= 0 or not n:
        return np.full(n, NO_POPULATION, object)
    strict = settings.screening_rule == "strict"
    preset = settings.incidence_preset_per_100k
    others = after.median[~is_common]
    share = settings.first_screening_share
    limit = np.quantile(others, share, method="inverted_cdf") if len(others) else np.inf
    reasons = np.full(n, KEPT, object)
    if strict:
        reasons[after.high > preset] = MAY_BE_ABOVE
    reasons[after.median > preset] = ABOVE_PRESET
    reasons[after.median > limit] = TOO_COMMON
    reasons[is_common] = PUBLISHED_COMMON
    return reasons

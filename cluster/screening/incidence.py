"""Which cases are rare: incidence of each class, and the two screenings (S310-S330).

Model: k new individuals of a class over N person-years at risk are Poisson; the incidence has a
Gamma prior of mean m and strength a (in cases), so it is Gamma(a + k, a/m + N) afterwards. Where no
published figure is given, m is the platform's own background: all its individuals, spread evenly
over its classes. Everything is by class; no loop runs over cases or classes.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy import stats

from cluster.settings import Settings

PER: Final = 100_000.0
INTERVAL: Final = (0.025, 0.975)
PRIOR_SOURCE: Final = "background of the platform"

KEPT: Final = "kept"
TOO_COMMON: Final = "first screening: the class is among the platform's commoner ones"
ABOVE_PRESET: Final = "second screening: incidence above the preset"
NO_POPULATION: Final = "no population at risk is registered"
NO_CLASS: Final = "no disease is given, so the case has no class"

_FIELDS: Final[list["pa.Field[Any]"]] = [
    pa.field("class_id", pa.string(), nullable=False),
    pa.field("n_cases", pa.int64(), nullable=False),
    pa.field("person_years", pa.float64(), nullable=False),
    pa.field("incidence", pa.float64(), nullable=False),  # posterior mean per 100,000 and year
    pa.field("incidence_low", pa.float64(), nullable=False),  # 2.5 %
    pa.field("incidence_high", pa.float64(), nullable=False),  # 97.5 %
    pa.field("prior_mean", pa.float64(), nullable=False),  # per 100,000 and year
    pa.field("prior_source", pa.string(), nullable=False),
    pa.field("reason", pa.string(), nullable=False),  # KEPT, or which screening stopped it
]
CLASSES: Final = pa.schema(_FIELDS)


@dataclass(frozen=True)
class Screening:
    """The classes in order, lowest incidence first, and each case's place among them."""

    classes: pa.Table
    """Rows of ``CLASSES``, ascending incidence, equal ones by class id."""
    class_of_case: npt.NDArray[np.int64]
    """Row of ``classes`` for each case [C]; -1 for a case without a class."""

    @property
    def is_rare(self) -> npt.NDArray[np.bool_]:
        """Whether each case passed both screenings [C]."""
        kept = np.append(np.asarray(pc.equal(self.classes["reason"], pa.scalar(KEPT))), False)
        rare: npt.NDArray[np.bool_] = kept[self.class_of_case]
        return rare


def screen(class_ids: "pa.Array[Any]", person_years: float, settings: Settings) -> Screening:
    """Screen every case of a platform.

    Args:
        class_ids: the disease of each case [C]; null where none is given.
        person_years: population at risk times years of observation; 0 where it is not known.
        settings: preset incidence, share of the first screening, strength of the prior.
    """
    counted: Any = pc.value_counts(class_ids.drop_null())
    ids, cases = counted.field("values"), np.asarray(counted.field("counts"), np.float64)
    mean, low, high, prior = _posterior(cases, person_years, settings.incidence_prior_strength)
    reasons = _reasons(mean, person_years, settings)
    table = pa.table(
        [
            ids,
            pa.array(cases.astype(np.int64)),
            pa.array(np.full(len(cases), person_years)),
            *(pa.array(column * PER) for column in (mean, low, high)),
            pa.array(np.full(len(cases), prior * PER)),
            pa.array([PRIOR_SOURCE] * len(cases), pa.string()),
            pa.array(reasons, pa.string()),
        ],
        schema=CLASSES,
    ).sort_by([("incidence", "ascending"), ("class_id", "ascending")])
    places = pc.index_in(class_ids, value_set=table["class_id"].combine_chunks())
    found = np.asarray(places.fill_null(-1), np.int64).copy()
    return Screening(table, np.where(np.asarray(class_ids.is_null()), -1, found))


def _posterior(
    cases: npt.NDArray[np.float64], person_years: float, strength: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64], float]:
    """Return mean, low and high incidence a person-year for each class, and the prior's mean."""
    if not len(cases) or person_years <= 0:
        nothing = np.zeros(len(cases))
        return nothing, nothing, nothing, 0.0
    prior = float(cases.sum()) / (len(cases) * person_years)
    shape, rate = strength + cases, strength / prior + person_years
    levels, where = np.unique(shape, return_inverse=True)
    quantiles = np.array(INTERVAL)[:, None]
    low, high = np.asarray(stats.gamma.ppf(quantiles, levels, scale=1 / rate), np.float64)
    return shape / rate, low[where], high[where], prior


def _reasons(
    mean: npt.NDArray[np.float64], person_years: float, settings: Settings
) -> npt.NDArray[np.object_]:
    if person_years <= 0 or not len(mean):
        return np.full(len(mean), NO_POPULATION, object)
    limit = np.quantile(mean, settings.first_screening_share, method="higher")
    reasons = np.full(len(mean), KEPT, object)
    reasons[mean * PER > settings.incidence_preset_per_100k] = ABOVE_PRESET
    reasons[mean > limit] = TOO_COMMON
    return reasons

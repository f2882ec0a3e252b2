"""Published rates of diseases: what they say, and what each kind of them may be used for.

A platform's rate is an annual incidence: new individuals over person-years. Only a published annual
incidence may be a prior of it. The other kinds are other quantities: point prevalence is about
incidence times duration, birth prevalence needs the birth rate, lifetime prevalence is a sum over
ages, and a number of cases or families is no rate. None is converted; each is shown beside the
class as published rarity. One rule of its own uses point prevalence: the European Union calls a
disease rare that affects at most 5 in 10,000 (Regulation 141/2000).
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

INCIDENCE: Final = "annual incidence"
POINT: Final = "point prevalence"
BIRTH: Final = "birth prevalence"
LIFETIME: Final = "lifetime prevalence"
COUNT: Final = "cases or families"
TYPES: Final = {
    "annual incidence": INCIDENCE,
    "point prevalence": POINT,
    "prevalence at birth": BIRTH,
    "lifetime prevalence": LIFETIME,
    "cases/families": COUNT,
}
"""Orphanet's names of the kinds, in lower case."""

EXACT: Final = "exact"
BROADER: Final = "broader entity"
NARROWER: Final = "narrower entity"
UNCLEAR: Final = "broader or narrower entity"
MAPPINGS: Final = (EXACT, BROADER, NARROWER, UNCLEAR)
"""How the published entity stands to the class, best first."""

VALIDATED: Final = "validated"
NOT_VALIDATED: Final = "not yet validated"
STATUSES: Final = (VALIDATED, "", NOT_VALIDATED)
REGIONS: Final = ("Worldwide", "Europe", "", "Specific population")
"""Best first; the empty one stands for every other region."""

OPEN_LOW: Final = 0.3
"""Share of its upper end at which an open lowest band is taken: <1 in 1,000,000 is 0.03."""
VALUE_SLACK: Final = 1.25
"""A published value may lie this factor outside its band, whose labels leave gaps (9 to 10)."""
NOT_RARE_PER_100K: Final = 50.0
"""Point prevalence above which a disease is not rare in the European Union."""
NOT_RARE_MARK: Final = "NON RARE IN EUROPE"
"""How Orphanet begins the name of an entity that it does not count as rare."""
ONLY_FLAGGED: Final = f"{NOT_RARE_MARK}, no rate"
REGIONS_SHOWN: Final = 3

_FIELDS: Final[list["pa.Field[Any]"]] = [
    pa.field("class_id", pa.string(), nullable=False),
    pa.field("record", pa.string(), nullable=False),  # ORPHA code of the published entity
    pa.field("mapping", pa.string(), nullable=False),  # one of MAPPINGS
    pa.field("type", pa.string(), nullable=False),  # one of TYPES
    pa.field("band", pa.string(), nullable=False),  # label as published
    pa.field("low", pa.float64()),  # per 100,000; 0 where open, null without a rate
    pa.field("mean", pa.float64()),  # per 100,000; null without a rate
    pa.field("region", pa.string(), nullable=False),
    pa.field("status", pa.string(), nullable=False),  # one of STATUSES
    pa.field("flagged_common", pa.bool_(), nullable=False),
]
RATES: Final = pa.schema(_FIELDS)
_PRIORS: Final[list["pa.Field[Any]"]] = [
    pa.field("class_id", pa.string(), nullable=False),
    pa.field("mean", pa.float64(), nullable=False),  # annual incidence per 100,000
    pa.field("source", pa.string(), nullable=False),
]
PRIORS: Final = pa.schema(_PRIORS)
_RARITIES: Final[list["pa.Field[Any]"]] = [
    pa.field("class_id", pa.string(), nullable=False),
    pa.field("published", pa.string(), nullable=False),
    pa.field("is_common", pa.bool_(), nullable=False),
]
RARITIES: Final = pa.schema(_RARITIES)

_BAND: Final = re.compile(r"(?:(\d{1,12})-|([<>]))(\d{1,12})/(\d{1,12})")
_UNKNOWN: Final = ("", "unknown", "notyetdocumented")


@dataclass(frozen=True)
class PublishedRates:
    """What was published about each class."""

    priors: pa.Table
    """Rows of ``PRIORS``: the annual incidences that may be priors, one a class."""
    rarities: pa.Table
    """Rows of ``RARITIES``: the preferred record of any kind, one a class."""

    def restricted(self, class_ids: "pa.ChunkedArray[Any]") -> "PublishedRates":
        """Return what was published about these classes only."""
        ids = class_ids.combine_chunks()
        parts = (self.priors, self.rarities)
        chosen = [part.filter(pc.is_in(part["class_id"], value_set=ids)) for part in parts]
        return PublishedRates(*chosen)


NOTHING_PUBLISHED: Final = PublishedRates(PRIORS.empty_table(), RARITIES.empty_table())


def band_of(label: str) -> tuple[float, float] | None:
    """Return the ends of a published band, per 100,000; None where it says that none is known.

    ``<1 / 1 000 000`` is open below (0), ``>1 / 1,000`` above (infinity).

    Raises:
        ValueError: the label is not a band, or one that ends at 0.
    """
    text = re.sub(r"[\s,.]", "", label).lower()
    if text in _UNKNOWN:
        return None
    found = _BAND.fullmatch(text)
    if not found or not int(found[3]) or not int(found[4]):
        what = "not a band"
        raise ValueError(what)
    end = 1e5 * int(found[3]) / int(found[4])
    if found[2]:
        return (0.0, end) if found[2] == "<" else (end, math.inf)
    return 1e5 * int(found[1]) / int(found[4]), end


def band_mean(low: float, high: float) -> float:
    """Return the rate that stands for a band: the geometric mean of its ends, per 100,000.

    A band that is open below counts at ``OPEN_LOW`` of its upper end, one that is open above at
    its lower end.
    """
    if not low:
        return OPEN_LOW * high
    return low if math.isinf(high) else math.sqrt(low * high)


def preferred(rates: pa.Table) -> PublishedRates:
    """Choose for each class what may be its prior, and what is shown beside it.

    Exact mappings come before others, validated records before those that are not, Worldwide before
    Europe before other regions before single populations. Records that are equal in this are put
    together by their geometric mean. A broader entity may be a prior: it errs towards common, and
    a high prior weighs little. A narrower one may not: it errs towards rare. A class that is only
    flagged as common, without any rate, is shown with its flag.

    Args:
        rates: rows of ``RATES``.
    """
    has_rate = pc.and_(pc.is_valid(rates["mean"]), pc.not_equal(rates["type"], pa.scalar(COUNT)))
    rated = rates.filter(has_rate)
    may_be_prior = pc.and_(
        pc.equal(rated["type"], pa.scalar(INCIDENCE)),
        pc.is_in(rated["mapping"], value_set=pa.array([EXACT, BROADER])),
    )
    priors = _best(rated.filter(may_be_prior), ())
    shown = _best(rated, (POINT, BIRTH, LIFETIME, INCIDENCE))
    above, flagged = _above_common(rated), _flagged_common(rates)
    common = pa.concat_arrays([above, flagged]).unique()
    named = shown["class_id"].combine_chunks()
    bare = flagged.filter(pc.invert(pc.is_in(flagged, value_set=named)))
    ids = pa.concat_arrays([named, bare])
    marks = pa.array([ONLY_FLAGGED] * len(bare), pa.string())
    texts = pa.concat_arrays([shown["text"].combine_chunks(), marks])
    return PublishedRates(
        pa.table([priors["class_id"], priors["mean"], priors["text"]], schema=PRIORS),
        pa.table([ids, texts, pc.is_in(ids, value_set=common)], schema=RARITIES),
    )


def _flagged_common(rates: pa.Table) -> "pa.Array[Any]":
    """Return the classes that Orphanet marks as not rare, whether it gives a rate or not."""
    is_safe = pc.is_in(rates["mapping"], value_set=pa.array([EXACT, NARROWER]))
    flagged = rates.filter(pc.and_(is_safe, rates["flagged_common"]))["class_id"]
    return flagged.combine_chunks().unique()


def _above_common(rates: pa.Table) -> "pa.Array[Any]":
    """Return the classes whose published point prevalence is above that of a rare disease."""
    safe = rates.filter(pc.is_in(rates["mapping"], value_set=pa.array([EXACT, NARROWER])))
    wide = pc.is_in(safe["region"], value_set=pa.array(["Worldwide", "Europe"]))
    stated = pc.not_equal(safe["status"], pa.scalar(NOT_VALIDATED))
    is_point = pc.equal(safe["type"], pa.scalar(POINT))
    best = _best(safe.filter(pc.and_(is_point, pc.and_(wide, stated))), ())
    above = best.filter(pc.greater(best["low"], pa.scalar(NOT_RARE_PER_100K)))["class_id"]
    return above.combine_chunks()


def _best(rates: pa.Table, types: Sequence[str]) -> pa.Table:
    """Return class_id, mean, low and text of the best records of each class.

    The columns are those of the records of the lowest tier: mapping, then type in the given order,
    then status, then region.
    """
    tier = np.zeros(rates.num_rows, np.int64)
    orders: list[tuple[str, Sequence[str]]] = [("mapping", MAPPINGS)]
    orders += [("type", types)] if types else []
    for name, order in (*orders, ("status", STATUSES), ("region", REGIONS)):
        tier = tier * (len(order) + 1) + _places(rates[name], order)
    ids: Any = rates["class_id"].combine_chunks().dictionary_encode()
    class_of = np.asarray(ids.indices, np.int64)
    lowest = np.full(len(ids.dictionary), np.iinfo(np.int64).max)
    np.minimum.at(lowest, class_of, tier)
    is_best = tier == lowest[class_of]
    best, of = rates.filter(pa.array(is_best)), class_of[is_best]
    number = np.bincount(of, minlength=len(lowest))
    logs = np.bincount(of, weights=np.log(np.asarray(best["mean"])), minlength=len(lowest))
    low = np.full(len(lowest), np.inf)
    np.minimum.at(low, of, np.asarray(best["low"]))
    groups: list[list[dict[str, Any]]] = [[] for _ in lowest]
    for row, place in zip(best.to_pylist(), of, strict=True):
        groups[place].append(row)
    columns = [
        ids.dictionary,
        pa.array(np.exp(logs / np.maximum(number, 1))),
        pa.array(low),
        pa.array([_text(group) for group in groups], pa.string()),
    ]
    return pa.table(columns, names=["class_id", "mean", "low", "text"])


def _places(column: "pa.ChunkedArray[Any]", order: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the place of each value in an order; what is not in it stands where ``""`` does."""
    other = order.index("") if "" in order else len(order)
    places = pc.index_in(column, value_set=pa.array(order)).fill_null(other)
    return np.asarray(places, np.int64)


def _text(rows: list[dict[str, Any]]) -> str:
    """Say of which kind, band, region, entity and mapping one or several equal records are."""
    first = rows[0]
    of = f"{first['record']} ({', '.join(filter(None, (first['mapping'], first['status'])))})"
    if len(rows) == 1:
        return f"{first['type']} {first['band']}, {first['region'] or 'no region'}, {of}"
    regions = sorted({row["region"] or "no region" for row in rows})
    shown = ", ".join(regions[:REGIONS_SHOWN]) + (", …" if len(regions) > REGIONS_SHOWN else "")
    mean = math.exp(sum(math.log(row["mean"]) for row in rows) / len(rows))
    return f"{first['type']} {mean:.2g} per 100,000, mean of {len(rows)} records, {shown}, {of}"

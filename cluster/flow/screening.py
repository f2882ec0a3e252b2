"""A platform's cases are screened for rarity, and the classes are kept (S310-S330)."""

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from cluster.contracts.result import (
    ClassSummary,
    RatesFile,
    ScreenedCase,
    ScreeningBasis,
    ScreeningReport,
)
from cluster.flow.platform import Platform
from cluster.screening.incidence import KEPT, NO_CLASS, NOT_SCREENED, screen
from cluster.screening.priors import KNOWN_NOTHING, Known, class_counts
from cluster.storage import cases as case_rows


class AtRisk(NamedTuple):
    """A platform's population at risk."""

    person_years: float
    """People times the years in which its cases were seen; 0 where it is not known."""
    origin: str
    """Where the number comes from."""


def own_class_counts(platform: Platform) -> pa.Table:
    """Count the own cases of each class, for the pooled rates of the cluster."""
    with platform.ledger.begin() as tx:
        return class_counts(case_rows.own_columns(tx, platform.platform_id)["disease_id"])


def screen_cases(
    platform: Platform,
    at_risk: AtRisk,
    known: Known = KNOWN_NOTHING,
    rates: RatesFile | None = None,
) -> ScreeningReport:
    """Screen every own case, and keep the classes (S310-S330).

    Args:
        platform: whose cases.
        at_risk: its population at risk, over the time in which its cases were seen.
        known: published rates, and the pooled counts of all platforms.
        rates: the file that the published rates come from.
    """
    settings = platform.settings
    basis = ScreeningBasis(
        person_years=at_risk.person_years,
        at_risk_origin=at_risk.origin,
        rule=settings.screening_rule,
        preset_per_100k=settings.incidence_preset_per_100k,
        first_share=settings.first_screening_share,
        prior_strength=settings.incidence_prior_strength,
        pooled_platforms=known.pool.platforms,
        pooled_person_years=known.pool.person_years,
        rates=rates,
    )
    with platform.ledger.begin() as tx:
        own = case_rows.own_columns(tx, platform.platform_id)
        class_ids = own["disease_id"].combine_chunks()
        screened = screen(class_ids, at_risk.person_years, settings, known)
        case_rows.put_classes(tx, screened.classes)
        case_rows.put_basis(tx, platform.platform_id, basis)
    return screening_report(platform)


def screening_report(platform: Platform) -> ScreeningReport:
    """Return the stored classes, and each own case's place among them."""
    with platform.ledger.begin() as tx:
        own = case_rows.own_columns(tx, platform.platform_id)
        classes = case_rows.get_classes(tx)
        labels = case_rows.disease_labels(tx, platform.platform_id)
        basis = case_rows.get_basis(tx, platform.platform_id)
    place = {class_id: number for number, class_id in enumerate(classes)}
    rows = own.select(["disease_id", "case_id", "category"]).to_pylist()
    rows.sort(key=lambda row: (place.get(row["disease_id"], len(place)), row["case_id"]))
    screened, rank = [], 0
    for row in rows:
        class_id = row["disease_id"] or ""
        unplaced = NOT_SCREENED if class_id else NO_CLASS
        reason = classes[class_id]["reason"] if class_id in classes else unplaced
        rank += reason == KEPT
        screened.append(
            ScreenedCase(
                rank=rank if reason == KEPT else 0,
                case_id=row["case_id"],
                class_id=class_id,
                category=row["category"],
                reason=reason,
            )
        )
    return ScreeningReport(
        platform=platform.platform_id,
        classes=[ClassSummary(label=labels.get(i, ""), **row) for i, row in classes.items()],
        cases=screened,
        basis=basis,
    )


def rare_case_ids(platform: Platform) -> list[str]:
    """Return the ids of the own cases that passed both screenings, sorted."""
    return [str(case_id) for case_id in rare_cases(platform)["case_id"].to_pylist()]


def rare_cases(platform: Platform) -> pa.Table:
    """Return case_id, disease_id, category and rev of the own cases that passed both screenings."""
    with platform.ledger.begin() as tx:
        own = case_rows.own_columns(tx, platform.platform_id)
        kept = [i for i, row in case_rows.get_classes(tx).items() if row["reason"] == KEPT]
    return own.filter(pc.is_in(own["disease_id"], value_set=pa.array(kept, pa.string())))

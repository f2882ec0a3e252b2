"""A platform's cases are screened for rarity, and the classes are kept (S310-S330)."""

import pyarrow as pa
import pyarrow.compute as pc

from cluster.contracts.result import ClassSummary, ScreenedCase, ScreeningReport
from cluster.flow.platform import Platform
from cluster.screening.incidence import KEPT, NO_CLASS, screen
from cluster.storage import cases as case_rows


def screen_cases(platform: Platform, person_years: float) -> ScreeningReport:
    """Screen every own case, and keep the classes (S310-S330).

    Args:
        platform: whose cases.
        person_years: population at risk, over the time in which its cases were seen.
    """
    with platform.ledger.begin() as tx:
        own = case_rows.own_columns(tx, platform.platform_id)
        screened = screen(own["disease_id"].combine_chunks(), person_years, platform.settings)
        case_rows.put_classes(tx, screened.classes)
    return screening_report(platform)


def screening_report(platform: Platform) -> ScreeningReport:
    """Return the stored classes, and each own case's place among them."""
    with platform.ledger.begin() as tx:
        own = case_rows.own_columns(tx, platform.platform_id)
        classes = case_rows.get_classes(tx)
        labels = case_rows.disease_labels(tx, platform.platform_id)
    place = {class_id: number for number, class_id in enumerate(classes)}
    rows = own.select(["disease_id", "case_id", "category"]).to_pylist()
    rows.sort(key=lambda row: (place.get(row["disease_id"], len(place)), row["case_id"]))
    screened, rank = [], 0
    for row in rows:
        class_id = row["disease_id"] or ""
        reason = classes[class_id]["reason"] if class_id in classes else NO_CLASS
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

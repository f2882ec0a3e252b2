"""Cases come in, are screened, and are made findable (S200, S310-S340, S400)."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cluster.case.case import read_case
from cluster.contracts.ingest import IngestReport, Source
from cluster.contracts.result import ClassSummary, ScreenedCase, ScreeningReport
from cluster.flow.platform import Platform
from cluster.ids import key_of
from cluster.ingest.intake import take_in
from cluster.retrieval.feature import FEATURES, vectors
from cluster.screening.incidence import KEPT, NO_CLASS, screen
from cluster.sharing.tag import mix_of
from cluster.storage import cases as case_rows
from cluster.storage import journal
from cluster.storage.cases import StoredCase
from cluster.storage.sources import fingerprint, read_records

INDEX = "index"
INGEST = "ingest"


def ingest(platform: Platform, source: Source) -> IngestReport:
    """Take in a source, once: durable first, then findable (S310, S400).

    The same files again return the first report and change nothing; changed files are read anew.
    """
    caller, digest = _caller(source), fingerprint(source)
    with platform.ledger.begin() as tx:
        last = journal.last_answer(tx, caller)
        done = last.response if last and last.body_digest == digest else None
        if done is None:
            intake = take_in(read_records(source), platform.ontology, source)
            counts = case_rows.put_cases(
                tx,
                ((taken.case, taken.category) for taken in intake.cases),
                origin=platform.platform_id,
            )
            report = IngestReport(
                platform=platform.platform_id,
                read=intake.read,
                **counts._asdict(),
                refused=intake.refused,
                observed_terms=sum(len(taken.case.observed) for taken in intake.cases),
                excluded_terms=sum(len(taken.case.excluded) for taken in intake.cases),
                findings=intake.findings,
            )
            done = report.model_dump_json()
            key = key_of(digest, last.key if last else "")
            journal.answer(tx, caller, key, digest, done)
    project(platform)
    return IngestReport.model_validate_json(done)


def ingest_report(platform: Platform, source: Source) -> IngestReport:
    """Return the report of the newest ingest of a source; an empty one where there was none."""
    with platform.ledger.begin() as tx:
        last = journal.last_answer(tx, _caller(source))
    if last is None:
        return IngestReport(platform=platform.platform_id)
    return IngestReport.model_validate_json(last.response)


def _caller(source: Source) -> str:
    return f"{INGEST} {key_of(source.model_dump_json())}"


def project(platform: Platform) -> int:
    """Bring the index up to what the ledger holds, and return how many rows were written.

    An index that lacks rows it should have, lost or restored without them, is made anew.
    """
    with platform.ledger.begin() as tx:
        seq = journal.applied_seq(tx, INDEX)
        if platform.index.count() < case_rows.count_cases(tx, seq):
            platform.index.clear()
            seq = 0
        changed = case_rows.cases_after(tx, seq)
    if not changed:
        return 0
    platform.index.upsert(_features(platform, changed))
    platform.index.index_text()
    with platform.ledger.begin() as tx:
        journal.set_applied(tx, INDEX, changed[-1].seq)
    return len(changed)


def rebuild_index(platform: Platform) -> int:
    """Throw the index away and make it anew from the ledger; returns the number of rows."""
    platform.index.clear()
    with platform.ledger.begin() as tx:
        journal.set_applied(tx, INDEX, 0)
    return project(platform)


def category_mix(platform: Platform) -> dict[str, float]:
    """Return what the platform's own cases are about: the vector of its tag (S200)."""
    with platform.ledger.begin() as tx:
        own = case_rows.own_columns(tx, platform.platform_id)
    return mix_of(map(str, own["category"].to_pylist()))


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


def _features(platform: Platform, stored: list[StoredCase]) -> pa.Table:
    """Build the index rows of cases from their documents."""
    cases = [read_case(row.document) for row in stored]
    terms = [platform.ontology.resolve(case.observed).rows for case in cases]
    numbers = platform.ontology.numbers
    own = platform.platform_id
    columns: list[list[Any]] = [
        [row.case_id for row in stored],
        [row.digest for row in stored],
        [row.origin for row in stored],
        ["own" if row.origin == own else "received" for row in stored],
        [row.disease_id or "" for row in stored],
        [row.disease_label for row in stored],
        [row.category for row in stored],
        [list(case.genes) for case in cases],
        [case.publication[0] for case in cases],
        [case.publication[1] for case in cases],
        [row.rare_feature for row in stored],
        [case.text for case in cases],
        [[int(numbers[row]) for row in rows] for rows in terms],
    ]
    arrays = [pa.array(c, field.type) for c, field in zip(columns, FEATURES, strict=False)]
    flat = pa.array(vectors(terms, platform.ontology).ravel())
    arrays.append(pa.FixedSizeListArray.from_arrays(flat, type=FEATURES.field("vector").type))
    return pa.Table.from_arrays(arrays, schema=FEATURES)

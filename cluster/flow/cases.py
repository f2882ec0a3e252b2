"""Cases come in, once, and are made findable (S200, S310, S340, S400)."""

from cluster.contracts.ingest import IngestReport, Source
from cluster.flow.platform import Platform
from cluster.flow.projection import project
from cluster.ids import key_of
from cluster.ingest.intake import take_in
from cluster.sharing.tag import mix_of
from cluster.storage import cases as case_rows
from cluster.storage import journal
from cluster.storage.sources import fingerprint, read_records

INGEST = "ingest"


def ingest(platform: Platform, source: Source) -> IngestReport:
    """Take in a source, once: durable first, then findable (S310, S400).

    The same files again return the first report and change nothing; changed files are read anew,
    and so are all where the ontology is another one.
    """
    ontology = platform.ontology
    caller, digest = _caller(source), key_of(fingerprint(source), ontology.version)
    with platform.ledger.begin() as tx:
        last = journal.last_answer(tx, caller)
        done = last.response if last and last.body_digest == digest else None
        if done is None:
            intake = take_in(read_records(source), ontology, source)
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
                ontology=ontology.version,
                hpo_releases=dict(sorted(intake.facts.hpo_releases.items())),
                facts=intake.facts.result(),
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


def category_mix(platform: Platform) -> dict[str, float]:
    """Return what the platform's own cases are about: the vector of its tag (S200)."""
    with platform.ledger.begin() as tx:
        own = case_rows.own_columns(tx, platform.platform_id)
    return mix_of(map(str, own["category"].to_pylist()))

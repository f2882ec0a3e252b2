"""python -m jobs.ingest --out runs/demo            takes in every platform's cases, with a report

Files that cannot be read and records that are not phenopackets are named with file, line and
reason; the rest is taken in (S310, S400). What cases lack, and in which form they give the rest, is
counted.
"""

from collections.abc import Mapping

from actors.flow import ingest
from actors.run import resumed
from cluster.contracts.ingest import IngestReport, total_facts
from cluster.report.text import literal
from jobs import shell


def main(out: shell.Out, settings: shell.Set = []) -> None:  # noqa: B006 - typer copies it
    changed = shell.pairs_of(settings)
    with shell.shown_progress() as progress, resumed(out, changed, progress) as run:
        reports = ingest(run)
    show(reports)


def show(reports: Mapping[str, IngestReport]) -> None:
    counts = shell.table("platform", "read", "added", "revised", "unchanged", "refused", "findings")
    found = total_facts(reports.values())
    facts = shell.table("sum over the platforms", "number")
    for name, number in found.items():
        facts.add_row(literal(name), f"{number:,}")
    places = shell.table("level", "code", "file", "line", "message")
    for name, report in reports.items():
        figures = (report.read, report.added, report.revised, report.unchanged, report.refused)
        counts.add_row(name, *map(str, figures), str(len(report.findings)))
        for finding in report.findings:
            words = (finding.file, str(finding.line or ""), finding.message)
            places.add_row(finding.level, finding.code, *map(literal, words))
    screen = shell.console()
    screen.print(counts)
    if found:
        screen.print(facts)
    if places.row_count:
        screen.print(places)


if __name__ == "__main__":
    shell.run_job(main)

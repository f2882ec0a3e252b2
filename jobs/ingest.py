"""python -m jobs.ingest --out runs/demo            takes in every platform's cases, with a report

Files that cannot be read and records that are not phenopackets are named with file, line and
reason; the rest is taken in (S310, S400). What cases lack, and in which form they give the rest, is
counted.
"""

from actors.flow import ingest
from actors.run import resumed
from cluster.contracts.ingest import total_facts
from jobs import shell


def main(out: shell.Out, settings: shell.Set = []) -> None:  # noqa: B006 - typer copies it
    changed = shell.pairs_of(settings)
    with shell.shown_progress() as progress, resumed(out, changed, progress) as run:
        reports = ingest(run)
    counts = shell.table("platform", "read", "added", "revised", "unchanged", "refused", "findings")
    found = total_facts(reports.values())
    facts = shell.table("of all platforms", "number")
    for name, number in found.items():
        facts.add_row(name, f"{number:,}")
    places = shell.table("level", "code", "file", "line", "message")
    for name, report in reports.items():
        figures = (report.read, report.added, report.revised, report.unchanged, report.refused)
        counts.add_row(name, *map(str, figures), str(len(report.findings)))
        for finding in report.findings:
            line = str(finding.line or "")
            places.add_row(finding.level, finding.code, finding.file, line, finding.message)
    screen = shell.console()
    screen.print(counts)
    if found:
        screen.print(facts)
    if places.row_count:
        screen.print(places)


if __name__ == "__main__":
    shell.run_job(main)

"""python -m jobs.refresh --out runs/demo           renews related cases and literature, and pushes

For the shared cases whose second preset period is over; only what is new or changed (S1010-S1040).
A source that fails is named, and asked again the next time.
"""

from actors.flow import refresh
from actors.run import resumed
from cluster.report.text import literal
from jobs import shell


def main(out: shell.Out, settings: shell.Set = []) -> None:  # noqa: B006 - typer copies it
    changed = shell.pairs_of(settings)
    with shell.shown_progress() as progress, resumed(out, changed, progress) as run:
        report = refresh(run)
    screen = shell.console()
    sources = shell.table("source", "state", "questions", "answered", "found", "reason")
    for one in report.sources:
        counts = (str(one.asked), str(one.answered), str(one.found))
        sources.add_row(literal(one.source), one.state, *counts, literal(one.reason))
    screen.print(sources)
    for one in report.sources:
        for finding in one.findings:
            place = f"{finding.file}:{finding.line}"
            screen.print(literal(f"{finding.level} {finding.code} {place} {finding.message}"))
    pushed = shell.table("platform", "new or changed items")
    for name, count in report.pushed.items():
        pushed.add_row(name, str(count))
    screen.print(pushed)
    screen.print(f"{report.n_pushed} new or changed items pushed")


if __name__ == "__main__":
    shell.run_job(main)

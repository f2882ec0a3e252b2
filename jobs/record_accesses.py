"""python -m jobs.record_accesses --out runs/demo   stores access events, each id once

The events of the file that the run was begun with, or a SIMULATED history of the rare cases (S500).
"""

from actors.flow import record_accesses
from actors.run import resumed
from cluster.report.text import literal
from jobs import shell


def main(out: shell.Out, settings: shell.Set = []) -> None:  # noqa: B006 - typer copies it
    changed = shell.pairs_of(settings)
    with shell.shown_progress() as progress, resumed(out, changed, progress) as run:
        recorded = record_accesses(run)
        source = run.plan.events
    table = shell.table("platform", "source", "new", "stored before", "refused")
    for name, batch in recorded.items():
        figures = (batch.new, batch.repeated, len(batch.refused))
        table.add_row(name, literal(source), *(f"{figure:,}" for figure in figures))
    shell.console().print(table)


if __name__ == "__main__":
    shell.run_job(main)

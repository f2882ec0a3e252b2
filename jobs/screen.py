"""python -m jobs.screen --out runs/demo            screens every case for rarity

First screening: the classes of lowest incidence; second: incidence at most the preset (S310-S330).
"""

from actors.flow import screen
from actors.run import resumed
from jobs import shell

SHOWN = 10


def main(out: shell.Out, settings: shell.Set = []) -> None:  # noqa: B006 - typer copies it
    changed = shell.pairs_of(settings)
    with shell.shown_progress() as progress, resumed(out, changed, progress) as run:
        reports = screen(run)
    table = shell.table("platform", "cases", "rare", "rank", "case", "class", "per 100,000 (95 %)")
    for name, report in reports.items():
        classes = {row.class_id: row for row in report.classes}
        for case in report.rare[:SHOWN]:
            row = classes[case.class_id]
            interval = f"{row.incidence:.3f} ({row.incidence_low:.3f}-{row.incidence_high:.3f})"
            figures = (str(len(report.cases)), str(len(report.rare)), str(case.rank))
            table.add_row(name, *figures, case.case_id, case.class_id, interval)
    shell.console().print(table)


if __name__ == "__main__":
    shell.run_job(main)

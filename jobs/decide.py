"""python -m jobs.decide --out runs/demo            decides on every rare case of the period

First index; return instruction; second index; upload or hold, each with its reason (S700-S840).
"""

from actors.flow import cut_windows, decide, trained
from actors.run import resumed
from cluster.report.text import literal
from jobs import shell

SHOWN = 20


def main(out: shell.Out, settings: shell.Set = []) -> None:  # noqa: B006 - typer copies it
    changed = shell.pairs_of(settings)
    with shell.shown_progress() as progress, resumed(out, changed, progress) as run:
        first, second, _ = trained(run)
        made = decide(run, cut_windows(run), first, second)
        source = run.plan.events
    records = [record for records in made.values() for record in records]
    records.sort(key=lambda record: (-record.first.index, record.case_id))
    uploads = sum(record.outcome == "upload" for record in records)
    title = f"{len(records)} decisions, {uploads} uploads; accesses: {source}"
    heads = ("platform", "case", "clicks", "usages", "first", "second", "decision")
    table = shell.table(*heads, title=title)
    for record in records[:SHOWN]:
        second_index = f"{record.second.index:.3f}" if record.second else ""
        figures = (str(record.clicks), str(record.usages), f"{record.first.index:.3f}")
        ended = (*figures, second_index, literal(record.reason))
        table.add_row(record.platform, literal(record.case_id), *ended)
    shell.console().print(table)


if __name__ == "__main__":
    shell.run_job(main)

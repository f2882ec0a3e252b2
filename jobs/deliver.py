"""python -m jobs.deliver --out runs/demo           carries every due delivery to its receiver

Through the gate, with a receipt, once in effect however often it is sent (S900, S1000).
"""

from collections import Counter

from actors.flow import deliver
from actors.run import resumed
from actors.upkeep import delivery_statuses
from jobs import shell


def main(out: shell.Out, settings: shell.Set = []) -> None:  # noqa: B006 - typer copies it
    changed = shell.pairs_of(settings)
    with shell.shown_progress() as progress, resumed(out, changed, progress) as run:
        attempts = deliver(run)
        statuses = delivery_statuses(run)
    table = shell.table("from", "to", "what", "state", "number", title=f"{attempts} attempts")
    for name, rows in statuses.items():
        counts = Counter((row.peer, row.kind, row.state) for row in rows)
        for (peer, kind, state), number in sorted(counts.items()):
            table.add_row(name, peer, kind, state, str(number))
    shell.console().print(table)


if __name__ == "__main__":
    shell.run_job(main)

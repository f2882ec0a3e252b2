"""python -m jobs.rebuild_index --out runs/demo     makes the vector indexes anew from the ledgers

For an index that is damaged, or of an older release; the ledgers are only read.
"""

from actors.run import resumed
from actors.upkeep import rebuild_indexes
from jobs import shell


def main(out: shell.Out, settings: shell.Set = []) -> None:  # noqa: B006 - typer copies it
    changed = shell.pairs_of(settings)
    with shell.shown_progress() as progress, resumed(out, changed, progress) as run:
        rows = rebuild_indexes(run)
    screen = shell.console()
    for name, count in rows.items():
        screen.print(f"{name}: {count} cases indexed")


if __name__ == "__main__":
    shell.run_job(main)

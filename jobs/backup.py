"""python -m jobs.backup --out runs/demo --to FOLDER   copies ledgers, keys and blobs

Each ledger is copied as of one instant; the folder is whole once it has its manifest (B3).
"""

from pathlib import Path
from typing import Annotated

import typer

from actors.run import resumed
from actors.upkeep import backup
from jobs import shell


def main(
    out: shell.Out,
    to: Annotated[Path, typer.Option(help="folder of the backup")],
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    changed = shell.pairs_of(settings)
    with shell.shown_progress() as progress, resumed(out, changed, progress) as run:
        files = backup(run, to.resolve())
    shell.console().print(f"{files} files in {to}")


if __name__ == "__main__":
    shell.run_job(main)

"""python -m jobs.verify_audit --out runs/demo      checks every platform's audit chain

Each row's hash covers the one before; the first row that does not follow is named.
"""

from actors.run import resumed
from actors.upkeep import broken_audit_rows
from cluster.errors import IntegrityError
from jobs import shell


def main(out: shell.Out, settings: shell.Set = []) -> None:  # noqa: B006 - typer copies it
    changed = shell.pairs_of(settings)
    with shell.shown_progress() as progress, resumed(out, changed, progress) as run:
        broken = {name: row for name, row in broken_audit_rows(run).items() if row is not None}
        checked = len(run.sources)
    if broken:
        what = f"audit row {next(iter(broken.values()))} does not follow from the one before"
        raise IntegrityError(what, next(iter(broken)), "Compare with a backup.")
    shell.console().print(f"{checked} audit chains are whole")


if __name__ == "__main__":
    shell.run_job(main)

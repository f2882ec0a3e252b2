"""python -m jobs.verify_audit --out runs/demo      checks every audit chain in the data folder

There is one of each platform, and one of the network: its tokens, platforms and links. Each row's
hash covers the one before; the first row that does not follow is named, with its ledger.
"""

from actors.run import resumed
from actors.upkeep import broken_audit_rows
from cluster.errors import IntegrityError
from jobs import shell


def main(out: shell.Out, settings: shell.Set = []) -> None:  # noqa: B006 - typer copies it
    changed = shell.pairs_of(settings)
    with shell.shown_progress() as progress, resumed(out, changed, progress) as run:
        rows = broken_audit_rows(run)
    for ledger, row in rows.items():
        shell.console().print(f"{ledger}: {'whole' if row is None else f'breaks at row {row}'}")
    broken = [ledger for ledger, row in rows.items() if row is not None]
    if broken:
        what = f"audit row {rows[broken[0]]} does not follow from the one before"
        raise IntegrityError(what, broken[0], "Compare with a backup.")
    shell.console().print(f"{len(rows)} audit chains are whole")


if __name__ == "__main__":
    shell.run_job(main)

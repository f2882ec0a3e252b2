"""python -m jobs.refresh --out runs/demo           renews related cases and literature, and pushes

For the shared cases whose second preset period is over; only what is new or changed (S1010-S1040).
"""

from actors.flow import refresh
from actors.run import resumed
from jobs import shell


def main(out: shell.Out, settings: shell.Set = []) -> None:  # noqa: B006 - typer copies it
    changed = shell.pairs_of(settings)
    with shell.shown_progress() as progress, resumed(out, changed, progress) as run:
        pushed = refresh(run)
    shell.console().print(f"{pushed} new or changed items pushed")


if __name__ == "__main__":
    shell.run_job(main)

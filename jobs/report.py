"""python -m jobs.report --out runs/demo            writes result.json and report.html of a run

Reads everything back from the ledgers; for a run that was done step by step.
"""

from actors.flow import gather, trained
from actors.run import resumed
from jobs import shell


def main(out: shell.Out, settings: shell.Set = []) -> None:  # noqa: B006 - typer copies it
    changed = shell.pairs_of(settings)
    with shell.shown_progress() as progress, resumed(out, changed, progress) as run:
        result = gather(run, *trained(run))
    shell.show_result(out, result)


if __name__ == "__main__":
    shell.run_job(main)

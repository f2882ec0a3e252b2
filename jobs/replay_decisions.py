"""python -m jobs.replay_decisions --out runs/demo   makes every stored decision again and compares

From the stored indexes, presets, counts and origins; the indexes are compared with those that were
kept when they were predicted. Exit code 1 where a decision differs. Events that came after a
decision are counted and change nothing.
"""

from actors.run import resumed
from actors.upkeep import replayed_decisions
from cluster.errors import IntegrityError
from cluster.report.text import literal
from jobs import shell


def main(out: shell.Out, settings: shell.Set = []) -> None:  # noqa: B006 - typer copies it
    changed = shell.pairs_of(settings)
    with shell.shown_progress() as progress, resumed(out, changed, progress) as run:
        replayed = replayed_decisions(run)
    every = [(name, one) for name, ones in replayed.items() for one in ones]
    unlike = [(name, one) for name, one in every if one.differs]
    late = [one for _, one in every if one.late]
    told = f"{len(every)} decisions, {len(every) - len(unlike)} equal, {len(unlike)} differ"
    accesses = sum(one.late for one in late)
    screen = shell.console()
    more = f"; {accesses} accesses of {len(late)} periods came later and change nothing"
    screen.print(told + (more if late else ""), highlight=False)
    if not unlike:
        return
    table = shell.table("platform", "decision", "case", "what differs")
    for name, one in unlike:
        table.add_row(*map(literal, (name, one.decision_id, one.case_id, "; ".join(one.differs))))
    screen.print(table)
    what = f"{len(unlike)} of {len(every)} decisions do not follow from what they were made from"
    raise IntegrityError(what, str(out), "Compare the ledgers with a backup.")


if __name__ == "__main__":
    shell.run_job(main)

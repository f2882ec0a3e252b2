"""What is said of the trials of a search while it runs."""

from collections.abc import Callable

from rich.console import Console

from cluster.contracts.trend_search import Trial
from cluster.report.text import literal
from cluster.report.trend_search import STATES


def trial_lines(n: int, unit: str, console: Console) -> Callable[[Trial, int], None]:
    """Return what writes a line for each trial that ended, with the best one so far.

    Args:
        n: trials of the search.
        unit: what a trial's curve counts, such as ``epoch``.
        console: where the lines go.
    """
    best: list[Trial] = []

    def tell(trial: Trial, done: int) -> None:
        if trial.validation_loss is not None:
            best[:] = sorted([*best, trial], key=lambda one: one.validation_loss or 0.0)[:1]
        so_far = f"; best so far {best[0].id}, {best[0].validation_loss:.4f}" if best else ""
        told = trial.error or f"loss {trial.validation_loss:.4f}"
        words = f"{STATES[trial.state]} at {unit} {trial.epochs}, {told}{so_far}"
        console.print(literal(f"{done} of {n}  {trial.id} {words}"), soft_wrap=True)

    return tell

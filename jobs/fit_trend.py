"""python -m jobs.fit_trend --out runs/demo         trains the trend model, then updates it

The first model by supervised learning to convergence, beside its baselines; the second by
incremental learning, published only if it is better (S540-S550, S600-S640).
"""

from actors.flow import cut_windows, fit, update
from actors.run import resumed
from cluster.contracts.trend import TrendMetrics
from jobs import shell


def main(out: shell.Out, settings: shell.Set = []) -> None:  # noqa: B006 - typer copies it
    changed = shell.pairs_of(settings)
    with shell.shown_progress() as progress, resumed(out, changed, progress) as run:
        windows = cut_windows(run)
        first = fit(run, windows)
        second, report = update(run, windows, first)
        source = run.plan.events
    heads = ("", "MSLE", "Spearman", "AUROC hot", "AUPRC hot", "Brier")
    table = shell.table(*heads, title=f"held-out items; accesses: {source}")
    table.add_row("first model", *_figures(first.held_out))
    for name, metrics in first.baselines.items():
        table.add_row(name, *_figures(metrics))
    if second is not None:
        table.add_row("second model, newer windows", *_figures(second.held_out))
    screen = shell.console()
    screen.print(table)
    screen.print(f"second model {'accepted' if report.accepted else 'refused'}: {report.reason}")


def _figures(metrics: TrendMetrics) -> list[str]:
    figures = (metrics.msle, metrics.spearman, metrics.auroc_hot, metrics.auprc_hot, metrics.brier)
    return ["" if figure is None else f"{figure:.3f}" for figure in figures]


if __name__ == "__main__":
    shell.run_job(main)

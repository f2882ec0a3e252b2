"""python -m jobs.update_trend --model DIR --old OLD --new NEW --out DIR2   updates a trend model

It learns from new windows in Parquet files; the second model is published into DIR2 only if it is
better on new windows and within forgetting_max on old ones (S540-S550). Windows may be of sources
that the model has not met. Always written are update.json and update.html; exit code 3: refused,
and nothing is published. In a run, with its transmission paths, jobs.fit_trend --out RUN updates.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cluster.flow.trend_update import COMPARISON, UPDATE, read_all, require_free, update_files
from cluster.report.trend_update import render_page, render_update
from cluster.storage.files import write_durably
from cluster.storage.trend_models import CARD, WEIGHTS
from jobs import shell

PAGE = "update.html"
EXIT_REFUSED = 3


def main(
    model: Annotated[Path, typer.Option(help="folder of the model to be updated")],
    old: Annotated[
        list[Path], typer.Option(help="Parquet of windows it has learned from; repeatable")
    ],
    new: Annotated[list[Path], typer.Option(help="Parquet of new windows; repeatable")],
    out: Annotated[Path, typer.Option(help="folder of the second model, without one so far")],
    gate: Annotated[
        Literal["propagation", "usages", "none"],
        typer.Option(
            help="who is gated in: by propagation index; by usages (the top quarter of their "
            "shape), for sources without transmission paths; or all"
        ),
    ] = "propagation",
    preset: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="least propagation index; default: setting propagation_preset"
        ),
    ] = None,
    forgetting_max: Annotated[
        float | None,
        typer.Option(min=0, help="allowed rise on old windows; default: setting forgetting_max"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=(1 << 32) - 1, help="of all that is drawn")] = 1,
    compare: Annotated[
        bool,
        typer.Option("--compare", help="also try other ways, from no update to full retraining"),
    ] = False,
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    chosen = shell.settings_from(settings)
    shell.out_folder(out)
    require_free(out)
    old_windows, new_windows = read_all(old), read_all(new)
    from cluster.trend.incremental import Terms

    terms = Terms(
        preset=chosen.propagation_preset if preset is None else preset,
        forgetting_max=chosen.forgetting_max if forgetting_max is None else forgetting_max,
        seed=seed,
        gate=gate,
    )
    card, report, comparison = update_files(
        model, old_windows, new_windows, out, terms, is_compared=compare
    )
    write_durably(out / PAGE, render_page(report, comparison).encode())
    screen = shell.console()
    render_update(report, comparison, screen)
    model_files = () if card is None else (WEIGHTS, CARD)
    for name in (*model_files, *((COMPARISON,) if compare else ()), UPDATE, PAGE):
        screen.print(str(out / name), highlight=False, soft_wrap=True)
    if card is None:
        raise typer.Exit(EXIT_REFUSED)


if __name__ == "__main__":
    shell.run_job(main)

"""python -m jobs.fit_trend --out DIR [--windows FILE.parquet]   trains the trend model

Of a run, in its folder: the first model by supervised learning to convergence, beside its
baselines; the second by incremental learning, published only if it is better (S540-S550,
S600-S640). With --windows the first model on a file of access windows, outside any run: written
are model.safetensors, card.json and report.html.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cluster.contracts.trend import TrendCard
from cluster.errors import InputError
from cluster.report.trend_model import render_card, render_page
from cluster.storage.files import write_durably
from cluster.storage.trend_models import CARD, WEIGHTS
from cluster.storage.windows import read_windows
from jobs import shell

REPORT = "report.html"
SEED = 1
SEED_MAX = (1 << 32) - 1


def main(
    out: Annotated[Path, typer.Option(help="folder of the run, or of the model")],
    windows: Annotated[
        Path | None, typer.Option(help="Parquet file of access windows with labels")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="with --windows: JSON of how it is trained")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=SEED_MAX, help="with --windows: of all that is drawn; default 1"),
    ] = None,
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    if windows is not None:
        _fit_file(windows, out, config, seed, settings)
        return
    for option, value in (("--config", config), ("--seed", seed)):
        if value is not None:
            what = "a run has a configuration and a seed of its own"
            raise InputError(what, option, "Give --windows, or leave it out.")
    _fit_run(out, settings)


def _fit_run(out: Path, settings: list[str]) -> None:
    from actors.flow import cut_windows, fit, update
    from actors.run import resumed

    changed = shell.pairs_of(settings)
    with shell.shown_progress() as progress, resumed(out, changed, progress) as run:
        sets = cut_windows(run)
        first = fit(run, sets)
        second, report = update(run, sets, first)
        source = run.plan.events
    screen = shell.console()
    screen.print(f"Items kept apart; accesses: {source}")
    render_card(first, screen, "first model, ")
    if second is not None:
        render_card(second, screen, "second model, newer windows, ")
    screen.print(f"second model {'accepted' if report.accepted else 'refused'}: {report.reason}")


def _fit_file(
    path: Path, out: Path, config: Path | None, seed: int | None, settings: list[str]
) -> None:
    from actors.trainers.trend_files import fit_windows
    from cluster.trend.config import config_from_json
    from cluster.trend.fit import FitConfig

    chosen = shell.settings_from(settings)
    fitted = FitConfig(epochs_max=chosen.train_epochs_max, seed=SEED)
    if config is not None:
        fitted = config_from_json(shell.text_of(config, "--config"), fitted)
    if seed is not None:
        fitted = replace(fitted, seed=seed)
    found = read_windows(path)
    shell.out_folder(out)
    with shell.shown_progress() as progress:
        progress("read", found.num_rows, found.num_rows)
        card = fit_windows(found, out, fitted, workers=chosen.train_workers, progress=progress)
    write_durably(out / REPORT, render_page(card, path.name).encode())
    _show(card, out)


def _show(card: TrendCard, out: Path) -> None:
    screen = shell.console()
    render_card(card, screen)
    for name in (WEIGHTS, CARD, REPORT):
        screen.print(str(out / name), highlight=False, soft_wrap=True)


if __name__ == "__main__":
    shell.run_job(main)

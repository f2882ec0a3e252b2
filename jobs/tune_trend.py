"""python -m jobs.tune_trend --windows FILE.parquet --out DIR --num-samples N   searches settings

Trains N configurations of the first trend model with Ray Tune, the default first, and stops early
those that fall behind on validation items (S600). Started again after a kill it goes on; a search
that has ended shows its result. Written are search.json and search.html. With --publish ID one
trial is trained in full, or the best one, into DIR/models/ID.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import pyarrow as pa
import typer

from cluster.contracts.trend_search import TrendSearch
from cluster.errors import Conflict
from cluster.flow.windows import to_bytes
from cluster.ids import sha256
from cluster.report.trend_model import render_card
from cluster.report.trend_model import render_page as card_page
from cluster.report.trend_search import render_page, render_search
from cluster.report.trials import trial_lines
from cluster.storage.files import write_durably
from cluster.storage.searches import SEARCH, keep_search, open_search, read_search
from cluster.storage.trend_models import CARD, WEIGHTS
from cluster.storage.windows import read_windows
from jobs import shell

if TYPE_CHECKING:
    from cluster.settings import Settings

PAGE = "search.html"
REPORT = "report.html"
MODELS = "models"
TRIALS = "trials"
"""Folder of Ray's state of the search, and of the trials' checkpoints."""
SEED_MAX = (1 << 32) - 1


def main(
    windows: Annotated[Path, typer.Option(help="Parquet file of access windows with labels")],
    out: Annotated[Path, typer.Option(help="folder of the search; all nodes must reach it")],
    num_samples: Annotated[
        int, typer.Option(min=1, max=10_000, help="configurations, the default among them")
    ] = 20,
    epochs_max: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, help="of a trial; default: train_epochs_max"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=SEED_MAX, help="of all that is drawn")] = 1,
    publish: Annotated[
        str, typer.Option(help="train this trial of the search in full: its id, or best")
    ] = "",
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    chosen = shell.settings_from(settings)
    if publish:
        _publish(windows, out, publish, chosen)
        return
    from cluster.trend.lesson import prepare
    from cluster.trend.search import plan_search

    found = read_windows(windows)
    prepare(found)  # what cannot be learned from leaves no search behind
    shell.out_folder(out)
    plan = plan_search(
        windows=windows.name,
        dataset_digest=sha256(to_bytes(found)),
        n_windows=found.num_rows,
        n_trials=num_samples,
        epochs_max=epochs_max or chosen.train_epochs_max,
        seed=seed,
    )
    kept = open_search(out, TrendSearch(plan=plan))
    if not kept.trials or any(trial.state == "failed" for trial in kept.trials):
        kept = _search(found, out, kept)
        keep_search(out, kept)
        write_durably(out / PAGE, render_page(kept).encode())
    screen = shell.console()
    render_search(kept, screen)
    for name in (SEARCH, PAGE):
        screen.print(str(out / name), highlight=False, soft_wrap=True)


def _search(windows: pa.Table, out: Path, kept: TrendSearch) -> TrendSearch:
    """Run a search, or what is missing of it, and show how far it is."""
    from actors.session import connected
    from actors.tuners.trend import search_first

    screen, n = shell.console(), len(kept.plan.candidates)
    screen.print(f"{n} trials of at most {kept.plan.epochs_max} epochs", highlight=False)
    tell = trial_lines(n, "epoch", screen)
    with connected():
        return search_first(windows, kept.plan, storage_path=out / TRIALS, tell=tell)


def _publish(path: Path, out: Path, trial_id: str, chosen: "Settings") -> None:
    """Train one trial of a search in full, and keep it as a model."""
    from actors.trainers.trend_files import fit_windows
    from cluster.learning.search import chosen as trial_of
    from cluster.trend.fit import FitConfig
    from cluster.trend.search import config_of

    search = read_search(out, TrendSearch)
    trial = trial_of(search.trials, trial_id)
    found = read_windows(path)
    if sha256(to_bytes(found)) != search.plan.dataset_digest:
        what = f"{path.name} has other windows than the search, which was on {search.plan.windows}"
        raise Conflict(what, str(out), "Give the file that was searched on.")
    base = FitConfig(epochs_max=chosen.train_epochs_max, seed=search.plan.seed)
    config, folder = config_of(trial.values, base), out / MODELS / trial.id
    with shell.shown_progress() as progress:
        card = fit_windows(found, folder, config, workers=chosen.train_workers, progress=progress)
    write_durably(folder / REPORT, card_page(card, path.name).encode())
    screen = shell.console()
    render_card(card, screen, f"{trial.id}, ")
    for name in (WEIGHTS, CARD, REPORT):
        screen.print(str(folder / name), highlight=False, soft_wrap=True)


if __name__ == "__main__":
    shell.run_job(main)

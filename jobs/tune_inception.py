"""python -m jobs.tune_inception --dataset SET --out DIR    searches how to train an image model

Trains configurations with Ray Tune, the default first, and stops early those that fall behind on
validation images (C2, B7). Started again after a kill it goes on; a search that has ended shows its
result. Written are search.json and search.html. With --publish ID one trial is trained in full, or
the best one, into DIR/models/ID, and listed under --name.
"""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.contracts.image_search import ImageSearch, ImageSearchPlan
from cluster.errors import Conflict
from cluster.imaging.search import config_from, config_of, plan_search
from cluster.learning.search import chosen as trial_of
from cluster.report.image_search import render_page, render_search
from cluster.report.trials import trial_lines
from cluster.storage.files import write_durably
from cluster.storage.image_sets import ImageSets
from cluster.storage.searches import SEARCH, keep_search, open_search, read_search
from jobs import shell
from jobs.fit_inception import (
    DATA,
    SEED_MAX,
    BackboneOption,
    Bind,
    Config,
    DataSet,
    Side,
    Weights,
    run_of,
    train,
)
from jobs.image_intake import Persons, check_given, show_files, stored_set

if TYPE_CHECKING:
    from actors.trainers.inception import ImageTask

PAGE = "search.html"
MODELS = "models"
TRIALS = "trials"
"""Folder of Ray's state of the search, and of the trials' checkpoints."""


def main(
    dataset: DataSet,
    out: Annotated[Path, typer.Option(help="folder of the search; all nodes must reach it")],
    num_samples: Annotated[
        int, typer.Option(min=1, max=10_000, help="configurations, the default among them")
    ] = 8,
    name: Annotated[
        str, typer.Option(help="of the stored set, and of a published model; default: that of DIR")
    ] = "",
    weights: Weights = "",
    backbone: BackboneOption = None,
    image_size: Side = None,
    epochs_max: Annotated[int | None, typer.Option(help="of a trial, without the head's")] = None,
    config: Config = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=SEED_MAX, help="of all that is drawn; default: 1")
    ] = None,
    persons: Persons = None,
    publish: Annotated[
        str, typer.Option(help="train this trial of the search in full: its id, or best")
    ] = "",
    bind: Bind = [],  # noqa: B006 - typer copies it
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    from actors.trainers.inception import ImageTask
    from cluster.imaging.weights import read_checkpoint
    from cluster.storage.starting_weights import resolve_weights

    chosen, named = shell.settings_from(settings), name or out.name
    given = {"backbone": backbone, "image_size": image_size, "seed": seed, "epochs_max": epochs_max}
    text = shell.text_of(config, "--config") if config else "{}"
    done = read_search(out, ImageSearch) if publish else None
    base = done.plan.base if done else config_from(text, given)
    check_given(dataset, persons, chosen)
    found = resolve_weights(base.backbone, weights, read_checkpoint)
    shell.out_folder(out)
    stored = stored_set(dataset, out / DATA, named, persons, chosen)
    task = ImageTask(ImageSets.of(chosen).manifest(stored.name, stored.digest), found, chosen)
    begun = (found.card.name, found.card.sha256)
    plan = plan_search(stored, task.manifest, begun, base, num_samples)
    if done:
        _check_same(plan, done.plan)
        trial = trial_of(done.trials, publish)
        run = run_of(named, stored, task, config_of(trial.values, base), shell.bound_from(bind))
        train(task, run, stored, out / MODELS / trial.id)
        return
    kept = open_search(out, ImageSearch(plan=plan))
    if not kept.trials or any(trial.state == "failed" for trial in kept.trials):
        kept = _search(task, out, kept)
    render_search(kept, shell.console())
    show_files(out, (SEARCH, PAGE))


def _check_same(plan: ImageSearchPlan, kept: ImageSearchPlan) -> None:
    """Refuse to publish a trial that would learn from something else than its search did.

    Raises:
        Conflict: the images or the starting weights are others.
    """
    for field, word in (("data_set_digest", "images"), ("weights_sha256", "starting weights")):
        if getattr(plan, field) != getattr(kept, field):
            what = f"these are other {word} than those of the search"
            raise Conflict(what, SEARCH, "Give what was searched with.")


def _search(task: "ImageTask", out: Path, kept: ImageSearch) -> ImageSearch:
    """Run a search, or what is missing of it, show how far it is, and keep the result."""
    from actors.session import connected
    from actors.tuners.inception import search_images

    screen, n = shell.console(), len(kept.plan.candidates)
    most = 1 + kept.plan.base.epochs_max
    screen.print(f"{n} trials of at most {most} passes, that of the head first", highlight=False)
    tell = trial_lines(n, "pass", screen)
    screen.print("starting the cluster", highlight=False)
    with connected():
        ended = search_images(task, kept.plan, storage_path=out / TRIALS, tell=tell)
    keep_search(out, ended)
    write_durably(out / PAGE, render_page(ended).encode())
    if all(trial.state != "failed" for trial in ended.trials):
        shutil.rmtree(out / TRIALS)  # checkpoints of whole networks, which nothing goes on from
    return ended


if __name__ == "__main__":
    shell.run_job(main)

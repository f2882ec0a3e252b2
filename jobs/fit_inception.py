"""python -m jobs.fit_inception --dataset SET --name NAME    trains an image model and lists it

SET is a zip or folder with a folder for each class, or the name of a stored set. Starting weights
are a file, torchvision's, those of the installed package, or none; a missing set, and then missing
weights, are told before anything is done. Started again after it was stopped, it goes on from its
last pass; its checkpoints go when the model is listed. A model that is not surely better than
guessing, or clearly worse than the one that serves, waits for jobs.accept_model. Written are
report.html and card.json; the model is in `python -m jobs.list_models` (C2, B8).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.clock import SystemClock
from cluster.contracts.image_models import BUNDLE_FILE, Backbone
from cluster.contracts.image_training import Depth, ImageFitConfig
from cluster.contracts.images import StoredImageSet
from cluster.flow.diseases import DiseaseDatabase
from cluster.flow.image_models import bind_labels
from cluster.images.terms import terms_of
from cluster.imaging.search import config_from
from cluster.report.image_model import render_card
from cluster.storage.image_runs import CARD, REPORT, ImageRun
from cluster.storage.image_sets import ImageSets, checked_name
from jobs import shell
from jobs.image_intake import Persons, check_given, show_files, stored_set

if TYPE_CHECKING:
    from actors.trainers.inception import ImageTask

RUNS = Path("runs/images")
DATA = "data"
"""Folder of the report on the set, in that of the run."""
SEED_MAX = (1 << 32) - 1

DataSet = Annotated[str, typer.Option(help="zip, folder, or name of a stored set")]
Weights = Annotated[
    str, typer.Option(help="FILE.safetensors, torchvision, package or none; default: by backbone")
]
Bind = Annotated[
    list[str], typer.Option(help="disease of a class, as CLASS=ID; CLASS= is none; repeatable")
]
Licence = Annotated[str, typer.Option(help="of the model; default: what the set's texts name")]
Attribution = Annotated[str, typer.Option(help="of the images; default: from the set's texts")]
BackboneOption = Annotated[Backbone | None, typer.Option(help="default: inception_v3")]
Side = Annotated[int | None, typer.Option(help="pixels of a side; default: by backbone")]
Config = Annotated[Path | None, typer.Option(help="JSON of how it is trained")]


def main(
    dataset: DataSet,
    name: Annotated[str, typer.Option(help="of the model; 1 to 63 of a-z, 0-9 and '-'")],
    weights: Weights = "",
    backbone: BackboneOption = None,
    image_size: Side = None,
    depth: Annotated[Depth | None, typer.Option(help="what is trained; default: all")] = None,
    epochs: Annotated[int | None, typer.Option(help="at the most, without the head's")] = None,
    config: Config = None,
    seed: Annotated[int | None, typer.Option(min=0, max=SEED_MAX, help="default: 1")] = None,
    persons: Persons = None,
    bind: Bind = [],  # noqa: B006 - typer copies it
    licence: Licence = "",
    attribution: Attribution = "",
    out: Annotated[Path | None, typer.Option(help="default: runs/images/NAME")] = None,
    asked_by: Annotated[str, typer.Option(help="token over HTTP; then it waits for accept")] = "",
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    from actors.trainers.inception import ImageTask
    from cluster.imaging.weights import read_checkpoint
    from cluster.storage.starting_weights import resolve_weights

    chosen = shell.settings_from(settings)
    given = {"backbone": backbone, "image_size": image_size, "depth": depth, "seed": seed}
    fitted = config_from(
        shell.text_of(config, "--config") if config else "{}", given | {"epochs_max": epochs}
    )
    bound, folder = shell.bound_from(bind), out or RUNS / checked_name(name)
    check_given(dataset, persons, chosen)
    found = resolve_weights(fitted.backbone, weights, read_checkpoint)
    shell.out_folder(folder)
    stored = stored_set(dataset, folder / DATA, name, persons, chosen)
    task = ImageTask(ImageSets.of(chosen).manifest(stored.name, stored.digest), found, chosen)
    run = run_of(name, stored, task, fitted, bound).model_copy(update={"asked_by": asked_by})
    if licence or attribution:
        stated = {"licence": licence or run.licence, "attribution": attribution or run.attribution}
        run = run.model_copy(update=stated)
    train(task, run, stored, folder)


def run_of(
    name: str,
    stored: StoredImageSet,
    task: "ImageTask",
    config: ImageFitConfig,
    bound: dict[str, str],
) -> ImageRun:
    """Return what a run is asked to do.

    Raises:
        InputError: a class or a disease that is bound is not known.
    """
    labels = [one.name for one in stored.card.classes]
    database = DiseaseDatabase.of(task.settings.data_dir)
    terms, card = terms_of(stored.card.texts), task.weights.card
    return ImageRun(
        name=name,
        data_set=stored.name,
        data_set_digest=stored.digest,
        weights=card.name,
        weights_sha256=card.sha256,
        config=config,
        bound=bind_labels(labels, database, bound),
        licence=terms.licence,
        attribution=terms.attribution,
        changelog=f"Trained on {stored.card.kept:,} images of {stored.name}, "
        f"from {card.name}, at {config.image_size} pixels.",
        begun_at=SystemClock().now(),
    )


def train(task: "ImageTask", run: ImageRun, stored: StoredImageSet, folder: Path) -> None:
    """Train and publish, and show what came of it."""
    from actors.trainers.image_models import binding_lines, fit_model, standing_lines

    screen = shell.console()

    def say(line: str) -> None:
        screen.print(line, highlight=False, soft_wrap=True)

    database = DiseaseDatabase.of(task.settings.data_dir).card
    for line in binding_lines(run.bound, database.name, is_demo=database.demo):
        say(line)
    bundle, listed = fit_model(task, run, stored.card, folder, say)
    render_card(bundle, screen)
    for line in standing_lines(listed):
        say(line)
    show_files(folder, (REPORT, CARD, BUNDLE_FILE))


if __name__ == "__main__":
    shell.run_job(main)

"""From a stored set of images to a model in the list L (C2, C3, C9).

The order is: training with checkpoints, files into the blob store, ``bundle.json`` into the run's
folder, the registry, and last the checkpoints go. Started again after a crash, a run does what is
missing.
"""

import io
import shutil
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from PIL import Image

from actors.registry import RegistryService
from actors.registry_calls import ask_registry
from actors.session import connected
from actors.trainers.inception import ImageTask, fit_images
from cluster.contracts.image_models import Bundle, Epoch, ListedModel
from cluster.contracts.image_training import ImageFitConfig
from cluster.contracts.images import DataSetCard
from cluster.imaging.fit import ImageFitting
from cluster.imaging.lesson import Lesson
from cluster.imaging.publish import Origin, Published, Shown, publish
from cluster.models.bundle import bundle_bytes, version_of
from cluster.report.image_model import Answer, ModelReport, render_page
from cluster.storage.blobs import BlobStore
from cluster.storage.image_runs import ImageRun, keep_result, open_run, read_result

TRAINING: Final = "training"
"""Folder of the checkpoints, in that of the run."""
MADE_BY: Final = "jobs.fit_inception"
STEPS_MIN: Final = 200
"""Below, fine-tuning has hardly begun."""
PICTURE_SIDE: Final = 160
PICTURE_QUALITY: Final = 85

Say = Callable[[str], None]
"""Is told how far it is, in lines."""


def fit_model(
    task: ImageTask, run: ImageRun, data_card: DataSetCard, out: Path, say: Say
) -> tuple[Bundle, ListedModel]:
    """Train a model, publish it, and keep its report; what is done already is not done again.

    Args:
        task: images and starting weights.
        run: what is asked for.
        data_card: of the set.
        out: folder of the run; all nodes must reach it.
        say: is told of each pass and step.

    Returns:
        The bundle, and its line in the list.

    Raises:
        Conflict: the folder holds another run.
        ImageSetRefused: a class has too few images.
        WeightsInvalid: the starting weights do not fit.
        Fault: the training failed, or what was compiled is not what was trained.
    """
    begun, blobs = open_run(out, run), BlobStore.of(task.settings)
    bundle = read_result(out, blobs)
    if bundle is None:
        learned = sum(1 for one in task.manifest.images if one.split == "training")
        say(steps_line(learned, run.config))
        fitting = _fit(task, begun, out, say)
        made = publish(fitting, _origin(begun, task, data_card), say)
        for content in made.files.values():
            blobs.put(content)
        bundle = made.bundle
        keep_result(out, bundle, render_page(_report(made, fitting.lesson, data_card)))
    else:
        say("finished before: nothing is trained")
    listed = ask_registry(
        task.settings,
        RegistryService.publish_images,
        bundle_bytes(bundle),
        run.asked_by or MADE_BY,
        pending=bool(run.asked_by),
    )
    with suppress(FileNotFoundError):  # a run that was finished before has none
        shutil.rmtree(out / TRAINING)
    return bundle, listed


def _fit(task: ImageTask, run: ImageRun, out: Path, say: Say) -> ImageFitting:
    judged = sum(1 for one in task.manifest.images if one.split == "validation")
    say("starting the cluster and its workers")
    with warnings.catch_warnings():
        # LanceDB, which looked diseases up before, is not used in the copy that starts a process.
        warnings.filterwarnings("ignore", message="lancedb fork support")
        with connected():
            return fit_images(
                task,
                run.config,
                workers=task.settings.train_workers,
                storage_path=str(out.resolve() / TRAINING),
                tell=lambda number, most, epoch: say(pass_line(number, most, epoch, judged)),
                tell_features=lambda done, total: say(
                    f"features for the head: {done:,} of {total:,} images"
                ),
            )


def steps_line(images: int, config: ImageFitConfig) -> str:
    """Say how many images there are to learn from, and in how many steps; few teach little."""
    steps = max(images // config.batch_size, 1)
    what = f"{images:,} training images, {steps:,} steps a pass, {config.epochs_max} passes"
    few = "; so few steps teach little: more passes (--epochs) may help"
    return what + (few if steps * config.epochs_max < STEPS_MIN and config.depth != "head" else "")


def pass_line(number: int, most: int, epoch: Epoch, judged: int) -> str:
    """Say what came of a pass; ``judged`` validation images were looked at."""
    hits = round(epoch.validation_accuracy * judged)
    return (
        f"pass {number} of {most}  {epoch.stage}: loss {epoch.training_loss:.4f}, validation "
        f"{epoch.validation_loss:.4f}, right {hits:,} of {judged:,}, {epoch.seconds:.0f} s"
    )


def binding_lines(
    bound: Mapping[str, tuple[str, str]], database: str, *, is_demo: bool
) -> list[str]:
    """Say which disease each class stands for, and whose word that is.

    Args:
        bound: id and name of the disease of each class; both empty where it is none.
        database: name of the disease database.
        is_demo: whether that is the table of examples that comes with the product.
    """
    told = [
        f"class {label}: {' '.join(disease) if disease[0] else 'not bound'}"
        for label, disease in bound.items()
    ]
    if any(one for one, _ in bound.values()):
        whose = "the DEMO table of the product" if is_demo else f"the disease database {database}"
        told.append(f"diseases are those of {whose}; --bind CLASS=ID binds otherwise")
    return told


def standing_lines(listed: ListedModel) -> list[str]:
    """Say whether a model that was handed over serves, and if not, why and what can be done."""
    told = [f"{listed.name} number {listed.number}, version {listed.version}, {listed.state}"]
    if listed.state == "pending":
        named = f"--name {listed.name} --version {listed.number} --by NAME"
        reason = f": {listed.reason}" if listed.reason else ", as an operator decides about it"
        told += [
            f"It waits and does not serve{reason}.",
            f"Look at its report. python -m jobs.accept_model {named} publishes it all the same,",
            f"python -m jobs.refuse_model {named} --reason WHY refuses it; "
            "more images or passes may make a better one.",
        ]
    elif not listed.serving:
        told.append("Another version serves.")
    return told


def _origin(run: ImageRun, task: ImageTask, data_card: DataSetCard) -> Origin:
    return Origin(
        name=run.name,
        made_at=run.begun_at,
        made_by=MADE_BY,
        weights=task.weights.card,
        data_set=run.data_set,
        data_set_digest=run.data_set_digest,
        data_card=data_card,
        bound=run.bound,
        licence=run.licence,
        attribution=run.attribution,
        changelog=run.changelog,
    )


def _report(made: Published, lesson: Lesson, data_card: DataSetCard) -> ModelReport:
    return ModelReport(
        bundle=made.bundle,
        version=version_of(made.bundle),
        scored_on=made.scored_on,
        data_set=data_card,
        mistakes=tuple(_answer(one, lesson) for one in made.mistakes),
        saliency=tuple(_answer(one, lesson) for one in made.saliency),
        reliability=made.reliability,
        distances=made.distances,
        border=made.border,
    )


def _answer(shown: Shown, lesson: Lesson) -> Answer:
    return Answer(
        picture=_picture(lesson, shown.row),
        true=lesson.labels[shown.truth],
        decided=lesson.labels[shown.decided],
        probability=shown.probability,
        heat=shown.heat,
    )


def _picture(lesson: Lesson, row: int) -> bytes:
    """Return an image as the network sees it, as a small JPEG."""
    small = Image.fromarray(lesson.pixels([row])[0])
    small.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=PICTURE_QUALITY)
    return stream.getvalue()

"""python -m jobs.upload_model --file X.onnx --labels labels.txt …    hands over a trained model

ONNX, or safetensors of torchvision's InceptionV3. It is read and run in a process that can do
nothing else, judged where a stored set of images has its classes, and waits until an operator
accepts it with python -m jobs.accept_model (C9).
"""

import re
from pathlib import Path
from typing import Annotated

import typer

from actors.registry import RegistryService
from actors.registry_calls import ask_registry
from cluster.clock import SystemClock
from cluster.contracts.image_models import NAME_PATTERN, Bundle
from cluster.errors import InputError
from cluster.flow.diseases import DiseaseDatabase
from cluster.flow.image_models import bind_labels
from cluster.flow.model_upload import Upload, bundle_upload
from cluster.models.bundle import bundle_bytes
from cluster.models.onnx_form import RANGES, InputRange
from cluster.report.text import literal
from cluster.storage.blobs import BlobStore
from cluster.storage.image_sets import ImageSets
from cluster.storage.model_checker import Claim, ModelLimits
from jobs import shell

LABELS_MIN = 2
LABELS_MAX = 1000


def main(
    file: Annotated[Path, typer.Option(help="the model: ONNX, or safetensors of InceptionV3")],
    labels: Annotated[Path, typer.Option(help="its classes, one a line, in its output's order")],
    name: shell.ModelName,
    by: Annotated[str, typer.Option(help="who hands it over; shown with it")],
    licence: Annotated[str, typer.Option(help="its SPDX id, such as Apache-2.0")],
    intended_use: Annotated[str, typer.Option(help="what it is for, and for whom")],
    summary: Annotated[str, typer.Option(help="what it tells apart, in a line")],
    changelog: Annotated[str, typer.Option(help="what is new in this version, in a line")],
    size: Annotated[int, typer.Option(min=32, max=1024, help="pixels of a side that it takes")],
    numbers: Annotated[
        str,
        typer.Option(
            "--range",
            help=f"of the numbers that it takes: {', '.join(RANGES)}; 0-255 of an ONNX file "
            "where nothing is said",
        ),
    ] = "",
    bind: Annotated[
        list[str],
        typer.Option(help="disease of a class, as CLASS=ID, empty for none; repeatable"),
    ] = [],  # noqa: B006 - typer copies it
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    chosen = shell.settings_from(settings)
    if not re.fullmatch(NAME_PATTERN, name):
        what = f"name {name[:80]!r} of a model is not allowed"
        raise InputError(what, "--name", "Use 1 to 63 of a-z, 0-9 and '-', not '-' first.")
    claim = Claim(labels_of(labels), size, range_of(numbers))
    bound = bind_labels(claim.labels, DiseaseDatabase.of(chosen.data_dir), shell.bound_from(bind))
    upload = Upload(file, claim, bound, name, by, licence, intended_use, summary, changelog)
    sets, limits = ImageSets.of(chosen), ModelLimits.of(chosen)
    bundle, files = bundle_upload(upload, sets, limits, SystemClock().now())
    blobs = BlobStore.of(chosen)
    for content in files.values():
        blobs.put(content)
    content = bundle_bytes(bundle)
    publish = RegistryService.publish_images
    show(bundle)
    shell.show_version(ask_registry(chosen, publish, content, by, pending=True))


def labels_of(path: Path) -> tuple[str, ...]:
    """Read the classes: one a line, each with a name that a model may have."""
    lines = shell.text_of(path, "--labels").removeprefix("\ufeff").splitlines()
    found = tuple(line.strip() for line in lines)
    while found and not found[-1]:
        found = found[:-1]
    if not LABELS_MIN <= len(found) <= LABELS_MAX:
        what = f"{path} has {len(found)} classes; {LABELS_MIN} to {LABELS_MAX} are taken"
        raise InputError(what, "--labels", "Write one class a line.")
    shell.check_labels(found, "--labels")
    return found


def range_of(text: str) -> InputRange | None:
    known = next((one for one in RANGES if one == text), None)
    if text and known is None:
        what = f"{text[:80]!r} is no range"
        raise InputError(what, "--range", f"Write one of {', '.join(RANGES)}.")
    return known


def show(bundle: Bundle) -> None:
    screen = shell.console()
    for label in bundle.labels:
        disease = f"{label.disease_id} {label.disease_name}" if label.disease_id else "no disease"
        screen.print(literal(f"{label.label}: {disease}"), soft_wrap=True)
    metrics = bundle.card.metrics
    if metrics:
        screen.print(f"accuracy {metrics.accuracy.told}", soft_wrap=True)
    for text in bundle.card.limits:
        screen.print(literal(text), soft_wrap=True)


if __name__ == "__main__":
    shell.run_job(main)

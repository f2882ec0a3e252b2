"""python -m jobs.recognise --model NAME --images DIR --out P.csv   recognises a folder of images

With the code of a device and the published bundle only. Columns: path, true (name of the folder;
empty where the image lies in DIR itself), pred (unknown where it is outside of what the model
knows), prob of the decided class, p:<class> of each, distance_ratio (above 1 is outside). Files
that cannot be read have no row: they are listed on the error stream, and the exit code is 2 (C7
C10).
"""

import csv
import io
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from cluster.clock import SystemClock
from cluster.contracts.image_models import NOT_A_DIAGNOSIS, UNKNOWN, Recognition
from cluster.device.cache import Cache
from cluster.device.choose import variant_named
from cluster.device.client import Device
from cluster.device.picture import prepare, read_picture
from cluster.device.recognise import BATCH, Pixels, Recogniser
from cluster.device.show import fetched_lines, listing_lines
from cluster.device.source import open_source
from cluster.errors import InputError, SourceUnreadable
from cluster.images.names import IMAGE_SUFFIXES, is_ignored
from cluster.report.style import counted
from cluster.report.text import literal
from cluster.storage.files import write_durably
from jobs import shell

CACHE = "device"
PUBLIC = "public"
MS = 1000


def main(
    model: Annotated[str, typer.Option(help="NAME, or NAME@NUMBER for another version")],
    images: Annotated[Path, typer.Option(help="folder of images, or of a folder for each class")],
    out: Annotated[Path, typer.Option(help="CSV file, one row an image, sorted by path")],
    variant: Annotated[str, typer.Option(help="int8, or fp32: the reference")] = "int8",
    server: Annotated[str, typer.Option(help="address or folder; default: data_dir/public")] = "",
    cache: Annotated[
        Path | None,
        typer.Option(envvar="DAZZLE_DEVICE_CACHE", help="of models; default: data_dir/device"),
    ] = None,
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    chosen, kind = shell.settings_from(settings), variant_named(variant)
    paths = image_paths(images)
    shell.out_file(out)
    clock, screen = SystemClock(), shell.console()
    source = open_source(server or str(chosen.data_dir / PUBLIC))
    with shell.shown_progress() as progress:
        kept = Cache((cache or chosen.data_dir / CACHE).resolve(), clock)
        device = Device(kept, source, clock, progress)
        for line in listing_lines(device.listing()):
            screen.print(line, soft_wrap=True)
        with device.model(model, kind) as fetched:
            for line in fetched_lines(fetched):
                screen.print(line, soft_wrap=True)
            recogniser = device.recogniser(fetched)
        found = recognise_all(recogniser, images, paths, progress)
    tell_problems(found.problems)
    if not found.results:
        what = f"none of {counted(len(paths), 'image')} can be read"
        raise InputError(what, "--images", "Give JPEG, PNG or WebP files.")
    write_durably(out, csv_text(recogniser.bundle.label_names, found.results).encode())
    show(found, recogniser.bundle.label_names)
    screen.print(str(out), highlight=False, soft_wrap=True)
    if found.problems:
        raise SystemExit(shell.EXIT_INPUT)


def image_paths(folder: Path) -> list[str]:
    """List the images of a folder, relative to it, sorted."""
    if not folder.is_dir():
        what = f"{folder} is no folder"
        raise InputError(what, "--images", "Name a folder of JPEG, PNG or WebP files.")
    files = (Path(top, name) for top, _, names in os.walk(folder) for name in names)
    inside = (path.relative_to(folder).as_posix() for path in files)
    found = sorted(
        one
        for one in inside
        if PurePosixPath(one).suffix.lower() in IMAGE_SUFFIXES and not is_ignored(one)
    )
    if not found:
        what = f"{folder} has no images"
        raise InputError(what, "--images", "Name a folder of JPEG, PNG or WebP files.")
    return found


@dataclass
class Results:
    """What was recognised, and what could not be read."""

    results: list[tuple[str, Recognition]]
    problems: list[str]
    seconds: float


def recognise_all(
    recogniser: Recogniser,
    folder: Path,
    paths: Sequence[str],
    progress: Callable[[str, int, int], None],
) -> Results:
    found, began = Results([], [], 0.0), time.perf_counter()
    names: list[str] = []
    batch: list[Pixels] = []
    for n, path in enumerate(paths, 1):
        try:
            batch.append(recogniser.pixels(prepare(read_picture(folder / path)).image()))
            names.append(path)
        except SourceUnreadable as error:
            found.problems.append(f"{path}: {error.what}")
        if batch and (len(batch) == BATCH or n == len(paths)):
            found.results += zip(names, recogniser.recognise(batch), strict=True)
            names, batch = [], []
        progress("recognise", n, len(paths))
    found.seconds = time.perf_counter() - began
    return found


def true_label(path: str) -> str:
    """Return the name of the folder in which an image lies; empty at the top."""
    return PurePosixPath(path).parent.name


def csv_text(labels: Sequence[str], results: Sequence[tuple[str, Recognition]]) -> str:
    stream = io.StringIO()
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(
        ["path", "true", "pred", "prob", *(f"p:{one}" for one in labels), "distance_ratio"]
    )
    for path, one in results:
        ratio = "" if one.distance_ratio is None else f"{one.distance_ratio:.6g}"
        shares = [f"{one.probabilities[label]:.6f}" for label in labels]
        row = [path, true_label(path), one.label, f"{one.probability:.6f}", *shares, ratio]
        rows.writerow(row)
    return stream.getvalue()


def tell_problems(problems: Sequence[str]) -> None:
    """List the files that cannot be read, each with its reason, where errors go."""
    screen = shell.console(stderr=True)
    for problem in problems:
        screen.print(literal(f"left out: {problem}", style="yellow"), soft_wrap=True)


def show(found: Results, labels: Sequence[str]) -> None:
    """Print what was found, in a few lines."""
    from cluster.imaging.metrics import wilson

    screen = shell.console()
    outside = sum(one.label == UNKNOWN for _, one in found.results)
    ms = MS * found.seconds / (len(found.results) + len(found.problems))
    images = counted(len(found.results), "image")
    screen.print(f"{images}, {outside:,} outside of what the model knows, {ms:.1f} ms an image")
    known = [(true_label(path), one.label) for path, one in found.results]
    known = [(true, label) for true, label in known if true in labels]
    if known:
        right = sum(true == label for true, label in known)
        told = f"accuracy {wilson(right, len(known)).told}"
        screen.print(f"{told} where the folder names a class; outside counts as wrong")
    screen.print(literal(NOT_A_DIAGNOSIS, style="yellow"), soft_wrap=True)


if __name__ == "__main__":
    shell.run_job(main)

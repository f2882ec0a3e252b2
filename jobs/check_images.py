"""python -m jobs.check_images --dataset ZIP --out runs/images   reports on a set of images

A zip or a folder with a folder for each class. Every file is read with limits, in processes of its
own, and encoded anew without what identifies a person; duplicates are found; the parts for
training, validation and test are divided by person. With --name the clean set is stored (C1).
"""

from pathlib import Path
from typing import Annotated

import typer

from cluster.clock import SystemClock
from cluster.errors import ImageSetRefused, InputError
from cluster.flow.image_check import CheckedSet, Checking, open_check
from cluster.images.limits import Limits
from cluster.report.image_set import render_card, render_page
from cluster.settings import Settings
from cluster.storage.decoders import Decoders
from cluster.storage.files import write_durably
from cluster.storage.image_sets import ImageSets, checked_name
from jobs import shell


def main(
    dataset: Annotated[Path, typer.Option(help="zip or folder, with a folder for each class")],
    out: Annotated[Path, typer.Option(help="folder of the report")],
    name: Annotated[str, typer.Option(help="stores the clean set under this name")] = "",
    persons: Annotated[
        Path | None, typer.Option(help="CSV with columns file and patient; else one in the set")
    ] = None,
    settings: shell.Set = [],  # noqa: B006 - typer copies it
) -> None:
    chosen = shell.settings_from(settings)
    limits = Limits.of(chosen)
    tables = {persons.name: read_table(persons, limits)} if persons else {}
    if name:
        checked_name(name)
    shell.out_folder(out)
    with (
        shell.shown_progress() as progress,
        Decoders(limits, chosen.image_decoders) as decoders,
        open_check(dataset, Checking(limits, decoders, out, tables, progress)) as found,
    ):
        write_report(out, found)
        if name and found.card.accepted:
            store(name, found, chosen)
    screen = shell.console()
    render_card(found.card, screen)
    for file in ("dataset.json", "report.html"):
        screen.print(str(out / file), highlight=False, soft_wrap=True)
    if not found.card.accepted:
        first = found.card.findings[0]
        raise ImageSetRefused(first.message, first.code, first.remedy)
    if name:
        screen.print(f"stored as {name} {found.card.digest}", highlight=False, soft_wrap=True)


def read_table(path: Path, limits: Limits) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(limits.text_bytes + 1)
    except OSError as error:
        what = f"{path} cannot be read ({type(error).__name__})"
        raise InputError(what, "--persons", "Give a CSV file.") from None
    if len(content) > limits.text_bytes:
        what = f"{path} has over {limits.text_bytes:,} bytes"
        raise InputError(what, "--persons", "Give a CSV file.")
    return content


def write_report(out: Path, found: CheckedSet) -> None:
    page = render_page(found.card, found.images, found.kept, found.pairs, found.spool.thumbnail)
    write_durably(out / "dataset.json", found.card.model_dump_json(indent=1).encode())
    write_durably(out / "report.html", page.encode())


def store(name: str, found: CheckedSet, settings: Settings) -> None:
    if found.manifest is not None:
        at = SystemClock().now()
        ImageSets.of(settings).put(name, found.card, found.manifest, found.contents(), at)


if __name__ == "__main__":
    shell.run_job(main)

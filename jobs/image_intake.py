"""How jobs take in a set of images: checked, reported on, stored by name (C1)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from cluster.clock import SystemClock
from cluster.contracts.images import DataSetCard, StoredImageSet
from cluster.errors import ImageSetRefused, InputError
from cluster.flow.image_check import CheckedSet, Checking, open_check
from cluster.images.limits import Limits
from cluster.images.persons import check_table
from cluster.report.image_set import render_card, render_page
from cluster.report.text import literal
from cluster.settings import Settings
from cluster.storage.decoders import Decoders
from cluster.storage.files import write_durably
from cluster.storage.image_sets import ImageSets, checked_name
from jobs import shell

ABOUT_PERSONS: Final = ("person_", "table_")
"""Codes of warnings by which the parts of a set may share a person: figures are too good then."""
REPORTS: Final = ("dataset.json", "report.html")
Persons = Annotated[
    Path | None, typer.Option(help="CSV with columns file and patient; else one in the set")
]


def check_set(
    dataset: Path, out: Path, name: str, persons: Path | None, settings: Settings
) -> tuple[DataSetCard, StoredImageSet | None]:
    """Check a zip or folder, write its report, and store it where it is accepted and has a name.

    Raises:
        InputError: the name is not allowed, or the table of persons cannot be read.
        SourceUnreadable: there is neither zip nor folder.
    """
    limits = Limits.of(settings)
    tables = {persons.name: _table(persons, limits)} if persons else {}
    if name:
        checked_name(name)
    shell.out_folder(out)
    with (
        shell.shown_progress() as progress,
        Decoders(limits, settings.image_decoders) as decoders,
        open_check(dataset, Checking(limits, decoders, out, tables, progress)) as found,
    ):
        _write_report(out, found)
        return found.card, _store(name, found, settings) if name else None


def refusal(card: DataSetCard) -> ImageSetRefused:
    """Return the error of a set that was not accepted: the first reason."""
    first = card.findings[0]
    what = f"{first.place}: {first.message}" if first.place else first.message
    return ImageSetRefused(what, first.code, first.remedy)


def check_given(dataset: str, persons: Path | None, settings: Settings) -> None:
    """Look whether there is what a job is to learn from, before anything that takes time.

    Raises:
        InputError: there is neither file nor folder nor stored set, persons come with the last,
            or their table cannot be read.
    """
    if Path(dataset).exists():
        if persons:
            _table(persons, Limits.of(settings))
        return
    sets = ImageSets.of(settings)
    known = sets.names()
    if dataset not in known:
        what = f"{dataset!r} is no zip, no folder and no stored set"
        remedy = f"Stored in {settings.data_dir} are: {', '.join(known) or 'none'}."
        raise InputError(what, "--dataset", remedy)
    if persons:
        what = "a stored set was divided by person already"
        raise InputError(what, "--persons", "Leave it out, or give the zip again.")


def stored_set(
    dataset: str, out: Path, name: str, persons: Path | None, settings: Settings
) -> StoredImageSet:
    """Return a set to learn from: the newest version of a stored one, or a zip or folder, stored.

    Args:
        dataset: zip, folder, or name of a stored set.
        out: folder of the report on a zip or folder.
        name: under which a zip or folder is stored.
        persons: CSV of persons, of a zip or folder.
        settings: where sets are stored.

    Raises:
        InputError: there is no such set, it is refused, or, as an earlier release stored it, has a
            class that no model may have.
    """
    checked_name(name)
    check_given(dataset, persons, settings)
    if not Path(dataset).exists():
        found = ImageSets.of(settings).versions(dataset)[-1]
        shell.check_labels([one.name for one in found.card.classes], "--dataset")
        return found
    card, stored = check_set(Path(dataset), out, name, persons, settings)
    screen = shell.console()
    if stored is None:
        render_card(card, screen)
        show_files(out, REPORTS)
        raise refusal(card)
    told = f"{card.kept:,} images of {len(card.classes)} classes, stored as {name} {stored.digest}"
    screen.print(told, highlight=False, soft_wrap=True)
    for one in card.findings:
        if one.level == "warning" and one.code.startswith(ABOUT_PERSONS):
            place = f"{one.place}: " if one.place else ""
            screen.print(literal(f"{place}{one.message}", style="yellow"), soft_wrap=True)
    return stored


def show_files(folder: Path, names: Sequence[str]) -> None:
    """Print where files are."""
    for name in names:
        shell.console().print(str(folder / name), highlight=False, soft_wrap=True)


def _table(path: Path, limits: Limits) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(limits.text_bytes + 1)
    except OSError as error:
        what = f"{path} cannot be read ({type(error).__name__})"
        raise InputError(what, "--persons", "Give a CSV file.") from None
    if len(content) > limits.text_bytes:
        what = f"{path} has over {limits.text_bytes:,} bytes"
        raise InputError(what, "--persons", "Give a CSV file.")
    check_table(content)
    return content


def _write_report(out: Path, found: CheckedSet) -> None:
    page = render_page(found.card, found.images, found.kept, found.pairs, found.spool.thumbnail)
    for name, text in zip(REPORTS, (found.card.model_dump_json(indent=1), page), strict=True):
        write_durably(out / name, text.encode())


def _store(name: str, found: CheckedSet, settings: Settings) -> StoredImageSet | None:
    if found.manifest is None or not found.card.accepted:
        return None
    at = SystemClock().now()
    return ImageSets.of(settings).put(name, found.card, found.manifest, found.contents(), at)

"""python -m cluster.device VERB      recognises pictures on this device (C4–C8, C10)."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.text import Text

from cluster.clock import SystemClock
from cluster.contracts.image_models import NOT_A_DIAGNOSIS, Recognition
from cluster.contracts.related import NetworkCases
from cluster.device import show
from cluster.device.cache import MIB, Cache, CachedModel
from cluster.device.camera import photograph
from cluster.device.choose import disease_named, propose, variant_named
from cluster.device.client import Device, Listing
from cluster.device.client import Progress as Told
from cluster.device.picture import Crop, prepare, read_picture
from cluster.device.recognise import Recogniser
from cluster.device.source import open_source
from cluster.errors import (
    DazzleError,
    Fault,
    InputError,
    NotFound,
    PolicyRefusal,
    SourceUnreadable,
)
from cluster.ids import checked_platform_id
from cluster.storage.files import write_durably

EXIT_INPUT: Final = 2
EXIT_FAULT: Final = 1
VERSION_CHARS_MIN: Final = 8

Place = Annotated[
    str,
    typer.Option("--server", envvar="DAZZLE_SERVER", help="address or folder; else the last one"),
]
Folder = Annotated[
    Path | None,
    typer.Option("--cache", envvar="DAZZLE_DEVICE_CACHE", help="else ~/.cache/dazzle"),
]
Http = Annotated[bool, typer.Option("--allow-http", help="also without encryption")]
Json = Annotated[bool, typer.Option("--json", help="one JSON object a line, and nothing else")]
Kind = Annotated[str, typer.Option(help="int8, where there is one, or fp32: larger and slower")]
Part = Annotated[str, typer.Option(help="the part that counts: x,y,w,h, each from 0 to 1")]
Asker = Annotated[
    str,
    typer.Option(
        "--platform",
        envvar="DAZZLE_PLATFORM",
        callback=lambda name: name and checked_platform_id(name),
        help="asks its network for rare cases of the disease",
    ),
]
Named = Annotated[str, typer.Argument(help="a name, or the first 8 letters of a version")]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Recognises pictures on this device. What it shows is not a diagnosis.",
)


@app.command()
def models(
    disease: Annotated[str, typer.Option(help="only models for it: an id, or words")] = "",
    server: Place = "",
    cache: Folder = None,
    allow_http: Http = False,
) -> None:
    """List the models, the best first."""
    with _device(server, cache, allow_http=allow_http) as device:
        listing = _listing(device)
        found = propose(listing.models, disease)
        if not found:
            show.terminal().print(
                show.plain(f"no model of the list is for {disease or 'anything'}")
            )
            return
        screen = show.terminal()
        screen.print(show.models_table(found, device.cache.models(), screen.width))


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="NAME, or NAME@NUMBER for another version")],
    variant: Kind = "int8",
    server: Place = "",
    cache: Folder = None,
    allow_http: Http = False,
) -> None:
    """Put a model into the cache, and check that it runs right here."""
    chosen = variant_named(variant)
    with _device(server, cache, allow_http=allow_http) as device:
        _listing(device)
        with device.model(name, chosen) as fetched:
            device.recogniser(fetched)
            for line in show.fetched_lines(fetched):
                show.terminal().print(line, soft_wrap=True)


@app.command()
def recognise(  # noqa: PLR0913 - a typer command has one parameter an option
    model: Annotated[str, typer.Option(help="NAME, or NAME@NUMBER for another version")],
    files: Annotated[list[Path] | None, typer.Argument(help="pictures: JPEG, PNG or WebP")] = None,
    camera: Annotated[str, typer.Option(help="number of a camera, 0 for the first")] = "",
    variant: Kind = "int8",
    crop: Part = "",
    threads: Annotated[int, typer.Option(min=0, help="0: as many as there are cores")] = 0,
    platform: Asker = "",
    as_json: Json = False,
    server: Place = "",
    cache: Folder = None,
    allow_http: Http = False,
) -> None:
    """Recognise pictures here, and show what is known of what is seen."""
    chosen, part = variant_named(variant), Crop.of(crop) if crop else None
    if not files and not camera:
        what = "there is no picture to recognise"
        raise InputError(what, remedy="Give files, or --camera 0.")
    with _device(server, cache, allow_http=allow_http) as device:
        _listing(device, to_stderr=as_json)
        with device.model(model, chosen) as fetched:
            out = show.terminal(stderr=as_json)
            for line in show.fetched_lines(fetched):
                out.print(line, soft_wrap=True)
            recogniser = device.recogniser(fetched, threads)
            sources = [(str(path), partial(read_picture, path)) for path in files or ()]
            if camera:
                sources.append((f"camera {camera}", partial(photograph, camera)))
            results = [_one(recogniser, *one, part, as_json=as_json) for one in sources]
        if not as_json:
            _tell_answers(device, [one for one in results if one is not None], platform)
    if None in results:
        raise SystemExit(EXIT_INPUT)


def _one(
    recogniser: Recogniser,
    name: str,
    read: Callable[[], bytes],
    part: Crop | None,
    *,
    as_json: bool,
) -> Recognition | None:
    """Recognise one picture and say so; one that cannot be read does not stop the others."""
    screen = show.terminal()
    try:
        picture = prepare(read(), part)
    except SourceUnreadable as error:
        show.terminal(stderr=True).print(show.plain(f"{name}: {error}", "red"), soft_wrap=True)
        if as_json:
            screen.print("null")
        return None
    result = recogniser.recognise([recogniser.pixels(picture.image())])[0]
    if as_json:
        screen.print(result.model_dump_json(), soft_wrap=True)
        return result
    for line in show.recognition_lines(name, result):
        screen.print(line, soft_wrap=True)
    return result


def _tell_answers(device: Device, results: list[Recognition], platform: str) -> None:
    """Show Y and the rare cases of each disease that was recognised, once."""
    screen = show.terminal()
    inside = [one for one in results if not one.outside]
    for label in sorted({one.label for one in inside if not one.disease_id}):
        screen.print(show.plain(f"{label} {show.NO_DISEASE}."), soft_wrap=True)
    for disease in sorted({one.disease_id for one in inside if one.disease_id}):
        screen.print()
        related = _related(device, disease, platform)
        try:
            lines = show.answer_lines(device.answer(disease), related)
        except (NotFound, PolicyRefusal, Fault) as error:
            told = show.plain(f"No answer about {disease}: {error}", "yellow")
            lines = chain([told], related)
        for line in lines:
            screen.print(line, soft_wrap=not screen.is_terminal)
    screen.print(show.plain(NOT_A_DIAGNOSIS, "yellow"), soft_wrap=True)


def _related(device: Device, disease: str, platform: str) -> Iterator[Text]:
    """Ask a platform's network once Y is shown, and say so, for it may take half a minute."""
    if platform:
        yield show.plain(f"Rare cases on the network, asked by {platform}:")
        yield from show.cases_lines(disease, _rare_cases(device, disease, platform))


def _rare_cases(device: Device, disease: str, platform: str) -> NetworkCases | DazzleError:
    try:
        return device.rare_cases(disease, platform)
    except (NotFound, PolicyRefusal, Fault) as error:
        return error


@app.command()
def answer(
    disease: Annotated[str, typer.Argument(help="an id, or the name of a disease of the list")],
    platform: Asker = "",
    as_json: Json = False,
    server: Place = "",
    cache: Folder = None,
    allow_http: Http = False,
) -> None:
    """Show what is known of a disease; only its id is sent, and the name of a platform."""
    with _device(server, cache, allow_http=allow_http) as device:
        wanted = disease if ":" in disease else disease_named(device.listing().models, disease)
        screen = show.terminal()
        if as_json:
            screen.print(device.answer(wanted).answer.model_dump_json(), soft_wrap=True)
            if platform:
                _print_cases(wanted, _rare_cases(device, wanted, platform))
            return
        related = _related(device, wanted, platform)
        try:
            lines = show.answer_lines(device.answer(wanted), related)
        except NotFound as error:
            if not platform:
                raise
            lines = chain([show.plain(f"No answer about {wanted}: {error}", "yellow")], related)
        for line in lines:
            screen.print(line, soft_wrap=not screen.is_terminal)


def _print_cases(disease: str, found: NetworkCases | DazzleError) -> None:
    """Print the cases as JSON; null, and why on the error stream, where they are not known."""
    if isinstance(found, NetworkCases):
        told = show.plain(found.model_dump_json(ensure_ascii=True))
        show.terminal().print(told, soft_wrap=True)
        return
    for line in show.cases_lines(disease, found):
        show.terminal(stderr=True).print(line, soft_wrap=True)
    show.terminal().print("null")


@app.command(name="prepare")
def prepare_file(
    file: Annotated[Path, typer.Argument(help="a photograph")],
    out: Annotated[Path, typer.Option(help="the picture that may leave this device")],
    crop: Part = "",
) -> None:
    """Turn a photograph upright, crop and compress it, and take out all that is not the picture."""
    picture = prepare(read_picture(file), Crop.of(crop) if crop else None)
    write_durably(out, picture.content)
    size = f"{picture.width} x {picture.height} pixels, {len(picture.content):,} bytes"
    done = ", ".join((f"encoded anew as {picture.form}", *picture.removed))
    told = f"{out}: {size} (of {picture.bytes_given:,}); {done}"
    show.terminal().print(show.plain(told), soft_wrap=True)


@app.command(name="cache")
def show_cache(
    limit_mib: Annotated[int, typer.Option(min=0, help="changes the limit; 0 leaves it")] = 0,
    cache: Folder = None,
) -> None:
    """List what is kept here, with its size and the limit."""
    kept = _cache(cache)
    if limit_mib:
        kept.set_limit(limit_mib)
    screen, found, noted = show.terminal(), kept.models(), kept.noted()
    if found:
        screen.print(show.cache_table(found, screen.width))
    used = f"{kept.files.size() / MIB:.1f} of {noted.limit_mib} MiB"
    screen.print(show.plain(f"{used} in {kept.folder}"), soft_wrap=True)


@app.command()
def pin(name: Named, cache: Folder = None) -> None:
    """Keep a model whatever the limit."""
    _pin(cache, name, pinned=True)


@app.command()
def unpin(name: Named, cache: Folder = None) -> None:
    """Let a model go again when room is needed."""
    _pin(cache, name, pinned=False)


def _pin(folder: Path | None, name: str, *, pinned: bool) -> None:
    kept = _cache(folder)
    for one in cached_named(kept, name):
        kept.set_pinned(one.version, pinned=pinned)
        told = f"{one.bundle.name} ({one.version[:12]}) is {'' if pinned else 'no longer '}pinned"
        show.terminal().print(show.plain(told), soft_wrap=True)


@app.command()
def drop(name: Named, cache: Folder = None) -> None:
    """Remove a model from the cache."""
    kept = _cache(cache)
    for one in cached_named(kept, name):
        gone = kept.drop(one.version)
        told = f"{one.bundle.name} ({one.version[:12]}) is {'removed' if gone else 'in use'}"
        show.terminal().print(show.plain(told), soft_wrap=True)


def cached_named(cache: Cache, text: str) -> list[CachedModel]:
    """Return the versions in a cache that a name or the beginning of a version means.

    Raises:
        NotFound: there is none.
    """
    is_version = len(text) >= VERSION_CHARS_MIN
    found = [
        one
        for one in cache.models()
        if one.bundle.name == text or (is_version and one.version.startswith(text))
    ]
    if not found:
        what = f"{text[:80]!r} is not in the cache"
        raise NotFound(what, str(cache.folder), "python -m cluster.device cache lists what is.")
    return found


def _cache(folder: Path | None) -> Cache:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Cache((folder or home / "dazzle").resolve(), SystemClock())


@contextmanager
def _device(server: str, folder: Path | None, *, allow_http: bool) -> Iterator[Device]:
    cache = _cache(folder)
    place = server or cache.noted().source
    if not place:
        what = "no server is named"
        remedy = "Give an address or a folder, once; DAZZLE_SERVER names it too."
        raise InputError(what, "--server", remedy)
    source = open_source(place, allow_http=allow_http)
    with _progress() as progress:
        yield Device(cache, source, SystemClock(), progress)


@contextmanager
def _progress() -> Iterator[Told]:
    """Show a bar for a download where there is a terminal; it is told in words afterwards."""
    screen = show.terminal(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bars:
        tasks = {}

        def tell(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total)
            bars.update(tasks[step], completed=done, total=total)

        yield tell


def _listing(device: Device, *, to_stderr: bool = False) -> Listing:
    listing = device.listing()
    for line in show.listing_lines(listing):
        show.terminal(stderr=to_stderr).print(line, soft_wrap=True)
    return listing


def main() -> None:
    """Run a command; an error is one line and an exit code, not a stack.

    Exit codes: 0 done, 2 the input is at fault, 1 the machine, the server or the program is.
    """
    try:
        app(prog_name="python -m cluster.device")
    except DazzleError as error:
        show.terminal(stderr=True).print(show.plain(str(error), "red"), soft_wrap=True)
        raise SystemExit(EXIT_INPUT if isinstance(error, InputError) else EXIT_FAULT) from None
    except OSError as error:
        told = f"{type(error).__name__}: {error.strerror or error} ({error.filename})"
        show.terminal(stderr=True).print(show.plain(told, "red"), soft_wrap=True)
        raise SystemExit(EXIT_FAULT) from None


if __name__ == "__main__":
    main()

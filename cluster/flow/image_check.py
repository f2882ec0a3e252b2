"""The steps of an image upload: files, layout, decoding, verdict, store (C1).

Nothing of a set is written anywhere before it is judged: clean images wait in a file without a
name, which the system frees however the process ends.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Final

from cluster.contracts.images import DataSetCard, ImageFinding, ImageSetManifest, by_code
from cluster.errors import ImageSetRefused
from cluster.ids import sha256
from cluster.images.decode import ENCODING, Picture, Refusal
from cluster.images.examine import Image, Pair, Upload, examine, listed
from cluster.images.limits import Limits
from cluster.images.names import Layout, lay_out, shown
from cluster.images.persons import read_persons
from cluster.storage.decoders import Decoders
from cluster.storage.image_files import FileUnreadable, ImageFiles, finding_of, open_image_files

Progress = Callable[[str, int, int], None]
TEXT_CHARACTERS_MAX: Final = 64_000
EVERY: Final = 25
"""Images between two steps of the progress."""
REMEDIES: Final = {
    "image_too_many_pixels": "Make it smaller.",
    "image_too_small": "Give the original.",
    "image_moving": "Give one frame as a file of its own.",
    "format_not_allowed": "Convert it to PNG or JPEG.",
    "image_too_large": "Save it with fewer pixels or as JPEG.",
}
COPY_AGAIN: Final = "Copy the original again, or leave it out."


@dataclass(frozen=True)
class Spooled:
    """Where the clean image and the thumbnail of an image wait."""

    start: int
    length: int
    thumbnail: int
    """Bytes of the thumbnail, which stands behind the image."""


class Spool:
    """Clean images in a file without a name."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._places: dict[str, Spooled] = {}

    def add(self, name: str, picture: Picture) -> None:
        """Write an image and its thumbnail."""
        start = self._stream.seek(0, 2)
        self._stream.write(picture.content)
        self._stream.write(picture.thumbnail)
        self._places[name] = Spooled(start, len(picture.content), len(picture.thumbnail))

    def image(self, name: str) -> bytes:
        """Read a clean image."""
        place = self._places[name]
        self._stream.seek(place.start)
        return self._stream.read(place.length)

    def thumbnail(self, name: str) -> bytes:
        """Read a thumbnail."""
        place = self._places[name]
        self._stream.seek(place.start + place.length)
        return self._stream.read(place.thumbnail)


@dataclass(frozen=True)
class CheckedSet:
    """What came of an upload; valid as long as its check is open."""

    card: DataSetCard
    manifest: ImageSetManifest | None
    """None of a set that was refused before an image was read."""
    images: tuple[Image, ...]
    """All readable ones; those of the manifest are among them."""
    kept: tuple[Image, ...]
    pairs: tuple[Pair, ...]
    spool: Spool

    def contents(self) -> Iterator[bytes]:
        """Give the clean images that are kept, one by one."""
        return (self.spool.image(one.name) for one in self.kept)


@dataclass(frozen=True)
class Checking:
    """What a check needs beside the set."""

    limits: Limits
    decoders: Decoders
    scratch: Path
    """Folder on whose disk the clean images wait."""
    tables: dict[str, bytes]
    """Further tables of persons, by name."""
    progress: Progress


def open_check(path: Path, needs: Checking) -> AbstractContextManager[CheckedSet]:
    """Check a zip or a folder; the images can be read while the context is open.

    Raises:
        SourceUnreadable: there is neither zip nor folder.
    """
    return _check(path, needs)


@contextmanager
def _check(path: Path, needs: Checking) -> Iterator[CheckedSet]:
    with (
        tempfile.TemporaryFile(dir=needs.scratch) as stream,
        open_image_files(path, needs.limits) as files,
    ):
        spool = Spool(stream)
        yield _checked(files, spool, needs)


def _checked(files: ImageFiles, spool: Spool, needs: Checking) -> CheckedSet:
    if files.findings:
        return _refused(files.findings, files, spool)
    layout = lay_out(list(files.sizes), files.folders)
    if any(finding.level == "refused" for finding in layout.findings):
        return _refused(layout.findings, files, spool)
    try:
        upload = _read(files, layout, spool, needs)
    except ImageSetRefused as error:
        return _refused([*layout.findings, finding_of(error)], files, spool)
    verdict = examine(upload)
    return CheckedSet(
        verdict.card,
        verdict.manifest,
        tuple(upload.images),
        verdict.kept,
        verdict.pairs,
        spool,
    )


def _refused(findings: list[ImageFinding], files: ImageFiles, spool: Spool) -> CheckedSet:
    card = DataSetCard(
        accepted=False,
        files=len(files.sizes),
        encoding=ENCODING,
        findings=listed(findings),
        codes=by_code(findings),
    )
    return CheckedSet(card, None, (), (), (), spool)


def _read(files: ImageFiles, layout: Layout, spool: Spool, needs: Checking) -> Upload:
    findings = list(layout.findings)
    texts, tables = _texts(files, layout, findings, needs.limits)
    persons = read_persons(tables | needs.tables, layout.images, layout.wrapper)
    findings += persons.findings
    images = _decoded(files, layout, findings, spool, needs)
    counts = dict.fromkeys(layout.labels, 0)
    for label in layout.images.values():
        counts[label] += 1
    return Upload(
        images=images,
        labels=layout.labels,
        files_by_label=counts,
        persons=persons.by_file,
        texts=texts,
        findings=findings,
        bytes_read=sum(files.sizes[name] for name in layout.images),
    )


def _texts(
    files: ImageFiles, layout: Layout, findings: list[ImageFinding], limits: Limits
) -> tuple[dict[str, str], dict[str, bytes]]:
    """Read the small files beside the classes, in all no more than is allowed."""
    texts, tables, left = dict[str, str](), dict[str, bytes](), limits.text_bytes
    for name in (*layout.tables, *layout.texts):
        if files.sizes[name] > left:
            message = "it is too long, so it is not read"
            findings.append(_left_out("text_too_large", name, message))
            continue
        left -= files.sizes[name]
        content = _content(files, name, findings)
        if content is None:
            continue
        if name in layout.tables:
            tables[name] = content
        else:
            text = content.decode("utf-8", errors="replace")[:TEXT_CHARACTERS_MAX]
            texts[shown(name.removeprefix(layout.wrapper))] = _plain(text)
    return texts, tables


def _plain(text: str) -> str:
    """Keep lines and what can be seen, so that a text steers no terminal."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text).strip()


def _content(files: ImageFiles, name: str, findings: list[ImageFinding]) -> bytes | None:
    try:
        return files.read(name)
    except FileUnreadable:
        message = "it is damaged, or changed while it was read"
        findings.append(_left_out("file_damaged", name, message))
        return None
    except ImageSetRefused as error:
        where = f"{error.what}: {shown(name)}"
        raise ImageSetRefused(where, error.where, error.remedy) from None


def _decoded(
    files: ImageFiles,
    layout: Layout,
    findings: list[ImageFinding],
    spool: Spool,
    needs: Checking,
) -> list[Image]:
    images, total = list[Image](), len(layout.images)
    digests: dict[str, str] = {}

    def contents() -> Iterator[tuple[str, bytes]]:
        for number, name in enumerate(layout.images, start=1):
            if number % EVERY == 0 or number == total:
                needs.progress("decode", number, total)
            if files.sizes[name] > needs.limits.image_bytes:
                message = f"it has over {needs.limits.image_bytes:,} bytes"
                findings.append(_left_out("image_too_large", name, message))
                continue
            content = _content(files, name, findings)
            if content is not None:
                digests[name] = sha256(content)
                yield name, content

    for name, found in needs.decoders.map(contents()):
        file_digest = digests.pop(name)
        if isinstance(found, Refusal):
            findings.append(_left_out(found.code, name, found.message))
            continue
        spool.add(name, found)
        bare = replace(found, content=b"", thumbnail=b"")
        digest, size = sha256(found.content), len(found.content)
        images.append(Image(name, layout.images[name], file_digest, digest, size, bare))
    return images


def _left_out(code: str, name: str, message: str) -> ImageFinding:
    return ImageFinding(
        level="left_out",
        code=code,
        place=shown(name),
        message=message,
        remedy=REMEDIES.get(code, COPY_AGAIN),
    )

"""Gives the files of an uploaded set one by one: out of a zip, or of a folder.

Both are judged before the first file is read: a set with a name, a link or a size that is not
allowed is refused as a whole.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from cluster.contracts.images import ImageFinding
from cluster.errors import ImageSetRefused, SourceUnreadable
from cluster.images.archive import Entry, archive_findings
from cluster.images.limits import Limits
from cluster.images.names import is_ignored, name_findings, shown
from cluster.storage.zips import MemberDamaged, open_zip, read_directory, unpack


class FileUnreadable(Exception):
    """One file cannot be read; the others can."""


class ImageFiles(Protocol):
    """The files of a set."""

    sizes: dict[str, int]
    """Bytes by name, as stated, those of archivers and systems left out."""
    folders: list[str]
    findings: list[ImageFinding]
    """What speaks against the set as a whole."""

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            FileUnreadable: this file is damaged.
            ImageSetRefused: the set states something false.
        """
        ...


@contextmanager
def open_image_files(path: Path, limits: Limits) -> Iterator[ImageFiles]:
    """Open a zip or a folder.

    Raises:
        SourceUnreadable: there is neither.
    """
    if path.is_dir():
        yield FolderFiles(path, limits)
        return
    try:
        size = path.stat().st_size
    except OSError as error:
        what = f"{path} cannot be read ({type(error).__name__})"
        raise SourceUnreadable(what, remedy="Give a zip or a folder.") from None
    if size == 0 or not path.is_file():
        what = f"{path} is an empty file or none"
        raise SourceUnreadable(what, remedy="Give a zip or a folder.")
    try:
        stream = open_zip(path, limits)
    except ImageSetRefused as error:
        yield NoFiles(error)
        return
    with stream:
        yield _zip_files(stream, limits)


def _zip_files(stream: BinaryIO, limits: Limits) -> "ImageFiles":
    try:
        return ZipFiles(stream, limits)
    except ImageSetRefused as error:
        return NoFiles(error)


class NoFiles:
    """A set that cannot be opened."""

    def __init__(self, error: ImageSetRefused) -> None:
        self.sizes: dict[str, int] = {}
        self.folders: list[str] = []
        self.findings = [finding_of(error)]

    def read(self, name: str) -> bytes:
        """There is nothing to read."""
        raise FileUnreadable(name)


def finding_of(error: ImageSetRefused, name: str = "") -> ImageFinding:
    """Return the finding of a refusal."""
    return ImageFinding(
        level="refused",
        code=error.where,
        place=shown(name),
        message=error.what,
        remedy=error.remedy,
    )


class ZipFiles:
    """The members of a zip."""

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        """Read the directory.

        Raises:
            ImageSetRefused: there is none that can be relied on.
        """
        entries, start = read_directory(stream, limits)
        self._stream = stream
        self.findings = archive_findings(entries, start, limits)
        self._entries: dict[str, Entry] = {
            entry.name: entry
            for entry in entries
            if not entry.is_folder and not is_ignored(entry.name)
        }
        self.sizes = {name: entry.size for name, entry in self._entries.items()}
        self.folders = [entry.name[:-1] for entry in entries if entry.is_folder]

    def read(self, name: str) -> bytes:
        """Return the content of a member."""
        try:
            return unpack(self._stream, self._entries[name])
        except (MemberDamaged, OSError) as error:
            raise FileUnreadable(type(error).__name__) from None


class FolderFiles:
    """The files below a folder; links are not followed."""

    def __init__(self, root: Path, limits: Limits) -> None:
        """List the files.

        Raises:
            SourceUnreadable: a folder cannot be listed.
        """
        self._root = root
        self._bytes_max = max(limits.image_bytes, limits.text_bytes)
        self.sizes: dict[str, int] = {}
        self.folders: list[str] = []
        self.findings: list[ImageFinding] = []
        self._count = 0
        names: list[str] = []
        try:
            self._list(root, "", names, limits)
        except OSError as error:
            what = f"a folder below {root} cannot be listed ({type(error).__name__})"
            raise SourceUnreadable(what, remedy="Check its permissions.") from None
        self.findings += name_findings(names, limits)
        total = sum(self.sizes.values())
        if total > limits.unpacked_bytes:
            what = f"it has {total:,} bytes, over {limits.unpacked_bytes:,}"
            self._refuse("set_too_large", "", what, "Divide the set.")
        if self._count > limits.entries:
            what = f"it has over {limits.entries:,} files and folders"
            self._refuse("entries_too_many", "", what, "Divide the set.")

    def _list(self, folder: Path, inside: str, names: list[str], limits: Limits) -> None:
        with os.scandir(folder) as found:
            for one in found:
                self._count += 1
                if self._count > limits.entries:
                    return
                name = f"{inside}{one.name}"
                names.append(name)
                if one.is_symlink():
                    self._refuse("link", name, "it is a link", "Put the file itself there.")
                elif one.is_dir():
                    self.folders.append(name)
                    if name.count("/") < limits.depth:
                        self._list(folder / one.name, f"{name}/", names, limits)
                elif not one.is_file():
                    self._refuse("special_file", name, "it is no file", "Take it out of the set.")
                elif not is_ignored(name):
                    self.sizes[name] = one.stat(follow_symlinks=False).st_size

    def _refuse(self, code: str, name: str, message: str, remedy: str) -> None:
        self.findings.append(
            ImageFinding(
                level="refused", code=code, place=shown(name), message=message, remedy=remedy
            )
        )

    def read(self, name: str) -> bytes:
        """Return the content of a file that is still one."""
        try:
            handle = os.open(self._root / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(handle, "rb") as stream:
                if not stat.S_ISREG(os.fstat(handle).st_mode):
                    raise FileUnreadable(name)
                content = stream.read(self._bytes_max + 1)
        except OSError as error:
            raise FileUnreadable(type(error).__name__) from None
        if len(content) != self.sizes[name]:
            raise FileUnreadable(name)
        return content

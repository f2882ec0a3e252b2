"""Files by their SHA-256: fetched in parts that outlive a cut, kept whole or not at all (C5).

A file that is coming is ``<sha256>.part``; it is locked by the process that fetches it, and takes
its name only when its digest is right. What lies here is checked again whenever it is read.
"""

import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from cluster.device.source import Interrupted, Source, persist
from cluster.errors import IntegrityError, NoSpace, Unreachable

PART: Final = ".part"
ETAG: Final = ".etag"
READ_BYTES: Final = 1 << 20
NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
Told = Callable[[int], None]
"""Is told how many bytes are there."""


@dataclass(frozen=True)
class Wanted:
    """A file that a bundle names, or the bundle itself."""

    digest: str
    size: int
    """Bytes; the most that are taken where ``exact`` is false."""
    exact: bool = True


@contextmanager
def room_told(what: str) -> Iterator[None]:
    """Turn the errors of a full disk into one that says so.

    Raises:
        NoSpace: there was no room.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        message = f"the disk is full: {what}"
        remedy = "Make room and try again: what is there already is not fetched twice."
        raise NoSpace(message, str(error.filename or ""), remedy) from None


class Files:
    """A folder of files by digest."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def has(self, digest: str) -> bool:
        """Say whether a file is there; its content is checked when it is read."""
        return (self.folder / digest).is_file()

    def read(self, digest: str) -> bytes | None:
        """Return a file whose content is right; None where there is none.

        A file that no longer has its digest is removed.
        """
        path = self.folder / digest
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(content).hexdigest() == digest:
            return content
        path.unlink(missing_ok=True)
        return None

    def missing_bytes(self, wanted: Wanted) -> int:
        """Return how many bytes of a file are still to come."""
        if self.has(wanted.digest):
            return 0
        here = sum(stat.st_size for _, stat in _seen([self.folder / f"{wanted.digest}{PART}"]))
        return max(0, wanted.size - here)

    def fetch(self, wanted: Wanted, source: Source, tell: Told) -> None:
        """Get a file, going on where an earlier try was cut; another process's try is waited for.

        Raises:
            NotFound, PolicyRefusal, Unreachable: the source does not give it; the part stays.
            NoSpace: the disk is full; the part stays.
            IntegrityError: what the source gives has another digest; nothing stays.
        """
        path = self.folder / f"{wanted.digest}{PART}"
        with room_told("a file could not be fetched to its end"), self._locked(path) as part:
            if self.has(wanted.digest):
                path.unlink(missing_ok=True)
                return
            coming = _Coming(wanted, source, part, path.with_name(f"{path.name}{ETAG}"), tell)
            try:
                whole = coming.complete()
            except IntegrityError:
                _remove(path, coming.etag_path)
                raise
            if not whole:
                _remove(path, coming.etag_path)
                what = f"file {wanted.digest[:16]} has another content than its name says"
                remedy = "Try again; if it stays so, tell who runs the server."
                raise IntegrityError(what, source.place, remedy)
            os.fsync(part.fileno())
            path.replace(self.folder / wanted.digest)
            coming.etag_path.unlink(missing_ok=True)

    @contextmanager
    def _locked(self, path: Path) -> Iterator[BinaryIO]:
        """Open a part so that no other process writes it; wait for one that does."""
        while True:
            with path.open("a+b") as part:
                fcntl.flock(part, fcntl.LOCK_EX)
                if not path.exists() or not os.path.samestat(path.stat(), os.fstat(part.fileno())):
                    continue  # it was finished or removed while we waited
                yield part
                return

    def remove(self, digest: str) -> None:
        """Remove a file, and what came of it in part."""
        (self.folder / digest).unlink(missing_ok=True)
        self.remove_part(digest)

    def parts(self) -> list[str]:
        """Return the digests of files that came in part, the one that was cut first before."""
        seen = _seen(self.folder.glob(f"*{PART}"))
        ordered = sorted(seen, key=lambda one: (one[1].st_mtime_ns, one[0].name))
        return [path.name.removesuffix(PART) for path, _ in ordered]

    def remove_part(self, digest: str) -> None:
        """Remove what came of a file, unless a process is fetching it right now."""
        path = self.folder / f"{digest}{PART}"
        with suppress(FileNotFoundError, BlockingIOError), path.open("rb") as part:
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(path, path.with_name(f"{path.name}{ETAG}"))

    def size(self) -> int:
        """Return the bytes of all that lies here."""
        return sum(stat.st_size for _, stat in _seen(self.folder.iterdir()))


def _seen(paths: Iterable[Path]) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield what is there; a part may be finished by another process at any time."""
    for path in paths:
        with suppress(FileNotFoundError):
            yield path, path.stat()


def _remove(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


@dataclass
class _Coming:
    """One file on its way."""

    wanted: Wanted
    source: Source
    part: BinaryIO
    etag_path: Path
    tell: Told

    def complete(self) -> bool:
        """Fetch what is missing, and say whether the digest is right.

        A part whose end does not fit its beginning is fetched once more, from the beginning.
        """
        resumed = self._size() > 0
        if resumed and self._is_right():
            return True
        self._persist()
        if self._is_right():
            return True
        if not resumed:
            return False
        self._empty()
        self._persist()
        return self._is_right()

    def _size(self) -> int:
        return os.fstat(self.part.fileno()).st_size

    def _empty(self) -> None:
        self.part.truncate(0)
        self.etag_path.unlink(missing_ok=True)

    def _persist(self) -> None:
        """Ask until all is there; give up where several tries in a row bring nothing."""
        while True:
            before = self._size()
            try:
                persist(self._once)
                return
            except Interrupted as error:
                if self._size() <= before:
                    remedy = "Try again: it goes on where it was cut."
                    raise Unreachable(str(error), self.source.place, remedy) from None

    def _once(self) -> None:
        start = self._size()
        if self.wanted.exact and start >= self.wanted.size:
            return
        etag = self.etag_path.read_text("ascii") if self.etag_path.exists() else ""
        with self.source.file(self.wanted.digest, start, etag) as stream:
            if stream.start != start:
                self._empty()
            self.etag_path.write_text(stream.etag, "ascii")
            there = stream.start
            for chunk in stream.chunks:
                there += len(chunk)
                if there > self.wanted.size:
                    what = f"file {self.wanted.digest[:16]} is longer than it should be"
                    raise IntegrityError(what, self.source.place)
                self.part.write(chunk)
                self.part.flush()
                self.tell(there)
        if self.wanted.exact and there < self.wanted.size:
            what = "the connection ended too early"
            raise Interrupted(what)

    def _is_right(self) -> bool:
        digest = hashlib.sha256()
        self.part.seek(0)
        while chunk := self.part.read(READ_BYTES):
            digest.update(chunk)
        return digest.hexdigest() == self.wanted.digest

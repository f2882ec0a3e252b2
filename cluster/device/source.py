"""Reads the list L, the files it names and the answers Y: from a folder or over HTTP (C4 C5 C8).

Both are one tree: ``models.json``, ``files/<sha256>`` and ``answers/<disease id>.json``, with ``_``
for ``:``.
A server may also ask its network for rare cases; a folder cannot.
Only the name of what is wanted is sent, never a picture. Plain HTTP goes to this machine alone,
unless it is asked for; a token never goes over plain HTTP to another one.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeVar
from urllib.parse import urlsplit

import httpx
import stamina
from pydantic import SecretStr

from cluster.errors import InputError, NotFound, PolicyRefusal, Unreachable
from cluster.ids import checked_platform_id
from cluster.models.bundle import DISEASE_ID
from cluster.settings import is_loopback

TOKEN_VARIABLE: Final = "DAZZLE_SERVER_TOKEN"  # noqa: S105 - a name, not a token
LIST_NAME: Final = "models.json"
LIST_BYTES_MAX: Final = 16 << 20
ANSWER_BYTES_MAX: Final = 4 << 20
CHUNK_BYTES: Final = 1 << 18
TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)
ATTEMPTS: Final = 4
OK, PARTIAL, UNCHANGED, RANGE_WRONG = 200, 206, 304, 416
T = TypeVar("T")
Query = dict[str, str] | None


class Interrupted(Exception):
    """The connection failed or ended too early; asking again may help."""


@dataclass(frozen=True)
class Read:
    """A small file as it came."""

    content: bytes
    etag: str
    """Empty where the source tells none."""


@dataclass(frozen=True)
class Stream:
    """A file that is coming."""

    start: int
    """Where in the file the chunks begin: where they were asked to, or 0."""
    etag: str
    chunks: Iterator[bytes]


class Source(Protocol):
    """Where a device gets things from."""

    place: str

    def models(self, etag: str) -> Read | None:
        """Return ``models.json``; None where it is still the one of that ETag.

        Raises:
            Unreachable: nothing can be read there.
            PolicyRefusal: the server wants a token.
        """
        ...

    def answer(self, disease_id: str) -> bytes:
        """Return the file of an answer.

        Raises:
            NotFound: there is none of this disease.
            Unreachable, PolicyRefusal: as above.
        """
        ...

    def rare_cases(self, disease_id: str, platform: str, limit: int) -> bytes:
        """Return what a platform's network says of its rare cases of a disease, as JSON.

        Args:
            disease_id: what is asked for.
            platform: who asks its network; the token is its own.
            limit: cases that one platform names.

        Raises:
            InputError: one of them is no id.
            NotFound: the server knows no such platform or disease, or has no network.
            Unreachable, PolicyRefusal: as above; a folder has no network.
        """
        ...

    def file(self, digest: str, start: int, etag: str) -> AbstractContextManager[Stream]:
        """Open a file from a byte on, if it still has that ETag; else from its beginning.

        Raises:
            NotFound: there is no such file.
            Interrupted: the connection failed, now or between chunks.
            Unreachable, PolicyRefusal: as above.
        """
        ...


def open_source(place: str, *, allow_http: bool = False) -> "Source":
    """Return the source of an address or a folder; the token is that of the environment.

    Raises:
        InputError: the address is not one that may be asked.
    """
    if "://" not in place:
        return FolderSource(Path(place))
    parts = urlsplit(place)
    remedy = "Give https://host/path, or a folder."
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        what = "the server is no http or https address"
        raise InputError(what, "--server", remedy)
    if parts.username is not None or parts.query or parts.fragment:
        what = "the address of the server has a name, password, query or fragment in it"
        raise InputError(what, "--server", f"A token goes into {TOKEN_VARIABLE}.")
    token = SecretStr(os.environ.get(TOKEN_VARIABLE, ""))
    if parts.scheme == "http" and not is_loopback(place):
        if not allow_http:
            what = f"{parts.hostname} would be asked without encryption"
            raise InputError(what, "--server", f"{remedy} --allow-http takes the risk.")
        if token.get_secret_value():
            what = f"the token of {TOKEN_VARIABLE} would be sent without encryption"
            raise InputError(what, "--server", "Use https, or unset it.")
    return HttpSource(place, token)


def name_of_answer(disease_id: str) -> str:
    """Return the name of the file of an answer.

    Raises:
        InputError: this is no id of a disease.
    """
    return f"{_checked_disease_id(disease_id).replace(':', '_')}.json"


def _checked_disease_id(disease_id: str) -> str:
    if not DISEASE_ID.fullmatch(disease_id):
        what = f"{disease_id[:60]!r} is no id of a disease"
        raise InputError(what, remedy="Give one such as MONDO:0005249.")
    return disease_id


def persist(work: Callable[[], T], attempts: int = ATTEMPTS) -> T:
    """Do what may be interrupted again, after growing pauses; then let the last error out."""
    waits = {"wait_initial": 0.2, "wait_max": 3.0, "wait_jitter": 0.2}
    for attempt in stamina.retry_context(on=Interrupted, attempts=attempts, timeout=None, **waits):
        with attempt:
            return work()
    raise AssertionError  # the last attempt raises


class FolderSource:
    """The tree as a folder, such as one on a stick or a share."""

    def __init__(self, folder: Path) -> None:
        self.place = str(folder.resolve())
        self._folder = folder.resolve()

    def models(self, etag: str) -> Read | None:
        """See ``Source``; the ETag of a folder's list is when it was written, and its size."""
        path = self._folder / LIST_NAME
        try:
            stat = path.stat()
            tag = f"{stat.st_mtime_ns}-{stat.st_size}-{stat.st_ino}"
            return None if tag == etag else Read(_small(path, LIST_BYTES_MAX), tag)
        except OSError as error:
            what = f"no list can be read in {self.place} ({type(error).__name__})"
            raise Unreachable(what, remedy="Name the folder that holds models.json.") from None

    def answer(self, disease_id: str) -> bytes:
        """See ``Source``."""
        try:
            path = self._folder / "answers" / name_of_answer(disease_id)
            return _small(path, ANSWER_BYTES_MAX)
        except OSError as error:
            missing = self._missing("answer", disease_id, error)
            raise missing from None

    def rare_cases(self, disease_id: str, platform: str, limit: int) -> bytes:
        """See ``Source``."""
        del disease_id, platform, limit
        what = "a folder has no network that could be asked for rare cases"
        raise Unreachable(what, self.place, "Name a server: https://host/path.")

    @contextmanager
    def file(self, digest: str, start: int, etag: str) -> Iterator[Stream]:
        """See ``Source``; a file here never changes, so there is no ETag."""
        del etag
        try:
            stream = (self._folder / "files" / digest).open("rb")
        except OSError as error:
            missing = self._missing("file", digest[:16], error)
            raise missing from None
        with stream:
            stream.seek(start)
            yield Stream(start, "", iter(lambda: stream.read(CHUNK_BYTES), b""))

    def _missing(self, kind: str, name: str, error: OSError) -> NotFound | Unreachable:
        if isinstance(error, FileNotFoundError) and self._folder.is_dir():
            return NotFound(f"there is no {kind} {name}", self.place)
        return Unreachable(f"{kind} {name} cannot be read ({type(error).__name__})", self.place)


def _small(path: Path, bytes_max: int) -> bytes:
    with path.open("rb") as stream:
        content = stream.read(bytes_max + 1)
    if len(content) > bytes_max:
        what = f"{path.name} has over {bytes_max:,} bytes"
        raise Unreachable(what, str(path.parent))
    return content


class HttpSource:
    """The tree below an address."""

    def __init__(self, url: str, token: SecretStr) -> None:
        self.place = url.rstrip("/")
        secret = token.get_secret_value()
        headers = {"Accept-Encoding": "identity", "User-Agent": "dazzle-device"}
        if secret:
            headers["Authorization"] = f"Bearer {secret}"
        self._client = httpx.Client(headers=headers, timeout=TIMEOUT, follow_redirects=False)

    def models(self, etag: str) -> Read | None:
        """See ``Source``."""
        found = self._small(LIST_NAME, LIST_BYTES_MAX, {"If-None-Match": etag} if etag else {})
        if isinstance(found, NotFound):
            what = f"{self.place} has no list of models"
            remedy = "Check the address; there is no list before a model is published."
            raise Unreachable(what, remedy=remedy)
        return found

    def answer(self, disease_id: str) -> bytes:
        """See ``Source``."""
        found = self._small(f"answers/{name_of_answer(disease_id)}", ANSWER_BYTES_MAX, {})
        if not isinstance(found, Read):
            what = f"there is no answer {disease_id}"
            remedy = "Answers are kept for the diseases of models in the list, by their own ids."
            raise NotFound(what, self.place, remedy)
        return found.content

    def rare_cases(self, disease_id: str, platform: str, limit: int) -> bytes:
        """See ``Source``; never asked a second time, for each time tells other hospitals."""
        name = f"platforms/{checked_platform_id(platform)}/rare-cases"
        query = {"disease": _checked_disease_id(disease_id), "limit": str(limit)}
        try:
            found = self._read(name, ANSWER_BYTES_MAX, {}, query)
        except Interrupted as error:
            raise Unreachable(str(error), self.place) from None
        if not isinstance(found, Read):
            what = f"the server has no platform {platform}, no disease {disease_id}, or no network"
            raise NotFound(what, self.place)
        return found.content

    @contextmanager
    def file(self, digest: str, start: int, etag: str) -> Iterator[Stream]:
        """See ``Source``; what cannot go on where it was cut begins anew."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        if start and etag and not etag.startswith("W/"):
            headers["If-Range"] = etag
        with self._asked(f"files/{digest}", headers) as answer:
            goes_on = answer.status_code == PARTIAL and _begins_at(answer, start)
            if answer.status_code == OK or goes_on:
                yield Stream(
                    start if goes_on else 0, answer.headers.get("etag", ""), answer.iter_bytes()
                )
                return
            if answer.status_code not in {PARTIAL, RANGE_WRONG}:
                raise self._refused(answer, f"file {digest[:16]}")
        if not start:
            what = f"the server answers with a part of file {digest[:16]} that was not asked for"
            raise Unreachable(what, self.place)
        with self.file(digest, 0, "") as stream:
            yield stream

    def _small(self, name: str, bytes_max: int, headers: dict[str, str]) -> Read | NotFound | None:
        try:
            return persist(lambda: self._read(name, bytes_max, headers))
        except Interrupted as error:
            raise Unreachable(str(error), self.place) from None

    def _read(
        self, name: str, bytes_max: int, headers: dict[str, str], query: Query = None
    ) -> Read | NotFound | None:
        with self._asked(name, headers, query) as answer:
            if answer.status_code == UNCHANGED and headers:
                return None
            if answer.status_code != OK:
                error = self._refused(answer, name)
                if isinstance(error, NotFound):
                    return error
                raise error
            content = bytearray()
            for chunk in answer.iter_bytes():
                content += chunk
                if len(content) > bytes_max:
                    what = f"{name} has over {bytes_max:,} bytes"
                    raise Unreachable(what, self.place)
            return Read(bytes(content), answer.headers.get("etag", ""))

    @contextmanager
    def _asked(
        self, name: str, headers: dict[str, str], query: Query = None
    ) -> Iterator[httpx.Response]:
        url = f"{self.place}/{name}"
        try:
            with self._client.stream("GET", url, headers=headers, params=query) as answer:
                yield answer
        except httpx.TransportError as error:
            what = f"the server does not answer ({type(error).__name__})"
            raise Interrupted(what) from None
        except (httpx.InvalidURL, httpx.DecodingError) as error:
            what = f"what the server sends cannot be read ({type(error).__name__})"
            raise Unreachable(what, self.place) from None

    def _refused(self, answer: httpx.Response, name: str) -> NotFound | PolicyRefusal | Unreachable:
        status = answer.status_code
        if status in {401, 403}:
            what = f"the server refuses {name} (status {status})"
            return PolicyRefusal(what, self.place, f"Set {TOKEN_VARIABLE} to a valid token.")
        if status in {404, 410}:
            return NotFound(f"there is no {name}", self.place)
        wait = re.fullmatch(r"[0-9]{1,6}", answer.headers.get("retry-after", ""))
        remedy = f"Ask again in {wait[0]} s." if wait else ""
        return Unreachable(f"the server answers {name} with status {status}", self.place, remedy)


def _begins_at(answer: httpx.Response, start: int) -> bool:
    found = re.match(r"bytes (\d+)-", answer.headers.get("content-range", ""))
    packed = answer.headers.get("content-encoding", "identity") != "identity"
    return found is not None and int(found[1]) == start and not packed

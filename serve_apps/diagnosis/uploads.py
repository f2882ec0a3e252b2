"""Large bodies: they wait in a file without a name while they come and are worked on.

The system frees such a file however the work ends: refused, cut off by its sender, or with the
process.
"""

import asyncio
import errno
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Final, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from cluster.authorisation.roles import rights_of
from cluster.errors import InputError, NoSpace
from serve_apps.http.guard import Slots, body_limit
from serve_apps.http.problems import Refused

FOLDER: Final = "uploads"
AT_ONCE: Final = 2
"""Uploads that one replica takes in, for each costs disk, memory and processes."""
SILENCE_S: Final = 30.0
"""After which a sender that sends nothing is no longer waited for."""
NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
ENDINGS: Final[dict[int | str, dict[str, Any]]] = {
    408: {"description": "the body stopped coming"},
    507: {"description": "the disk is full"},
}
"""What a route of an upload may answer beside what any may."""
T = TypeVar("T")


def upload_body(kind: str, mib: float) -> dict[str, Any]:
    """Return the part of a route's OpenAPI description that says what body it takes.

    Args:
        kind: its media type.
        mib: how large it may be.
    """
    content = {kind: {"schema": {"type": "string", "format": "binary"}}}
    return body_limit(mib) | {"requestBody": {"required": True, "content": content}}


class Uploads:
    """Takes bodies in, a few at a time."""

    def __init__(self, data_dir: Path, silence_s: float = SILENCE_S) -> None:
        """Set where they wait.

        Args:
            data_dir: on whose disk.
            silence_s: seconds between two parts of a body.
        """
        self.folder = data_dir / FOLDER
        self._silence_s = silence_s
        self.slots = Slots(AT_ONCE)
        self._begun: set[asyncio.Task[Any]] = set()

    async def take(
        self, request: Request, kind: str, work: Callable[[Path], Coroutine[Any, Any, T]]
    ) -> T:
        """Receive a body, and do what is to be done with it.

        What has begun with a whole body is done to its end, also where its sender is gone; until
        then it keeps its slot.

        Args:
            request: with the body.
            kind: its media type.
            work: is given a path, which is valid as long as it runs.

        Raises:
            Refused: the body is of another kind, too large, or stopped coming; or all slots are
                taken.
            InputError: it is empty.
            NoSpace: the disk is full.
        """
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != kind:
            raise Refused(415, f"the body is to be {kind}")
        rights = rights_of(request.method, request.scope["route"].path)
        with ExitStack() as held:
            held.enter_context(self.slots.one(rights))
            with _room():
                self.folder.mkdir(parents=True, exist_ok=True)
                stream = held.enter_context(tempfile.TemporaryFile(dir=self.folder))
                await self._receive(request, stream)
            rest = held.pop_all()
        task = asyncio.create_task(_finished(work, stream, rest))
        self._begun.add(task)  # the loop itself keeps no hold of it
        task.add_done_callback(self._begun.discard)
        return await asyncio.shield(task)

    async def _receive(self, request: Request, stream: IO[bytes]) -> None:
        chunks = request.stream()
        size = 0
        try:
            while True:
                async with asyncio.timeout(self._silence_s):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    break
                size += await asyncio.to_thread(stream.write, chunk)
        except TimeoutError:
            raise Refused(408, "the body stopped coming", headers={"Connection": "close"}) from None
        except ClientDisconnect:
            raise Refused(400, "the body was cut off") from None
        await asyncio.to_thread(stream.flush)
        if size == 0:
            what = "the body is empty"
            raise InputError(what, remedy="Send the file as the body.")


async def _finished(
    work: Callable[[Path], Coroutine[Any, Any, T]], stream: IO[bytes], held: ExitStack
) -> T:
    stream.seek(0)
    with held, _room():
        return await work(Path(f"/dev/fd/{stream.fileno()}"))


@contextmanager
def _room() -> Iterator[None]:
    """Turn the errors of a full disk into one that says so.

    Raises:
        NoSpace: there was no room.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        what = "the disk is full"
        raise NoSpace(what, remedy="Tell the operator; nothing of the upload is kept.") from None

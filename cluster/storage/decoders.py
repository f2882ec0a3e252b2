"""A few processes that decode images; a file that kills one costs that file and nothing else.

Nothing that a decoder writes is believed beyond its form: its answer has bounded lengths and is
read as JSON and bytes, never unpickled. A decoder gets no secret: its environment has only what
Python needs.
"""

import json
import os
import queue
import select
import signal
import subprocess
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from typing import Final, Self, TypeVar

from cluster.images.decode import Picture, Refusal
from cluster.images.limits import Limits
from cluster.storage.confined import start_confined
from cluster.storage.decoder_process import LENGTH_BYTES

T = TypeVar("T")
DECODER: Final = "cluster.storage.decoder_process"
HEAD_BYTES_MAX: Final = 1 << 16
CHUNK: Final = 1 << 16


class DecoderGone(Exception):
    """The process ended or did not answer."""


class _Decoder:
    """One process, started when it is first needed, and anew after it died."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            request = json.dumps(asdict(self._limits))
            self._process = start_confined(DECODER, request, subprocess.PIPE, subprocess.PIPE)
        return self._process

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._running().pid

    def decode(self, content: bytes) -> Picture | Refusal:
        """Decode one file; a process that dies of it is replaced at the next."""
        try:
            return self._asked(content)
        except (DecoderGone, OSError, ValueError, TypeError, KeyError):
            return self._epitaph()

    def _asked(self, content: bytes) -> Picture | Refusal:
        process = self._running()
        source, target = process.stdin, process.stdout
        if source is None or target is None:
            raise DecoderGone
        view = memoryview(len(content).to_bytes(LENGTH_BYTES, "big") + content)
        while view:
            view = view[source.write(view) :]
        end = time.monotonic() + self._limits.decoder_wall_s
        raw = self._read(target.fileno(), 3 * LENGTH_BYTES, end)
        lengths = [
            int.from_bytes(raw[n : n + LENGTH_BYTES], "big")
            for n in range(0, len(raw), LENGTH_BYTES)
        ]
        content_max = 4 * self._limits.side_max**2 + CHUNK
        if any(
            n > most for n, most in zip(lengths, (HEAD_BYTES_MAX, content_max, CHUNK), strict=True)
        ):
            raise DecoderGone
        head, clean, thumbnail = (self._read(target.fileno(), n, end) for n in lengths)
        fields = json.loads(head)
        if "message" in fields:
            return Refusal(**fields)
        fields |= {"hash": bytes.fromhex(fields["hash"]), "cleaned": tuple(fields["cleaned"])}
        return Picture(content=clean, thumbnail=thumbnail, **fields)

    def _read(self, handle: int, length: int, end: float) -> bytes:
        content = bytearray()
        ready = select.poll()
        ready.register(handle, select.POLLIN)
        while len(content) < length:
            left = end - time.monotonic()
            if left <= 0 or not ready.poll(left * 1000):
                raise DecoderGone
            chunk = os.read(handle, min(CHUNK, length - len(content)))
            if not chunk:
                raise DecoderGone
            content += chunk
        return bytes(content)

    def _epitaph(self) -> Refusal:
        code = self.close()
        if code == -signal.SIGXCPU:
            return Refusal("image_too_costly", "reading it takes more time than is allowed")
        return Refusal("decoder_died", "the process that read it ended or did not answer")

    def close(self) -> int:
        """End the process; returns its exit code, that of its own end where it had one."""
        process, self._process = self._process, None
        if process is None:
            return 0
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        process.kill()  # it holds nothing that could be lost
        return process.wait()


class Decoders:
    """A pool of decoders; use it as a context."""

    def __init__(self, limits: Limits, number: int) -> None:
        self._all = [_Decoder(limits) for _ in range(number)]
        self._idle: queue.SimpleQueue[_Decoder] = queue.SimpleQueue()
        for decoder in self._all:
            self._idle.put(decoder)
        self._threads = ThreadPoolExecutor(number, thread_name_prefix="decoder")

    def __enter__(self) -> Self:
        """Start nothing yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End all processes."""
        self._threads.shutdown(cancel_futures=True)
        for decoder in self._all:
            decoder.close()

    def pids(self) -> list[int]:
        """Start all decoders and return their process numbers."""
        return [decoder.pid for decoder in self._all]

    def decode(self, content: bytes) -> Picture | Refusal:
        """Decode one file in the next idle process."""
        decoder = self._idle.get()
        try:
            return decoder.decode(content)
        finally:
            self._idle.put(decoder)

    def map(self, files: Iterable[tuple[T, bytes]]) -> Iterator[tuple[T, Picture | Refusal]]:
        """Decode files in order; in memory are as many as there are processes, and two more."""
        waiting = deque[tuple[T, Future[Picture | Refusal]]]()
        for key, content in files:
            waiting.append((key, self._threads.submit(self.decode, content)))
            if len(waiting) > len(self._all) + 1:
                first, future = waiting.popleft()
                yield first, future.result()
        for key, future in waiting:
            yield key, future.result()

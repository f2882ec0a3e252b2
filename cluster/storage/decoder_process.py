"""The process in which files of strangers are decoded; ``cluster.storage.decoders`` starts it.

It reads a length and a file from its input and writes a head and the clean image to its output,
until its input ends; so it ends with the process that started it. It may use a fixed address space
and a few seconds of processor time for each image, write no file, start no process and leave no
core behind.
"""

import json
import os
import resource
import sys
from dataclasses import asdict
from typing import BinaryIO, Final

from PIL import Image

from cluster.images.decode import Picture, Refusal, decode
from cluster.images.limits import Limits

LENGTH_BYTES: Final = 4
HANDLES_MAX: Final = 16
PARTS: Final = ("content", "thumbnail")


def confine(limits: Limits) -> None:
    """Give up what decoding does not need; for the rest of the process's life."""
    resource.setrlimit(resource.RLIMIT_AS, (limits.decoder_bytes,) * 2)
    for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC):
        resource.setrlimit(kind, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (HANDLES_MAX, HANDLES_MAX))


def allow_seconds(seconds: int) -> None:
    """Let the process use some more processor time; beyond it the system ends it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def answer(found: Picture | Refusal) -> tuple[bytes, bytes, bytes]:
    """Return head, clean image and thumbnail as they are written."""
    if isinstance(found, Refusal):
        return json.dumps(asdict(found)).encode(), b"", b""
    fields = asdict(found) | {"hash": found.hash.hex()}
    head = {name: value for name, value in fields.items() if name not in PARTS}
    return json.dumps(head).encode(), found.content, found.thumbnail


def serve(source: BinaryIO, target: BinaryIO, limits: Limits) -> None:
    """Answer until the input ends."""
    while len(length := source.read(LENGTH_BYTES)) == LENGTH_BYTES:
        content = source.read(int.from_bytes(length, "big"))
        allow_seconds(limits.decoder_cpu_s)
        parts = answer(decode(content, limits))
        target.write(b"".join(len(part).to_bytes(LENGTH_BYTES, "big") for part in parts))
        for part in parts:
            target.write(part)
        target.flush()


def main() -> None:
    """Load all decoders first, for nothing can be opened afterwards."""
    limits = Limits(**json.loads(sys.argv[1]))
    Image.init()
    source, target = os.fdopen(0, "rb"), os.fdopen(1, "wb")
    confine(limits)
    serve(source, target, limits)


if __name__ == "__main__":
    main()

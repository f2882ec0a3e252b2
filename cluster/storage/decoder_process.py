"""The process in which files of strangers are decoded; ``cluster.storage.decoders`` starts it.

It reads a length and a file from its input and writes a head and the clean image to its output,
until its input ends; so it ends with the process that started it. It may use a fixed address space
and a few seconds of processor time for each image, write no file, start no process and leave no
core behind. It can open no file and no socket.
"""

import json
import os
import sys
from dataclasses import asdict
from typing import BinaryIO, Final

from PIL import Image

from cluster.images.decode import Picture, Refusal, decode
from cluster.images.limits import Limits
from cluster.storage.confined import allow_seconds, confine, leave_network

LENGTH_BYTES: Final = 4
PARTS: Final = ("content", "thumbnail")


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


def prepare() -> Limits:
    """Load all decoders, and give up all else: nothing opens after this."""
    limits = Limits(**json.loads(sys.argv[1]))
    leave_network()
    Image.init()
    confine(limits.decoder_bytes)
    return limits


def main() -> None:
    """Answer until the input ends."""
    limits = prepare()
    serve(os.fdopen(0, "rb"), os.fdopen(1, "wb"), limits)


if __name__ == "__main__":
    main()

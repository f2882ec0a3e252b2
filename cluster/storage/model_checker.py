"""Has a file of a stranger checked by a process that can do nothing else (C9).

The file is never read here but to name it by its digest. Nothing that the process writes is
believed beyond its form: the graph, of bounded size, is held once more to the rules that need no
more than its messages. ONNX's own check and the inference of shapes are C++ that has met strangers
enough; they run in the process only. One that ends, or takes too long, costs the upload and nothing
else.
What waits between the two lies in files without a name, which the system frees.
"""

import hashlib
import json
import os
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray

from cluster.errors import ModelRefused
from cluster.models.bundle import Problem, refusal
from cluster.models.model_files import FILE, TAKEN
from cluster.models.onnx_form import InputRange
from cluster.models.onnx_rules import GRAPH, check_structure, read_model
from cluster.settings import Settings
from cluster.storage.confined import start_confined
from cluster.storage.model_process import LENGTH_BYTES, Head, Question

MIB: Final = 1 << 20
PROCESS: Final = "cluster.storage.model_process"
ADDRESS_BYTES: Final = 1536 * MIB
"""Address space of the process beside that for the file."""
COPIES: Final = 6
"""Of the file in the address space: as it came, read, written, and within onnxruntime."""
ANSWER_BYTES: Final = 16 * MIB
"""Of an answer beside the graph, which may be twice the file: float16 becomes float32."""
IMAGE_SECONDS: Final = 0.5
"""For each image behind the probes."""
HEAD_BYTES_MAX: Final = 1 << 16
WALL: Final = 4
"""Time on the clock over that of a processor: the machine may have other work too."""
COSTLY: Final = "it takes more time than is allowed"
DIED: Final = Problem("process_died", FILE, "the process that read it ended without an answer")


@dataclass(frozen=True)
class ModelLimits:
    """What an upload may have and cost."""

    file_bytes: int
    seconds: float
    """Of processor time to read and examine it; the images behind have half a second each."""

    @classmethod
    def of(cls, settings: Settings) -> "ModelLimits":
        """Take over what an operator has set."""
        return cls(settings.model_mib_max * MIB, settings.model_check_s)


@dataclass(frozen=True)
class Claim:
    """What the uploader says of the file."""

    labels: tuple[str, ...]
    """In the order of its output."""
    size: int
    """Pixels of a side of its image."""
    range: InputRange | None = None
    """Of the numbers that its image has; an ONNX file has 0..255 where nothing is said."""


@dataclass(frozen=True)
class CheckedModel:
    """A model that passed."""

    content: bytes
    """The graph in the one form, written anew."""
    head: Head
    uploaded_sha256: str
    p_NK: NDArray[np.float32]
    """Probabilities of all images, probes first."""


def check_upload(
    path: Path, claim: Claim, probes: int, pixels: Iterable[NDArray[np.uint8]], limits: ModelLimits
) -> CheckedModel:
    """Check an uploaded model, and have it recognise some images (C9).

    Args:
        path: of the file; its name is not looked at.
        claim: what it is said to be.
        probes: images that come first, with which the graph is examined.
        pixels: images [size, size, 3], RGB 0..255.
        limits: what it may cost.

    Raises:
        ModelRefused: it is not taken, with the code of the reason.
    """
    with (
        _opened(path, limits) as file,
        tempfile.TemporaryFile() as asked,
        tempfile.TemporaryFile() as target,
    ):
        question = _question(claim, probes, os.fstat(file.fileno()).st_size, limits)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        images = _ask(asked, question, pixels)
        _run(file, asked, target, WALL * (limits.seconds + IMAGE_SECONDS * images))
        head, content, p_NK = _read(target, question, images)
    return CheckedModel(content, head, digest, p_NK)


def _question(claim: Claim, probes: int, file_bytes: int, limits: ModelLimits) -> Question:
    return Question(
        **asdict(claim),
        probes=probes,
        address_bytes=ADDRESS_BYTES + COPIES * file_bytes,
        answer_bytes=ANSWER_BYTES + 2 * file_bytes,
        seconds=limits.seconds,
        image_seconds=IMAGE_SECONDS,
    )


def _opened(path: Path, limits: ModelLimits) -> FileIO:
    """Open a file; nothing that is no file is waited for."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        message = f"{path} cannot be read ({type(error).__name__})"
        raise refusal([Problem("file_unreadable", FILE, message)]) from None
    found = os.fstat(handle)
    if stat.S_ISREG(found.st_mode) and found.st_size <= limits.file_bytes:
        return FileIO(handle)  # without a buffer, so that its place is that of the handle
    os.close(handle)
    if not stat.S_ISREG(found.st_mode):
        raise refusal([Problem("file_unreadable", FILE, f"{path} is no file; {TAKEN}")])
    message = f"it has {found.st_size:,} bytes; {limits.file_bytes:,} are taken"
    raise refusal([Problem("file_too_large", FILE, message)])


def _ask(stream: IO[bytes], question: Question, pixels: Iterable[NDArray[np.uint8]]) -> int:
    """Write a question and its images; returns how many these are."""
    asked = json.dumps(asdict(question)).encode()
    stream.write(len(asked).to_bytes(LENGTH_BYTES, "big") + asked)
    number = 0
    for number, image in enumerate(pixels, 1):  # noqa: B007 - the last number is how many
        stream.write(image.tobytes())
    stream.flush()
    stream.seek(0)
    return number


def _run(file: IO[bytes], asked: IO[bytes], target: IO[bytes], seconds: float) -> None:
    """Let a process answer, and end it when its time is over.

    Raises:
        ModelRefused: it took too long, or ended by itself.
    """
    process = start_confined(PROCESS, str(file.fileno()), asked, target, [file.fileno()])
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise refusal([Problem("too_costly", GRAPH, COSTLY)]) from None
    finally:
        process.kill()  # it holds nothing that could be lost
        process.wait()
    if code == -signal.SIGXCPU:
        raise refusal([Problem("too_costly", GRAPH, COSTLY)])
    if code:
        raise refusal([DIED])


def _read(
    stream: IO[bytes], question: Question, images: int
) -> tuple[Head, bytes, NDArray[np.float32]]:
    """Read the answer as what it must be.

    Raises:
        ModelRefused: it is a refusal, or no answer.
    """
    stream.seek(0)
    raw = stream.read(3 * LENGTH_BYTES)
    lengths = [
        int.from_bytes(raw[at : at + LENGTH_BYTES], "big")
        for at in range(0, len(raw), LENGTH_BYTES)
    ]
    most = (HEAD_BYTES_MAX, question.answer_bytes, 4 * images * len(question.labels))
    if len(lengths) != len(most) or any(n > m for n, m in zip(lengths, most, strict=True)):
        raise refusal([DIED])
    parts = [stream.read(length) for length in lengths]
    try:
        fields = json.loads(parts[0])
        if "refused" in fields:
            raise ModelRefused(*map(str, fields["refused"]))
        p_NK = np.frombuffer(parts[2], "<f4").reshape(images, len(question.labels))
        head = Head(**fields)
    except (ValueError, TypeError, KeyError):
        raise refusal([DIED]) from None
    check_structure(read_model(parts[1]), question.size, len(question.labels))
    return head, parts[1], p_NK

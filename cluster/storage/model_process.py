"""The process in which a model of a stranger is read and run; ``model_checker`` starts it (C9).

Its input has the question and the images, a further handle the file, and its output takes the
answer: a head, the graph written anew, and probabilities. It never loads what can hold code. The
libraries are loaded first, for nothing can be opened afterwards.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import IO, TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from cluster.errors import ModelRefused
from cluster.models.bundle import SUM_TOLERANCE, Problem, refusal
from cluster.models.inception_graph import inception_graph, pads_counted, read_tensors
from cluster.models.model_files import form_of, quoted
from cluster.models.onnx_form import Form, InputRange, standardise
from cluster.models.onnx_rules import (
    GRAPH,
    INPUT,
    OUTPUT,
    PROBE_BATCH,
    Ends,
    check_graph,
    read_model,
)
from cluster.storage.confined import allow_seconds, confine, leave_network

if TYPE_CHECKING:
    from onnx import ModelProto

    from cluster.imaging.graph import Graph

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
LENGTH_BYTES: Final = 8
AS_IT_IS: Final = "0-255"
"""Range of an ONNX file of which nothing was said."""
BATCH_TOLERANCE: Final = 1e-3
"""By which a probability may change with the number of images that are run at once."""
OUT_OF_MEMORY: Final = ("Failed to allocate", "bad_alloc")
MEMORY: Final = Problem("too_large_at_work", GRAPH, "it takes more memory than is allowed")


@dataclass(frozen=True)
class Question:
    """What is to be found out about a file, and what may be spent on it."""

    labels: tuple[str, ...]
    size: int
    """Pixels of a side."""
    range: InputRange | None
    """Of the numbers that its image has; None where nothing was said."""
    probes: int
    """Images that come first, with which the graph is examined."""
    address_bytes: int
    answer_bytes: int
    seconds: float
    """Processor time to read and examine it."""
    image_seconds: float
    """Processor time for each image behind the probes."""


@dataclass(frozen=True)
class Head:
    """What was found about a file that passed."""

    form: str
    range: InputRange
    softmax: bool
    """Whether it gave logits, of which probabilities were made."""


def read_question(source: IO[bytes]) -> tuple[Question, Pixels]:
    """Return the question and the images [N, size, size, 3]."""
    length = int.from_bytes(source.read(LENGTH_BYTES), "big")
    fields = json.loads(source.read(length))
    question = Question(**fields | {"labels": tuple(fields["labels"])})
    shape = (-1, question.size, question.size, 3)
    return question, np.frombuffer(source.read(), np.uint8).reshape(shape)


def examine(content: bytes, question: Question, pixels_NSS3: Pixels) -> tuple[Head, bytes, "Graph"]:
    """Check a file by all rules and on the probes; returns its graph written anew, and loaded (C9).

    Raises:
        ModelRefused: it is not taken.
    """
    form = form_of(content)
    size, labels = question.size, len(question.labels)
    if form == "onnx":
        model = read_model(content)
    elif question.range is None:
        message = "which numbers the network takes is not in the file; name --range"
        raise refusal([Problem("range_missing", INPUT, message)])
    else:
        tensors = read_tensors(content)
        model = inception_graph(tensors, size, labels, pads=pads_counted(content))
    ends = check_graph(model, size, labels)
    wanted = Form(size, question.labels, question.range or AS_IT_IS, softmax=False)
    found, written, graph = settle(model, ends, wanted, pixels_NSS3[: question.probes])
    return Head(form, found.range, found.softmax), written, graph


def settle(
    model: "ModelProto", ends: Ends, form: Form, probes_NSS3: Pixels
) -> tuple[Form, bytes, "Graph"]:
    """Return the form in which a graph gives probabilities, with its file and the graph loaded.

    Raises:
        ModelRefused: it cannot be run, or its answers are none.
    """
    from cluster.imaging.graph import batches

    content = standardise(model, ends, form)
    graph = load(content)
    singles = batches(probes_NSS3, 1)
    scores_NK = scores_of(graph, singles, len(form.labels))
    if not are_probabilities(scores_NK):
        form = replace(form, softmax=True)
        content = standardise(model, ends, form)
        graph = load(content)
        scores_NK = scores_of(graph, singles, len(form.labels))
    if not are_probabilities(scores_NK):
        problem = Problem("rows_not_one", OUTPUT, "its probabilities do not sum to 1")
        raise refusal([problem])
    if not np.array_equal(scores_NK, scores_of(graph, singles, len(form.labels))):
        problem = Problem("not_deterministic", OUTPUT, "it answers otherwise when asked again")
        raise refusal([problem])
    try:
        together_NK = scores_of(graph, batches(probes_NSS3, PROBE_BATCH), len(form.labels))
    except ModelRefused:
        message = "it takes one image at a time; export it with an open batch"
        raise refusal([Problem("batch_fixed", INPUT, message)]) from None
    if np.abs(scores_NK - together_NK).max() > BATCH_TOLERANCE:
        message = "it answers otherwise when several images come at once"
        raise refusal([Problem("batch_differs", OUTPUT, message)])
    return form, content, graph


def load(content: bytes) -> "Graph":
    """Load a graph.

    Raises:
        ModelRefused: it cannot be loaded.
    """
    from cluster.imaging.graph import Graph

    with _judged("not_loadable", "onnxruntime cannot load it"):
        return Graph(content)


def scores_of(graph: "Graph", batches: list[Floats], labels: int) -> Floats:
    """Return what a graph says of some batches [N, labels].

    Raises:
        ModelRefused: it cannot be run, or the answers are of another shape or no numbers.
    """
    found = []
    for image_B3SS in batches:
        with _judged("not_runnable", "onnxruntime cannot run it"):
            scores_BK = graph.run(image_B3SS).p_NK
        if scores_BK.shape != (len(image_B3SS), labels):
            message = f"it gives {scores_BK.shape} for {len(image_B3SS)} images and {labels} labels"
            raise refusal([Problem("labels_number", OUTPUT, message)])
        if not np.isfinite(scores_BK).all():
            raise refusal([Problem("not_finite", OUTPUT, "it answers with what is no number")])
        found.append(scores_BK)
    return np.concatenate(found)


def are_probabilities(scores_NK: Floats) -> bool:
    """Say whether the rows are of numbers from 0 that sum to 1."""
    sums_N = scores_NK.sum(axis=1, dtype=np.float64)
    return bool((scores_NK >= 0).all() and (np.abs(sums_N - 1) <= SUM_TOLERANCE).all())


@contextmanager
def _judged(code: str, words: str) -> Iterator[None]:
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # the classes of onnxruntime have no base of their own
        if any(sign in str(error) for sign in OUT_OF_MEMORY):
            raise MemoryError from None
        raise refusal([Problem(code, GRAPH, f"{words}: {quoted(str(error))}")]) from None


def answer(file: IO[bytes], question: Question, pixels_NSS3: Pixels) -> tuple[bytes, bytes, bytes]:
    """Return head, graph and probabilities [N, labels] as they are written."""
    from cluster.imaging.graph import batches

    try:
        head, content, graph = examine(file.read(), question, pixels_NSS3)
        allow_seconds(question.image_seconds * len(pixels_NSS3))
        p_NK = scores_of(graph, batches(pixels_NSS3), len(question.labels))
    except MemoryError:
        return _refused(refusal([MEMORY])), b"", b""
    except ModelRefused as error:
        return _refused(error), b"", b""
    return json.dumps(asdict(head)).encode(), content, p_NK.astype("<f4").tobytes()


def _refused(error: ModelRefused) -> bytes:
    return json.dumps({"refused": error.args}).encode()


def load_libraries() -> None:
    """Load what is needed, down to what the first graph of a process makes onnxruntime load."""
    import safetensors  # noqa: F401 - so that it is there when nothing can be opened
    from onnx import TensorProto, checker, helper, numpy_helper, shape_inference

    from cluster.imaging.graph import Graph

    form = (TensorProto.FLOAT, [1])
    ends = [helper.make_tensor_value_info(name, *form) for name in ("image", "prob")]
    weight = numpy_helper.from_array(np.ones(1, np.float32), "w")
    node = helper.make_node("Mul", ["image", "w"], ["prob"])
    graph = helper.make_graph([node], "first", ends[:1], ends[1:], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    checker.check_model(model)
    shape_inference.infer_shapes(model, data_prop=True)
    Graph(model.SerializeToString()).run(np.ones(1, np.float32))


def prepare() -> tuple[Question, Pixels]:
    """Take the question, load what is needed, and give up all else: nothing opens after this."""
    leave_network()
    with os.fdopen(0, "rb") as source:
        question, pixels_NSS3 = read_question(source)
    load_libraries()
    allow_seconds(question.seconds)
    confine(question.address_bytes, question.answer_bytes)
    return question, pixels_NSS3


def main() -> None:
    """Answer one question."""
    question, pixels_NSS3 = prepare()
    with os.fdopen(int(sys.argv[1]), "rb") as file:
        parts = answer(file, question, pixels_NSS3)
    with os.fdopen(1, "wb") as target:
        target.write(b"".join(len(part).to_bytes(LENGTH_BYTES, "big") for part in parts))
        for part in parts:
            target.write(part)


if __name__ == "__main__":
    main()

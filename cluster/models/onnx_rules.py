"""Decides which ONNX graphs are taken from strangers, before anything runs them (C9).

Taken is one plain graph of standard operators from one image to one row of scores: all weights
inside, nothing that is fetched, generated, repeated or random. What passes may still cost too much
or answer nonsense; that shows when a confined process runs it.
"""

import math
from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from cluster.models.bundle import Problem, refusal, refuse
from cluster.models.model_files import FILE, TAKEN, quoted

if TYPE_CHECKING:
    from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

OPSETS: Final = range(13, 23)
STANDARD: Final = frozenset({"", "ai.onnx"})
NODES_MAX: Final = 5_000
ELEMENTS_MAX: Final = 64 << 20
"""Of one tensor, given or computed."""
NAMES_MAX: Final = 6
"""Of inputs and outputs that a refusal names."""
CONTROL_FLOW: Final = frozenset({"If", "Loop", "Scan", "SequenceMap"})
RANDOM: Final = frozenset(
    {
        "Bernoulli",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    }
)
NOT_EXCLUSIVE: Final = frozenset({"Sigmoid", "HardSigmoid"})
PROBE_BATCH: Final = 4
"""Images at once, by which the sizes inside a graph are judged."""
GRAPH: Final = "graph"
WEIGHTS: Final = "weights"
INPUT: Final = "input"
OUTPUT: Final = "output"


class Ends(NamedTuple):
    """The input and the output of a graph that passed."""

    image: str
    scores: str


def read_model(content: bytes) -> "ModelProto":
    """Read the form of an ONNX file; no other file is opened, and nothing is run (C9).

    Raises:
        ModelRefused: it is no ONNX.
    """
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    try:
        model: ModelProto = ModelProto.FromString(content)
    except DecodeError:
        message = f"it cannot be read as ONNX, or is cut off; {TAKEN}"
        raise refusal([Problem("format_unknown", FILE, message)]) from None
    if not model.graph.node or not model.opset_import:
        raise refusal([Problem("format_unknown", FILE, f"it has no graph of ONNX; {TAKEN}")])
    model.DiscardUnknownFields()
    return model


def check_graph(model: "ModelProto", size: int, labels: int) -> Ends:
    """Return the ends of a graph that keeps all rules; notes on shapes are taken out of it (C9).

    Args:
        model: as it was read; its sizes are bounded by that of the file.
        size: pixels of a side of its image.
        labels: scores of a row.

    Raises:
        ModelRefused: it breaks a rule; the first problem of each kind is named.
    """
    ends = check_structure(model, size, labels)
    _inputs(model)[0].type.tensor_type.shape.dim[0].dim_value = PROBE_BATCH
    refuse(_form_problems(model))
    return ends


def check_structure(model: "ModelProto", size: int, labels: int) -> Ends:
    """Return the ends of a graph that keeps the rules that need only its messages (C9).

    They read no numbers and call no code of ONNX's own; see ``check_graph`` for the others.
    """
    refuse(problem for rule in STRUCTURE for problem in _first(rule(model)))
    image, scores = _inputs(model)[0], model.graph.output[0]
    refuse([*_image_problems(image, size), *_score_problems(model, labels)])
    return Ends(image.name, scores.name)


def _first(problems: Iterator[Problem]) -> list[Problem]:
    found = next(problems, None)
    return [] if found is None else [found]


def _inputs(model: "ModelProto") -> "list[ValueInfoProto]":
    """Return the inputs that are no default of a weight, as old files list them."""
    given = {tensor.name for tensor in model.graph.initializer}
    return [one for one in model.graph.input if one.name not in given]


def _dimensions(value: "ValueInfoProto") -> list[int | None]:
    """Return the shape of a value; None for a dimension that is left open."""
    shape = value.type.tensor_type.shape.dim
    return [one.dim_value if one.HasField("dim_value") else None for one in shape]


def _attributes(model: "ModelProto") -> "Iterator[tuple[NodeProto, AttributeProto]]":
    return ((node, one) for node in model.graph.node for one in node.attribute)


def _tensors(model: "ModelProto") -> "Iterator[TensorProto]":
    within = ([one.t] if one.HasField("t") else one.tensors for _, one in _attributes(model))
    return chain(model.graph.initializer, chain.from_iterable(within))


def _version_problems(model: "ModelProto") -> Iterator[Problem]:
    for one in model.opset_import:
        if one.domain in STANDARD and one.version not in OPSETS:
            message = f"its operators are of version {one.version}; 13 to 22 are taken"
            yield Problem("opset", GRAPH, message)
    if not any(one.domain in STANDARD for one in model.opset_import):
        yield Problem("opset", GRAPH, "it does not say of which version its operators are")


def _part_problems(model: "ModelProto") -> Iterator[Problem]:
    if model.functions:
        yield Problem("local_function", GRAPH, "it defines functions of its own")
    if model.training_info:
        yield Problem("training_info", GRAPH, "it has a graph for training")
    within = (one.HasField("sparse_tensor") or one.sparse_tensors for _, one in _attributes(model))
    if model.graph.sparse_initializer or any(within):
        yield Problem("sparse_tensor", WEIGHTS, "it has a sparse tensor")


def _number_problems(model: "ModelProto") -> Iterator[Problem]:
    if len(model.graph.node) > NODES_MAX:
        message = f"it has {len(model.graph.node):,} nodes; {NODES_MAX:,} are taken"
        yield Problem("nodes_too_many", GRAPH, message)


def _domain_problems(model: "ModelProto") -> Iterator[Problem]:
    for node in model.graph.node:
        if node.domain not in STANDARD:
            message = f"operator {quoted(node.op_type)} is of {quoted(node.domain)}, not of ONNX"
            yield Problem("operator_foreign", GRAPH, message)


def _operator_problems(model: "ModelProto") -> Iterator[Problem]:
    for node in model.graph.node:
        if node.op_type in RANDOM:
            yield Problem("operator_random", GRAPH, f"{node.op_type} draws its answer")


def _flow_problems(model: "ModelProto") -> Iterator[Problem]:
    for node in model.graph.node:
        within = any(one.HasField("g") or one.graphs for one in node.attribute)
        if within or node.op_type in CONTROL_FLOW:
            message = f"{quoted(node.op_type)} runs a graph inside the graph"
            yield Problem("control_flow", GRAPH, message)


def _external_problems(model: "ModelProto") -> Iterator[Problem]:
    for one in _tensors(model):
        if one.external_data or one.data_location == one.EXTERNAL:
            message = f"{quoted(one.name)} lies in another file; save it all in one"
            yield Problem("external_data", WEIGHTS, message)


def _tensor_problems(model: "ModelProto") -> Iterator[Problem]:
    for one in _tensors(model):
        if any(n < 0 for n in one.dims):
            yield Problem("tensor_damaged", WEIGHTS, f"{quoted(one.name)} has a size below 0")
        elif math.prod(one.dims) > ELEMENTS_MAX:
            yield _too_large(one.name, list(one.dims))


def _too_large(name: str, sizes: list[int]) -> Problem:
    message = f"{quoted(name)} has {math.prod(sizes):,} numbers; {ELEMENTS_MAX:,} are taken"
    return Problem("tensor_too_large", WEIGHTS, message)


def _value_problems(model: "ModelProto") -> Iterator[Problem]:
    import numpy as np
    from onnx import numpy_helper

    for one in _tensors(model):
        try:
            values = numpy_helper.to_array(one)
        except (ValueError, TypeError, KeyError, NotImplementedError):
            message = f"the numbers of {quoted(one.name)} do not fill its shape"
            yield Problem("tensor_damaged", WEIGHTS, message)
            continue
        if values.dtype.kind in "OSU":
            yield Problem("tensor_of_text", WEIGHTS, f"{quoted(one.name)} holds text")
        elif values.dtype.kind == "f" and np.isnan(values).any():
            yield Problem("weights_nan", WEIGHTS, f"{quoted(one.name)} holds what is no number")


def _count_problems(model: "ModelProto") -> Iterator[Problem]:
    for place, found, wanted in (
        (INPUT, _inputs(model), "1 is taken, the image: float32 [batch, 3, size, size]"),
        (OUTPUT, list(model.graph.output), "1 is taken, the scores: float32 [batch, classes]"),
    ):
        if len(found) != 1:
            names = ", ".join(quoted(one.name) for one in found[:NAMES_MAX])
            more = ", …" if len(found) > NAMES_MAX else ""
            has = f"it has {len(found)} {place}s" + (f" ({names}{more})" if found else "")
            yield Problem(f"{place}_number", place, f"{has}; {wanted}")


STRUCTURE: Final[tuple[Callable[["ModelProto"], Iterator[Problem]], ...]] = (
    _version_problems,
    _part_problems,
    _number_problems,
    _domain_problems,
    _operator_problems,
    _flow_problems,
    _external_problems,
    _tensor_problems,
    _count_problems,
)


def _image_problems(image: "ValueInfoProto", size: int) -> Iterator[Problem]:
    sizes = _dimensions(image)
    wanted = f"float32 [batch, 3, {size}, {size}] is taken"
    if image.type.tensor_type.elem_type != 1 or len(sizes) != 4:
        yield Problem("input_form", INPUT, f"it is no float32 of four dimensions; {wanted}")
    elif None in sizes[1:]:
        yield Problem("dimension_open", INPUT, f"a size is left open beside the batch; {wanted}")
    elif sizes[1:] != [3, size, size] or sizes[0] not in {None, 1}:
        yield Problem("input_form", INPUT, f"it has the shape {sizes}; {wanted}")


def _score_problems(model: "ModelProto", labels: int) -> Iterator[Problem]:
    scores = model.graph.output[0]
    sizes = _dimensions(scores)
    wanted = f"float32 [batch, {labels}] is taken, for {labels} labels"
    makers = [node for node in model.graph.node if scores.name in node.output]
    if scores.type.tensor_type.elem_type != 1 or len(sizes) not in {0, 2}:
        yield Problem("output_form", OUTPUT, f"it is no float32 of two dimensions; {wanted}")
    elif sizes and sizes[1] not in {None, labels}:
        yield Problem("labels_number", OUTPUT, f"it gives {sizes[1]} scores; {wanted}")
    if not makers:
        yield Problem("output_form", OUTPUT, "no operator makes it")
    elif makers[0].op_type in NOT_EXCLUSIVE:
        message = "its scores are of classes that can be true together; one class is taken"
        yield Problem("output_not_exclusive", OUTPUT, message)


def _form_problems(model: "ModelProto") -> Iterator[Problem]:
    """Check the values, then the form by ONNX's own rules, then the sizes that follow from it."""
    import onnx

    yield from _first(_value_problems(model))
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        yield Problem("onnx_invalid", GRAPH, f"ONNX's own check fails: {quoted(str(error))}")
        return
    del model.graph.value_info[:]
    try:
        found = onnx.shape_inference.infer_shapes(model, data_prop=True).graph.value_info
    except onnx.shape_inference.InferenceError as error:
        yield Problem("onnx_invalid", GRAPH, f"its shapes do not fit: {quoted(str(error))}")
        return
    for one in found:
        sizes = [n or 1 for n in _dimensions(one)]
        if math.prod(sizes) > ELEMENTS_MAX:
            yield _too_large(one.name, sizes)
            return

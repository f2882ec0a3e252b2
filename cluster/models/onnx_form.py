"""Makes the one form in which an uploaded graph is published, whatever form it came in (C9).

Input ``image`` float32 [batch, 3, size, size], RGB 0..255; output ``prob`` float32 [batch, labels].
What leads to the output is written anew under names of our own; texts, unused parts and everything
else that a file can carry beside its graph is left behind.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from cluster.contracts.image_models import RANGE, RESIZE
from cluster.models.onnx_rules import STANDARD, Ends

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

InputRange = Literal["0-255", "0-1", "-1-1", "imagenet"]
RANGES: Final[tuple[InputRange, ...]] = get_args(InputRange)
IMAGE: Final = "image"
PROBABILITY: Final = "prob"
NORMALISED: Final = "normalised"
SCORES: Final = "scores"
IR_VERSION: Final = 10
"""The newest that belongs to an operator set that is taken."""
SHIFT_AND_SCALE: Final[dict[InputRange, tuple[tuple[float, ...], tuple[float, ...]]]] = {
    "0-1": ((0.0,) * 3, (255.0,) * 3),
    "-1-1": ((127.5,) * 3, (127.5,) * 3),
    "imagenet": (
        (0.485 * 255, 0.456 * 255, 0.406 * 255),
        (0.229 * 255, 0.224 * 255, 0.225 * 255),
    ),
}
"""What is taken from red, green and blue of 0..255, and what they are then divided by. ImageNet's
mean and standard deviation are those of torchvision's models."""


@dataclass(frozen=True)
class Form:
    """How a graph is to be written."""

    size: int
    """Pixels of a side."""
    labels: tuple[str, ...]
    range: InputRange
    """What the uploaded graph takes."""
    softmax: bool
    """Whether its scores are logits, of which probabilities have to be made."""


def standardise(model: "ModelProto", ends: Ends, form: Form) -> bytes:
    """Return the file of a graph that passed the rules, written anew; equal graphs, equal bytes."""
    from onnx import TensorProto, helper

    nodes = _needed(model, ends.scores)
    used = {name for node in nodes for name in node.input}
    weights = [one for one in model.graph.initializer if one.name in used]
    names = {
        "": "",
        ends.image: NORMALISED if form.range in SHIFT_AND_SCALE else IMAGE,
        ends.scores: SCORES if form.softmax else PROBABILITY,
    }
    made = [one.name for one in weights] + [name for node in nodes for name in node.output]
    for name in made:
        names.setdefault(name, f"t{len(names)}")
    number = TensorProto.FLOAT
    graph = helper.make_graph(
        [*_first_nodes(form), *(_renamed(node, names) for node in nodes), *_last_nodes(form)],
        "model",
        [helper.make_tensor_value_info(IMAGE, number, ["batch", 3, form.size, form.size])],
        [helper.make_tensor_value_info(PROBABILITY, number, ["batch", len(form.labels)])],
    )
    _add_weights(graph, weights, names, form)
    version = max(one.version for one in model.opset_import if one.domain in STANDARD)
    written = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])
    written.ir_version = IR_VERSION
    helper.set_model_props(written, _facts(form))
    content: bytes = written.SerializeToString(deterministic=True)
    return content


def _needed(model: "ModelProto", scores: str) -> "list[NodeProto]":
    """Return the nodes that lead to the scores, in their order."""
    wanted, found = {scores}, []
    for node in reversed(model.graph.node):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            found.append(node)
    return found[::-1]


def _renamed(node: "NodeProto", names: Mapping[str, str]) -> "NodeProto":
    from onnx import NodeProto

    written = NodeProto(op_type=node.op_type)
    written.input.extend(names[name] for name in node.input)
    written.output.extend(names[name] for name in node.output)
    written.attribute.extend(node.attribute)
    for one in written.attribute:
        one.ClearField("doc_string")
        for tensor in ([one.t] if one.HasField("t") else []) + list(one.tensors):
            _strip(tensor)
    return written


def _strip(tensor: "TensorProto", name: str = "") -> None:
    """Leave the numbers of a tensor, under another name."""
    for field in ("name", "doc_string", "metadata_props"):
        tensor.ClearField(field)
    if name:
        tensor.name = name


def _first_nodes(form: Form) -> "list[NodeProto]":
    from onnx import helper

    if form.range not in SHIFT_AND_SCALE:
        return []
    return [
        helper.make_node("Sub", [IMAGE, "shift"], ["shifted"]),
        helper.make_node("Div", ["shifted", "scale"], [NORMALISED]),
    ]


def _last_nodes(form: Form) -> "list[NodeProto]":
    from onnx import helper

    return [helper.make_node("Softmax", [SCORES], [PROBABILITY], axis=1)] if form.softmax else []


def _add_weights(
    graph: "GraphProto", weights: "Iterable[TensorProto]", names: Mapping[str, str], form: Form
) -> None:
    import numpy as np
    from onnx import numpy_helper

    for weight in weights:
        written = graph.initializer.add()
        written.CopyFrom(weight)
        _strip(written, names[weight.name])
    if form.range in SHIFT_AND_SCALE:
        for name, values in zip(("shift", "scale"), SHIFT_AND_SCALE[form.range], strict=True):
            array = np.array(values, np.float32).reshape(1, 3, 1, 1)
            graph.initializer.append(numpy_helper.from_array(array, name))


def _facts(form: Form) -> dict[str, str]:
    """Return what the file says of itself beside its graph."""
    return {
        "labels": json.dumps(form.labels, ensure_ascii=False),
        "range": RANGE,
        "resize": RESIZE,
        "size": str(form.size),
    }

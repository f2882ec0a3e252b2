"""Makes the ONNX graph of InceptionV3 from the weights of a safetensors file (C9).

The layout and the names are those of torchvision's ``inception_v3`` (Szegedy 2016), the auxiliary
head left out. The graph is written from this description and the tensors alone, so a file of a
stranger meets no framework. Batch normalisation is folded into the convolutions.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypedDict

import numpy as np
from numpy.typing import NDArray

from cluster.models.bundle import Problem, refusal, refuse
from cluster.models.model_files import FILE, LENGTH_BYTES, quoted
from cluster.models.onnx_rules import INPUT, WEIGHTS

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

Floats = NDArray[np.float32]
OPSET: Final = 18
SIZE_MIN: Final = 75
"""Pixels of a side of which the network still leaves some."""
EPSILON: Final = 1e-3
"""Of batch normalisation in this network."""
FEATURES: Final = 2048
IGNORED: Final = ("AuxLogits.",)
COUNTER: Final = ".num_batches_tracked"
TENSORS_MAX: Final = 10_000
TYPES: Final = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}
TAKEN_TYPES: Final = "F64, F32, F16 and BF16"
POOL: Final = re.compile(r"count_include_pad\s*=\s*(True|False)", re.IGNORECASE)
"""Torchvision counts the padding, Keras does not; a file says what its weights need."""
SQUARE: Final = (3, 3)
ROW: Final = (1, 7)
COLUMN: Final = (7, 1)


class _Entry(TypedDict):
    dtype: str
    shape: list[int]
    data: bytes


def read_tensors(content: bytes) -> dict[str, Floats]:
    """Read the weights of a safetensors file as float32; counters and the second head are left out.

    Raises:
        ModelRefused: it is damaged, or a tensor is of another type.
    """
    from safetensors import SafetensorError, deserialize

    try:
        entries: list[tuple[str, _Entry]] = deserialize(content)  # type: ignore[no-untyped-call]  # no stubs
    except SafetensorError as error:
        message = f"it cannot be read as safetensors: {quoted(str(error))}"
        raise refusal([Problem("safetensors_unreadable", FILE, message)]) from None
    if len(entries) > TENSORS_MAX:
        message = f"it has {len(entries):,} tensors; {TENSORS_MAX:,} are taken"
        raise refusal([Problem("tensors_too_many", WEIGHTS, message)])
    return {
        name: _array(name, entry)
        for name, entry in entries
        if not name.startswith(IGNORED) and not name.endswith(COUNTER)
    }


def pads_counted(content: bytes) -> bool:
    """Say whether averages count the padding: torchvision's way, unless the file says otherwise.

    Args:
        content: a safetensors file that could be read; its entry ``pool`` is looked at.

    Raises:
        ModelRefused: the entry does not say.
    """
    length = int.from_bytes(content[:LENGTH_BYTES], "little")
    facts = json.loads(content[LENGTH_BYTES : LENGTH_BYTES + length]).get("__metadata__") or {}
    if "pool" not in facts:
        return True
    pool = POOL.search(facts["pool"])
    if pool is None:
        message = f"its entry pool is {quoted(facts['pool'])}; count_include_pad=… is taken"
        raise refusal([Problem("pool_unknown", WEIGHTS, message)])
    return pool[1].lower() == "true"


def _array(name: str, entry: _Entry) -> Floats:
    kind, shape, raw = entry["dtype"], entry["shape"], entry["data"]
    if kind == "BF16":
        wide = np.frombuffer(raw, "<u2").astype(np.uint32) << 16
        values: Floats = wide.view(np.float32)
    elif kind in TYPES:
        values = np.frombuffer(raw, TYPES[kind]).astype(np.float32)
    else:
        message = f"{quoted(name)} is of type {quoted(kind)}; taken are {TAKEN_TYPES}"
        raise refusal([Problem("tensor_type", WEIGHTS, message)])
    if not np.isfinite(values).all():
        message = f"{quoted(name)} holds what is no finite number"
        raise refusal([Problem("weights_nan", WEIGHTS, message)])
    return values.reshape(shape)


def inception_graph(
    tensors: Mapping[str, Floats], size: int, labels: int, *, pads: bool = True
) -> "ModelProto":
    """Return the graph from ``image`` [batch, 3, size, size] to ``logits`` [batch, labels].

    Args:
        tensors: by torchvision's names.
        size: pixels of a side, at least 75.
        labels: outputs of the last layer.
        pads: whether averages count the padding.

    Raises:
        ModelRefused: tensors are missing, unknown or of another shape, or the image is too small.
    """
    from onnx import TensorProto, helper

    if size < SIZE_MIN:
        message = f"{size} pixels of a side leave InceptionV3 nothing; {SIZE_MIN} are needed"
        raise refusal([Problem("size_too_small", INPUT, message)])
    drawing = _Drawing(tensors, pads)
    drawing.network(labels)
    refuse(drawing.problems())
    graph = helper.make_graph(
        drawing.nodes,
        "inception_v3",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, size, size])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", labels])],
        initializer=drawing.weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


class _Drawing:
    """A graph that grows; every tensor of the file is taken once."""

    def __init__(self, tensors: Mapping[str, Floats], pads: bool) -> None:
        self._tensors = tensors
        self._pads = int(pads)
        self._channels = {"image": 3}
        self._taken: set[str] = set()
        self._wrong: list[Problem] = []
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []

    def problems(self) -> list[Problem]:
        """Return what does not fit together between the file and the network."""
        unknown = sorted(set(self._tensors) - self._taken)
        if unknown:
            message = f"InceptionV3 of torchvision has no {quoted(unknown[0])}"
            self._wrong.append(Problem("tensor_unknown", WEIGHTS, message))
        return self._wrong

    def _take(self, name: str, shape: tuple[int, ...]) -> Floats:
        found = self._tensors.get(name)
        self._taken.add(name)
        if found is not None and found.shape == shape:
            return found
        if found is None:
            self._wrong.append(Problem("tensor_missing", WEIGHTS, f"{name} is missing"))
        else:
            code = "labels_number" if name.startswith("fc.") else "tensor_shape"
            message = f"{name} has the shape {list(found.shape)}; {list(shape)} is taken"
            self._wrong.append(Problem(code, WEIGHTS, message))
        return np.ones(shape, np.float32)

    def _weight(self, name: str, values: Floats) -> str:
        from onnx import numpy_helper

        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _node(
        self, kind: str, sources: list[str], target: str, **attributes: int | Sequence[int]
    ) -> str:
        from onnx import helper

        node = helper.make_node(kind, sources, [target])
        node.attribute.extend(helper.make_attribute(*one) for one in sorted(attributes.items()))
        self.nodes.append(node)
        return target

    def _conv(
        self,
        source: str,
        name: str,
        channels: int,
        kernel: tuple[int, int] = (1, 1),
        stride: int = 0,
    ) -> str:
        """Add a convolution with its normalisation and ReLU; ``stride`` 0 keeps the size."""
        shape = (channels, self._channels[source], *kernel)
        weight = self._take(f"{name}.conv.weight", shape).astype(np.float64)
        gain, shift, mean, variance = (
            self._take(f"{name}.bn.{part}", (channels,)).astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gain / np.sqrt(np.maximum(variance, 0) + EPSILON)
        inputs = [
            source,
            self._weight(f"{name}.w", (weight * scale[:, None, None, None]).astype(np.float32)),
            self._weight(f"{name}.b", (shift - mean * scale).astype(np.float32)),
        ]
        pads = [0, 0, 0, 0] if stride else [kernel[0] // 2, kernel[1] // 2] * 2
        strides = [max(stride, 1)] * 2
        self._node("Conv", inputs, f"{name}.c", kernel_shape=kernel, pads=pads, strides=strides)
        self._channels[name] = channels
        return self._node("Relu", [f"{name}.c"], name)

    def _pool(self, source: str, name: str) -> str:
        self._channels[name] = self._channels[source]
        return self._node("MaxPool", [source], name, kernel_shape=SQUARE, strides=[2, 2])

    def _average(self, source: str, block: str, channels: int) -> str:
        name = f"{block}.average"
        self._channels[name] = self._channels[source]
        form = {"kernel_shape": SQUARE, "pads": (1, 1, 1, 1)}
        self._node("AveragePool", [source], name, count_include_pad=self._pads, **form)
        return self._conv(name, f"{block}.branch_pool", channels)

    def _join(self, name: str, *parts: str) -> str:
        self._channels[name] = sum(self._channels[part] for part in parts)
        return self._node("Concat", list(parts), name, axis=1)

    def _chain(self, source: str, stem: str, *steps: tuple[int, tuple[int, int]]) -> str:
        """Add convolutions that keep the size, named ``stem_1`` and so on."""
        for n, (channels, kernel) in enumerate(steps, 1):
            source = self._conv(source, f"{stem}_{n}", channels, kernel)
        return source

    def _block_a(self, x: str, name: str, pooled: int) -> str:
        return self._join(
            name,
            self._conv(x, f"{name}.branch1x1", 64),
            self._chain(x, f"{name}.branch5x5", (48, (1, 1)), (64, (5, 5))),
            self._chain(x, f"{name}.branch3x3dbl", (64, (1, 1)), (96, SQUARE), (96, SQUARE)),
            self._average(x, name, pooled),
        )

    def _block_b(self, x: str, name: str) -> str:
        double = self._chain(x, f"{name}.branch3x3dbl", (64, (1, 1)), (96, SQUARE))
        return self._join(
            name,
            self._conv(x, f"{name}.branch3x3", 384, SQUARE, stride=2),
            self._conv(double, f"{name}.branch3x3dbl_3", 96, SQUARE, stride=2),
            self._pool(x, f"{name}.pool"),
        )

    def _block_c(self, x: str, name: str, n: int) -> str:
        double = ((n, (1, 1)), (n, COLUMN), (n, ROW), (n, COLUMN), (192, ROW))
        return self._join(
            name,
            self._conv(x, f"{name}.branch1x1", 192),
            self._chain(x, f"{name}.branch7x7", (n, (1, 1)), (n, ROW), (192, COLUMN)),
            self._chain(x, f"{name}.branch7x7dbl", *double),
            self._average(x, name, 192),
        )

    def _block_d(self, x: str, name: str) -> str:
        single = self._chain(x, f"{name}.branch3x3", (192, (1, 1)))
        long = self._chain(x, f"{name}.branch7x7x3", (192, (1, 1)), (192, ROW), (192, COLUMN))
        return self._join(
            name,
            self._conv(single, f"{name}.branch3x3_2", 320, SQUARE, stride=2),
            self._conv(long, f"{name}.branch7x7x3_4", 192, SQUARE, stride=2),
            self._pool(x, f"{name}.pool"),
        )

    def _block_e(self, x: str, name: str) -> str:
        single = self._chain(x, f"{name}.branch3x3", (384, (1, 1)))
        double = self._chain(x, f"{name}.branch3x3dbl", (448, (1, 1)), (384, SQUARE))
        return self._join(
            name,
            self._conv(x, f"{name}.branch1x1", 320),
            self._fork(single, f"{name}.branch3x3_2"),
            self._fork(double, f"{name}.branch3x3dbl_3"),
            self._average(x, name, 192),
        )

    def _fork(self, x: str, stem: str) -> str:
        row = self._conv(x, f"{stem}a", 384, (1, 3))
        return self._join(stem, row, self._conv(x, f"{stem}b", 384, (3, 1)))

    def network(self, labels: int) -> None:
        """Add all of it, from ``image`` to ``logits``."""
        x = self._conv("image", "Conv2d_1a_3x3", 32, SQUARE, stride=2)
        x = self._conv(x, "Conv2d_2a_3x3", 32, SQUARE, stride=1)
        x = self._pool(self._conv(x, "Conv2d_2b_3x3", 64, SQUARE), "maxpool1")
        x = self._conv(self._conv(x, "Conv2d_3b_1x1", 80), "Conv2d_4a_3x3", 192, SQUARE, stride=1)
        x = self._pool(x, "maxpool2")
        for name, pooled in (("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)):
            x = self._block_a(x, name, pooled)
        x = self._block_b(x, "Mixed_6a")
        for letter, n in (("b", 128), ("c", 160), ("d", 160), ("e", 192)):
            x = self._block_c(x, f"Mixed_6{letter}", n)
        x = self._block_d(x, "Mixed_7a")
        x = self._block_e(self._block_e(x, "Mixed_7b"), "Mixed_7c")
        self._node("GlobalAveragePool", [x], "pooled")
        self._node("Flatten", ["pooled"], "features", axis=1)
        weight = self._weight("fc.w", self._take("fc.weight", (labels, FEATURES)))
        bias = self._weight("fc.b", self._take("fc.bias", (labels,)))
        self._node("Gemm", ["features", weight, bias], "logits", transB=1)

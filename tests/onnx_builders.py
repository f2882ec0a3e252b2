"""Small ONNX files, good and hostile ones; a good one tells red, green and blue apart."""

import pickle
import zipfile
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.helper import make_node

SIZE = 32
LABELS = ("red", "green", "blue")
K = len(LABELS)
SCORES = [
    make_node("GlobalAveragePool", ["image"], ["pool"]),
    make_node("Flatten", ["pool"], ["mean"], axis=1),
    make_node("Gemm", ["mean", "weight", "bias"], ["scores"]),
]
PROBABILITIES = [*SCORES, make_node("Softmax", ["scores"], ["p"], axis=1)]


def number(name: str, value: object, kind: type = np.float32) -> TensorProto:
    return numpy_helper.from_array(np.array(value, kind), name)


def weights(gain: float = 0.01) -> list[TensorProto]:
    return [number("weight", np.eye(3) * gain), number("bias", [0.1, 0.0, -0.1])]


def a_model(
    nodes: Sequence[NodeProto] = SCORES,
    more: Sequence[TensorProto] = (),
    *,
    output: str = "scores",
    sizes: Sequence[int | str | None] = ("n", 3, SIZE, SIZE),
    gives: Sequence[int | str | None] = ("n", K),
    kind: int = TensorProto.FLOAT,
    opset: int = 17,
    gain: float = 0.01,
) -> ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "colours",
        [helper.make_tensor_value_info("image", kind, list(sizes))],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, list(gives))],
        [*weights(gain), *more],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def saved(model: ModelProto) -> bytes:
    content: bytes = model.SerializeToString()
    return content


def changed(change: Callable[[ModelProto], Any]) -> bytes:
    """Return a good file after a change of its model."""
    model = a_model()
    change(model)
    return saved(model)


def added(nodes: Sequence[NodeProto], more: Sequence[TensorProto] = ()) -> bytes:
    """Return a file that adds to its scores the number ``extra``, which some nodes make."""
    return saved(
        a_model([*SCORES, *nodes, make_node("Add", ["scores", "extra"], ["y"])], more, output="y")
    )


class Evil:
    """Writes a file where it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self.path, "w")


def zipped(*names: str, content: bytes = b"x") -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return stream.getvalue()


def external(place: str) -> bytes:
    def change(model: ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=place)

    return changed(change)


def function(model: ModelProto) -> None:
    imports = [helper.make_opsetid("", 17)]
    body = [make_node("Relu", ["a"], ["b"])]
    model.functions.append(helper.make_function("own", "F", ["a"], ["b"], body, imports))


def sparse(model: ModelProto) -> None:
    tensor = helper.make_sparse_tensor(
        helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0]),
        helper.make_tensor("i", TensorProto.INT64, [1], [1 << 40]),
        [1 << 41],
    )
    model.graph.sparse_initializer.append(tensor)


def loop() -> bytes:
    boolean, whole = TensorProto.BOOL, TensorProto.INT64
    body = helper.make_graph(
        [make_node("Identity", ["go"], ["on"])],
        "body",
        [
            helper.make_tensor_value_info("i", whole, []),
            helper.make_tensor_value_info("go", boolean, []),
        ],
        [helper.make_tensor_value_info("on", boolean, [])],
    )
    nodes = [*SCORES, make_node("Loop", ["turns", "yes"], [], body=body)]
    return saved(a_model(nodes, [number("turns", 1 << 60, np.int64), number("yes", True, bool)]))


def computed_shape() -> bytes:
    """Return a bomb whose size follows from the image, so that no rule on shapes can see it."""
    return added(
        [
            make_node("ReduceMax", ["image"], ["most"], keepdims=0),
            make_node("Mul", ["most", "many"], ["size"]),
            make_node("Add", ["size", "many"], ["some"]),
            make_node("Cast", ["some"], ["whole"], to=TensorProto.INT64),
            make_node("Reshape", ["whole", "one"], ["shape"]),
            make_node("ConstantOfShape", ["shape"], ["zeros"]),
            make_node("ReduceSum", ["zeros"], ["extra"], keepdims=0),
        ],
        [number("many", 4e9), number("one", [1], np.int64)],
    )


def computed_resize() -> bytes:
    return added(
        [
            make_node("ReduceMax", ["image"], ["most"], keepdims=0),
            make_node("Clip", ["most", "many", "many"], ["size"]),
            make_node("Mul", ["size", "ones"], ["scales"]),
            make_node("Resize", ["image", "", "scales"], ["large"]),
            make_node("ReduceMean", ["large"], ["extra"], keepdims=0),
        ],
        [number("many", 900.0), number("ones", [1 / 900, 1 / 900, 1, 1])],
    )


def endless() -> bytes:
    """Return a file with some weeks of work in it, in small tensors."""
    chain = [make_node("MatMul", ["square", "square"], ["m0"])]
    chain += [make_node("MatMul", [f"m{n}", "shifted"], [f"m{n + 1}"]) for n in range(3000)]
    return added(
        [
            make_node("ReduceMean", ["image"], ["level"], keepdims=0),
            make_node("Add", ["square", "level"], ["shifted"]),
            *chain,
            make_node("ReduceMean", ["m3000"], ["sum"], keepdims=0),
            make_node("Clip", ["sum", "zero", "zero"], ["extra"]),
        ],
        [number("square", np.zeros((2000, 2000))), number("zero", 0.0)],
    )


def resized(scale: float) -> bytes:
    return added(
        [
            make_node("Resize", ["image", "", "scales"], ["large"]),
            make_node("ReduceMean", ["large"], ["extra"], keepdims=0),
        ],
        [number("scales", [1, 1, scale, scale])],
    )


def filled(shape: list[int]) -> bytes:
    return added(
        [
            make_node("ConstantOfShape", ["shape"], ["zeros"]),
            make_node("ReduceSum", ["zeros"], ["extra"], keepdims=0),
        ],
        [number("shape", shape, np.int64)],
    )


def declared(sizes: list[int]) -> bytes:
    def change(model: ModelProto) -> None:
        model.graph.initializer.add(name="huge", data_type=TensorProto.FLOAT, dims=sizes)

    return changed(change)


def long_chain(nodes: int) -> bytes:
    chain = [make_node("Relu", [f"r{n}"], [f"r{n + 1}"]) for n in range(nodes)]
    return added([make_node("ReduceMax", ["image"], ["r0"], keepdims=0), *chain[:-1],
                  make_node("Relu", [f"r{nodes - 1}"], ["extra"])])  # fmt: skip


def beside(kind: str, domain: str = "") -> bytes:
    """Return a file with one more operator, whose answer nobody takes."""
    return saved(a_model([*SCORES, make_node(kind, ["image"], ["e"], domain=domain)]))


def text(model: ModelProto) -> None:
    model.graph.initializer.add(name="t", data_type=8, dims=[1], string_data=[b"x"])


def drawn() -> bytes:
    return added([make_node("RandomNormal", [], ["extra"], shape=[1])])


def ended(kind: str) -> bytes:
    return saved(a_model([*SCORES, make_node(kind, ["scores"], ["p"])], output="p"))


def hostile(canary: str) -> dict[str, tuple[bytes, str]]:
    """Files that are refused before anything runs them, by name, with the code of the reason."""
    good = saved(a_model())
    return {
        "pickle": (pickle.dumps(Evil(canary)), "format_pickle"),
        "torch": (zipped("archive/data.pkl", content=pickle.dumps(Evil(canary))), "format_pickle"),
        "torchscript": (zipped("m/data.pkl", "m/constants.pkl"), "format_torchscript"),
        "keras": (zipped("config.json", "model.weights.h5"), "format_keras"),
        "zip": (zipped("x.onnx", content=good), "format_zip"),
        "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(99), "format_hdf5"),
        "saved model": (b"\x08\x01\x12\x9a\x03" + bytes(99), "format_saved_model"),
        "joblib": (b"\x78\x9c" + bytes(99), "format_compressed"),
        "tflite": (b"\x1c\0\0\0TFL3" + bytes(99), "format_tflite"),
        "empty": (b"", "file_empty"),
        "text": (b"no model at all\n" * 9, "format_unknown"),
        "old pickle": (b"cposix\nsystem\n(S'true'\ntR.", "format_unknown"),
        "cut off": (good[:-9], "format_unknown"),
        "nothing in it": (b"\x08\x08", "format_unknown"),
        "traversal": (external("../../../../etc/passwd"), "external_data"),
        "loop": (loop(), "control_flow"),
        "domain": (beside("EPContext", "com.microsoft"), "operator_foreign"),
        "function": (changed(function), "local_function"),
        "sparse": (changed(sparse), "sparse_tensor"),
        "training": (changed(lambda m: m.training_info.add()), "training_info"),
        "opset 12": (saved(a_model(opset=12)), "opset"),
        "opset 23": (saved(a_model(opset=23)), "opset"),
        "nodes": (long_chain(5_000), "nodes_too_many"),
        "random": (drawn(), "operator_random"),
        "declared": (declared([1 << 13, 1 << 14]), "tensor_too_large"),
        "unfilled": (declared([1 << 10]), "tensor_damaged"),
        "below zero": (declared([-4]), "tensor_damaged"),
        "text weights": (changed(text), "tensor_of_text"),
        "nan": (saved(a_model(gain=float("nan"))), "weights_nan"),
        "filled": (filled([40_000, 40_000]), "tensor_too_large"),
        "resized": (resized(1_000.0), "tensor_too_large"),
        "two outputs": (changed(lambda m: m.graph.output.add(name="mean")), "output_number"),
        "two inputs": (changed(lambda m: m.graph.input.add(name="more")), "input_number"),
        "labels": (saved(a_model(gives=("n", 4))), "labels_number"),
        "open size": (saved(a_model(sizes=("n", 3, "h", "w"))), "dimension_open"),
        "other size": (saved(a_model(sizes=("n", 3, 64, 64))), "input_form"),
        "channels last": (saved(a_model(sizes=("n", SIZE, SIZE, 3))), "input_form"),
        "eight at once": (saved(a_model(sizes=(8, 3, SIZE, SIZE))), "input_form"),
        "float16": (saved(a_model(kind=TensorProto.FLOAT16)), "input_form"),
        "sigmoid": (ended("Sigmoid"), "output_not_exclusive"),
        "no maker": (saved(a_model(output="bias", gives=(K,))), "output_form"),
        "unknown operator": (beside("Nonsense"), "onnx_invalid"),
        "wrong order": (saved(a_model(SCORES[::-1])), "onnx_invalid"),
        "safetensors": ((99).to_bytes(8, "little") + b"{" + bytes(9), "safetensors_unreadable"),
        "long header": ((9 << 20).to_bytes(8, "little") + b"{" + bytes(9), "header_too_large"),
    }  # fmt: skip


def one_at_a_time() -> bytes:
    nodes = [
        make_node("Reshape", ["image", "flat"], ["f"]),
        make_node("ReduceMean", ["f"], ["m"], axes=[2]),
        make_node("Reshape", ["m", "row"], ["mean"]),
        SCORES[2],
    ]
    shapes = [number("flat", [1, 3, SIZE * SIZE], np.int64), number("row", [1, 3], np.int64)]
    return saved(a_model(nodes, shapes, sizes=(1, 3, SIZE, SIZE)))


def mean_of_the_batch() -> bytes:
    nodes = [
        make_node("ReduceMean", ["image"], ["all"], keepdims=0),
        make_node("Mul", ["all", "axis"], ["extra"]),
    ]
    return added(nodes, [number("axis", [0.1, 0, 0])])


def more_scores() -> bytes:
    nodes = [*SCORES, make_node("Concat", ["scores", "mean"], ["y"], axis=1)]
    return saved(a_model(nodes, output="y", gives=("n", "k")))


def costly() -> dict[str, tuple[bytes, str]]:
    """Files that keep all rules on their form, and are refused for what they do when they run."""
    no_number = [make_node("Log", ["minus"], ["extra"])]
    return {
        "computed shape": (computed_shape(), "too_large_at_work"),
        "computed resize": (computed_resize(), "too_large_at_work"),
        "endless": (endless(), "too_costly"),
        "no number": (added(no_number, [number("minus", -1.0)]), "not_finite"),
        "one at a time": (one_at_a_time(), "batch_fixed"),
        "mean of the batch": (mean_of_the_batch(), "batch_differs"),
        "more scores": (more_scores(), "labels_number"),
    }

"""Which ONNX graphs are taken, and the one form that they get."""

import pickle
import zlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from device_builders import a_graph
from onnx.helper import make_node
from onnx_builders import (
    LABELS,
    SCORES,
    SIZE,
    K,
    a_model,
    added,
    costly,
    hostile,
    number,
    saved,
)

from cluster.errors import ModelRefused
from cluster.models.inception_graph import read_tensors
from cluster.models.model_files import PICKLE, ZLIB, form_of
from cluster.models.onnx_form import Form, InputRange, standardise
from cluster.models.onnx_rules import check_graph, read_model

HOSTILE = hostile("never-written")
COSTLY = costly()


def check(content: bytes) -> None:
    if form_of(content) == "safetensors":
        read_tensors(content)
    check_graph(read_model(content), SIZE, K)


def written(model: onnx.ModelProto, numbers: InputRange = "0-255", *, softmax: bool) -> bytes:
    read = read_model(saved(model))
    ends = check_graph(read, SIZE, K)
    return standardise(read, ends, Form(SIZE, LABELS, numbers, softmax=softmax))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_by_rule(name: str) -> None:
    """C9: each with its own code, before anything of it runs."""
    content, code = HOSTILE[name]
    with pytest.raises(ModelRefused) as refused:
        check(content)
    assert f"({code})" in str(refused.value)
    assert refused.value.what.isprintable() and len(refused.value.what) < 600
    assert not Path("never-written").exists()


def test_a_second_output_is_named_beside_what_is_taken() -> None:
    """C9: the file of a model that was trained here has a distance too; who gives it is told."""
    with pytest.raises(ModelRefused) as refused:
        check_graph(read_model(a_graph(size=SIZE)), SIZE, K)
    what = refused.value.what
    assert (
        "2 outputs ('prob', 'distance')" in what and "the scores: float32 [batch, classes]" in what
    )


def test_safetensors_are_known_by_any_length_of_their_header() -> None:
    """C9: the length is a number, so its low bytes can be the signature of a pickle or of zlib."""
    signed = [int.from_bytes(one + b"\1", "little") for one in (*PICKLE, *ZLIB, b"\x08\x01")]
    lengths = [*range(2, 4096), *signed, *range(4096, 1 << 20, 251), 1 << 20]
    for length in lengths:
        assert form_of(length.to_bytes(8, "little") + b'{"x":') == "safetensors", length


@pytest.mark.parametrize("protocol", range(2, 6))
def test_a_pickle_of_each_protocol_is_named(protocol: int) -> None:
    """C9: whatever follows its first operation; zlib of each level the same."""
    for content in ([], {"w": [1.0] * 99}, "{" * 99):
        with pytest.raises(ModelRefused, match="format_pickle"):
            form_of(pickle.dumps(content, protocol))
        for level in (1, 3, 6, 9):
            with pytest.raises(ModelRefused, match="format_compressed"):
                form_of(zlib.compress(pickle.dumps(content, protocol), level))


@pytest.mark.parametrize("name", COSTLY)
def test_the_rules_alone_do_not_see_what_a_graph_costs(name: str) -> None:
    """C9: what only shows when it runs is left to the confined process; else its tests prove
    nothing.
    """
    check(COSTLY[name][0])


@pytest.mark.parametrize("opset", [13, 22])
@pytest.mark.parametrize("batch", [1, "n", None])
def test_the_ends_of_what_is_taken(opset: int, batch: int | str | None) -> None:
    """C9: operator sets 13 to 22; a batch of one or left open."""
    model = a_model(opset=opset, sizes=(batch, 3, SIZE, SIZE), gives=(batch, K))
    assert check_graph(read_model(saved(model)), SIZE, K) == ("image", "scores")


def test_the_largest_that_is_taken() -> None:
    """C9: 5,000 nodes and a tensor of 64 Mi numbers for four images pass; one more does not."""
    chain = [make_node("Relu", [f"r{n}"], [f"r{n + 1}"]) for n in range(4_996)]
    most = make_node("ReduceMax", ["image"], ["r0"], keepdims=0)
    nodes = [*SCORES, most, *chain]
    for more, taken in (([], True), ([make_node("Relu", ["r0"], ["x"])], False)):
        model = read_model(saved(a_model([*nodes, *more])))
        assert len(model.graph.node) == 5_000 + len(more)
        if taken:
            check_graph(model, SIZE, K)
        else:
            with pytest.raises(ModelRefused, match="nodes_too_many"):
                check_graph(model, SIZE, K)
    for elements, refusal in ((1 << 26, None), ((1 << 26) + 1, "tensor_too_large")):
        content = added(
            [
                make_node("ConstantOfShape", ["shape"], ["z"]),
                make_node("ReduceSum", ["z"], ["extra"], keepdims=0),
            ],
            [number("shape", [elements], np.int64)],
        )
        if refusal is None:
            check(content)
        else:
            with pytest.raises(ModelRefused, match=refusal):
                check(content)


def test_the_file_is_written_anew_without_what_else_it_held() -> None:
    """C9: names, texts, unused parts and unknown fields of an upload do not reach a device; the
    same graph gives the same bytes.
    """
    model = a_model([*SCORES, make_node("Relu", ["image"], ["SECRET-dead"])])
    model.producer_name = model.doc_string = model.graph.doc_string = "SECRET"
    model.metadata_props.add(key="SECRET", value="SECRET")
    model.graph.initializer.append(number("SECRET", [1.0]))
    for node in model.graph.node:
        node.name = node.doc_string = "SECRET"
    model.graph.initializer[0].doc_string = "SECRET"
    model.graph.value_info.add(name="SECRET")
    unknown = b"\xfa\x7f\x06SECRET"  # field 2047, which ONNX does not have
    assert saved(model).count(b"SECRET") > 9
    read = read_model(saved(model) + unknown)
    content = standardise(
        read, check_graph(read, SIZE, K), Form(SIZE, LABELS, "0-255", softmax=True)
    )
    assert b"SECRET" not in content and content == written(a_model(), softmax=True)
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    facts = {one.key: one.value for one in onnx.load_from_string(content).metadata_props}
    assert facts["labels"] == '["red", "green", "blue"]' and facts["size"] == str(SIZE)


@pytest.mark.parametrize(
    ("numbers", "shift", "scale"),
    [
        ("0-255", 0.0, 1.0),
        ("0-1", 0.0, 255.0),
        ("-1-1", 127.5, 127.5),
        (
            "imagenet",
            np.reshape([123.675, 116.28, 103.53], (3, 1, 1)),
            np.reshape([58.395, 57.12, 57.375], (3, 1, 1)),
        ),
    ],
)
def test_the_written_file_takes_0_to_255(numbers: InputRange, shift: float, scale: float) -> None:
    """C9: the graph with its normalisation inside says what the uploaded one says of normalised
    pixels; a softmax behind logits makes probabilities of them.
    """
    image = np.random.default_rng(1).uniform(0, 255, (2, 3, SIZE, SIZE)).astype(np.float32)
    before = onnxruntime.InferenceSession(saved(a_model(gain=3.0 if numbers != "0-255" else 0.01)))
    model = a_model(gain=3.0 if numbers != "0-255" else 0.01)
    after = onnxruntime.InferenceSession(written(model, numbers, softmax=True))
    scores = before.run(None, {"image": ((image - shift) / scale).astype(np.float32)})[0]
    expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    (found,) = after.run(["prob"], {"image": image})
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert expected.max() > 0.36  # it is not flat

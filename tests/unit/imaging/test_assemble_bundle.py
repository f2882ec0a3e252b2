"""What goes into a bundle, and what is left out of it."""

import hashlib
import io
import json
from dataclasses import replace
from functools import cache

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from PIL import Image
from small_network import LABELS, SIDE, a_card, coloured, examples, labels, trained_model

from cluster.contracts.image_models import Variant
from cluster.errors import InputError
from cluster.images.resize import model_pixels
from cluster.imaging.assemble import Assembled, assemble, unfit
from cluster.imaging.golden import drawn_pictures
from cluster.imaging.graph import Graph, Pixels
from cluster.imaging.quantise import quantise
from cluster.models.bundle import check_bundle


def threshold(distance_N: NDArray[np.float32]) -> float:
    return float(np.quantile(distance_N, 0.95))


@cache
def made() -> Assembled:
    return assemble(trained_model(), labels(), examples(), a_card(), threshold)


def test_a_bundle_is_whole() -> None:
    """C3 C4: both files, golden pictures, digests and sizes; a public check finds nothing."""
    bundle, files, _ = made()
    golden = {f"golden-{number}.png" for number in (1, 2, 3)}
    assert set(files) == {"model-fp32.onnx", "model-int8.onnx"} | golden
    assert check_bundle(bundle, files) == []
    assert bundle.label_names == LABELS
    assert bundle.card.limits == ("knows three colours",)
    fp32, int8 = bundle.variant("fp32"), bundle.variant("int8")
    assert fp32 and int8
    assert (fp32.agreement, fp32.probability_change_max) == (1.0, 0.0)
    assert int8.agreement >= 0.98 and int8.accuracy and fp32.accuracy
    assert fp32.accuracy - int8.accuracy <= 0.01
    assert 0 < int8.probability_change_max < 0.2


def test_each_file_has_its_own_threshold() -> None:
    """C10: the threshold of a file comes from what that file measures on validation images."""
    bundle, files, _ = made()
    assert len({one.outside_above for one in bundle.variants}) == 2
    for name in ("fp32", "int8"):
        said = Graph(files[f"model-{name}.onnx"]).answers(examples().validation_NSS3)
        variant = bundle.variant(name)  # type: ignore[arg-type]  # a name out of the tuple
        assert variant and said.distance_N is not None
        assert variant.outside_above == threshold(said.distance_N)


def test_both_files_say_what_they_are() -> None:
    """C3: labels, size, resize, temperature and data set are in the file itself."""
    for name in ("model-fp32.onnx", "model-int8.onnx"):
        model = onnx.load_from_string(made().files[name])
        facts = {one.key: one.value for one in model.metadata_props}
        assert json.loads(facts["labels"]) == list(LABELS)
        assert (facts["size"], facts["temperature"]) == (str(SIDE), "0.7")
        assert facts["resize"] == "centre-square-pillow-bilinear-v1"
        assert facts["data_set_digest"] == "d" * 64
        assert not [key for key in facts if key.startswith("onnx.")]


def test_int8_leaves_head_and_tail_in_float() -> None:
    """C3: the trunk is in 8 bits, but for its first two convolutions; nothing behind it is."""
    model = onnx.load_from_string(made().files["model-int8.onnx"])
    weights = {one.name: one for one in model.graph.initializer}
    int8 = onnx.TensorProto.INT8
    stored = {
        node.output[0]
        for node in model.graph.node
        if node.op_type == "DequantizeLinear"
        and node.input[0] in weights
        and weights[node.input[0]].data_type == int8
    }
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert [node.input[1] in stored for node in convolutions] == [False, False, True, True]
    others = [n for n in model.graph.node if n.op_type in {"Gemm", "MatMul"}]
    assert len(others) == 2 and not [n for n in others if n.input[1] in stored]
    quantised = {n.input[0] for n in model.graph.node if n.op_type == "QuantizeLinear"}
    tail = ("Gemm", "Softmax", "ReduceMin", "Sqrt", "ReduceMean")
    made_by = {out: n.op_type for n in model.graph.node for out in n.output}
    assert not [one for one in quantised if made_by.get(one) in tail]


def test_broken_int8_is_left_out() -> None:
    """C3: calibrated on grey cards, int8 answers something else; the card says so in figures."""
    grey: Pixels = np.full((16, SIDE, SIDE, 3), 128, np.uint8)
    broken = replace(examples(), calibration_NSS3=grey)
    bundle, files, _ = assemble(trained_model(), labels(), broken, a_card(), threshold)
    assert bundle.variant("int8") is None and "model-int8.onnx" not in files
    assert check_bundle(bundle, files) == []
    first, reason = bundle.card.limits
    assert first == "knows three colours"
    assert reason.startswith("There is no int8 file: it gives the answer of the fp32 file on ")
    assert "98% are asked for" in reason and "points of accuracy" in reason


@pytest.mark.parametrize(
    ("agreement", "accuracy", "agreement_min", "is_fit"),
    [
        (0.98, 0.95, 0.98, True),
        (0.979, 0.96, 0.98, False),
        (0.97, 0.96, 0.96, True),
        (1.0, 0.9499, 0.98, False),
        (0.98, float("nan"), 0.98, False),
    ],
)
def test_gates_of_int8(
    agreement: float, accuracy: float, agreement_min: float, is_fit: bool
) -> None:
    """C3: 98 % of the same answers (96 % for filters of one channel), and at most a point lost."""
    one = Variant(name="fp32", sha256="0" * 64, size=1, accuracy=0.96)
    two = Variant(name="int8", sha256="1" * 64, size=1, accuracy=accuracy, agreement=agreement)
    assert (unfit(one, two, agreement_min) == "") == is_fit


def test_golden_vectors_can_be_done_again() -> None:
    """C3: PNG, then the named resize, then the fp32 file: the same digest and probabilities."""
    bundle, files, _ = made()
    assert len(bundle.golden) == 3
    for golden in bundle.golden:
        picture = Image.open(io.BytesIO(files[golden.file]))
        assert picture.format == "PNG" and picture.mode == "RGB" and not picture.info
        assert min(picture.size) > SIDE
        pixels = model_pixels(picture, SIDE)
        assert hashlib.sha256(pixels.tobytes()).hexdigest() == golden.tensor_sha256
        said = Graph(files["model-fp32.onnx"]).answers(pixels[None])
        assert said.distance_N is not None and golden.distance is not None
        assert np.allclose(said.p_NK[0], golden.probabilities, atol=2e-6)
        assert np.isclose(said.distance_N[0], golden.distance, rtol=1e-4)


def test_golden_pictures_show_a_wrong_resize() -> None:
    """C3: drawn, wide, high and square, and each common wrong resize changes their pixels."""
    pictures = drawn_pictures(96)
    assert [one.tobytes() for one in pictures] == [one.tobytes() for one in drawn_pictures(96)]
    assert [np.sign(one.width - one.height) for one in pictures] == [1, -1, 0]
    for picture in pictures:
        side = min(picture.size)
        assert side > 96
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        square = picture.crop((left, top, left + side, top + side))
        right = model_pixels(picture, 96).astype(int)
        for other in (Image.Resampling.NEAREST, Image.Resampling.BICUBIC, Image.Resampling.BOX):
            wrong = np.asarray(square.resize((96, 96), other), int)
            assert np.abs(right - wrong).mean() > 1


def test_golden_pictures_count_for_the_change_of_int8() -> None:
    """C3: so a device that checks int8 by them allows what was measured."""
    bundle, files, _ = made()
    int8 = bundle.variant("int8")
    pixels = np.stack([model_pixels(one, SIDE) for one in drawn_pictures(SIDE)])
    said = Graph(files["model-int8.onnx"]).answers(pixels).p_NK
    expected = np.array([one.probabilities for one in bundle.golden])
    assert int8 and np.abs(said - expected).max() <= int8.probability_change_max + 1e-5


def test_without_images_nothing_is_made() -> None:
    """C3: a bundle that nothing was judged by is refused; so is int8 without images."""
    pixels, truth = coloured(0, 0)
    none = replace(examples(), validation_NSS3=pixels, truth_N=truth)
    with pytest.raises(InputError, match="validation"):
        assemble(trained_model(), labels(), none, a_card(), threshold)
    with pytest.raises(InputError, match="calibrate"):
        quantise(made().files["model-fp32.onnx"], pixels)


def test_int8_is_the_same_every_time() -> None:
    """C3: the same file and images give the same bytes."""
    files = made().files
    assert (
        quantise(files["model-fp32.onnx"], examples().calibration_NSS3) == files["model-int8.onnx"]
    )

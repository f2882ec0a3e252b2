"""Where Grad-CAM looks."""

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from cluster.imaging.saliency import grad_cam, overlay_png

SIDE, PATCH = 64, slice(40, 52)


class TinyNetwork(nn.Module):
    """Class 0 speaks for bright places, class 1 for dark ones; class 2 is told by nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.ReLU(inplace=True))
        with torch.no_grad():
            self.maps[0].weight[0], self.maps[0].weight[1] = 1 / 27, -1 / 27
            self.maps[0].bias.copy_(torch.tensor([-128.0, 128.0]))
        self.dropout = nn.Dropout(0.5)
        self.requires_grad_(requires_grad=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        pooled = self.maps(x).mean((2, 3))
        logits = torch.cat([pooled, torch.zeros(len(x), 1) * pooled[:, :1]], 1)
        return self.dropout(logits), pooled


def images() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A dark image with a bright patch, and the reverse of it."""
    pixels = np.full((2, SIDE, SIDE, 3), 20, np.uint8)
    pixels[0, PATCH, PATCH] = 250
    pixels[1] = 255 - pixels[0]
    return pixels


def test_the_heat_lies_on_the_patch() -> None:
    """C2: what speaks for a class is found, for each image and class that is asked about."""
    heat_Bhw = grad_cam(network := TinyNetwork(), images(), np.array([0, 1]), network.maps)
    assert heat_Bhw.shape == (2, SIDE, SIDE)
    for heat_hw in heat_Bhw:
        assert heat_hw.max() == 1 and heat_hw.min() == 0
        assert heat_hw[PATCH, PATCH].sum() > 0.8 * heat_hw.sum()
    other_Bhw = grad_cam(network, images(), np.array([1, 0]), network.maps)
    assert (other_Bhw[:, PATCH, PATCH].mean((1, 2)) < 0.1).all()


def test_nothing_speaks_for_a_class_that_sees_nothing() -> None:
    """C2: no heat is made up, and none divided by nothing."""
    network = TinyNetwork()
    assert not grad_cam(network, images(), np.array([2, 2]), network.maps).any()


def test_the_network_is_left_as_it_was() -> None:
    """C2: mode, weights, gradients and hooks, also under no_grad and with frozen weights."""
    network = TinyNetwork().train()
    before = {name: one.clone() for name, one in network.state_dict().items()}
    with torch.inference_mode():
        first = grad_cam(network, images(), np.array([0, 0]), network.maps)
    assert np.array_equal(first, grad_cam(network, images(), np.array([0, 0]), network.maps))
    assert network.training and not network.maps._forward_hooks
    assert all(torch.equal(before[name], one) for name, one in network.state_dict().items())
    assert all(one.grad is None for one in network.parameters())


def test_the_overlay_is_the_image_where_it_is_cold() -> None:
    """C2: the heat is laid on in the size of the image, and only where there is heat."""
    pixels, heat = images()[0], np.zeros((8, 8), np.float32)
    heat[5:7, 5:7] = 1
    shown = np.asarray(Image.open(io.BytesIO(overlay_png(pixels, heat))))
    assert shown.shape == pixels.shape
    assert np.array_equal(shown[:24, :24], pixels[:24, :24])
    assert not np.array_equal(shown[PATCH, PATCH], pixels[PATCH, PATCH])

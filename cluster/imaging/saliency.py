"""Where in an image the answer came from: Grad-CAM (Selvaraju 2017) on feature maps (C2).

The heat is as coarse as these maps are, and says where a class was seen, not why. It is for people
who look for a model that looks at the wrong place; no figure is made of it.

Shapes: B images of H x W pixels, C channels of maps of h x w.
"""

import io
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

RAMP: Final = np.array([(0, 0, 60), (0, 114, 178), (230, 159, 0), (255, 245, 180)], np.float64)
"""Colours from cold to hot: rising in lightness, so that they are told apart without colour."""
OPACITY_MAX: Final = 0.65
"""Of the hottest places; cold ones show the image alone."""


def grad_cam(
    network: nn.Module,
    pixels_BHW3: NDArray[np.uint8],
    class_B: NDArray[np.integer],
    layer: nn.Module,
) -> NDArray[np.float32]:
    """Return how much each place speaks for a class, relative to the hottest of its image.

    Weights and their gradients stay as they are, also where they are frozen; the network is left
    in the mode in which it came.

    Args:
        network: takes float32 [B, 3, H, W] of 0..255; its answer, or the first part of it, is the
            logits [B, K].
        pixels_BHW3: RGB images.
        class_B: the class that is asked about, for each image.
        layer: the module inside of the network whose output are the feature maps [B, C, h, w].

    Returns:
        Heat [B, h, w] of 0 to 1; all 0 where nothing speaks for the class.
    """
    maps: list[Tensor] = []
    was_training = network.training
    hook = layer.register_forward_hook(lambda _module, _inputs, output: maps.append(output))
    network.eval()
    try:
        with torch.inference_mode(mode=False), torch.enable_grad():
            x = torch.from_numpy(np.ascontiguousarray(pixels_BHW3.transpose(0, 3, 1, 2))).float()
            device = next((one.device for one in network.parameters()), x.device)
            answer = network(x.to(device).requires_grad_())
            logits = answer[0] if isinstance(answer, tuple) else answer
            picked = logits[torch.arange(len(x)), torch.from_numpy(class_B).long()].sum()
            (slope_BChw,) = torch.autograd.grad(picked, maps[-1])
    finally:
        hook.remove()
        network.train(was_training)
    with torch.no_grad():
        heat_Bhw = (slope_BChw.mean((2, 3), keepdim=True) * maps[-1]).sum(1).relu()
        peak_B11 = heat_Bhw.amax((1, 2), keepdim=True)
        heat_Bhw = torch.where(peak_B11 > 0, heat_Bhw / peak_B11, 0.0)
    return heat_Bhw.float().cpu().numpy()


def overlay_png(pixels_HW3: NDArray[np.uint8], heat_hw: NDArray[np.float32]) -> bytes:
    """Lay heat of 0 to 1 over its image and return it as a PNG."""
    height, width = pixels_HW3.shape[:2]
    heat = Image.fromarray(heat_hw.astype(np.float32)).resize(
        (width, height), Image.Resampling.BILINEAR
    )
    heat_HW = np.clip(np.asarray(heat, np.float64), 0, 1)
    steps = np.linspace(0, 1, len(RAMP))
    color_HW3 = np.stack([np.interp(heat_HW, steps, RAMP[:, c]) for c in range(3)], axis=-1)
    opacity_HW1 = OPACITY_MAX * heat_HW[..., None]
    mixed_HW3 = (1 - opacity_HW1) * pixels_HW3 + opacity_HW1 * color_HW3
    stream = io.BytesIO()
    Image.fromarray(mixed_HW3.round().astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()

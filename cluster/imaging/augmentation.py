"""Changes of training images that leave their class as it is (B7).

What differs between places where images are taken must not decide: how close, how stretched, how
bright, how sharp. So images are cut and stretched as Szegedy (2015) did, turned, mirrored, and
changed in light, colour and sharpness.
"""

import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2

from cluster.learning.chance import reproducible

AREA, STRETCH, DEGREES, LIGHT, COLOUR, HUE = 0.4, 1.3, 15.0, 0.4, 0.2, 0.03
"""Of strength 1: area that is cut away at the most, ratio of the sides, degrees, and shares."""
BLUR, SHARPNESS, CHANGED = 1.2, 2.0, 0.25
"""Standard deviation in pixels at the most, factor of sharpening, and share of images of each."""


class Augmentation:
    """Changes drawn anew for each image."""

    def __init__(self, strength: float, side: int) -> None:
        """Prepare the changes.

        Args:
            strength: 0 leaves only the mirrors; 1 is the default.
            side: pixels of what comes out; it may be smaller than what goes in.
        """
        steps: list[torch.nn.Module] = [v2.RandomHorizontalFlip(), v2.RandomVerticalFlip()]
        if strength > 0:
            stretch = STRETCH**strength
            area = (max(1 - AREA * strength, 0.1), 1.0)
            light = min(LIGHT * strength, 0.9)
            colour, hue = min(COLOUR * strength, 0.9), min(HUE * strength, 0.5)
            steps += [
                v2.RandomRotation(DEGREES * strength, interpolation=InterpolationMode.BILINEAR),
                v2.RandomResizedCrop(side, area, (1 / stretch, stretch)),
                v2.ColorJitter(light, light, colour, hue),
                v2.RandomApply([v2.GaussianBlur(5, (0.1, 0.1 + BLUR * strength))], CHANGED),
                v2.RandomAdjustSharpness(1 + SHARPNESS * strength, CHANGED),
            ]
        else:
            steps.append(v2.Resize(side))
        self._steps = v2.Compose(steps)

    def __call__(self, pixels_B3HW: Tensor, seed: int) -> Tensor:
        """Return changed images [B, 3, side, side].

        Args:
            pixels_B3HW: uint8, square.
            seed: of all that is drawn for this batch; the same one gives the same images.
        """
        with reproducible(seed):  # on one thread: small images are much slower on several
            return torch.stack([self._steps(image) for image in pixels_B3HW])

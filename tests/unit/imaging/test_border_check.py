"""Whether the edge of images tells their class."""

import numpy as np
import pytest

from cluster.errors import InputError
from cluster.imaging.shortcut import border_accuracy, border_colours

EACH, SIDE = 30, 32
TRUTH_N = np.repeat([0, 1], EACH)
GROUP_N = np.arange(2 * EACH)


def noise(seed: int = 1) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    generator = np.random.default_rng(seed)
    return generator.integers(60, 180, (2 * EACH, SIDE, SIDE, 3), np.uint8)


def test_a_margin_of_one_class_is_found() -> None:
    """C2: images of one class with a darker margin are told by it alone."""
    pixels = noise()
    pixels[TRUTH_N == 1, :, :2] //= 2
    found = border_accuracy(pixels, TRUTH_N, GROUP_N)
    assert found.accuracy.share > 0.95 and found.tells
    assert found.chance == 0.5


def test_what_lies_inside_is_not_seen() -> None:
    """C2: a class that only the middle tells is not told by the edge."""
    pixels = noise()
    pixels[TRUTH_N == 1, 4:-4, 4:-4] = 255
    assert np.array_equal(border_colours(pixels), border_colours(noise()))
    assert not border_accuracy(pixels, TRUTH_N, GROUP_N).tells


def test_images_of_one_person_are_on_one_side() -> None:
    """C2: a look that persons have, and classes have not, tells nothing of another person."""
    look_S = np.random.default_rng(5).integers(0, 256, (4, 12, 1, 1, 3), np.uint8).repeat(5, axis=1)
    pixels = noise()
    pixels[:, :2], pixels[:, -2:], pixels[:, :, :2], pixels[:, :, -2:] = look_S
    apart = border_accuracy(pixels, TRUTH_N, GROUP_N // 5).accuracy
    mixed = border_accuracy(pixels, TRUTH_N, GROUP_N).accuracy
    assert mixed.low > 0.9 and apart.low < 0.6


@pytest.mark.parametrize("truth", [np.zeros(2 * EACH, int), (GROUP_N < 3).astype(int)])
def test_too_few_images_are_refused(
    truth: np.ndarray[tuple[int], np.dtype[np.int64]],
) -> None:
    """C2: one class, or a class of three images, cannot be asked about."""
    with pytest.raises(InputError):
        border_accuracy(noise(), truth, GROUP_N)

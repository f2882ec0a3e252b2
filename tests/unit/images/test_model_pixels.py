"""The one resize."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_builders import pixels
from PIL import Image

from cluster.images.resize import model_pixels


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 70), st.integers(0, 9))
def test_it_is_the_middle_square_by_pillow(width: int, height: int, size: int, seed: int) -> None:
    """C3: the same pixels as Pillow's BILINEAR over the middle square, for any shape."""
    image = pixels(seed, width, height)
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    square = Image.fromarray(np.asarray(image)[top : top + side, left : left + side].copy())
    expected = square.resize((size, size), Image.Resampling.BILINEAR)
    found = model_pixels(image, size)
    assert found.dtype == np.uint8 and found.shape == (size, size, 3)
    assert np.array_equal(found, np.asarray(expected))


def test_rows_are_from_the_top_and_colours_red_first() -> None:
    """C3: the axes are those that the graph takes."""
    image = Image.new("RGB", (40, 20), (10, 20, 30))
    image.paste((200, 20, 30), (0, 0, 40, 10))
    found = model_pixels(image, 20)
    assert found[0, 5].tolist() == [200, 20, 30] and found[-1, 5].tolist() == [10, 20, 30]


def test_another_filter_gives_other_pixels() -> None:
    """C3: no other rule would do: what most programs take by default is levels away."""
    image = pixels(3, 300, 300)
    noise = np.random.default_rng(1).integers(-60, 61, (300, 300, 3))
    image = Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))
    found = model_pixels(image, 64).astype(int)
    for other in (Image.Resampling.NEAREST, Image.Resampling.BICUBIC):
        away = np.abs(np.asarray(image.resize((64, 64), other)).astype(int) - found)
        assert away.mean() > 1


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_only_rgb_is_taken(mode: str) -> None:
    """C3: how other pictures become RGB is decided where they are read, not here."""
    with pytest.raises(ValueError, match=f"not {mode}"):
        model_pixels(pixels(0).convert(mode), 32)

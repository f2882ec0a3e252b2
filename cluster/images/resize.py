"""The one resize from a picture to the pixels that an image model takes (C3).

Every client makes them by this rule and no other: the default smoothing of a browser's canvas
changes 4 % of the answers of a model that was trained on these pixels.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FILTER: Final = Image.Resampling.BILINEAR


def model_pixels(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """Return the middle square of a picture as ``centre-square-pillow-bilinear-v1`` names it (C3).

    The longer side is cut to the shorter one, with the odd pixel at the right or bottom; then
    Pillow's BILINEAR, whose support grows with the ratio, makes the square size x size.

    Args:
        image: upright, RGB of 8 bits.
        size: pixels of a side of the result.

    Returns:
        Array [size, size, 3]: rows from the top, columns from the left, red green blue, 0 to 255.

    Raises:
        ValueError: the picture is not RGB; how alpha or grey become RGB is not decided here.
    """
    if image.mode != "RGB":
        message = f"an RGB picture is needed, not {image.mode}"
        raise ValueError(message)
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return np.array(square.resize((size, size), FILTER), dtype=np.uint8)

"""Pictures with what they must give, by which every client checks itself (C3).

They are drawn, for they are published with the model, and no image of a patient has to be. They are
larger than what the graph takes and full of small edges, so the check goes through the resize of
the client too, and a resize by another rule shows. As PNG their pixels are the same everywhere.
"""

import io
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cluster.contracts.image_models import Golden
from cluster.ids import sha256
from cluster.images.resize import model_pixels

SHAPES: Final = ((1.5, 1.3), (1.3, 1.6), (1.4, 1.4))
"""Width and height over the side of the graph: wide, high and square."""
GRAINS: Final = ((32, 100), (8, 90), (2, 60))
"""Pixels of a side of a patch, and how many grey levels it may have."""
PNG_LEVEL: Final = 9
Floats = NDArray[np.float32]


def drawn_pictures(size: int) -> tuple[Image.Image, ...]:
    """Return coloured patches on patches, the same at every call.

    Args:
        size: pixels of a side of what the graph takes.
    """
    return tuple(
        _patches(round(width * size), round(height * size), seed)
        for seed, (width, height) in enumerate(SHAPES)
    )


def _patches(width: int, height: int, seed: int) -> Image.Image:
    random = np.random.default_rng(seed)
    values_HW3 = np.zeros((height, width, 3), np.uint8)
    for side, levels in GRAINS:
        shape = (-(-height // side), -(-width // side), 3)
        patch = random.integers(0, levels, shape, np.uint8)
        values_HW3 += patch.repeat(side, 0).repeat(side, 1)[:height, :width]
    return Image.fromarray(values_HW3)


def golden_vectors(
    size: int, p_NK: Floats, distance_N: Floats | None = None
) -> tuple[tuple[Golden, ...], dict[str, bytes]]:
    """Return what a model says of the drawn pictures, and these as files by name (C3).

    Args:
        size: pixels of a side of what the graph takes.
        p_NK: probabilities of the fp32 file for the drawn pictures, in their order.
        distance_N: their distances; None of a model that measures none.
    """
    golden, files = [], {}
    for at, picture in enumerate(drawn_pictures(size)):
        name, content = f"golden-{at + 1}.png", _png(picture)
        files[name] = content
        golden.append(
            Golden(
                file=name,
                sha256=sha256(content),
                tensor_sha256=sha256(model_pixels(picture, size).tobytes()),
                probabilities=tuple(min(1.0, float(p)) for p in p_NK[at]),
                distance=None if distance_N is None else float(distance_N[at]),
            )
        )
    return tuple(golden), files


def _png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG", compress_level=PNG_LEVEL)
    return stream.getvalue()

"""Pictures with what they must give, by which every client checks itself (C3).

They are drawn, for they are published with the model, and no image of a patient has to be. They are
larger than what the graph takes and full of small edges, so the check goes through the resize of
the client too, and a resize by another rule shows. As PNG their pixels are the same everywhere.
"""

import io
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from cluster.contracts.image_models import Golden
from cluster.ids import sha256
from cluster.images.resize import model_pixels

if TYPE_CHECKING:
    from cluster.imaging.graph import Graph

SHAPES: Final = ((1.5, 1.3), (1.3, 1.6), (1.4, 1.4))
"""Width and height over the side of the graph: wide, high and square."""
GRAINS: Final = ((32, 100), (8, 90), (2, 60))
"""Pixels of a side of a patch, and how many grey levels it may have."""
DECIMALS: Final = 6
PNG_LEVEL: Final = 9


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


def golden_vectors(size: int, graph: "Graph") -> tuple[tuple[Golden, ...], dict[str, bytes]]:
    """Return what the fp32 file says of the drawn pictures, and these as files by name (C3).

    Args:
        size: pixels of a side of what the graph takes.
        graph: the fp32 file.
    """
    golden, files = [], {}
    for number, picture in enumerate(drawn_pictures(size), start=1):
        pixels_SS3 = model_pixels(picture, size)
        said = graph.answers(pixels_SS3[None])
        distance = None if said.distance_N is None else float(said.distance_N[0])
        name, content = f"golden-{number}.png", _png(picture)
        files[name] = content
        golden.append(
            Golden(
                file=name,
                sha256=sha256(content),
                tensor_sha256=sha256(pixels_SS3.tobytes()),
                probabilities=tuple(round(float(p), DECIMALS) for p in said.p_NK[0]),
                distance=None if distance is None else round(distance, DECIMALS),
            )
        )
    return tuple(golden), files


def _png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG", compress_level=PNG_LEVEL)
    return stream.getvalue()

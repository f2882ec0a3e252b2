"""Noisy pictures of two colours, as a lesson."""

import io

import numpy as np
from PIL import Image

from cluster.contracts.images import ImageSetManifest, Split, StoredImage
from cluster.ids import sha256
from cluster.imaging.lesson import Lesson

SIZE = 75
COLOURS = {"amber": (200, 140, 40), "blue": (40, 60, 200)}
PLACES = (0, 1, 0, 2, 0, 0)
"""In which of the splits an image is, by its number."""


def a_lesson(
    per_class: int = 12, *, splits: tuple[Split, ...] = ("training", "validation")
) -> Lesson:
    files: dict[str, bytes] = {}
    images = []
    generator = np.random.default_rng(0)
    for label, colour in COLOURS.items():
        for n in range(per_class):
            noise = generator.normal(0, 40, (SIZE, SIZE + 7, 3))
            pixels = np.clip(np.asarray(colour) + noise, 0, 255).astype(np.uint8)
            stream = io.BytesIO()
            Image.fromarray(pixels).save(stream, "PNG")
            digest = sha256(stream.getvalue())
            files[digest] = stream.getvalue()
            images.append(
                StoredImage(
                    digest=digest,
                    label=label,
                    split=splits[PLACES[n % len(PLACES)] % len(splits)],
                    group=n,
                    width=SIZE + 7,
                    height=SIZE,
                    media_type="image/png",
                    size=len(stream.getvalue()),
                )
            )
    manifest = ImageSetManifest(encoding="png", labels=tuple(COLOURS), images=tuple(images))
    return Lesson(manifest, lambda image: files[image.digest], SIZE)

"""A clean image set as training sees it: rows, classes, parts, and pixels when asked for (C2)."""

import io
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cluster.contracts.images import ImageSetManifest, Split, StoredImage
from cluster.errors import ImageSetRefused
from cluster.images.resize import model_pixels

IMAGES_MIN: Final = 5
"""Training images of a class below which nothing can be learned of it."""
PIXEL_BYTES_MAX: Final = 2 << 30
"""Decoded images that a worker keeps in memory; the others are decoded each time."""
Ints = NDArray[np.int64]
Read = Callable[[StoredImage], bytes]


class Lesson:
    """The images of one set at one size."""

    def __init__(self, manifest: ImageSetManifest, read: Read, size: int) -> None:
        """Take over a set.

        Args:
            manifest: its images with classes and parts.
            read: gives the clean file of an image.
            size: pixels of a side.

        Raises:
            ImageSetRefused: a class has too few training images, or none to validate by.
        """
        self.labels: tuple[str, ...] = manifest.labels
        self.images: tuple[StoredImage, ...] = manifest.images
        self.size = size
        self.seen: Callable[[int], None] = lambda number: None
        """Is told of each batch how many images it has."""
        self._read = read
        place = {label: at for at, label in enumerate(manifest.labels)}
        self.truth_N: Ints = np.asarray([place[one.label] for one in manifest.images], np.int64)
        self._split_N = np.asarray([one.split for one in manifest.images])
        self._kept: dict[int, NDArray[np.uint8]] = {}
        self._check()

    def _check(self) -> None:
        for part, least in (("training", IMAGES_MIN), ("validation", 1)):
            counts = np.bincount(self.truth_N[self.rows_of(part)], minlength=len(self.labels))
            few = [f"{self.labels[at]} {counts[at]}" for at in np.flatnonzero(counts < least)]
            if few:
                what = f"classes with under {least} images in the {part} part: {', '.join(few)}"
                raise ImageSetRefused(what, "class_too_small", "Add images, or leave them out.")

    def rows_of(self, part: str | Split) -> Ints:
        """Return the rows of a part."""
        return np.flatnonzero(self._split_N == part)

    def pixels(self, rows: Sequence[int] | Ints) -> NDArray[np.uint8]:
        """Return images [n, S, S, 3], resized as every client does it."""
        return np.stack([self._pixels(int(row)) for row in rows])

    def batch(self, rows: Sequence[int] | Ints) -> Tensor:
        """Return images as uint8 [n, 3, S, S]."""
        pixels_BSS3 = self.pixels(rows)
        self.seen(len(pixels_BSS3))
        return torch.from_numpy(pixels_BSS3).permute(0, 3, 1, 2)

    def file(self, row: int) -> bytes:
        """Return the clean file of an image."""
        return self._read(self.images[row])

    def _pixels(self, row: int) -> NDArray[np.uint8]:
        found = self._kept.get(row)
        if found is None:
            with Image.open(io.BytesIO(self.file(row))) as image:
                found = model_pixels(image.convert("RGB"), self.size)
            if (len(self._kept) + 1) * found.nbytes <= PIXEL_BYTES_MAX:
                self._kept[row] = found
        return found

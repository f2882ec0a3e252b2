"""Makes of a photograph the picture that a model sees, and that may leave a device (C6).

It is read with the limits of the intake of training sets, so it becomes what the model learned
from: upright RGB in sRGB with at most 1,024 pixels a side, encoded anew without any metadata. Of an
original over 1 MB only what the model looks at is kept, the middle square, as JPEG of quality 85.
"""

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image

from cluster.errors import InputError, SourceUnreadable
from cluster.images.decode import Refusal, decode
from cluster.images.limits import Limits
from cluster.images.names import shown

ORIGINAL_BYTES: Final = 1_000_000
"""Larger originals are cropped and compressed."""
SIDE_MAX: Final = 1024
QUALITY: Final = 85
LIMITS: Final = Limits(side_max=SIDE_MAX)
PNG: Final = b"\x89PNG"
ROUNDING: Final = 1e-6


@dataclass(frozen=True)
class Crop:
    """A part of the upright picture, in fractions of its width and height."""

    left: float
    top: float
    width: float
    height: float

    @classmethod
    def of(cls, text: str) -> "Crop":
        """Read ``x,y,w,h``.

        Raises:
            InputError: it is no part of a picture.
        """
        try:
            left, top, width, height = (float(one) for one in text.split(","))
        except ValueError:
            left = top = width = height = math.nan
        ends = (left + width, top + height)
        inside = left >= 0 and top >= 0 and width > 0 and height > 0
        if not inside or not all(end <= 1 + ROUNDING for end in ends):
            what = f"{text[:60]!r} is no part of a picture"
            raise InputError(
                what, "--crop", "Write x,y,w,h from 0 to 1, such as 0.25,0.25,0.5,0.5."
            )
        return cls(left, top, width, height)


@dataclass(frozen=True)
class Picture:
    """A picture that may leave."""

    content: bytes
    """JPEG, or PNG where the original is one of at most 1 MB that was not cropped."""
    width: int
    height: int
    bytes_given: int
    removed: tuple[str, ...]
    """What was taken out or changed, by the names of the intake, such as exif, place."""

    @property
    def form(self) -> str:
        """JPEG or PNG: the file is always encoded anew."""
        return "PNG" if self.content.startswith(PNG) else "JPEG"

    def image(self) -> Image.Image:
        """Return the pixels, RGB."""
        with Image.open(io.BytesIO(self.content), formats=("JPEG", "PNG")) as image:
            return image.convert("RGB")


def read_picture(path: Path) -> bytes:
    """Return the bytes of a file.

    Raises:
        SourceUnreadable: it cannot be read, or is too large.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(LIMITS.image_bytes + 1)
    except OSError as error:
        what = f"{shown(str(path))} cannot be read ({type(error).__name__})"
        raise SourceUnreadable(what, remedy="Give a JPEG, PNG or WebP file.") from None
    if len(content) > LIMITS.image_bytes:
        what = f"{shown(str(path))} has over {LIMITS.image_bytes >> 20} MiB"
        raise SourceUnreadable(what, remedy="Give a smaller picture.")
    return content


def prepare(content: bytes, crop: Crop | None = None) -> Picture:
    """Make the picture that may leave (C6).

    Args:
        content: a JPEG, PNG or WebP file.
        crop: the part that counts; without it, all of a file up to 1 MB, and of a larger one the
            middle square.

    Raises:
        SourceUnreadable: it is none, or damaged, or too large, or too little is left of it.
    """
    side_max = (
        SIDE_MAX if crop is None else math.floor((SIDE_MAX - 1) / max(crop.width, crop.height))
    )
    decoded = decode(content, Limits(side_max=side_max))
    if isinstance(decoded, Refusal):
        what = f"the picture is not taken: {decoded.message}"
        raise SourceUnreadable(what, decoded.code, "Give another one, as JPEG, PNG or WebP.")
    is_large = len(content) > ORIGINAL_BYTES
    if crop is None and not is_large:
        size = (decoded.width, decoded.height)
        return Picture(decoded.content, *size, len(content), decoded.cleaned)
    with Image.open(io.BytesIO(decoded.content), formats=("JPEG", "PNG")) as image:
        cut = image.crop(_middle(image.size) if crop is None else _box(crop, image.size))
    if min(cut.size) < LIMITS.side_min:
        what = f"{cut.width} x {cut.height} pixels are left of the picture"
        raise SourceUnreadable(what, "--crop", f"Keep at least {LIMITS.side_min} a side.")
    stream = io.BytesIO()
    cut.save(stream, "JPEG", quality=QUALITY, subsampling=0)
    return Picture(stream.getvalue(), *cut.size, len(content), (*decoded.cleaned, "cropped"))


def _middle(size: tuple[int, int]) -> tuple[int, int, int, int]:
    side = min(size)
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    return left, top, left + side, top + side


def _box(crop: Crop, size: tuple[int, int]) -> tuple[int, int, int, int]:
    width, height = size
    return (
        round(crop.left * width),
        round(crop.top * height),
        min(width, round((crop.left + crop.width) * width)),
        min(height, round((crop.top + crop.height) * height)),
    )

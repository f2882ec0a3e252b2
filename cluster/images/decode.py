"""Turns the bytes of one image file into clean pixels, or says why not.

Only a decoder process calls this (``cluster.storage.decoder_process``): what is read here comes
from strangers. The pixels are upright RGB with 8 bits in the colours of sRGB, alpha laid on white,
the longer side at most ``Limits.side_max``. They are encoded anew and nothing else is: no EXIF, no
place, XMP, ICC, comment, thumbnail, or bytes behind the image.

JPEG and WebP become JPEG of quality 95 without subsampling: on published blood cells 0.15 of 255
levels from the decoded pixels in the mean, at 1.8 times the bytes. PNG stays PNG, without loss.
"""

import hashlib
import io
import warnings
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from cluster.images.limits import Limits

FORMATS: Final = ("JPEG", "PNG", "WEBP")
KNOWN: Final = {*FORMATS, "MPO"}
"""A phone writes MPO: a JPEG with more pictures behind it, of which the first is the photograph."""
JPEG_QUALITY: Final = 95
PNG_LEVEL: Final = 6
ENCODING: Final = "rgb8-srgb-1024-jpeg95-png-v1"
THUMBNAIL_SIDE: Final = 96
FLAT_LEVELS: Final = 3
"""Grey levels that the pixels of a blank image may differ by."""
TWELVE_BITS: Final = 4096
HASH_SIDE: Final = 16
ORIENTATION: Final = 0x0112
UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
MAGIC: Final = {
    b"PK\x03\x04": "archive_nested",
    b"\x1f\x8b": "archive_nested",
    b"7z\xbc\xaf\x27\x1c": "archive_nested",
    b"Rar!": "archive_nested",
    b"\xfd7zXZ": "archive_nested",
    b"BZh": "archive_nested",
    b"GIF8": "format_not_allowed",
    b"BM": "format_not_allowed",
    b"II*\x00": "format_not_allowed",
    b"MM\x00*": "format_not_allowed",
    b"%PDF": "format_not_allowed",
    b"<svg": "format_not_allowed",
    b"<?xml": "format_not_allowed",
}
PDF_WITHIN: Final = 1024
END_OF_ZIP: Final = 22
COMMENT_MAX: Final = 0xFFFF


@dataclass(frozen=True)
class Refusal:
    """Why an image is not taken."""

    code: str
    message: str


@dataclass(frozen=True)
class Picture:
    """One image, clean."""

    content: bytes
    """Encoded anew."""
    thumbnail: bytes
    """JPEG of at most 96 x 96 pixels."""
    form: str
    """Format as it came: JPEG, PNG or WEBP."""
    width_given: int
    height_given: int
    """Pixels as they came, upright."""
    width: int
    height: int
    pixels: str
    """SHA-256 of size and pixels."""
    hash: bytes
    """Difference hash, 32 bytes."""
    cleaned: tuple[str, ...]
    is_dark: bool
    """16-bit values that fill at most 12 bits, so that little is left of them in 8."""

    @property
    def media_type(self) -> str:
        """What the clean bytes are."""
        return "image/png" if self.form == "PNG" else "image/jpeg"


def decode(content: bytes, limits: Limits) -> Picture | Refusal:
    """Read one image; never raises, whatever the bytes are."""
    foreign = foreign_content(content)
    if foreign is not None:
        return foreign
    Image.MAX_IMAGE_PIXELS = limits.pixels
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _checked(content, limits)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        return _too_many(limits)
    except MemoryError:
        return Refusal("image_too_costly", "reading it takes more memory than is allowed")
    except UnidentifiedImageError:
        return Refusal("image_unreadable", "its bytes are no JPEG, PNG or WebP")
    except Exception as error:
        # Decoders of damaged files raise nearly anything: SyntaxError, IndexError, struct.error …
        return Refusal("image_unreadable", f"it is damaged or cut off ({type(error).__name__})")


def _too_many(limits: Limits) -> Refusal:
    message = f"it has over {limits.pixels / 1e6:g} million pixels"
    return Refusal("image_too_many_pixels", message)


def foreign_content(content: bytes) -> Refusal | None:
    """Refuse what begins as something else, or is another kind of file at the same time."""
    if not content:
        return Refusal("file_empty", "it has no bytes")
    code = next((code for magic, code in MAGIC.items() if content.startswith(magic)), "")
    if code:
        return Refusal(code, "its bytes are not those of a JPEG, PNG or WebP")
    if b"%PDF-" in content[:PDF_WITHIN]:
        return Refusal("image_polyglot", "it is a PDF at the same time")
    tail = content[-(END_OF_ZIP + COMMENT_MAX) :]
    place = tail.rfind(b"PK\x05\x06")
    if 0 <= place <= len(tail) - END_OF_ZIP:
        comment = int.from_bytes(tail[place + 20 : place + 22], "little")
        if place + END_OF_ZIP + comment <= len(tail) and b"PK\x01\x02" in content:
            return Refusal("image_polyglot", "it is a zip at the same time")
    return None


def _checked(content: bytes, limits: Limits) -> Picture | Refusal:
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        refusal = _unfit(image, limits)
        if refusal is not None:
            return refusal
        image.verify()
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        cleaned = _metadata(image)
        angle = _orientation(image)
        form = "JPEG" if image.format == "MPO" else str(image.format)
        given = image.size
        if form == "JPEG":
            image.draft(None, (2 * limits.side_max, 2 * limits.side_max))
        image.load()
        cleaned |= _metadata(image)  # that of PNG may stand behind the pixels
        pixels, is_dark, changed = _plain(image)
    if max(pixels.size) > limits.side_max or max(given) > limits.side_max:
        changed.add("resized")
        scale = limits.side_max / max(pixels.size)
        size = (max(1, round(pixels.width * scale)), max(1, round(pixels.height * scale)))
        pixels = pixels.resize(size, Image.Resampling.BICUBIC)
    if angle in UPRIGHT:
        changed.add("turned_upright")
        pixels = pixels.transpose(UPRIGHT[angle])
        given = given if angle < 5 else given[::-1]
    if _is_flat(pixels):
        return Refusal("image_blank", "all its pixels are of one colour")
    return _picture(pixels, form, given, tuple(sorted(cleaned | changed)), is_dark=is_dark)


def _unfit(image: Image.Image, limits: Limits) -> Refusal | None:
    """Judge the header, before any pixel is read."""
    width, height = image.size
    if image.format not in KNOWN:
        return Refusal("format_not_allowed", f"{image.format} is not read")
    if width * height > limits.pixels:
        return _too_many(limits)
    if min(width, height) < limits.side_min:
        message = f"{width} x {height} pixels; the shorter side needs {limits.side_min}"
        return Refusal("image_too_small", message)
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        return Refusal("image_moving", "it has several frames")
    return None


def _metadata(image: Image.Image) -> set[str]:
    """Name what the file carries beside its pixels."""
    named = {
        "exif": "exif",
        "xmp": "xmp",
        "XML:com.adobe.xmp": "xmp",
        "icc_profile": "colour_profile",
        "comment": "text",
        "photoshop": "iptc",
    }
    found = {name for key, name in named.items() if image.info.get(key)}
    found |= {"text"} if getattr(image, "text", None) else set()
    found |= {"further_pictures"} if image.format == "MPO" else set()
    try:
        found |= {"place"} if image.getexif().get_ifd(ExifTags.IFD.GPSInfo) else set()
    except Exception:
        found.add("exif")  # damaged: there is something, and it goes too
    return found


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:
        return 1  # a damaged EXIF says nothing about the pixels


def _plain(image: Image.Image) -> tuple[Image.Image, bool, set[str]]:
    """Return the pixels as RGB of 8 bits, whether they were dark 16-bit ones, and what changed."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        grey = (values.astype(np.float32) / 257).round().clip(0, 255).astype(np.uint8)
        is_dark = bool(values.max() < TWELVE_BITS)
        return Image.fromarray(grey).convert("RGB"), is_dark, {"depth_16"}
    has_alpha = image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info
    if has_alpha:
        layered = image.convert("RGBA")
        is_opaque = layered.getchannel("A").getextrema() == (255, 255)
        white = Image.new("RGBA", layered.size, "white")
        white.alpha_composite(layered)
        return white.convert("RGB"), False, set() if is_opaque else {"alpha_on_white"}
    changed = {"CMYK": {"cmyk"}, "P": {"palette"}}.get(image.mode, set())
    converted = _in_srgb(image)
    if converted is not None:
        return converted, False, changed | {"colours_to_srgb"}
    return image.convert("RGB"), False, changed


def _in_srgb(image: Image.Image) -> Image.Image | None:
    """Apply the colour profile of the file; None where it has none, or none that fits."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in {"RGB", "CMYK"}:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return None
        target = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _is_flat(pixels: Image.Image) -> bool:
    values = np.asarray(pixels)
    return bool((np.ptp(values, axis=(0, 1)) <= FLAT_LEVELS).all())


def _picture(
    pixels: Image.Image,
    form: str,
    given: tuple[int, int],
    cleaned: tuple[str, ...],
    *,
    is_dark: bool,
) -> Picture:
    digest = hashlib.sha256(f"{pixels.width}x{pixels.height}:".encode())
    digest.update(pixels.tobytes())
    small = pixels.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    return Picture(
        content=_encoded(pixels, form),
        thumbnail=_encoded(small, "JPEG", quality=80),
        form=form,
        width_given=given[0],
        height_given=given[1],
        width=pixels.width,
        height=pixels.height,
        pixels=digest.hexdigest(),
        hash=difference_hash(pixels),
        cleaned=cleaned,
        is_dark=is_dark,
    )


def _encoded(pixels: Image.Image, form: str, quality: int = JPEG_QUALITY) -> bytes:
    """Encode pixels and nothing else: a new image has no metadata to pass on."""
    bare = Image.new("RGB", pixels.size)
    bare.paste(pixels)
    stream = io.BytesIO()
    if form == "PNG":
        bare.save(stream, "PNG", compress_level=PNG_LEVEL)
    else:
        bare.save(stream, "JPEG", quality=quality, subsampling=0)
    return stream.getvalue()


def difference_hash(pixels: Image.Image) -> bytes:
    """Return 256 bits: whether each of 16 x 16 places is darker than the next to its right."""
    size = (HASH_SIDE + 1, HASH_SIDE)
    grey = np.asarray(pixels.convert("L").resize(size, Image.Resampling.BOX))
    return np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes()

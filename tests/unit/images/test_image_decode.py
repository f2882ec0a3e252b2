"""One image from the bytes of a stranger."""

import io
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from image_builders import LIMITS, a_set, an_image, encoded, pixels, png_of, zip_bytes
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from cluster.images.decode import ORIENTATION, Picture, Refusal, decode

GPS = {1: "N", 2: (48.0, 8.0, 14.0), 3: "E", 4: (11.0, 34.0, 31.0)}
SECRETS = (b"Exif", b"Canary", b"http://ns.adobe.com", b"ICC_PROFILE", b"iCCP", b"tEXt", b"eXIf")


def exif(orientation: int = 1) -> Image.Exif:
    made = Image.Exif()
    made[ORIENTATION] = orientation
    made[ExifTags.Base.Artist] = "Canary"
    made.get_ifd(ExifTags.IFD.GPSInfo).update(GPS)
    return made


def moving(form: str) -> bytes:
    return encoded(pixels(1), form, save_all=True, append_images=[pixels(2), pixels(3)])


def cut(content: bytes, share: float = 0.6) -> bytes:
    return content[: int(len(content) * share)]


def damaged_png() -> bytes:
    content = bytearray(an_image(1, "PNG"))
    content[content.index(b"IDAT") + 40] ^= 0xFF
    return bytes(content)


HOSTILE = {
    "no bytes": (lambda: b"", "file_empty"),
    "text": (lambda: b"hello world" * 50, "image_unreadable"),
    "JPEG cut off": (lambda: cut(an_image(1)), "image_unreadable"),
    "PNG cut off": (lambda: cut(an_image(1, "PNG")), "image_unreadable"),
    "WebP cut off": (lambda: cut(an_image(1, "WEBP")), "image_unreadable"),
    "only a head": (lambda: an_image(1)[:200], "image_unreadable"),
    "PNG with a wrong checksum": (damaged_png, "image_unreadable"),
    "GIF": (lambda: an_image(1, "GIF"), "format_not_allowed"),
    "BMP": (lambda: an_image(1, "BMP"), "format_not_allowed"),
    "TIFF": (lambda: an_image(1, "TIFF"), "format_not_allowed"),
    "SVG": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "format_not_allowed"),
    "PDF": (lambda: b"%PDF-1.7 " * 9, "format_not_allowed"),
    "zip with the name of an image": (lambda: zip_bytes(a_set(1, 1)), "archive_nested"),
    "JPEG and zip": (lambda: an_image(1) + zip_bytes({"x": b"x"}), "image_polyglot"),
    "JPEG and PDF": (lambda: an_image(1, comment=b"%PDF-1.7"), "image_polyglot"),
    "moving WebP": (lambda: moving("WEBP"), "image_moving"),
    "moving PNG": (lambda: moving("PNG"), "image_moving"),
    "PNG of 81 million pixels": (lambda: png_of(9000, 9000, 9000), "image_too_many_pixels"),
    "PNG of 4 thousand million": (lambda: png_of(65_000, 65_000), "image_too_many_pixels"),
    "small": (lambda: encoded(pixels(1, 63, 200)), "image_too_small"),
    "one colour": (lambda: encoded(Image.new("RGB", (80, 80), "teal")), "image_blank"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_image_is_refused_with_its_code(kind: str) -> None:
    """C1: every hostile or unusable image is refused with the code of its kind."""
    make, code = HOSTILE[kind]
    found = decode(make(), LIMITS)
    assert isinstance(found, Refusal) and found.code == code and found.message


def taken(content: bytes, **limits: Any) -> Picture:
    found = decode(content, replace(LIMITS, **limits))
    assert isinstance(found, Picture), found
    return found


def as_array(found: Picture) -> np.ndarray[Any, np.dtype[np.int16]]:
    with Image.open(io.BytesIO(found.content)) as image:
        assert image.mode == "RGB" and image.size == (found.width, found.height)
        return np.asarray(image, np.int16)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_nothing_but_pixels_is_left(form: str) -> None:
    """C1: no EXIF, place, XMP, colour profile, comment or bytes behind the image is kept."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>Canary http://ns.adobe.com</x:xmpmeta>"
    options: dict[str, Any] = {"exif": exif(), "icc_profile": profile}
    if form == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_text("Author", "Canary")
        options["pnginfo"] = text
    else:
        options["xmp"] = xmp
    if form == "JPEG":
        options["comment"] = b"Canary"
    content = an_image(1, form, **options) + b"Canary" * 9
    assert any(secret in content for secret in SECRETS)
    found = taken(content)
    assert {"exif", "place", "colour_profile"} <= set(found.cleaned)
    for clean in (found.content, found.thumbnail):
        assert not [secret for secret in SECRETS if secret in clean]
        with Image.open(io.BytesIO(clean)) as image:
            assert not image.getexif()
            assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


@pytest.mark.parametrize("angle", range(1, 9))
def test_images_are_turned_upright(angle: int) -> None:
    """C1: the orientation that the camera noted is applied to the pixels."""
    upright = pixels(1)
    turned = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(turned[angle]) if angle > 1 else upright
    found = taken(encoded(stored, "PNG", exif=exif(angle)))
    assert (found.width_given, found.height_given) == upright.size
    np.testing.assert_array_equal(as_array(found), np.asarray(upright))


def test_lossless_stays_lossless_and_lossy_stays_close() -> None:
    """C1: a PNG keeps every pixel; a JPEG of mere noise changes by under two levels."""
    image = pixels(4)
    found = taken(encoded(image, "PNG"))
    assert found.media_type == "image/png"
    np.testing.assert_array_equal(as_array(found), np.asarray(image))
    lossy = encoded(image)
    with Image.open(io.BytesIO(lossy)) as before:
        apart = np.abs(as_array(taken(lossy)) - np.asarray(before, np.int16))
    assert apart.mean() < 2


@pytest.mark.parametrize("mode", ["L", "P", "LA", "RGBA", "1", "I;16", "CMYK"])
def test_every_mode_becomes_the_same_colours(mode: str) -> None:
    """C1: grey, palette, alpha, one bit, 16 bits and CMYK become RGB with the right colours."""
    grey = np.tile(np.linspace(0, 255, 80).astype(np.uint8), (72, 1))
    image = Image.fromarray(grey)
    expected = np.repeat(grey[..., None].astype(np.int32), 3, axis=2)
    bound = 0.0
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    elif mode == "RGBA":
        image = image.convert("RGBA")
        image.putalpha(128)
        expected, bound = (expected * 128 + 255 * 127) // 255, 1.0
    elif mode == "1":
        image = image.convert("1", dither=Image.Dither.NONE)
        expected = np.where(expected > 127, 255, 0)
    elif mode == "CMYK":
        image, bound = image.convert("RGB").convert("CMYK"), 2.0
    else:
        image = image.convert(mode)
    found = taken(encoded(image, "JPEG" if mode == "CMYK" else "PNG"))
    assert np.abs(as_array(found) - expected).mean() <= bound
    assert not found.is_dark


def test_sixteen_bits_that_are_hardly_used_are_told() -> None:
    """C1: a 12-bit image in 16 bits would become black, and is named."""
    grey = np.tile(np.linspace(0, 4095, 80).astype(np.uint16), (72, 1))
    found = taken(encoded(Image.fromarray(grey), "PNG"))
    assert found.is_dark and "depth_16" in found.cleaned


def test_clear_places_show_white_and_nothing_that_was_hidden() -> None:
    """C1: what lies under full transparency is not brought to light."""
    image = pixels(5).convert("RGBA")
    image.putalpha(Image.new("L", image.size, 255))
    image.paste((255, 0, 0, 0), (10, 10, 40, 40))
    found = taken(encoded(image, "PNG"))
    assert (as_array(found)[12:38, 12:38] == 255).all()
    assert "alpha_on_white" in found.cleaned


def test_sizes_are_bounded_at_the_last_pixel() -> None:
    """C1: limits of pixels and of the shorter side hold exactly; a large image is made smaller."""
    content = encoded(pixels(6, 100, 80), "PNG")
    assert (taken(content, pixels=8000).width, taken(content, side_min=80).width) == (100, 100)
    for limits in ({"pixels": 7999}, {"side_min": 81}):
        assert isinstance(decode(content, replace(LIMITS, **limits)), Refusal)
    assert taken(content, side_max=100).cleaned == ()
    smaller = taken(content, side_max=50)
    assert (smaller.width, smaller.height, smaller.cleaned) == (50, 40, ("resized",))
    large = taken(encoded(pixels(7, 3000, 2000)))
    assert (large.width, large.height) == (1024, 683)
    assert (large.width_given, large.height_given) == (3000, 2000)


def test_a_damaged_exif_costs_only_itself() -> None:
    """C1: metadata that cannot be read is removed; the pixels stand."""
    broken = b"Exif\x00\x00MM\x00*" + struct.pack(">L", 0xFFFFFFF0) + b"\xff" * 40
    found = taken(an_image(1, exif=broken))
    assert "exif" in found.cleaned


def test_the_same_image_gives_the_same_bytes() -> None:
    """C1: decoding is a function of the bytes; other metadata leave the pixels' digest alone."""
    first, second = taken(an_image(1)), taken(an_image(1))
    assert first == second
    other = taken(an_image(1, comment=b"Canary"))
    assert (other.pixels, other.content) == (first.pixels, first.content)
    assert taken(an_image(2)).pixels != first.pixels

"""The picture that may leave a device."""

import io
from pathlib import Path

import numpy as np
import pytest
from image_builders import an_image, encoded, pixels
from PIL import ExifTags, Image

from cluster.device.picture import Crop, prepare, read_picture
from cluster.errors import InputError, SourceUnreadable


@pytest.fixture(scope="module")
def photograph() -> bytes:
    """12 megapixels over 1 MB, lying on its side, with the place and camera in it."""
    image = pixels(1, 4032, 3024)
    image.paste((250, 0, 0), (0, 0, 2016, 3024))  # left as it lies: the top, once it is upright
    noise = np.random.default_rng(0).integers(-12, 13, (756, 1008, 3), np.int16).repeat(4, 0)
    image = Image.fromarray((np.asarray(image) + noise.repeat(4, 1)).clip(0, 255).astype(np.uint8))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Model] = "CANARY-CAMERA"
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef] = "N"
    gps[ExifTags.GPS.GPSLatitude] = (52.0, 31.0, 12.0)
    return encoded(image, quality=92, exif=exif, comment=b"CANARY-COMMENT")


def test_a_photograph_becomes_small_and_bare(photograph: bytes) -> None:
    """C6: upright, cropped to the middle square, compressed, and without place or device."""
    assert len(photograph) > 1_000_000
    made = prepare(photograph)
    assert made.bytes_given == len(photograph) and len(made.content) < 300_000
    with Image.open(io.BytesIO(made.content)) as image:
        assert (image.format, image.mode, image.width) == ("JPEG", "RGB", image.height)
        assert 640 <= image.width <= 1024
        assert not image.getexif() and "exif" not in image.info and "comment" not in image.info
        upright = np.asarray(image).astype(int)
    assert b"CANARY" in photograph and b"CANARY" not in made.content
    assert b"Exif" not in made.content
    assert {"exif", "place", "text", "turned_upright", "cropped"} <= set(made.removed)
    top, bottom = upright[:100].mean(axis=(0, 1)), upright[-100:].mean(axis=(0, 1))
    assert top[0] > 220 and top[1] < 40 and abs(bottom[1] - top[1]) > 10


def test_a_small_picture_keeps_its_pixels() -> None:
    """C6: up to 1 MB a picture is not cropped; a PNG stays the same pixels."""
    given = an_image(4, "PNG")
    made = prepare(given)
    with Image.open(io.BytesIO(given)) as image:
        assert np.array_equal(np.asarray(made.image()), np.asarray(image.convert("RGB")))
    assert (made.width, made.height) == (80, 72)


def test_a_crop_is_cut_from_the_original(photograph: bytes) -> None:
    """C6: a small part of a large original is taken before it is made smaller."""
    made = prepare(photograph, Crop.of("0.1,0.1,0.2,0.3"))
    # upright it is 3024 x 4032, so the part is 605 x 1210, and its longer side is let be 1024
    assert 490 <= made.width <= 605 and 980 <= made.height <= 1210
    assert np.asarray(made.image()).mean(axis=(0, 1))[0] > 220


@pytest.mark.parametrize(
    "text",
    ["", "1,2,3", "0,0,0,1", "0.6,0,0.5,1", "-0.1,0,1,1", "a,b,c,d", "nan,0,1,1", "0,0,inf,1"],
)
def test_a_part_that_is_none_is_refused(text: str) -> None:
    """C6: what is no part of a picture is an error with an example."""
    with pytest.raises(InputError, match="such as"):
        Crop.of(text)


def test_too_little_is_not_recognised() -> None:
    """C6: a part with too few pixels is refused rather than blown up."""
    with pytest.raises(SourceUnreadable, match="pixels are left"):
        prepare(an_image(1), Crop.of("0,0,0.2,0.2"))


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"%PDF-1.7", an_image(1)[:300], b"no image"])
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    """C6: a file that is damaged or something else is one clear error."""
    with pytest.raises(SourceUnreadable):
        prepare(content)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """C6: no file, a folder and a huge file are one clear error each."""
    huge = tmp_path / "huge.jpg"
    with huge.open("wb") as stream:
        stream.truncate(21 << 20)
    for path in (tmp_path / "none.jpg", tmp_path, huge):
        with pytest.raises(SourceUnreadable):
            read_picture(path)

"""Small images and zips, good and hostile ones."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cluster.errors import ImageSetRefused
from cluster.images.decode import Picture
from cluster.images.limits import Limits
from cluster.storage.image_files import finding_of, open_image_files

LIMITS = Limits()


def pixels(seed: int, width: int = 80, height: int = 72) -> Image.Image:
    """A smooth random picture: two seeds are no near-duplicates."""
    small = np.random.default_rng(seed).integers(0, 256, (9, 10, 3), np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, form: str = "JPEG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **({"quality": 90} if form == "JPEG" else {}) | options)
    return stream.getvalue()


def an_image(seed: int, form: str = "JPEG", **options: Any) -> bytes:
    return encoded(pixels(seed), form, **options)


def a_set(classes: int = 2, each: int = 6) -> dict[str, bytes]:
    """Files by name: a folder for each class."""
    return {
        f"class-{label}/{n}.jpg": an_image(100 * label + n)
        for label in range(classes)
        for n in range(each)
    }


def zip_bytes(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return stream.getvalue()


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def codes_of(path: Path, limits: Limits = LIMITS) -> set[str]:
    """Codes for which a zip or folder is refused before or while its files are read."""
    with open_image_files(path, limits) as files:
        found = {finding.code for finding in files.findings}
        if found:
            return found
        try:
            for name in files.sizes:
                files.read(name)
        except ImageSetRefused as error:
            return {finding_of(error).code}
    return set()


def changed(content: bytes, sign: bytes, offset: int, form: str, value: int, at: int = 0) -> bytes:
    """Write a number into the record of a zip that begins with a signature; the ``at``-th."""
    place = -1
    for _ in range(at + 1):
        place = content.index(sign, place + 1)
    raw = struct.pack(form, value)
    start = place + offset
    return content[:start] + raw + content[start + len(raw) :]


LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


def with_attributes(files: Mapping[str, bytes], name: str, mode: int) -> bytes:
    """A zip in which one member has the mode of a Unix file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for one, content in files.items():
            entry = zipfile.ZipInfo(one)
            entry.external_attr = (mode if one == name else 0o100644) << 16
            archive.writestr(entry, content)
    return stream.getvalue()


def quoted_overlap(files: Mapping[str, bytes]) -> bytes:
    """A zip whose second entry in the directory points into the first member."""
    content = zip_bytes(files)
    return changed(content, CENTRAL, 42, "<L", 0, at=1)


def understated(size: int = 1000) -> bytes:
    """A member that says it is smaller than what is packed; checksum of the part that is shown."""
    whole = bytes(np.random.default_rng(0).integers(0, 256, 2 * size, np.uint8))
    content = zip_bytes({"a/1.jpg": whole})
    crc = zlib.crc32(whole[:size])
    for sign, at_crc, at_size in ((LOCAL, 14, 22), (CENTRAL, 16, 24)):
        content = changed(content, sign, at_crc, "<L", crc)
        content = changed(content, sign, at_size, "<L", size)
    return content


def with_zip64_extra(content: bytes, extra: bytes) -> bytes:
    """Append an extra field to the only entry of the directory."""
    place = content.index(CENTRAL)
    n_name, n_extra = struct.unpack_from("<2H", content, place + 28)
    cut = place + 46 + n_name + n_extra
    made = content[:cut] + extra + content[cut:]
    made = changed(made, CENTRAL, 30, "<H", n_extra + len(extra))
    (length,) = struct.unpack_from("<L", made, made.index(END) + 12)
    return changed(made, END, 12, "<L", length + len(extra))


def png_of(width: int, height: int, rows: int = 1) -> bytes:
    """A PNG that states a size; its pixels are all zero and pack to nearly nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        crc = zlib.crc32(kind + content)
        return struct.pack(">L", len(content)) + kind + content + struct.pack(">L", crc)

    head = struct.pack(">2L5B", width, height, 1, 0, 0, 0, 0)
    body = zlib.compress(bytes((width + 7) // 8 + 1) * rows, 9)
    end = chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + end


def a_picture(seed: int = 0, **more: Any) -> Picture:
    """What a decoder could have said of an image."""
    random = np.random.default_rng(seed)
    fields: dict[str, Any] = {
        "content": b"",
        "thumbnail": b"",
        "form": "JPEG",
        "width_given": 80,
        "height_given": 72,
        "width": 80,
        "height": 72,
        "pixels": f"{seed:064x}",
        "hash": random.bytes(32),
        "cleaned": (),
        "is_dark": False,
    }
    return Picture(**fields | more)


Hostile = Callable[[], bytes]

"""Zips and folders that are refused before an image is read."""

import os
import stat
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from image_builders import (
    CENTRAL,
    END,
    LIMITS,
    LOCAL,
    a_set,
    changed,
    codes_of,
    quoted_overlap,
    understated,
    with_attributes,
    with_zip64_extra,
    write,
    zip_bytes,
)

from cluster.errors import SourceUnreadable
from cluster.storage.image_files import open_image_files

TWO = {"a/1.jpg": bytes(range(200)), "b/1.jpg": bytes(range(100, 250))}
ONE = {"a/1.jpg": bytes(range(200))}


def named(name: str) -> bytes:
    return zip_bytes(TWO | {name: b"x"})


def with_nul() -> bytes:
    return zip_bytes(TWO | {"b/N.jpg": b"x"}).replace(b"b/N.jpg", b"b/\x00.jpg")


def twice() -> bytes:
    return zip_bytes(TWO | {"b/9.jpg": b"x"}).replace(b"b/9.jpg", b"a/1.jpg")


def hidden_behind_the_packed(hidden: bytes = b"hidden") -> bytes:
    """A member whose packed bytes go on after their end, with all sizes to match."""
    content = zip_bytes(ONE)
    (packed,) = struct.unpack_from("<L", content, 18)
    place = content.index(CENTRAL)
    content = content[:place] + hidden + content[place:]
    content = changed(content, LOCAL, 18, "<L", packed + len(hidden))
    content = changed(content, CENTRAL, 20, "<L", packed + len(hidden))
    return changed(content, END, 16, "<L", place + len(hidden))


HOSTILE = {
    "hidden bytes behind what is packed": (hidden_behind_the_packed, "zip_size_false"),
    "leaves the folder": (lambda: named("../evil.jpg"), "name_unsafe"),
    "leaves it in the middle": (lambda: named("a/../../evil.jpg"), "name_unsafe"),
    "absolute": (lambda: named("/etc/evil.jpg"), "name_unsafe"),
    "drive": (lambda: named("C:/evil.jpg"), "name_unsafe"),
    "backslash": (lambda: named("a\\..\\evil.jpg"), "name_unsafe"),
    "stream of NTFS": (lambda: named("a/1.jpg:evil"), "name_unsafe"),
    "device": (lambda: named("a/CON.jpg"), "name_unsafe"),
    "device with a number": (lambda: named("a/lpt¹.txt"), "name_unsafe"),
    "NUL": (with_nul, "name_unsafe"),
    "line feed": (lambda: named("a/1\n.jpg"), "name_unsafe"),
    "text that turns round": (lambda: named("a/\u202egpj.exe"), "name_unsafe"),
    "ends in a dot": (lambda: named("a./1.jpg"), "name_unsafe"),
    "empty part": (lambda: named("a//2.jpg"), "name_unsafe"),
    "unsafe although ignored": (lambda: named("__MACOSX/../../x"), "name_unsafe"),
    "too long": (lambda: named(f"a/{'x' * 254}"), "name_too_long"),
    "too deep": (lambda: named("a/b/c/d/e/f/g/h/1.jpg"), "name_too_deep"),
    "twice": (twice, "name_repeated"),
    "twice but for case": (lambda: named("A/1.JPG"), "name_repeated"),
    "twice in two forms": (
        lambda: zip_bytes({"a/\u00e9.jpg": b"x", "a/e\u0301.jpg": b"y"}),
        "name_repeated",
    ),
    "nested": (lambda: named("a/inner.zip"), "archive_nested"),
    "link": (lambda: with_attributes(TWO, "b/1.jpg", stat.S_IFLNK | 0o777), "link"),
    "pipe": (lambda: with_attributes(TWO, "b/1.jpg", stat.S_IFIFO | 0o666), "special_file"),
    "encrypted": (lambda: changed(zip_bytes(TWO), CENTRAL, 8, "<H", 1), "zip_encrypted"),
    "other compression": (lambda: zip_bytes(TWO, zipfile.ZIP_LZMA), "zip_method"),
    "bomb": (lambda: zip_bytes(TWO | {"a/2.jpg": bytes(1 << 20)}), "zip_ratio"),
    "understated": (understated, "zip_size_false"),
    "overlap": (lambda: quoted_overlap(TWO), "zip_overlap"),
    "something in front": (lambda: b"#!/bin/sh\n" + zip_bytes(TWO), "zip_directory_false"),
    "something behind": (lambda: zip_bytes(TWO) + b"x", "zip_unreadable"),
    "cut off": (lambda: zip_bytes(TWO)[:-30], "zip_unreadable"),
    "two ends": (
        lambda: changed(zip_bytes(TWO), END, 20, "<H", 22) + zip_bytes({}),
        "zip_unreadable",
    ),
    "no zip": (lambda: b"hello" * 100, "zip_unreadable"),
    "other name in front": (
        lambda: zip_bytes(TWO).replace(b"a/1.jpg", b"a/x.exe", 1),
        "zip_header_differs",
    ),
    "other size in front": (
        lambda: changed(zip_bytes(TWO), LOCAL, 22, "<L", 7),
        "zip_header_differs",
    ),
    "more entries than said": (
        lambda: changed(changed(zip_bytes(TWO), END, 8, "<H", 1), END, 10, "<H", 1),
        "zip_directory_false",
    ),
    "fewer entries than said": (
        lambda: changed(changed(zip_bytes(TWO), END, 8, "<H", 3), END, 10, "<H", 3),
        "zip_directory_false",
    ),
    "member beyond the end": (
        lambda: changed(zip_bytes(TWO), CENTRAL, 42, "<L", 1 << 30),
        "zip_directory_false",
    ),
    "large size that is missing": (
        lambda: changed(zip_bytes(ONE), CENTRAL, 24, "<L", 0xFFFFFFFF),
        "zip64_false",
    ),
    "two sizes": (
        lambda: with_zip64_extra(zip_bytes(ONE), struct.pack("<2HQ", 1, 8, 1 << 40)),
        "zip64_false",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_zip_is_refused_with_its_code(kind: str, tmp_path: Path) -> None:
    """C1: every hostile zip is refused as a whole, with the finding that names its kind, and
    nothing is left behind.
    """
    make, code = HOSTILE[kind]
    path = write(tmp_path / "set.zip", make())
    assert code in codes_of(path)
    assert list(tmp_path.rglob("*")) == [path]


def test_a_gap_between_members_is_refused(tmp_path: Path) -> None:
    """C1: bytes that belong to no member, such as one that is not listed, refuse the set."""
    first, second = zip_bytes(ONE), zip_bytes({"b/1.jpg": b"second"})
    member = first[: first.index(CENTRAL)]
    shifted = changed(second, CENTRAL, 42, "<L", len(member))
    (start,) = struct.unpack_from("<L", shifted, shifted.index(END) + 16)
    content = member + changed(shifted, END, 16, "<L", start + len(member))
    assert codes_of(write(tmp_path / "set.zip", content)) == {"zip_gap"}


def test_ordinary_zips_are_read(tmp_path: Path) -> None:
    """C1: a plain zip, one written to a pipe, one with a comment and one with folders are read."""
    files = a_set(each=2)
    assert codes_of(write(tmp_path / "plain.zip", zip_bytes(files))) == set()
    stored = zip_bytes(files, zipfile.ZIP_STORED)
    assert codes_of(write(tmp_path / "stored.zip", stored)) == set()

    class Pipe:
        def __init__(self, path: Path) -> None:
            self.stream = path.open("wb")

        def write(self, content: bytes) -> int:
            return self.stream.write(content)

        def flush(self) -> None:
            self.stream.flush()

    pipe = Pipe(tmp_path / "pipe.zip")
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[arg-type]
        archive.mkdir("class-0")
        for name, content in files.items():
            archive.writestr(name, content)
        archive.comment = b"packed for a test"
    pipe.stream.close()
    with open_image_files(tmp_path / "pipe.zip", LIMITS) as read:
        assert read.findings == [] and read.folders == ["class-0"]
        assert {name: read.read(name) for name in read.sizes} == files


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ("entries", "entries_too_many"),
        ("unpacked_bytes", "set_too_large"),
        ("zip_bytes", "set_too_large"),
        ("name_bytes", "name_too_long"),
        ("depth", "name_too_deep"),
    ],
)
def test_limits_hold_to_the_last_one(field: str, code: str, tmp_path: Path) -> None:
    """C1: a set at a limit is read, one above it is refused, from a zip and from a folder."""
    content = zip_bytes(TWO)
    path = write(tmp_path / "set.zip", content)
    for name, one in TWO.items():
        write(tmp_path / "set" / name, one)
    reached = {
        "entries": 2,
        "unpacked_bytes": 350,
        "zip_bytes": len(content),
        "name_bytes": 7,
        "depth": 2,
    }[field]
    exact = replace(LIMITS, **{field: reached})
    assert codes_of(path, exact) == set()
    assert codes_of(path, replace(LIMITS, **{field: reached + 1})) == set()
    assert codes_of(path, replace(LIMITS, **{field: reached - 1})) == {code}
    if field in {"unpacked_bytes", "name_bytes", "depth"}:
        assert codes_of(tmp_path / "set", exact) == set()
        assert codes_of(tmp_path / "set", replace(LIMITS, **{field: reached - 1})) == {code}


def test_ratio_holds_to_the_last_byte(tmp_path: Path) -> None:
    """C1: a member that expands exactly as far as is allowed is read, one byte more is not."""
    content = zip_bytes({"a/1.jpg": bytes(5000)})
    (packed,) = struct.unpack_from("<L", content, 18)
    path = write(tmp_path / "set.zip", content)
    limits = replace(LIMITS, total_ratio=1000)
    exact = replace(limits, entry_ratio=-(-5000 // packed))
    assert codes_of(path, exact) == set()
    assert codes_of(path, replace(exact, entry_ratio=5000 // packed)) == {"zip_ratio"}
    whole = replace(LIMITS, entry_ratio=1000, total_ratio=5000 // packed)
    assert codes_of(path, whole) == {"zip_ratio"}


def test_a_damaged_member_costs_only_itself(tmp_path: Path) -> None:
    """C1: a member with another checksum is unreadable; the set is not refused for it."""
    content = bytearray(zip_bytes(TWO, zipfile.ZIP_STORED))
    content[content.index(bytes(range(50, 60)))] ^= 1
    with open_image_files(write(tmp_path / "set.zip", bytes(content)), LIMITS) as files:
        assert files.findings == []
        with pytest.raises(Exception, match="MemberDamaged"):
            files.read("a/1.jpg")
        assert files.read("b/1.jpg") == TWO["b/1.jpg"]


def test_links_and_pipes_in_a_folder_are_refused(tmp_path: Path) -> None:
    """C1: a folder with a link or a pipe is refused, and neither is opened."""
    write(tmp_path / "secret", b"secret")
    write(tmp_path / "set/a/1.jpg", b"x")
    (tmp_path / "set/a/2.jpg").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "set/a/3.jpg")
    assert codes_of(tmp_path / "set") == {"link", "special_file"}


def test_a_file_that_becomes_a_link_is_not_followed(tmp_path: Path) -> None:
    """C1: a file that is exchanged for a link after the listing is not read."""
    write(tmp_path / "secret", b"x")
    write(tmp_path / "set/a/1.jpg", b"x")
    with open_image_files(tmp_path / "set", LIMITS) as files:
        (tmp_path / "set/a/1.jpg").unlink()
        (tmp_path / "set/a/1.jpg").symlink_to(tmp_path / "secret")
        with pytest.raises(Exception, match="OSError"):
            files.read("a/1.jpg")


@pytest.mark.parametrize("kind", ["missing", "empty"])
def test_nothing_to_read_is_an_error_of_the_caller(kind: str, tmp_path: Path) -> None:
    """C1: a path without anything is named."""
    path = tmp_path / "set.zip"
    if kind == "empty":
        path.touch()
    with pytest.raises(SourceUnreadable, match=r"set\.zip"), open_image_files(path, LIMITS):
        pass

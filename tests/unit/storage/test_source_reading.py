"""What users give: folders, files, archives, damaged and hostile ones."""

import gzip
import json
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from builders import a_phenopacket

from cluster.contracts.ingest import Finding, Source
from cluster.errors import SourceUnreadable
from cluster.ingest.intake import Record
from cluster.storage import sources
from cluster.storage.sources import platform_sources, read_records, source_files

GOOD = json.dumps(a_phenopacket()).encode()
LINK = 0o120777 << 16


def read(*files: Path) -> tuple[list[Record], list[Finding]]:
    found = list(read_records(Source(files=tuple(map(str, files)))))
    records = [one for one in found if isinstance(one, Record)]
    return records, [one for one in found if isinstance(one, Finding)]


def codes(findings: Iterable[Finding]) -> list[tuple[str, int]]:
    assert all(finding.level == "refused" for finding in findings)
    return [(finding.code, finding.line) for finding in findings]


def a_zip(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def test_a_json_file_is_one_record_and_jsonl_one_a_line(tmp_path: Path) -> None:
    """B1: the plain formats are read, blank lines passed over, lines counted as in an editor."""
    pretty = json.dumps(a_phenopacket(), indent=2).encode()
    (tmp_path / "a.json").write_bytes(pretty)
    (tmp_path / "b.jsonl").write_bytes(b"one\n\n   \r\ntwo\r\nthree")
    with gzip.open(tmp_path / "c.jsonl.gz", "wb") as stream:
        stream.write(b"four\nfive\n")
    records, findings = read(*(tmp_path / name for name in ("a.json", "b.jsonl", "c.jsonl.gz")))
    assert [(r.file, r.line, r.content.strip()) for r in records] == [
        ("a.json", 1, pretty),
        ("b.jsonl", 1, b"one"),
        ("b.jsonl", 4, b"two"),
        ("b.jsonl", 5, b"three"),
        ("c.jsonl.gz", 1, b"four"),
        ("c.jsonl.gz", 2, b"five"),
    ]
    assert not findings


def test_an_archive_is_read_without_unpacking(tmp_path: Path) -> None:
    """B1 B9: members are read, their folders passed over, and nothing is written to disk."""
    path = a_zip(
        tmp_path / "a.zip", ("deep/", b""), ("deep/x.json", GOOD), ("y.jsonl", b"one\ntwo\n")
    )
    before = sorted(tmp_path.rglob("*"))
    records, findings = read(path)
    assert [(r.file, r.line, r.content.strip()) for r in records] == [
        ("a.zip!deep/x.json", 1, GOOD),
        ("a.zip!y.jsonl", 1, b"one"),
        ("a.zip!y.jsonl", 2, b"two"),
    ]
    assert not findings
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("content", [b"", b"\n \n\r\n"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_file_without_a_record_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    """B1: an empty file is a finding, not silence."""
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    records, findings = read(path)
    assert not records
    assert codes(findings) == [("file_empty", 0)]


def test_an_oversized_record_is_passed_over_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B1 B9: a line or file above the limit is refused at its place; one at the limit is not."""
    monkeypatch.setattr(sources, "RECORD_BYTES_MAX", 100)
    lines = [b"a" * 100, b"b" * 101, b"c" * 1000, b"d" * 99, b"e" * 200]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines[:-1]) + b"\n" + lines[-1])
    (tmp_path / "fits.json").write_bytes(b"f" * 100)
    (tmp_path / "large.json").write_bytes(b"g" * 101)
    records, findings = read(*(tmp_path / n for n in ("a.jsonl", "fits.json", "large.json")))
    assert [(r.line, r.content[:1]) for r in records if r.file == "a.jsonl"][-1] == (4, b"d")
    assert [r.file for r in records].count("fits.json") == 1
    large = [("record_too_large", line) for line in (2, 3, 5)]
    assert [f for f in codes(findings) if f[1] != 1][-3:] == large
    assert ("record_too_large", 1) in codes(findings)


def test_a_line_as_long_as_the_limit_with_its_end_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B1: the line's end does not count to the size of a record."""
    monkeypatch.setattr(sources, "RECORD_BYTES_MAX", 100)
    (tmp_path / "a.jsonl").write_bytes(b"a" * 100 + b"\n" + b"b" * 99 + b"\n")
    records, findings = read(tmp_path / "a.jsonl")
    assert [len(record.content.strip()) for record in records] == [100, 99]
    assert not findings


def test_a_cut_gzip_gives_what_was_before_the_cut(tmp_path: Path) -> None:
    """B1: of a damaged file the whole records before the damage are read, its place named."""
    lines = [json.dumps(a_phenopacket(f"case-{n}-{n * 7919}")).encode() for n in range(2000)]
    whole = gzip.compress(b"\n".join(lines))
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "good.jsonl").write_bytes(GOOD)
    records, findings = read(tmp_path / "cut.jsonl.gz", tmp_path / "good.jsonl")
    before = [r for r in records if r.file == "cut.jsonl.gz"]
    assert 0 < len(before) < 2000
    assert [r.content.strip() for r in before] == lines[: len(before)]
    assert codes(findings) == [("file_damaged", len(before) + 1)]
    assert records[-1].content == GOOD


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl.gz", b"this is no gzip"),
        ("a.jsonl.gz", gzip.compress(GOOD)[:-4] + b"\0\0\0\0"),
        ("a.zip", b"this is no zip"),
        ("a.zip", b""),
        ("a.zip", b"PK\x05\x06" + b"\xff" * 18),
    ],
)
def test_a_damaged_file_does_not_stop_the_others(tmp_path: Path, name: str, content: bytes) -> None:
    """B1: a file that cannot be opened is a finding, and the next one is read."""
    (tmp_path / name).write_bytes(content)
    (tmp_path / "z.jsonl").write_bytes(GOOD)
    records, findings = read(tmp_path / name, tmp_path / "z.jsonl", tmp_path / "gone.jsonl")
    assert records[-1].file == "z.jsonl"
    assert [code for code, _ in codes(findings)][-1] == "file_unreadable"
    assert len(findings) == 2


HOSTILE = [
    ("../up.json", "leaves the archive"),
    ("a/../../up.json", "leaves the archive"),
    ("/etc/absolute.json", "leaves the archive"),
    ("..\\up.json", "leaves the archive"),
    ("\\\\server\\up.json", "leaves the archive"),
    ("C:\\up.json", "leaves the archive"),
    ("C:up.json", "leaves the archive"),
    ("bell\x07.json", "control characters"),
    ("line\n.json", "control characters"),
    ("nested.zip", "an archive itself"),
    ("nested.jsonl.gz", "an archive itself"),
    ("notes.txt", "neither"),
    ("noname", "neither"),
    (".json", "neither"),
]


@pytest.mark.parametrize(("name", "reason"), HOSTILE, ids=[repr(name) for name, _ in HOSTILE])
def test_a_hostile_member_is_refused_alone(tmp_path: Path, name: str, reason: str) -> None:
    """B9: a member that would leave its folder or is no record is named, the others are read."""
    path = a_zip(tmp_path / "a.zip", ("one.json", GOOD), (name, GOOD), ("two.json", GOOD))
    records, findings = read(path)
    assert [record.file for record in records] == ["a.zip!one.json", "a.zip!two.json"]
    assert codes(findings) == [("zip_member_refused", 0)]
    assert reason in findings[0].message
    assert findings[0].file.isprintable()


def test_two_members_of_one_name_are_one(tmp_path: Path) -> None:
    """B9: the second member of a name is refused, whatever it holds."""
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = a_zip(tmp_path / "a.zip", ("one.json", GOOD), ("one.json", b"{}"))
    records, findings = read(path)
    assert [record.content for record in records] == [GOOD]
    assert "two members" in findings[0].message


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """B9: a symbolic link in an archive is refused."""
    link = zipfile.ZipInfo("link.json")
    link.external_attr = LINK
    records, findings = read(a_zip(tmp_path / "a.zip", (link, b"/etc/passwd")))
    assert not records
    assert "link" in findings[0].message


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    """B1: a member that needs a password is named, and the others are read."""
    path = a_zip(tmp_path / "a.zip", ("one.json", GOOD), ("two.json", GOOD))
    content = bytearray(path.read_bytes())
    for signature, offset in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)]:
        at = content.index(signature) + offset
        content[at : at + 2] = struct.pack("<H", 1)
    path.write_bytes(bytes(content))
    records, findings = read(path)
    assert [record.file for record in records] == ["a.zip!two.json"]
    assert "encrypted" in findings[0].message


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """B9: a member that expands more than a hundredfold is refused before it is read."""
    path = a_zip(tmp_path / "a.zip", ("bomb.jsonl", b"\n" * 10_000_000), ("one.json", GOOD))
    records, findings = read(path)
    assert [record.file for record in records] == ["a.zip!one.json"]
    assert "expands too far" in findings[0].message


def test_an_archive_of_too_many_members_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B9: the number of members is bounded; one at the bound is read."""
    path = a_zip(tmp_path / "a.zip", *((f"{n}.json", GOOD) for n in range(4)))
    monkeypatch.setattr(sources, "ZIP_ENTRIES_MAX", 4)
    assert len(read(path)[0]) == 4
    monkeypatch.setattr(sources, "ZIP_ENTRIES_MAX", 3)
    records, findings = read(path)
    assert not records
    assert codes(findings) == [("zip_refused", 0)]


def test_the_size_of_an_archive_is_bounded_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B9: members are read until the archive's limit is used up; smaller ones still fit."""
    monkeypatch.setattr(sources, "ZIP_BYTES_MAX", 250)
    sizes = {"a.json": 100, "b.json": 100, "c.json": 100, "d.json": 50}
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, size in sizes.items():
            archive.writestr(name, b"x" * size)
    records, findings = read(path)
    assert [record.file[-6:] for record in records] == ["a.json", "b.json", "d.json"]
    assert "too large" in findings[0].message


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_damaged_member_does_not_stop_the_others(tmp_path: Path, method: int) -> None:
    """B1: a member whose bytes are damaged is named, in every compression, the others are read."""
    lines = b"\n".join(json.dumps(a_phenopacket(f"case-{n}")).encode() for n in range(200))
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("bad.jsonl", lines)
        archive.writestr("good.json", GOOD)
        start = archive.getinfo("bad.jsonl").header_offset + 30 + len("bad.jsonl")
    content = bytearray(path.read_bytes())
    content[start + 20 : start + 60] = b"\xff" * 40
    path.write_bytes(bytes(content))
    records, findings = read(path)
    assert records[-1].file == "a.zip!good.json"
    assert {code for code, _ in codes(findings)} <= {"file_damaged", "zip_member_damaged"}
    assert findings


def test_an_unknown_compression_is_named(tmp_path: Path) -> None:
    """B1: a member in a compression that cannot be read is a finding."""
    path = a_zip(tmp_path / "a.zip", ("one.json", GOOD), ("two.json", GOOD))
    content = bytearray(path.read_bytes())
    for signature, offset in [(b"PK\x03\x04", 8), (b"PK\x01\x02", 10)]:
        at = content.index(signature) + offset
        content[at : at + 2] = struct.pack("<H", 97)
    path.write_bytes(bytes(content))
    records, findings = read(path)
    assert [record.file for record in records] == ["a.zip!two.json"]
    assert codes(findings) == [("zip_member_damaged", 0)]


def test_a_member_name_that_is_no_text_does_not_stop_the_files_after_it(tmp_path: Path) -> None:
    """B1: an archive whose names claim to be UTF-8 and are not is a finding, no more."""
    path = a_zip(tmp_path / "a.zip", ("é.json", GOOD))
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xff"))
    (tmp_path / "z.jsonl").write_bytes(GOOD)
    records, findings = read(path, tmp_path / "z.jsonl")
    assert [record.file for record in records] == ["z.jsonl"]
    assert codes(findings) == [("file_unreadable", 0)]


def test_a_folder_is_searched_in_order(tmp_path: Path) -> None:
    """B1: files of known suffixes anywhere below, sorted; others are left alone."""
    for name in ("b.jsonl", "a/z.json", "a/c.zip", "notes.txt", "d.jsonl.gz", "e.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.json").mkdir()
    found = [str(path.relative_to(tmp_path)) for path in source_files(tmp_path)]
    assert found == ["a/c.zip", "a/z.json", "b.jsonl", "d.jsonl.gz"]
    assert source_files(tmp_path / "b.jsonl") == [tmp_path / "b.jsonl"]


@pytest.mark.parametrize("name", ["gone", "empty", "notes.txt"])
def test_a_wrong_path_is_said_at_once(tmp_path: Path, name: str) -> None:
    """B1: a path with nothing to read is an error with a remedy."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_bytes(b"")
    with pytest.raises(SourceUnreadable) as caught:
        source_files(tmp_path / name)
    assert caught.value.remedy


def test_several_collections_are_a_platform_each(tmp_path: Path) -> None:
    """A1: two files and a folder of phenopackets make three platforms, none sharing a file."""
    for name in ("a.jsonl", "b.zip", "c/1.json", "c/2.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(GOOD)
    found = platform_sources(tmp_path, platforms=9)
    assert list(found) == ["platform-1", "platform-2", "platform-3"]
    assert [len(source.files) for source in found.values()] == [1, 1, 2]
    assert all(source.parts == 1 for source in found.values())


def test_one_collection_is_divided(tmp_path: Path) -> None:
    """A1: a single file is shared by the platforms, each with its own part; names sort."""
    (tmp_path / "a.jsonl").write_bytes(GOOD)
    found = platform_sources(tmp_path / "a.jsonl", platforms=12)
    assert [source.part for source in found.values()] == list(range(12))
    assert {(source.parts, len(source.files)) for source in found.values()} == {(12, 1)}
    assert list(found) == sorted(found)


def test_text_in_another_encoding_is_a_record_for_the_reader_to_refuse(tmp_path: Path) -> None:
    """B1: bytes that are not UTF-8 are handed on as they are, with their line."""
    (tmp_path / "a.jsonl").write_bytes(b"\xff\xfe{}\n" + GOOD)
    records, _ = read(tmp_path / "a.jsonl")
    assert [record.line for record in records] == [1, 2]

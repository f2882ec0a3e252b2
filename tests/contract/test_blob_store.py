"""Blobs on every kind of file system: named by their digest, checked when read."""

import hashlib
from pathlib import Path

import pytest
from pyarrow import fs

from cluster.errors import IntegrityError, NotFound
from cluster.storage.blobs import BlobStore

Place = tuple[BlobStore, fs.FileSystem, str]


@pytest.fixture(params=["folder", "uri", "memory", "subtree"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A store, and the file system and root that its files can be reached by."""
    root = str(tmp_path / "blobs")
    if request.param == "folder":
        return BlobStore(root + "/"), fs.LocalFileSystem(), root
    if request.param == "uri":
        return BlobStore(f"file://{root}"), fs.LocalFileSystem(), root
    if request.param == "memory":
        memory = fs._MockFileSystem()
        return BlobStore("blobs", memory), memory, "blobs"
    subtree = fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())
    return BlobStore("blobs", subtree), subtree, "blobs"


def path_of(place: Place, digest: str) -> str:
    selector = fs.FileSelector(place[2], recursive=True)
    (found,) = [f.path for f in place[1].get_file_info(selector) if f.base_name == digest]
    return str(found)


@pytest.mark.parametrize("content", [b"", b"model", bytes(range(256)) * 5000])
def test_bytes_come_back_under_their_digest(place: Place, content: bytes) -> None:
    """B3: what is put is there, whole, under its SHA-256."""
    store = place[0]
    digest = hashlib.sha256(content).hexdigest()
    assert not store.has(digest)
    assert store.put(content) == digest
    assert store.has(digest)
    assert store.get(digest) == content


def test_putting_twice_is_one_blob(place: Place) -> None:
    """B3: the same bytes again are one file, and no partial one stays."""
    assert place[0].put(b"model") == place[0].put(b"model")
    place[0].put(b"other")
    files = place[1].get_file_info(fs.FileSelector(place[2], recursive=True))
    assert len([f for f in files if f.type == fs.FileType.File]) == 2


def test_a_missing_blob_is_not_found(place: Place) -> None:
    """B3: a digest that nobody put is an error of its own kind, in an empty store too."""
    for _ in range(2):
        with pytest.raises(NotFound):
            place[0].get("ab" * 32)
        assert not place[0].has("ab" * 32)
        place[0].put(b"something else")


@pytest.mark.parametrize("content", [b"mode", b"", b"mudel"])
def test_a_damaged_blob_is_never_handed_out(place: Place, content: bytes) -> None:
    """B3 B9: changed or cut bytes are an error with a remedy."""
    digest = place[0].put(b"model")
    with place[1].open_output_stream(path_of(place, digest)) as stream:
        stream.write(content)
    with pytest.raises(IntegrityError) as caught:
        place[0].get(digest)
    assert caught.value.remedy


def test_putting_again_mends_a_cut_blob(place: Place) -> None:
    """B3: a blob that a broken write left short is whole after the next put."""
    digest = place[0].put(b"model")
    with place[1].open_output_stream(path_of(place, digest)) as stream:
        stream.write(b"mo")
    place[0].put(b"model")
    assert place[0].get(digest) == b"model"


def test_every_blob_is_listed(place: Place) -> None:
    """B3: a backup finds them all; an empty store has none."""
    assert place[0].digests() == []
    put = [place[0].put(content) for content in (b"", b"a", b"b")]
    assert place[0].digests() == sorted(put)

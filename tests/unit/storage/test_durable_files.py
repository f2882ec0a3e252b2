"""Files that are whole or absent, and secrets that are ours alone."""

import os
from pathlib import Path

import pytest

from cluster.storage.files import write_durably
from cluster.storage.keys import SECRET_BYTES, load_keys


def test_a_file_is_written_with_its_mode(tmp_path: Path) -> None:
    """B3: content and mode are as asked, folders are made, an old file is replaced."""
    path = tmp_path / "deep" / "er" / "file"
    write_durably(path, b"old")
    write_durably(path, b"new", mode=0o600)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_an_error_leaves_the_old_file_and_no_partial_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """B3: when the disk refuses, the old content stands and nothing lies about."""
    path = tmp_path / "file"
    write_durably(path, b"old")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os if call == "fsync" else Path, call, refuse)
    with pytest.raises(OSError, match="No space"):
        write_durably(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_not_bytes_leaves_nothing(tmp_path: Path) -> None:
    """B3: a mistake of the caller leaves no partial file either."""
    with pytest.raises(TypeError):
        write_durably(tmp_path / "file", "text")  # type: ignore[arg-type]  # that is the test
    assert list(tmp_path.iterdir()) == []


def test_keys_are_made_once_and_are_ours_alone(tmp_path: Path) -> None:
    """A11 B9: keys are random, stay the same, and nobody else can read them."""
    first, again = load_keys(tmp_path / "keys"), load_keys(tmp_path / "keys")
    other = load_keys(tmp_path / "other")
    assert first.pseudonym_key == again.pseudonym_key != other.pseudonym_key
    assert first.public_key == again.public_key != other.public_key
    assert len(first.pseudonym_key) == SECRET_BYTES
    for path in (tmp_path / "keys").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.stat().st_size == SECRET_BYTES


def test_keys_are_not_shown(tmp_path: Path) -> None:
    """B9: a log line with the keys in it has no secret."""
    keys = load_keys(tmp_path)
    assert keys.pseudonym_key.hex() not in repr(keys)
    assert repr(keys.pseudonym_key) not in repr(keys)

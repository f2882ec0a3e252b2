"""One suite for both sources of a device: a folder, and a server over the same folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import stamina
from device_builders import DISEASE, a_bundle, listed, serving, write_public

from cluster.device.source import Source, open_source
from cluster.errors import InputError, NotFound, Unreachable


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    bundle, files = a_bundle()
    return write_public(tmp_path / "public", [listed(bundle)], files)


@pytest.fixture(params=["folder", "server"])
def source(request: pytest.FixtureRequest, tree: Path) -> Iterator[Source]:
    if request.param == "folder":
        yield open_source(str(tree))
        return
    with serving(tree) as server, stamina.set_testing(True, attempts=2):
        yield open_source(server.url)


def test_the_list_is_read_once(source: Source, tree: Path) -> None:
    """C4 C5: the list comes whole, and not again while it is the same."""
    first = source.models("")
    assert first is not None and first.content == (tree / "models.json").read_bytes()
    assert first.etag and source.models(first.etag) is None
    bundle, _ = a_bundle()
    write_public(tree, [listed(bundle, summary="changed")])
    again = source.models(first.etag)
    assert again is not None and b"changed" in again.content


def test_a_file_comes_from_any_byte_on(source: Source, tree: Path) -> None:
    """C5: what is already there is not sent again."""
    path = max((tree / "files").iterdir(), key=lambda one: one.stat().st_size)
    for start in (0, 100):
        with source.file(path.name, start, "") as stream:
            assert stream.start == start
            assert b"".join(stream.chunks) == path.read_bytes()[start:]


def test_what_is_missing_is_said(source: Source) -> None:
    """C5 C8: no file and no answer are told from no connection."""
    with pytest.raises(NotFound), source.file("0" * 64, 0, ""):
        pass
    with pytest.raises(NotFound):
        source.answer("MONDO:0000009")
    assert b"redness" in source.answer(DISEASE)


@pytest.mark.parametrize("text", ["", "red", "../x:1", "A:../../b", "A:b/c", "MONDO:1\n"])
def test_only_an_id_is_asked_for(source: Source, text: str) -> None:
    """C8: nothing that is no id of a disease becomes a path or an address."""
    with pytest.raises(InputError):
        source.answer(text)


def test_without_a_list_there_is_no_source(source: Source, tree: Path) -> None:
    """C5: a place without models.json is one clear error."""
    (tree / "models.json").unlink()
    with pytest.raises(Unreachable):
        source.models("")

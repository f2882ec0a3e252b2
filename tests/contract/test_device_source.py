"""One suite for both sources of a device: a folder, and a server over the same folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import stamina
from device_builders import DISEASE, a_bundle, listed, serving, write_cases, write_public

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


def test_a_network_is_asked_for_rare_cases_once(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C8 B9: with the token, and not again where the line breaks: each time tells other places."""
    write_cases(tree, b"{}")
    monkeypatch.setenv("DAZZLE_SERVER_TOKEN", "north-1")
    with serving(tree) as server, stamina.set_testing(True, attempts=3):
        source = open_source(server.url)
        assert source.rare_cases(DISEASE, "north", 7) == b"{}"
        server.cuts = [1]
        with pytest.raises(Unreachable, match="does not answer"):
            source.rare_cases(DISEASE, "north", 7)
    question = "/platforms/north/rare-cases?disease=MONDO%3A0005249&limit=7"
    assert server.paths() == [question] * 2
    assert {one["authorization"] for _, one in server.asked} == {"Bearer north-1"}


def test_a_folder_has_no_network(tree: Path) -> None:
    """C8: which is not an answer without cases, whatever lies there."""
    write_cases(tree, b"{}")
    with pytest.raises(Unreachable, match="no network"):
        open_source(str(tree)).rare_cases(DISEASE, "north", 5)


@pytest.mark.parametrize(
    ("disease", "platform"),
    [("../x:1", "north"), ("A:1&b=c", "north"), (DISEASE, ""), (DISEASE, "../x"), (DISEASE, "a?b")],
)
def test_only_ids_are_asked_for_cases(tree: Path, disease: str, platform: str) -> None:
    """C8: nothing else becomes a part of an address."""
    with serving(tree) as server, pytest.raises(InputError):
        open_source(server.url).rare_cases(disease, platform, 5)
    assert server.paths() == []

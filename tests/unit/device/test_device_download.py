"""Downloads that are cut, refused or answered otherwise than asked."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import stamina
from device_builders import Serving, a_bundle, listed, serving, write_public

from cluster.clock import ManualClock
from cluster.device.cache import Cache
from cluster.device.client import Device
from cluster.device.files import Files, Wanted
from cluster.device.source import open_source
from cluster.errors import InputError, IntegrityError, PolicyRefusal, Unreachable
from cluster.ids import sha256

CONTENT = bytes(range(256)) * 4096
DIGEST = sha256(CONTENT)
WANTED = Wanted(DIGEST, len(CONTENT))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serving]:
    folder = tmp_path / "served"
    (folder / "files").mkdir(parents=True)
    (folder / "files" / DIGEST).write_bytes(CONTENT)
    with serving(folder) as state:
        yield state


@pytest.fixture
def fetch(tmp_path: Path, server: Serving) -> Callable[[], Files]:
    def run(wanted: Wanted = WANTED) -> Files:
        files = Files(tmp_path / "kept")
        files.fetch(wanted, open_source(server.url), lambda _: None)
        return files

    return run


def ranges(server: Serving) -> list[str]:
    return [headers.get("range", "") for _, headers in server.asked]


def test_a_cut_download_goes_on(server: Serving, fetch: Callable[[], Files]) -> None:
    """C5: after a cut only the rest is asked for, if the file is still the same one."""
    server.cuts = [300_000, 200_000]
    assert fetch().read(DIGEST) == CONTENT
    begins = [int(one.removeprefix("bytes=").rstrip("-") or 0) for one in ranges(server)]
    assert len(begins) == 3 and begins == sorted(set(begins)) and begins[2] > begins[1] > 0
    assert server.asked[1][1]["if-range"] == server.asked[2][1]["if-range"]


def test_a_line_that_keeps_failing_is_given_up(
    tmp_path: Path, server: Serving, fetch: Callable[[], Files]
) -> None:
    """C5: tries that bring nothing end in one error; a later command goes on at that byte."""
    server.cuts = [400_000] + [0] * 20
    with pytest.raises(Unreachable, match="goes on where it was cut"):
        fetch()
    part = tmp_path / "kept" / f"{DIGEST}.part"
    size = part.stat().st_size
    assert 0 < size <= 400_000
    server.cuts, server.asked = [], []
    assert fetch().read(DIGEST) == CONTENT
    assert ranges(server) == [f"bytes={size}-"]
    assert [path.name for path in part.parent.iterdir()] == [DIGEST]


def test_a_server_without_ranges_begins_anew(
    tmp_path: Path, server: Serving, fetch: Callable[[], Files]
) -> None:
    """C5: a 200 to a Range request is the whole file, not its rest."""
    server.cuts, server.ranges = [300_000], False
    assert fetch().read(DIGEST) == CONTENT
    assert len(server.asked) == 2


def test_a_changed_file_begins_anew(
    tmp_path: Path, server: Serving, fetch: Callable[[], Files]
) -> None:
    """C5: where the ETag is another one, the part is not added to."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / f"{DIGEST}.part").write_bytes(b"old" * 1000)
    (tmp_path / "kept" / f"{DIGEST}.part.etag").write_text('"old"')
    assert fetch().read(DIGEST) == CONTENT
    assert server.asked[0][1]["if-range"] == '"old"' and len(server.asked) == 1


def test_a_wrong_part_is_found_out(
    tmp_path: Path, server: Serving, fetch: Callable[[], Files]
) -> None:
    """C5: a part that is not of this file costs one more download, and no false file."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / f"{DIGEST}.part").write_bytes(b"x" * 1000)
    assert fetch().read(DIGEST) == CONTENT
    assert ranges(server) == ["bytes=1000-", ""]


@pytest.mark.parametrize("more", [0, 7])
def test_a_part_that_is_whole_or_too_long(
    tmp_path: Path, server: Serving, fetch: Callable[..., Files], more: int
) -> None:
    """C5: a whole part is not asked for; one that is too long (416) is fetched anew."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / f"{DIGEST}.part").write_bytes(CONTENT + b"x" * more)
    open_ended = Wanted(DIGEST, len(CONTENT) + 100, exact=False)
    assert fetch(open_ended).read(DIGEST) == CONTENT
    assert ranges(server) == ([f"bytes={len(CONTENT) + more}-", ""] if more else [])


def test_false_bytes_are_never_kept(
    tmp_path: Path, server: Serving, fetch: Callable[..., Files]
) -> None:
    """C5: bytes of another digest, and more bytes than are listed, end in an error and no file."""
    (server.folder / "files" / DIGEST).write_bytes(CONTENT[:-1] + b"?")
    for wanted in (WANTED, Wanted(DIGEST, 1000)):
        with pytest.raises(IntegrityError):
            fetch(wanted)
        assert list((tmp_path / "kept").iterdir()) == []


def test_two_commands_fetch_a_file_once(
    tmp_path: Path, server: Serving, fetch: Callable[[], Files]
) -> None:
    """C5: who comes while a file is on its way waits for it, and neither harms the other."""
    server.cuts = [300_000]
    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(fetch) for _ in range(4)]
    assert all(one.result().read(DIGEST) == CONTENT for one in done)
    assert len(server.asked) == 2
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [DIGEST]


def test_the_list_is_asked_for_on_condition(tmp_path: Path) -> None:
    """C4: an unchanged list is not sent again; its age is renewed."""
    bundle, files = a_bundle()
    tree = write_public(tmp_path / "public", [listed(bundle)], files)
    with serving(tree) as server:
        for second in (1.0, 2.0):
            clock = ManualClock(second)
            made = Device(Cache(tmp_path / "cache", clock), open_source(server.url), clock)
            assert made.listing().fresh and made.listing().listed_at == second
        assert "if-none-match" in server.asked[1][1] and len(server.asked) == 2


@pytest.mark.parametrize("status", [500, 302, 404])
def test_other_answers_do_not_hurt_a_cache(tmp_path: Path, status: int) -> None:
    """C5: a server that fails, moves or has lost its list leaves the last list in use."""
    bundle, files = a_bundle()
    tree = write_public(tmp_path / "public", [listed(bundle)], files)
    clock = ManualClock(5.0)
    with serving(tree) as server:

        def made() -> Device:
            return Device(Cache(tmp_path / "cache", clock), open_source(server.url), clock)

        made().listing()
        server.status = status
        assert not made().listing().fresh
        server.status = 0
        (tree / "models.json").write_text("<html>Sign in</html>")
        listing = made().listing()
        assert not listing.fresh and "no list of models" in listing.problem
        assert listing.models.models[0].name == "colours"


def test_the_token_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C5 B9: a server that wants a token gets that of the environment, and says so without."""
    bundle, files = a_bundle()
    tree = write_public(tmp_path / "public", [listed(bundle)], files)
    with serving(tree) as server:
        server.token = "secret-1"
        with pytest.raises(PolicyRefusal, match="DAZZLE_SERVER_TOKEN"):
            open_source(server.url).models("")
        monkeypatch.setenv("DAZZLE_SERVER_TOKEN", "secret-1")
        assert open_source(server.url).models("") is not None


@pytest.mark.parametrize(
    ("place", "word"),
    [
        ("http://models.example.org/x", "without encryption"),
        ("http://127.0.0.1.example.org/", "without encryption"),
        ("ftp://127.0.0.1/x", "no http"),
        ("https:///x", "no http"),
        ("https://me:secret@example.org/", "password"),
        ("https://example.org/?token=secret", "query"),
    ],
)
def test_only_safe_addresses_are_asked(place: str, word: str) -> None:
    """C5 B9: no plain HTTP to other machines, and no secret in an address or an error."""
    with pytest.raises(InputError, match=word) as caught:
        open_source(place)
    assert "secret" not in str(caught.value)


def test_plain_http_is_asked_for_and_never_gets_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """C5 B9: who asks for it may use plain HTTP, but not with a token."""
    place = "http://models.example.org"
    assert open_source(place, allow_http=True).place == place
    monkeypatch.setenv("DAZZLE_SERVER_TOKEN", "secret-1")
    with pytest.raises(InputError, match="token") as caught:
        open_source(place, allow_http=True)
    assert "secret-1" not in str(caught.value)


def test_only_a_failed_connection_is_tried_again(server: Serving) -> None:
    """C5: a server that answers with an error is not asked again at once."""
    server.status = 503
    with stamina.set_testing(True, attempts=4), pytest.raises(Unreachable):
        open_source(server.url).models("")
    assert server.paths() == ["/models.json"]

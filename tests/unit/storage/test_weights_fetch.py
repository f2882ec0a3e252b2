"""The fetch of weights: whole or absent, checked, and gone on with after a cut."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cluster.errors import Fault, IntegrityError
from cluster.ids import sha256
from cluster.storage import starting_weights
from cluster.storage.starting_weights import fetch_weights

CONTENT = bytes(range(256)) * 4096


@dataclass
class Server:
    """Gives one file, or as much of it as it is told to."""

    content: bytes = CONTENT
    gives: int | None = None
    """Bytes after which the connection is cut."""
    status: int = 0
    """Answered instead of the file."""
    resumes: bool = True
    url: str = ""
    ranges: list[str] = field(default_factory=list)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range", "")
        self.ranges.append(asked)
        start = int(asked[6:-1]) if asked and self.resumes else 0
        status = self.status or (206 if start else 200)
        if start >= len(self.content):
            status = 416
        body = self.content[start:] if status in (200, 206) else b""
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[: self.gives])


@pytest.fixture
def server() -> Iterator[Server]:
    told = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.answer(self)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    told.url = f"http://127.0.0.1:{http.server_address[1]}/weights.pth"
    yield told
    http.shutdown()
    http.server_close()
    thread.join()


def fetch(server: Server, path: Path, digest: str = sha256(CONTENT)[:8]) -> list[tuple[int, int]]:
    told: list[tuple[int, int]] = []
    assert fetch_weights(server.url, path, digest, lambda *two: told.append(two)) == sha256(CONTENT)
    return told


def names(path: Path) -> list[str]:
    return sorted(one.name for one in path.parent.iterdir())


def test_a_file_is_fetched_once(server: Server, tmp_path: Path) -> None:
    """C2: the file is there under its name with its bytes; a second fetch asks nobody."""
    path = tmp_path / "cache" / "w.pth"
    told = fetch(server, path)
    assert path.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert fetch(server, path) == []
    assert server.ranges == [""]
    assert names(path) == ["w.pth"]


def test_a_cut_fetch_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    """C2: what came is kept, nothing stands under the name, and only the rest is asked for."""
    path = tmp_path / "w.pth"
    server.gives = 300_000
    with pytest.raises(Fault, match="goes on where it stopped"):
        fetch(server, path)
    assert names(path) == [".w.pth.partial"]
    there = (tmp_path / ".w.pth.partial").stat().st_size
    assert 0 < there <= 300_000
    server.gives = None
    told = fetch(server, path)
    assert server.ranges == ["", f"bytes={there}-"]
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert path.read_bytes() == CONTENT
    assert names(path) == ["w.pth"]


def test_a_server_without_ranges_begins_anew(server: Server, tmp_path: Path) -> None:
    """C2: where the whole file comes again, the first part is not kept in front of it."""
    (tmp_path / ".w.pth.partial").write_bytes(CONTENT[:1000])
    server.resumes = False
    fetch(server, tmp_path / "w.pth")
    assert (tmp_path / "w.pth").read_bytes() == CONTENT


def test_a_fetch_that_was_whole_but_not_named_is_finished(server: Server, tmp_path: Path) -> None:
    """C2: a process that died after the last byte left a file that is only checked and named."""
    (tmp_path / ".w.pth.partial").write_bytes(CONTENT)
    assert fetch(server, tmp_path / "w.pth") == []
    assert names(tmp_path / "w.pth") == ["w.pth"]


def test_another_file_is_thrown_away(server: Server, tmp_path: Path) -> None:
    """C2: what has another digest never stands under the name, nor is gone on with."""
    server.content = b"<html>Please log in</html>"
    with pytest.raises(IntegrityError, match="another file"):
        fetch(server, tmp_path / "w.pth")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_replaced(server: Server, tmp_path: Path) -> None:
    """C2: a file of the name with other bytes gives way to the right one."""
    path = tmp_path / "w.pth"
    path.write_bytes(b"damaged")
    fetch(server, path)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("status", [302, 404, 503])
def test_another_answer_is_told(server: Server, tmp_path: Path, status: int) -> None:
    """C2: an error and a redirection are told with their number; nothing is left."""
    server.status = status
    with pytest.raises(Fault, match=f"HTTP {status}"):
        fetch(server, tmp_path / "w.pth")
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_end_is_given_up(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C2: a server cannot fill the disk."""
    monkeypatch.setattr(starting_weights, "BYTES_MAX", 1000)
    with pytest.raises(IntegrityError, match="over 1,000 bytes"):
        fetch(server, tmp_path / "w.pth")
    assert list(tmp_path.iterdir()) == []


def test_where_nobody_answers_the_error_says_what_to_do(tmp_path: Path) -> None:
    """C2: without a network the error names the address and the way by hand."""
    server = Server(url="http://127.0.0.1:9/weights.pth")
    with pytest.raises(Fault, match="fetch the file elsewhere and put it into torch's cache"):
        fetch(server, tmp_path / "w.pth")
    assert list(tmp_path.iterdir()) == []

"""A small server on this machine that answers as a Matchmaker Exchange peer is told to."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """What is answered."""

    status: int = 200
    body: bytes = b'{"results": []}'
    headers: Mapping[str, str] = field(default_factory=dict)
    drips: int = 0
    """Bytes that are promised beside the body, and come one in a twentieth of a second."""


@dataclass
class Script:
    """Replies in order, the last one for ever, and every call that came."""

    replies: list[Reply]
    calls: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""
    ended: threading.Event = field(default_factory=threading.Event)


@contextmanager
def played(*replies: Reply) -> Iterator[Script]:
    """Serve on a free port of the loopback address."""
    script = Script(list(replies))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            script.calls.append((self.path, dict(self.headers.items()), body))
            few = len(script.replies) == 1
            reply = script.replies[0] if few else script.replies.pop(0)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body) + reply.drips))
            self.end_headers()
            self.wfile.write(reply.body)
            with suppress(OSError):  # who waits for it may go
                for _ in range(reply.drips):
                    script.ended.wait(0.05)
                    self.wfile.write(b" ")

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield script
    finally:
        script.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()

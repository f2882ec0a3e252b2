"""A small server that speaks as NCBI's E-utilities do, on this machine, for the time of a test."""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

FIELD = "[Title/Abstract]"


@dataclass(frozen=True)
class Reply:
    """What is answered instead of the truth."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs: bool = False
    """Nothing is answered before the server ends."""


@dataclass
class Utilities:
    """Titles by PMID, what is answered first, and every call that came."""

    titles: dict[str, str]
    replies: dict[str, list[Reply | None]] = field(default_factory=dict)
    """By utility, in order; None is the truth."""
    calls: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    url: str = ""
    ended: threading.Event = field(default_factory=threading.Event)

    def forms(self, utility: str) -> list[dict[str, str]]:
        """Return what one utility was asked with."""
        return [form for name, form in self.calls if name == utility]

    def esearch(self, form: Mapping[str, str]) -> Any:
        """Find the titles that have every word of a term, newest first."""
        words = form["term"].split(" AND ")
        wanted = [w.removesuffix(FIELD) for w in words if not w.startswith("(")]
        assert all(word.endswith(FIELD) for word in words if not word.startswith("("))
        found = [
            pmid
            for pmid, title in sorted(self.titles.items(), key=lambda pair: -int(pair[0]))
            if {word.lower() for word in wanted} <= set(re.findall(r"\w+", title.lower()))
        ]
        ids = found[: int(form["retmax"])]
        return {"header": {"type": "esearch"}, "esearchresult": {"count": "1", "idlist": ids}}

    def esummary(self, form: Mapping[str, str]) -> Any:
        """Return the summary of each id; an error for one that is not there."""
        ids = form["id"].split(",")
        known = {
            pmid: {"uid": pmid, "title": self.titles[pmid]}
            if self.titles.get(pmid)
            else {"uid": pmid, "error": "cannot get document summary"}
            for pmid in ids
        }
        return {"header": {"type": "esummary"}, "result": {"uids": ids} | known}


@contextmanager
def served(utilities: Utilities) -> Iterator[Utilities]:
    """Serve on a free port of the loopback address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            utility = self.path.removeprefix("/eutils/").removesuffix(".fcgi")
            utilities.calls.append((utility, form))
            utilities.paths.append(self.path)
            scripted = utilities.replies.get(utility, [])
            reply = scripted.pop(0) if scripted else None
            if reply is None:
                content = getattr(utilities, utility)(form)
                reply = Reply(body=json.dumps(content).encode())
            if reply.hangs:
                utilities.ended.wait(30)
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    utilities.url = f"http://127.0.0.1:{server.server_address[1]}/eutils"
    try:
        yield utilities
    finally:
        utilities.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()

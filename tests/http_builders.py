"""Applications in this process: real services behind the real door, without Ray or a socket."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

import httpx
import uvicorn
from starlette.types import ASGIApp

from actors.courier import cases_of_disease
from cluster.contracts.related import DiseaseQuestion, NetworkCases
from cluster.errors import NotFound
from cluster.settings import Settings
from cluster.storage.peer_client import RemotePlatform, peer_http
from serve_apps.bare import BareCluster
from serve_apps.bare import InProcess as Local

__all__ = ["Client", "Local", "LocalCluster", "free_port", "listening", "quick"]
URL = "http://dazzle.test"


class LocalCluster(BareCluster):
    """A cluster in this process; ``opened`` lists those whose ledgers are still to be closed."""

    opened: ClassVar[list[BareCluster]] = []

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.opened.append(self)

    @property
    def cases(self) -> Self:
        return self

    async def cases_of_disease(self, name: str, question: DiseaseQuestion, by: str) -> NetworkCases:
        """Ask as the supervisor does; platforms of other clusters over HTTP."""
        if name not in self.services:
            what = "there is no such platform"
            raise NotFound(what)
        asked = self.services[name].platforms_to_ask(question, by)
        async with peer_http() as client:
            remotes = self.network_service.remotes()
            peers: dict[str, Any] = {n: Local(one) for n, one in self.services.items()}
            peers |= {one.card.platform_id: RemotePlatform(one, client) for one in remotes}
            return await cases_of_disease(name, asked, peers, question)


class Client:
    """A real HTTP client of an application in this process."""

    def __init__(self, app: ASGIApp, token: str = "") -> None:
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def __call__(self, method: str, path: str, **asked: Any) -> httpx.Response:
        headers = self._headers | asked.pop("headers", {})

        async def call() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url=URL) as client:
                return await client.request(method, path, headers=headers, **asked)

        return asyncio.run(call())


@contextmanager
def listening(app: ASGIApp) -> Iterator[str]:
    """Serve an application on a free port of this machine, from a thread."""
    server = uvicorn.Server(uvicorn.Config(app, port=free_port(), log_level="critical"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.02)
        yield f"http://127.0.0.1:{server.config.port}"
    finally:
        server.should_exit = True
        thread.join()


def quick(data_dir: Path, **changed: Any) -> Settings:
    """Settings whose limits do not stand in the way of a test."""
    wide = {"calls_per_s": 1e6, "calls_burst": 1e6, "public_calls_per_s": 1e6}
    return Settings(data_dir=data_dir, **(wide | changed))


def free_port() -> int:
    """A port of this machine that nobody has."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port

"""The load of the benchmark of services is made, counted, and refuses to count failures (B8)."""

import asyncio
from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from cluster.errors import Fault
from serve_apps import load
from serve_apps.load import Call
from tests.http_builders import listening

SEEN: list[bytes] = []


async def app(scope: object, receive: object, send: object) -> None:
    request = Request(scope, receive)  # type: ignore[arg-type]  # of ASGI
    answer: Response = PlainTextResponse("ok")
    if request.url.path == "/broken":
        answer = PlainTextResponse("no", 500)
    SEEN.append(await request.body())
    await answer(scope, receive, send)  # type: ignore[arg-type]  # of ASGI


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with listening(app) as address:
        yield address


def test_every_request_is_another_one(url: str) -> None:
    SEEN.clear()
    rates = load.load(url, Call("POST", "/", "event @"), connections=2, seconds=1)
    assert rates.per_s > 0 and 0 < rates.p50_ms <= rates.p99_ms
    assert len(SEEN) == len(set(SEEN)) > 2


def test_without_wrk_a_client_of_our_own_does_the_same(url: str) -> None:
    SEEN.clear()
    rates = asyncio.run(load._own(url, Call("POST", "/", "event @"), 2, 0.5))
    assert rates.per_s > 0 and 0 < rates.p50_ms <= rates.p99_ms
    assert len(SEEN) == len(set(SEEN)) > 2


def test_failures_are_no_rate(url: str) -> None:
    with pytest.raises(Fault, match="500"):
        load.load(url, Call("GET", "/broken"), seconds=1)

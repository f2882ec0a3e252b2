"""Load on an HTTP server, for a benchmark: wrk where the machine has it, else a client of our own.

A body is a text in which ``@`` becomes another number at each request, so that no two are the same.
"""

import asyncio
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from cluster.errors import Fault

SECONDS: Final = 4
CONNECTIONS: Final = 16
UNITS: Final = {"us": 1e-3, "ms": 1.0, "s": 1e3}
SCRIPT: Final = """
local file = io.open("{body}")
local text = file:read("*a")
local number = {begin}
wrk.method = "{method}"
{headers}
request = function()
  number = number + 1
  if {changes} then
    return wrk.format(nil, nil, nil, (text:gsub("@", "{begin}-" .. number .. "-")))
  end
  return wrk.format(nil, nil, nil, text)
end
"""


@dataclass(frozen=True)
class Call:
    """A request that is made again and again."""

    method: str
    path: str
    body: str = ""
    items: int = 1
    """That one request carries."""
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Rates:
    """What came of a load."""

    per_s: float
    p50_ms: float
    p99_ms: float


def tool() -> str:
    """Say what makes the load here."""
    return "wrk" if shutil.which("wrk") else "a client in Python, which takes more of the machine"


def load(url: str, call: Call, connections: int = CONNECTIONS, seconds: float = SECONDS) -> Rates:
    """Load a server for some seconds.

    Args:
        url: of the server.
        call: what is asked.
        connections: that are kept open and used at once.
        seconds: how long.

    Raises:
        Fault: an answer was no success.
    """
    with httpx.Client(base_url=url, timeout=60) as client:
        first = client.request(
            call.method, call.path, content=_numbered(call, "probe"), headers=call.headers
        )
        if not first.is_success:
            what = f"{call.method} {call.path} answers {first.status_code}"
            raise Fault(what, "load", first.text[:200])
    if shutil.which("wrk"):
        return _wrk(url, call, connections, seconds)
    return asyncio.run(_own(url, call, connections, seconds))


def _wrk(url: str, call: Call, connections: int, seconds: float) -> Rates:
    with tempfile.TemporaryDirectory() as folder:
        body, script = Path(folder) / "body", Path(folder) / "load.lua"
        body.write_text(call.body)
        headers = "\n".join(f'wrk.headers["{k}"] = "{v}"' for k, v in (call.headers or {}).items())
        changes = "true" if "@" in call.body else "false"
        begin = time.perf_counter_ns() % 10**9
        script.write_text(
            SCRIPT.format(
                body=body, method=call.method, headers=headers, changes=changes, begin=begin
            )
        )
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "20s"]
        done = subprocess.run(  # noqa: S603 - no word of it comes from outside
            [*command, "--latency", "-s", str(script), url + call.path],
            capture_output=True,
            text=True,
            check=True,
        )
    told = done.stdout
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", told)
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", told)
    if bad or rate is None:
        what = f"{bad[1] if bad else 'all'} answers were no success"
        raise Fault(what, "load", f"{call.method} {call.path}")
    return Rates(float(rate[1]), _latency(told, 50), _latency(told, 99))


def _latency(told: str, percent: int) -> float:
    found = re.search(rf"{percent}%\s+([0-9.]+)(us|ms|s)", told)
    return float(found[1]) * UNITS[found[2]] if found else 0.0


async def _own(url: str, call: Call, connections: int, seconds: float) -> Rates:
    took: list[float] = []
    end = time.perf_counter() + seconds
    limits = httpx.Limits(max_connections=connections)

    async def work(client: httpx.AsyncClient, number: int) -> None:
        done = 0
        while time.perf_counter() < end:
            done += 1
            body = _numbered(call, f"{time.perf_counter_ns()}-{number}-{done}-")
            began = time.perf_counter()
            answer = await client.request(
                call.method, call.path, content=body, headers=call.headers
            )
            answer.raise_for_status()
            took.append(1e3 * (time.perf_counter() - began))

    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=60) as client:
        await asyncio.gather(*(work(client, number) for number in range(connections)))
    took.sort()
    return Rates(len(took) / seconds, took[len(took) // 2], took[len(took) * 99 // 100])


def _numbered(call: Call, number: str) -> str:
    return call.body.replace("@", number)

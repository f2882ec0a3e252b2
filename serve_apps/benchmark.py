"""Measures the services over HTTP: bare uvicorn, Serve's default and the fast form, side by side.

All three have the same routes, door, cases and trend model, each its own copy of the data, and run
at the same time; they are loaded in turn, round by round.
"""

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np

from actors.network import NetworkService
from actors.platform import PlatformService
from actors.registry import RegistryService
from cluster.access.simulated_network import simulated_network
from cluster.authorisation.roles import Role
from cluster.clock import DAY_S, SystemClock
from cluster.contracts.ingest import Source
from cluster.contracts.matchmaking import Matchmaker
from cluster.contracts.sharing import PlatformProfile
from cluster.contracts.trend import N_OBS
from cluster.errors import Fault
from cluster.flow.screening import AtRisk
from cluster.flow.windows import divide
from cluster.screening.priors import KNOWN_NOTHING
from cluster.settings import PREFIX, Settings
from cluster.trend.fit import FitConfig
from cluster.trend.publish import fit
from serve_apps.http.serving import HOST, TOKEN_FOLLOWS
from serve_apps.load import CONNECTIONS, Call, Rates, load, tool

PLATFORM: Final = "north"
MATCHMAKER: Final = "benchmark"
BARE: Final = "bare uvicorn"
ROUNDS: Final = 3
ITEMS: Final = 1000
WIDE: Final = {"calls_per_s": "1e9", "calls_burst": "1e9", "calls_at_once": "1000"}
"""Settings whose limits do not stand in the way."""
SINGLE: Final = ("search", "match")
"""Measured with one connection: how long one takes is what is asked."""
TERMS: Final = ("HP:0001250", "HP:0001263", "HP:0001290", "HP:0000729")
SEED: Final = 1
HISTORY_DAYS: Final = 120.0
PATIENT: Final = {
    "id": "benchmark",
    "contact": {"name": "benchmark", "href": "https://example.org/benchmark"},
    "features": [{"id": term} for term in TERMS],
    "genomicFeatures": [{"gene": {"id": "NGLY1"}}],
}


@dataclass(frozen=True)
class Held:
    """What every form has."""

    n_cases: int
    case_ids: list[str]
    """Some of them."""
    period_days: float
    """That the model was trained for."""


@dataclass(frozen=True)
class Form:
    """A way of running the same applications."""

    name: str
    url: str
    token: str
    """Of an operator."""
    peer_token: str
    """Of a server of the Matchmaker Exchange."""


def benchmark_http(source: Source, scratch: Path, settings: Settings) -> dict[str, Any]:
    """Measure every form under every load.

    Args:
        source: cases of one platform.
        scratch: folder for the copies of the data.
        settings: which every form gets.

    Returns:
        The tool that made the load, the number of cases, and by load and form the requests a
        second (medians of three rounds), latencies in ms, and the ratio to bare uvicorn.
    """
    data = scratch / "data"
    held = _prepared(data, source, settings)
    with ExitStack() as running:
        forms = [
            running.enter_context(_running(name, command, data, scratch / name, settings))
            for name, command in _commands().items()
        ]
        measured: dict[str, dict[str, list[Rates]]] = {}
        for _ in range(ROUNDS):
            for form in forms:
                for name, call in _calls(form, held).items():
                    connections = 1 if name in SINGLE else CONNECTIONS
                    rates = load(form.url, call, connections)
                    measured.setdefault(name, {}).setdefault(form.name, []).append(rates)
        items = {name: call.items for name, call in _calls(forms[0], held).items()}
    figures = {name: _figures(by_form, items[name]) for name, by_form in measured.items()}
    return {"load": tool(), "n_cases": held.n_cases, "rounds": ROUNDS, "http": figures}


def _prepared(data: Path, source: Source, settings: Settings) -> Held:
    """Fill a data folder, which is copied for each form: cases, and a model of SIMULATED accesses.

    The model has the network of every other one and is trained briefly: its figures are not asked.
    """
    here = settings.model_copy(update={"data_dir": data.resolve()})
    network = NetworkService(here)
    platform = PlatformService(PLATFORM, here)
    report, _ = platform.ingest(source)
    platform.put_matchmaker(Matchmaker(peer_id=MATCHMAKER, agreed=True), "benchmark")
    profile = PlatformProfile(platform_id=PLATFORM, person_years_at_risk=1e6)
    network.register(profile, platform.describe()[0])
    case_ids = [one.case_id for one in platform.list_cases("", 100).cases]
    now = SystemClock().now() // DAY_S * DAY_S
    platform.screen(AtRisk(1e6, "stated"), KNOWN_NOTHING, None)
    drawn = simulated_network([PLATFORM, "south"], SEED)
    platform.simulate_accesses(drawn, now - HISTORY_DAYS * DAY_S, HISTORY_DAYS, SEED)
    windows = divide(platform.access_windows(now, HISTORY_DAYS)).old
    registry = RegistryService(here)
    registry.publish(*fit(windows, FitConfig(epochs_max=1), "SIMULATED"))
    for service in (network, platform, registry):
        service.close()
    return Held(report.added, case_ids, N_OBS * windows["bin_days"][0].as_py())


def _commands() -> dict[str, tuple[str, ...]]:
    serve = (sys.executable, "-m", "jobs.serve", "--port")
    return {
        BARE: (sys.executable, "-m", "serve_apps.bare"),
        "Serve": serve,
        "Serve, fast": (*serve[:-1], "--fast", "--port"),
    }


@contextmanager
def _running(
    name: str, command: Sequence[str], data: Path, copy: Path, settings: Settings
) -> Iterator[Form]:
    """Run a form on a copy of the data until the block ends."""
    shutil.copytree(data, copy)
    told = settings.texts() | WIDE | {"data_dir": str(copy.resolve())}
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", PREFIX))}
    environment |= {f"{PREFIX}{key.upper()}": text for key, text in told.items()}
    port = _free_port()
    with subprocess.Popen(  # noqa: S603 - our own program
        [*command, str(port)], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            url, token = f"http://{HOST}:{port}", _told(process)
            yield Form(name, url, token, _peer_token(url, token))
        finally:
            process.terminate()
            process.wait(90)


def _told(process: "subprocess.Popen[str]") -> str:
    """Wait for a form to say that it serves, and return the token that it shows."""
    lines = iter(process.stdout or ())
    if any(TOKEN_FOLLOWS in line for line in lines):
        return next(lines).strip()
    what = "a form of the services did not start"
    raise Fault(what, "benchmark", "Its words stand above.")


def _peer_token(url: str, token: str) -> str:
    order = {"role": Role.PLATFORM, "platform": MATCHMAKER, "holder": "benchmark"}
    with httpx.Client(base_url=url, timeout=60, transport=_patient()) as client:
        headers = {"Authorization": f"Bearer {token}"}
        issued = client.post("/share/v1/tokens", json=order, headers=headers)
        found: str = issued.raise_for_status().json()["token"]
    return found


def _patient() -> httpx.HTTPTransport:
    """Return a transport for a server that is about to listen."""
    return httpx.HTTPTransport(retries=8)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        port: int = taken.getsockname()[1]
    return port


def _calls(form: Form, held: Held) -> dict[str, Call]:
    """Return what is asked of a form, by name; ``@`` makes every event a new one."""
    sent = {"Authorization": f"Bearer {form.token}", "Content-Type": "application/json"}
    peer = sent | {"X-Auth-Token": form.peer_token}
    del peer["Authorization"]
    home, indexes = f"/share/v1/platforms/{PLATFORM}", "/prediction/v1/indexes"
    query = {"terms": TERMS, "excluded": ["HP:0001631"], "k": 10}
    return {
        "info": Call("GET", "/share/v1/info", headers=sent),
        "prediction, 1": Call("POST", indexes, _counts(1, held), headers=sent),
        "prediction, 1000": Call("POST", indexes, _counts(ITEMS, held), ITEMS, sent),
        "events, 1": Call("POST", f"{home}/events", _events(held, 1), headers=sent),
        "events, 1000": Call("POST", f"{home}/events", _events(held, ITEMS), ITEMS, sent),
        "search": Call("POST", f"{home}/search", json.dumps(query), headers=sent),
        "match": Call("POST", "/mme/match", json.dumps({"patient": PATIENT}), headers=peer),
    }


def _counts(n: int, held: Held) -> str:
    rng = np.random.default_rng(SEED)
    now = SystemClock().now() // DAY_S * DAY_S
    items = [
        {
            "id": f"item-{number}",
            "clicks": rng.poisson(6, 8).tolist(),
            "usages": rng.poisson(2, 8).tolist(),
            "first_access": now - 60 * DAY_S,
        }
        for number in range(n)
    ]
    return json.dumps({"period_end": now, "period_days": held.period_days, "items": items})


def _events(held: Held, n: int) -> str:
    at = SystemClock().now() - DAY_S
    rows = [
        {
            "event_id": f"@{number}",
            "case_id": held.case_ids[number % len(held.case_ids)],
            "kind": "view",
            "at": at,
            "user": f"u-{number}",
        }
        for number in range(n)
    ]
    return json.dumps({"events": rows})


def _figures(by_form: Mapping[str, Sequence[Rates]], items: int) -> dict[str, dict[str, float]]:
    """Return medians of the rounds, and the ratio to bare uvicorn."""
    medians = {
        form: {
            "requests_per_s": statistics.median(one.per_s for one in rounds),
            "p50_ms": statistics.median(one.p50_ms for one in rounds),
            "p99_ms": statistics.median(one.p99_ms for one in rounds),
        }
        for form, rounds in by_form.items()
    }
    bare = medians[BARE]["requests_per_s"]
    for figures in medians.values():
        figures["items_per_s"] = items * figures["requests_per_s"]
        figures["ratio_to_bare"] = figures["requests_per_s"] / bare
    return medians

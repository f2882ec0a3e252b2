"""Small SIMULATED runs of the whole flow on a real local Ray, for the integration tests."""

import os
import select
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray

from actors.flow import Run, run_all
from actors.options import NAMESPACE
from actors.session import open_session
from cluster.clock import parse_iso
from cluster.contracts.result import SIMULATED, FlowPlan, FlowResult
from cluster.flow.plan import keep_plan, sources_of
from cluster.settings import Settings, load_settings

AS_OF = parse_iso("2026-01-05")
PLATFORMS = 3
SERVICES = ("supervisor", "network", "registry", "trend")

Hook = Callable[[str, int, dict[str, int]], None]
"""Called with the step, how many of its parts are done, and the process id of every actor."""


def settings_in(folder: Path) -> Settings:
    """Return settings whose data lie in the folder; few visits make short periods here."""
    chosen = {"data_dir": str(folder / "data"), "visits_per_day_ref": "250"}
    return load_settings(chosen | {"train_epochs_max": "20", "incidence_preset_per_100k": "0.35"})


def begin(folder: Path, hook: Hook | None = None) -> Run:
    """Open a run in a folder, with actors of its own."""
    settings = settings_in(folder)
    plan = keep_plan(
        folder,
        FlowPlan(
            run="test",
            cases=SIMULATED,
            events=SIMULATED,
            as_of=AS_OF,
            history_days=100,
            seed=7,
            platforms=PLATFORMS,
            cases_per_platform=180,
            no_agreement=(f"platform-{PLATFORMS}",),
            settings={},
        ),
    )
    sources = sources_of(plan, folder, settings)
    session = open_session(settings, list(sources))

    services = {name: getattr(session, name) for name in SERVICES}
    pids = {
        name: ray.get(actor.describe.remote(), timeout=60)[1]
        for name, actor in (services | session.platforms).items()
    }

    def progress(step: str, done: int, _: int) -> None:
        if hook:
            hook(step, done, pids)

    return Run(plan, sources, session, progress)


def stop_actors() -> None:
    """Kill every Dazzle actor for good, as the end of a cluster does, and wait for it."""
    for named in ray.util.list_named_actors(all_namespaces=True):
        if named["namespace"] == NAMESPACE:
            actor = ray.get_actor(named["name"], namespace=NAMESPACE)
            pid = ray.get(actor.describe.remote(), timeout=60)[1]
            ray.kill(actor, no_restart=True)
            _wait_until_gone(pid)


def run_to_end(folder: Path, hook: Hook | None = None) -> FlowResult:
    """Run the whole flow in a folder, and leave no actor behind."""
    try:
        return run_all(begin(folder, hook))
    finally:
        stop_actors()


def share_keys(source: Path, target: Path) -> None:
    """Give a new run the secrets of another, so that pseudonyms can be compared."""
    for keys in (source / "data" / "platforms").glob("*/keys"):
        shutil.copytree(keys, target / "data" / "platforms" / keys.parent.name / "keys")


def outcome(result: FlowResult) -> dict[str, Any]:
    """Return a result without what may differ between two honest runs: clock, tries, signatures."""
    return _without(
        result.model_dump(mode="json"), {"attempts", "received_at", "signature", "settings"}
    )


def _without(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(part, names) for key, part in value.items() if key not in names}
    if isinstance(value, list):
        return [_without(part, names) for part in value]
    return value


def _wait_until_gone(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        end = select.poll()  # not select(): it takes no descriptor beyond 1,023
        end.register(descriptor, select.POLLIN)
        end.poll(30_000)
    finally:
        os.close(descriptor)

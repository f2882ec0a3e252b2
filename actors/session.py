"""A connection to a Ray cluster and to Dazzle's actors on it."""

import logging
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayActorError

from actors.network import start_network
from actors.options import NAMESPACE
from actors.platform import start_platform
from actors.registry import start_registry
from actors.supervisor import other_settings, start_supervisor
from actors.trend import start_trend
from cluster.errors import StoreUnavailable
from cluster.settings import Settings

OBJECT_STORE_BYTES = 512 << 20
LOCAL_CPUS = 2
STARTED_AT_ONCE = 16
"""Processes that Ray may start side by side: an actor for each platform, all at the beginning."""


@dataclass(frozen=True)
class Session:
    """Handles of the actors that a job talks to."""

    settings: Settings
    supervisor: Any
    network: Any
    registry: Any
    trend: Any
    platforms: dict[str, Any]


@contextmanager
def connected(*, takes_jobs: bool = False) -> Iterator[None]:
    """Use the cluster that ``RAY_ADDRESS`` names, or start one in this machine for the time.

    Args:
        takes_jobs: whether one that is started has Ray's dashboard, through which jobs come.

    Ray turns its token check on for a cluster that is started here; the token lives in this process
    and its children, not on the disk. Ray listens on the machine's own address all the same (it
    replaces the loopback address by it), so the token is what keeps others out.
    """
    address = os.environ.get("RAY_ADDRESS")
    if address:
        ray.init(address=address, namespace=NAMESPACE, log_to_driver=False)
    else:
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_worker_niceness", "0")
        os.environ.setdefault("RAY_worker_maximum_startup_concurrency", str(STARTED_AT_ONCE))
        ray.init(
            address="local",
            namespace=NAMESPACE,
            include_dashboard=takes_jobs,
            log_to_driver=False,
            logging_level=logging.ERROR,
            num_cpus=max(LOCAL_CPUS, os.cpu_count() or LOCAL_CPUS),
            object_store_memory=OBJECT_STORE_BYTES,
            _node_ip_address="127.0.0.1",
        )
    try:
        yield
    finally:
        ray.shutdown()


def open_session(settings: Settings, platform_ids: Sequence[str]) -> Session:
    """Return handles of the actors, started where they are missing.

    Raises:
        Conflict: the cluster's actors run with other settings.
        StoreUnavailable: an actor cannot open its ledger.
    """
    supervisor = start_supervisor(settings)
    try:
        if ray.get(supervisor.describe.remote())[2] != settings.digest():
            raise other_settings()
        ray.get(supervisor.ensure.remote(list(platform_ids)))
    except RayActorError as error:
        what = "an actor could not start; another run may have the data folder open"
        remedy = f"Stop the other run, or see the actor's words: {_last_line(error)}"
        raise StoreUnavailable(what, str(settings.data_dir), remedy) from None
    return Session(
        settings=settings,
        supervisor=supervisor,
        network=start_network(settings),
        registry=start_registry(settings),
        trend=start_trend(settings),
        platforms={name: start_platform(name, settings) for name in platform_ids},
    )


def known_platforms(settings: Settings) -> list[str]:
    """Return the platforms whose ledgers are in the data folder."""
    folder = settings.data_dir / "platforms"
    return sorted(path.parent.name for path in folder.glob("*/ledger.sqlite"))


def _last_line(error: RayActorError) -> str:
    lines = [line.strip() for line in str(error).splitlines() if "cluster.errors" in line]
    return lines[-1] if lines else type(error).__name__

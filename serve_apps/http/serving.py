"""How applications are placed on Ray Serve, and how they are run on one machine."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import ray
from fastapi import APIRouter
from ray import serve
from ray.serve.config import HTTPOptions

from actors.session import connected, known_platforms, open_session
from cluster.authorisation.roles import Role
from cluster.authorisation.tokens import TokenIssued, TokenOrder
from cluster.clock import SystemClock
from cluster.settings import PREFIX, Settings, load_settings
from cluster.storage.tokens import TokenReader
from serve_apps.http.application import Entrance, application

Ports = TypeVar("Ports")
ONGOING_MAX: Final = 512
"""Above the slots of a replica: the door answers those beyond itself, at once."""
DRAIN_S: Final = 35.0
"""A replica that is to go works so long on what it has taken."""
HOST: Final = "127.0.0.1"
TOKEN_FOLLOWS: Final = "token of an operator, shown this once:"  # noqa: S105 - a line to people
FAST: Final = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",  # nobody else sends calls to replicas
}
"""HAProxy before the replicas, which then listen on every interface of the machine."""


def placed(
    name: str,
    cluster: Callable[[Settings], Ports],
    routes: Callable[[Ports], APIRouter],
    docs: str,
    replicas: int = 1,
) -> serve.Application:
    """Place an application on Serve.

    Its replica starts the actors that are not there, so that no application waits for another.

    Args:
        name: of the application.
        cluster: makes what the application sees of the cluster, in the replica.
        routes: over that.
        docs: path under which the OpenAPI description is shown.
        replicas: processes that answer; limits of calls are those of each.
    """

    def asgi() -> Any:  # noqa: ANN401 - an ASGI application
        settings = load_settings()
        open_session(settings, known_platforms(settings))
        entrance = Entrance(settings, TokenReader(settings.data_dir, SystemClock()).card_of)
        return application(f"Dazzle: {name}", routes(cluster(settings)), entrance, docs)

    deployed = serve.deployment(
        name=name,
        num_replicas=replicas,
        max_ongoing_requests=ONGOING_MAX,
        max_queued_requests=ONGOING_MAX,
        ray_actor_options={"num_cpus": 0},
        health_check_period_s=5.0,
        graceful_shutdown_timeout_s=DRAIN_S,
    )
    return deployed(serve.ingress(asgi)()).bind()


@dataclass(frozen=True)
class Place:
    """An application and where it answers."""

    name: str
    prefix: str
    app: serve.Application


@contextmanager
def served(
    settings: Settings, places: Sequence[Place], port: int, *, fast: bool
) -> Iterator[TokenIssued]:
    """Run applications on a cluster in this machine, and issue a token for its operator.

    Args:
        settings: which every process gets.
        places: the applications.
        port: of HTTP; on the loopback address, but where ``fast`` is set.
        fast: let HAProxy stand before the replicas.
    """
    os.environ["FORWARDED_ALLOW_IPS"] = ""  # callers do not name their own address
    os.environ |= {f"{PREFIX}{name.upper()}": text for name, text in settings.texts().items()}
    if fast:
        os.environ |= FAST
    with connected(takes_jobs=True):
        session = open_session(settings, known_platforms(settings))
        order = TokenOrder(role=Role.OPERATOR, holder="local operator", days=1)
        issued: TokenIssued = ray.get(session.network.issue_token.remote(order))
        serve.start(
            http_options=HTTPOptions(host=HOST, port=port),
            logging_config={"enable_access_log": False},
        )
        try:
            for place in places:
                serve.run(place.app, name=place.name, route_prefix=place.prefix)
            yield issued
        finally:
            serve.shutdown()  # type: ignore[no-untyped-call]  # Ray has no type for it

"""How a job reaches the registry: the cluster's where there is one, else its own (C4, C8)."""

import os
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import ray

from actors.options import NAMESPACE, REGISTRY
from actors.registry import RegistryService
from actors.session import connected
from cluster.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")


def ask_registry(
    settings: Settings,
    method: Callable[Concatenate[RegistryService, P], R],
    *asked: P.args,
    **named: P.kwargs,
) -> R:
    """Call a method of whoever keeps the registry of a data folder.

    Where this process is connected to a cluster, or ``RAY_ADDRESS`` names one, and it has a
    registry, that one does it; else it is done here, without Ray, under the lock of the registry's
    ledger.

    Args:
        settings: where the data folder is.
        method: such as ``RegistryService.load_diseases``.
        asked: its arguments.
        named: its named arguments.

    Raises:
        StoreUnavailable: another process keeps the registry.
        Conflict: the cluster's registry keeps another data folder.
    """
    if ray.is_initialized():
        registry = _running_registry()
    elif os.environ.get("RAY_ADDRESS"):
        with connected():
            return ask_registry(settings, method, *asked, **named)
    else:
        registry = None
    if registry is not None:
        ray.get(registry.check_folder.remote(str(settings.data_dir)))
        answer: R = ray.get(getattr(registry, method.__name__).remote(*asked, **named))
        return answer
    service = RegistryService(settings)
    try:
        return method(service, *asked, **named)
    finally:
        service.close()


def _running_registry() -> Any:  # noqa: ANN401 - a handle, which Ray does not type
    try:
        return ray.get_actor(REGISTRY, NAMESPACE)
    except ValueError:  # its way of saying that there is none
        return None

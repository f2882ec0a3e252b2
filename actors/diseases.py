"""Loads the disease database through whoever keeps the registry (C8)."""

import os
from collections.abc import Mapping
from typing import Any

import ray

from actors.options import NAMESPACE, REGISTRY
from actors.registry import RegistryService
from actors.session import connected
from cluster.contracts.disease import DiseaseCard
from cluster.settings import Settings


def load_diseases(
    settings: Settings, content: bytes, name: str, dates: Mapping[str, str]
) -> DiseaseCard:
    """Let a file of disease records serve, and return its card.

    Where a cluster is named by ``RAY_ADDRESS`` and has a registry, that one does it; else it is
    done here, without Ray, under the lock of the registry's ledger.

    Args:
        settings: where the data folder is.
        content: the file, packed or not.
        name: of the file.
        dates: release of each source, by the beginning of its name.

    Raises:
        SourceUnreadable: the file cannot be used; what served before still serves.
        StoreUnavailable: another process keeps the registry.
        Conflict: the cluster's registry keeps another data folder.
    """
    asked = (content, name, dict(dates), str(settings.data_dir))
    if os.environ.get("RAY_ADDRESS"):
        with connected():
            registry = _running_registry()
            if registry is not None:
                card: DiseaseCard = ray.get(registry.load_diseases.remote(*asked))
                return card
    service = RegistryService(settings)
    try:
        return service.load_diseases(*asked)
    finally:
        service.close()


def _running_registry() -> Any:  # noqa: ANN401 - a handle, which Ray does not type
    try:
        return ray.get_actor(REGISTRY, NAMESPACE)
    except ValueError:  # its way of saying that there is none
        return None

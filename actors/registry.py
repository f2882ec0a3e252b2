"""The registry as a process: models, data sets and updates with their lineage (B3, C11)."""

import os
from typing import Any

import ray

from actors.options import REGISTRY, actor_options
from cluster.contracts.trend import TrendCard, UpdateReport
from cluster.models.cards import (
    DATA_SET,
    FIRST,
    SECOND,
    TREND_MODEL,
    TREND_UPDATE,
    DataSetCard,
)
from cluster.settings import Settings
from cluster.storage import registry, tables
from cluster.storage.blobs import BlobStore
from cluster.storage.ledger import Ledger
from cluster.storage.registry import Artefact


class RegistryService:
    """Files lie in the blob store; what is known of them, and which one serves, lies here."""

    def __init__(self, settings: Settings) -> None:
        """Open the registry's ledger and the blobs."""
        self._settings = settings
        self._ledger = Ledger(settings.data_dir / "registry" / "ledger.sqlite", tables.REGISTRY)
        self._blobs = BlobStore.of(settings)

    def describe(self) -> tuple[str, int, str]:
        """Return the service's name, its process id, and the digest of its settings."""
        return REGISTRY, os.getpid(), self._settings.digest()

    def add_data_set(self, content: bytes, card: DataSetCard) -> str:
        """Store training windows, and return their digest."""
        digest = self._blobs.put(content)
        with self._ledger.begin() as tx:
            registry.put_artefact(tx, Artefact(digest, DATA_SET, None, card.model_dump_json()))
        return digest

    def publish(self, content: bytes, card: TrendCard) -> str:
        """Store a model whole, then let it serve in its role; returns its version."""
        version = self._blobs.put(content)
        artefact = Artefact(version, TREND_MODEL, card.parent, card.model_dump_json())
        with self._ledger.begin() as tx:
            registry.put_artefact(tx, artefact, FIRST if card.role == "first" else SECOND)
        return version

    def add_update(self, key: str, first: str, report: UpdateReport) -> None:
        """Store what an incremental update did, accepted or not, under the key that names it."""
        artefact = Artefact(key, TREND_UPDATE, first, report.model_dump_json())
        with self._ledger.begin() as tx:
            registry.put_artefact(tx, artefact)

    def models(self) -> list[TrendCard]:
        """Return the cards of all trend models, oldest first."""
        with self._ledger.begin() as tx:
            found = registry.get_artefacts(tx, TREND_MODEL)
        return [TrendCard.model_validate_json(artefact.card) for artefact in found]

    def updates(self) -> dict[str, UpdateReport]:
        """Return the reports of all updates, by key."""
        with self._ledger.begin() as tx:
            found = registry.get_artefacts(tx, TREND_UPDATE)
        return {a.digest: UpdateReport.model_validate_json(a.card) for a in found}

    def content(self, digest: str) -> bytes:
        """Return the bytes of a model or data set, checked."""
        return self._blobs.get(digest)

    def backup(self, folder: str) -> list[str]:
        """Copy the ledger into a folder; returns the file."""
        return [str(self._ledger.backup_to(folder, REGISTRY))]


def start_registry(settings: Settings) -> Any:  # noqa: ANN401 - a handle, which Ray does not type
    """Return the registry's actor, started where there is none."""
    return ray.remote(RegistryService).options(**actor_options(REGISTRY)).remote(settings)

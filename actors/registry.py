"""The registry as a process: models, data sets, updates, the disease database (B3, C4, C8, C11)."""

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import ray

from actors.image_registry import ImageRegistry
from actors.options import REGISTRY, actor_options
from cluster.clock import SystemClock
from cluster.contracts.disease import DiseaseCard
from cluster.contracts.registry import Registered
from cluster.contracts.trend import TrendCard, UpdateReport
from cluster.errors import Conflict, IntegrityError, NotFound, StoreUnavailable
from cluster.ids import sha256
from cluster.models import listing
from cluster.models.cards import (
    DATA_SET,
    DISEASES,
    DISEASES_SERVING,
    FIRST,
    SECOND,
    TREND_MODEL,
    TREND_UPDATE,
    DataSetCard,
)
from cluster.settings import Settings
from cluster.storage import registry, tables
from cluster.storage.blobs import BlobStore
from cluster.storage.diseases import DiseaseShelf
from cluster.storage.image_sets import ImageSets
from cluster.storage.ledger import Ledger
from cluster.storage.registry import Artefact


class RegistryService(ImageRegistry):
    """Files lie in the blob store; what is known of them, and which one serves, lies here."""

    def __init__(self, settings: Settings) -> None:
        """Open the registry's ledger and the blobs."""
        path = settings.data_dir / "registry" / "ledger.sqlite"
        ledger = Ledger(path, tables.REGISTRY, tables.REGISTRY_MIGRATIONS)
        super().__init__(settings, ledger, BlobStore.of(settings))
        self._shelf = DiseaseShelf(settings.data_dir)
        self._settle_diseases()
        self.repair_images()

    def describe(self) -> tuple[str, int, str]:
        """Return the service's name, its process id, and the digest of its settings."""
        return REGISTRY, os.getpid(), self._settings.digest()

    def check_folder(self, data_dir: str) -> None:
        """Refuse a caller who means another data folder.

        Raises:
            Conflict: the registry keeps another one.
        """
        if data_dir != str(self._settings.data_dir):
            what = f"the cluster's registry keeps {self._settings.data_dir}"
            raise Conflict(what, data_dir, "Name its data_dir, or restart the cluster.")

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

    def load_diseases(self, content: bytes, name: str, dates: Mapping[str, str]) -> DiseaseCard:
        """Let a file of disease records serve, once it is read whole; the same one changes nothing.

        Args:
            content: the file, packed or not.
            name: its name, which answers show.
            dates: release of each source, by the beginning of its name.

        Raises:
            SourceUnreadable: it cannot be used; what served before still serves.
        """
        now = SystemClock().now()
        card = DiseaseCard(
            name=name, digest=sha256(content), records=0, loaded_at=now, dates=dict(dates)
        )
        serving = self._serving_diseases()
        if serving is not None and self._shelf.has(card) and _is_same(serving, card):
            self.show_images()
            return serving
        card = self._shelf.build(content, card)
        self._blobs.put(content)
        with self._ledger.begin() as tx:
            artefact = Artefact(card.digest, DISEASES, None, card.model_dump_json())
            registry.put_artefact(tx, artefact, DISEASES_SERVING)
            registry.renew_card(tx, card.digest, artefact.card)
        self._shelf.serve(card)
        self.show_images()
        return card

    def diseases(self) -> list[DiseaseCard]:
        """Return the cards of all versions of the disease database, oldest first."""
        with self._ledger.begin() as tx:
            found = registry.get_artefacts(tx, DISEASES)
        return [DiseaseCard.model_validate_json(artefact.card) for artefact in found]

    def listing(self) -> list[Registered]:
        """Return all that is kept: training data, algorithms, models and disease databases (C11).

        Each with its place, version and lineage; within a kind, oldest first.
        """
        with self._ledger.begin() as tx:
            windows = registry.get_artefacts(tx, DATA_SET)
            serving = {registry.get_channel(tx, one) for one in (FIRST, SECOND, DISEASES_SERVING)}
        served = {one.digest for one in serving if one is not None}
        sets = ImageSets.of(self._settings)
        stored = (one for name in sets.names() for one in sets.versions(name))
        cards = ((one.digest, DataSetCard.model_validate_json(one.card)) for one in windows)
        return [
            *(listing.image_set_row(one) for one in stored),
            *(listing.windows_row(digest, card) for digest, card in cards),
            *listing.algorithm_rows(),
            *(listing.trend_row(one, serving=one.version in served) for one in self.models()),
            *self.image_model_rows(),
            *(listing.disease_row(one, serving=one.digest in served) for one in self.diseases()),
        ]

    def _serving_diseases(self) -> DiseaseCard | None:
        with self._ledger.begin() as tx:
            found = registry.get_channel(tx, DISEASES_SERVING)
        return None if found is None else DiseaseCard.model_validate_json(found.card)

    def _settle_diseases(self) -> None:
        """Let serve what the ledger says, after a crash, a restore or a new form of the tables.

        A blob that is gone or damaged leaves the rest of the registry at work; who asks for a
        disease is told that the tables are missing.
        """
        card = self._serving_diseases()
        if card is None:
            return
        if not self._shelf.has(card):
            with suppress(NotFound, IntegrityError):
                self._shelf.build(self._blobs.get(card.digest), card)
        with suppress(StoreUnavailable):
            if self._shelf.serving() == card:
                return
        self._shelf.serve(card)

    def content(self, digest: str) -> bytes:
        """Return the bytes of a model or data set, checked."""
        return self._blobs.get(digest)

    def backup(self, folder: str) -> list[str]:
        """Copy the ledger into a folder; returns the file."""
        return [str(self._ledger.backup_to(folder, REGISTRY))]


def _is_same(before: DiseaseCard, card: DiseaseCard) -> bool:
    return (before.digest, before.name, before.dates) == (card.digest, card.name, card.dates)


def start_registry(settings: Settings) -> Any:  # noqa: ANN401 - a handle, which Ray does not type
    """Return the registry's actor, started where there is none."""
    return ray.remote(RegistryService).options(**actor_options(REGISTRY)).remote(settings)

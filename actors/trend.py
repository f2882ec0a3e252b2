"""The trend models as a process: predicts in batches, learns incrementally (S540-S700)."""

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa
import ray

from actors.options import TREND, actor_options
from cluster.contracts.trend import Prediction, TrendCard, UpdateReport
from cluster.settings import Settings
from cluster.storage import predictions, tables
from cluster.storage.blobs import BlobStore
from cluster.storage.ledger import Ledger
from cluster.trend.artefact import TrendModel, load
from cluster.trend.incremental import update
from cluster.trend.second import second_card

MODELS_IN_MEMORY = 4


class TrendService:
    """Holds the models that are asked for; keeps the lineage of every prediction."""

    def __init__(self, settings: Settings) -> None:
        """Open the ledger of predictions and the blobs."""
        self._settings = settings
        self._ledger = Ledger(settings.data_dir / "trend" / "ledger.sqlite", tables.TREND)
        blobs = BlobStore.of(settings)

        @lru_cache(MODELS_IN_MEMORY)
        def model(version: str) -> TrendModel:
            return load(blobs.get(version))

        self._model = model

    def describe(self) -> tuple[str, int, str]:
        """Return the service's name, its process id, and the digest of its settings."""
        return TREND, os.getpid(), self._settings.digest()

    def predict(self, version: str, windows: pa.Table) -> list[Prediction]:
        """Return the prediction index of the windows that the model knows, and keep it (S700).

        A window of a period that the model was not trained for has none.
        """
        model = self._model(version)
        known = windows.filter(pa.array(model.covers(model.features(windows))))
        predicted = model.predict(known)
        with self._ledger.begin() as tx:
            predictions.put_predictions(tx, predicted)
        return predicted

    def unlike_kept(self, told: Sequence[Prediction]) -> list[tuple[str, str]]:
        """Return (version, digest of the inputs) of predictions that were not kept as told."""
        with self._ledger.begin() as tx:
            return predictions.unlike_kept(tx, told)

    def update(
        self, version: str, old: pa.Table, new: pa.Table, dataset: str, seed: int
    ) -> tuple[tuple[bytes, TrendCard] | None, UpdateReport]:
        """Learn from new windows; nothing is published here, and a failure changes nothing."""
        content, report = update(
            self._model(version),
            old=old,
            new=new,
            preset=self._settings.propagation_preset,
            forgetting_max=self._settings.forgetting_max,
            seed=seed,
        )
        if content is None:
            return None, report
        card = second_card(
            content, n_learned=report.n_learned, new=new, dataset_digest=dataset, seed=seed
        )
        return (content, card), report

    def backup(self, folder: str) -> list[str]:
        """Copy the ledger into a folder; returns the file."""
        return [str(self._ledger.backup_to(folder, TREND))]


def start_trend(settings: Settings) -> Any:  # noqa: ANN401 - a handle, which Ray does not type
    """Return the trend actor, started where there is none."""
    return ray.remote(TrendService).options(**actor_options(TREND)).remote(settings)

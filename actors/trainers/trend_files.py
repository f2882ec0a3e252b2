"""Training of a trend model on a file of access windows, outside a run (S600-S640)."""

from pathlib import Path
from typing import Final

import pyarrow as pa

from actors.session import connected
from actors.trainers.course import Progress
from actors.trainers.trend import fit_first
from cluster.contracts.trend import TrendCard
from cluster.errors import Conflict, IntegrityError
from cluster.flow.trend_files import open_model
from cluster.flow.windows import to_bytes
from cluster.ids import sha256
from cluster.storage.trend_models import CARD, read_card, write_model
from cluster.trend.config import config_to_json
from cluster.trend.fit import FitConfig

TRAINING: Final = "training"
"""Folder of the checkpoints, in that of the model."""


def fit_windows(
    windows: pa.Table, folder: Path, config: FitConfig, *, workers: int, progress: Progress
) -> TrendCard:
    """Train a first model on windows, and keep it in a folder.

    What was interrupted goes on from its last checkpoint; what is finished is not trained again.

    Args:
        windows: windows with labels.
        folder: of the model and of the checkpoints.
        config: how it is trained.
        workers: processes that train together.
        progress: told of the epochs that are done.

    Raises:
        Conflict: the folder has a model of other windows, or one trained in another way.
        WindowInvalid: a window is not usable or has no label, or there are too few items.
        Fault: the training failed.
    """
    digest, named = sha256(to_bytes(windows)), config_to_json(config)
    known = _kept(folder, digest, named)
    if known is not None:
        progress("train", known.epochs, known.epochs)
        return known
    with connected():
        content, card = fit_first(
            windows,
            config,
            workers=workers,
            storage_path=str(folder.resolve() / TRAINING),
            dataset_digest=digest,
            run_name="trend",
            progress=progress,
        )
    card = card.model_copy(update={"config": named})
    write_model(folder, content, card)
    return card


def _kept(folder: Path, digest: str, config: str) -> TrendCard | None:
    """Return the card of the model that a folder has, if it is whole and the one that is asked for.

    Raises:
        Conflict: it is of other windows, or was trained in another way.
    """
    if not (folder / CARD).is_file():
        return None
    try:
        card = read_card(folder)
        if (card.dataset_digest, card.config) != (digest, config):
            other = "on other windows" if card.dataset_digest != digest else f"with {card.config}"
            what = f"the folder has a model that was trained {other}"
            raise Conflict(what, str(folder), "Give another --out.")
        open_model(folder)
    except IntegrityError:
        return None  # it is damaged, or of another version: the same windows give it again
    return card

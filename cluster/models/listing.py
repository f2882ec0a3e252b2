"""Decides what the registry says of each thing that it keeps: place, version, lineage (C11)."""

from collections.abc import Sequence

from cluster.clock import iso
from cluster.contracts.disease import DiseaseCard
from cluster.contracts.image_models import Bundle, ListedModel
from cluster.contracts.images import StoredImageSet
from cluster.contracts.registry import ModelChange, Registered
from cluster.contracts.trend import TrendCard
from cluster.models.cards import ALGORITHMS, DataSetCard


def _blob(digest: str) -> str:
    return f"blobs/{digest[:2]}/{digest}"


def _lineage(**parts: object) -> tuple[str, ...]:
    return tuple(f"{name.replace('_', ' ')}: {part}" for name, part in parts.items() if part)


def image_set_row(stored: StoredImageSet) -> Registered:
    """Return the row of a version of a set of images."""
    return Registered(
        kind="training data",
        name=stored.name,
        version=stored.digest,
        place=f"image_sets/{stored.name}/{stored.digest}.json",
        at=stored.stored_at,
        lineage=_lineage(
            images=stored.card.kept,
            classes=len(stored.card.classes),
            split_by=stored.card.split_by,
            left_out=stored.card.files - stored.card.kept,
        ),
    )


def windows_row(digest: str, card: DataSetCard) -> Registered:
    """Return the row of a set of training windows of the trend model."""
    return Registered(
        kind="training data",
        name="trend windows",
        version=digest,
        place=_blob(digest),
        lineage=_lineage(
            windows=card.n_windows, as_of=iso(card.as_of), simulated=card.simulated and "yes"
        ),
    )


def algorithm_rows() -> list[Registered]:
    """Return the rows of the networks that are trained on images."""
    return [
        Registered(
            kind="algorithm",
            name=one.name,
            version=one.weights,
            place=one.source,
            lineage=_lineage(
                weights=one.origin, licence=one.licence, size=f"{one.size} x {one.size}"
            ),
        )
        for one in ALGORITHMS
    ]


def trend_row(card: TrendCard, *, serving: bool) -> Registered:
    """Return the row of a version of the trend model."""
    return Registered(
        kind="model",
        name=f"trend, {card.role}",
        version=card.version,
        place=_blob(card.version),
        state="serving" if serving else "kept",
        lineage=_lineage(
            training_data=card.dataset_digest, follows=card.parent, seed=str(card.seed)
        ),
    )


def image_model_row(
    model: ListedModel, bundle: Bundle | None, history: Sequence[ModelChange]
) -> Registered:
    """Return the row of a version of an image model.

    Args:
        model: as it is listed.
        bundle: None where its ``bundle.json`` is lost.
        history: of all image models.
    """
    card = bundle.card if bundle else None
    return Registered(
        kind="model",
        name=model.name,
        version=model.version,
        place=_blob(model.version),
        state=f"{model.state}, serving" if model.serving else model.state,
        at=model.listed_at,
        lineage=_lineage(
            number=model.number,
            made_by=model.made_by,
            algorithm=model.backbone,
            weights=card and (card.weights.sha256 or card.weights.name),
            training_data=card and (card.data_set_digest or card.data_set),
            config=card and card.config,
            seed=None if card is None or card.seed is None else str(card.seed),
            follows=model.parent,
            changelog=card and card.changelog,
            lost=None if card else "its bundle.json",
        ),
        history=tuple(one for one in history if one.version == model.version),
    )


def disease_row(card: DiseaseCard, *, serving: bool) -> Registered:
    """Return the row of a version of the disease database."""
    return Registered(
        kind="disease database",
        name=card.name,
        version=card.digest,
        place=_blob(card.digest),
        state="serving" if serving else "kept",
        at=card.loaded_at,
        lineage=_lineage(records=card.records, **card.dates),
    )

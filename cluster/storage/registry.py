"""Models, data sets and updates with their lineage, in the registry's ledger (B3, C11)."""

from typing import NamedTuple

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.sqlite import insert

from cluster.contracts.registry import ModelChange
from cluster.storage.tables import artefacts, channels, image_changes


class Artefact(NamedTuple):
    """A registered thing: its digest names it, its card describes it."""

    digest: str
    kind: str
    parent: str | None
    card: str


def put_artefact(tx: Connection, artefact: Artefact, channel: str | None = None) -> None:
    """Register an artefact, once, and point a channel such as ``trend.first`` to it."""
    seq = (tx.execute(select(func.max(artefacts.c.seq))).scalar() or 0) + 1
    row = artefact._asdict() | {"seq": seq}
    tx.execute(insert(artefacts).values(row).on_conflict_do_nothing())
    if channel:
        point = insert(channels).values(channel=channel, digest=artefact.digest)
        tx.execute(
            point.on_conflict_do_update(
                index_elements=["channel"], set_={"digest": artefact.digest}
            )
        )


def renew_card(tx: Connection, digest: str, card: str) -> None:
    """Put a newer description of a registered thing in the place of the one before."""
    tx.execute(update(artefacts).where(artefacts.c.digest == digest).values(card=card))


def get_artefacts(tx: Connection, kind: str) -> list[Artefact]:
    """Return the artefacts of a kind, oldest first."""
    rows = tx.execute(select(artefacts).where(artefacts.c.kind == kind).order_by(artefacts.c.seq))
    return [Artefact(row.digest, row.kind, row.parent, row.card) for row in rows]


def get_channel(tx: Connection, channel: str) -> Artefact | None:
    """Return what a channel points to."""
    row = tx.execute(
        select(artefacts)
        .join(channels, channels.c.digest == artefacts.c.digest)
        .where(channels.c.channel == channel)
    ).one_or_none()
    return Artefact(row.digest, row.kind, row.parent, row.card) if row else None


def put_change(tx: Connection, change: ModelChange) -> None:
    """Add a line to the history of image models."""
    tx.execute(insert(image_changes).values(change.model_dump()))


def get_changes(tx: Connection) -> list[ModelChange]:
    """Return the history of image models, oldest line first."""
    rows = tx.execute(select(image_changes).order_by(image_changes.c.seq))
    return [ModelChange.model_validate(row, from_attributes=True) for row in rows]

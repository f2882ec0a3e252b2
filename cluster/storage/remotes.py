"""Platforms of other clusters in the network's ledger."""

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.sqlite import insert

from cluster.contracts.peers import PeerCard, Remote
from cluster.storage.tables import remotes


def put_remote(tx: Connection, remote: Remote) -> None:
    """Keep a platform of another cluster, or change what is known of it."""
    row = {
        "platform_id": remote.card.platform_id,
        "card": remote.card.model_dump_json(),
        "token": remote.token.get_secret_value(),
        "epoch": 1,
    }
    write = insert(remotes).values(row)
    changed = row | {"epoch": remotes.c.epoch + 1}
    tx.execute(write.on_conflict_do_update(index_elements=["platform_id"], set_=changed))


def end_remote(tx: Connection, platform_id: str) -> bool:
    """Forget the token of a platform of another cluster; says whether there was one.

    Its card stays, so that its name goes to nobody else, and what was agreed with it can only grow
    newer.
    """
    ended = (remotes.c.platform_id == platform_id) & (remotes.c.token != "")
    changed = {"token": "", "epoch": remotes.c.epoch + 1}
    return tx.execute(update(remotes).where(ended).values(changed)).rowcount > 0


def get_remotes(tx: Connection) -> list[Remote]:
    """Return the platforms of other clusters with which there is an exchange, by id."""
    chosen = select(remotes).where(remotes.c.token != "").order_by(remotes.c.platform_id)
    rows = tx.execute(chosen)
    return [Remote(card=PeerCard.model_validate_json(row.card), token=row.token) for row in rows]


def get_keys(tx: Connection) -> list[tuple[PeerCard, str]]:
    """Return the cards of all that were ever registered; a key only where there is an exchange."""
    rows = tx.execute(select(remotes.c.card, remotes.c.token))
    cards = ((PeerCard.model_validate_json(row.card), row.token) for row in rows)
    return [(card, card.public_key if token else "") for card, token in cards]


def get_epochs(tx: Connection) -> dict[str, int]:
    """Return how often each platform of another cluster was changed."""
    rows = tx.execute(select(remotes.c.platform_id, remotes.c.epoch))
    return {row.platform_id: row.epoch for row in rows}

"""Servers of the Matchmaker Exchange that a platform answers and asks."""

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from cluster.contracts.matchmaking import Matchmaker
from cluster.storage.tables import matchmakers


def put_matchmaker(tx: Connection, peer: Matchmaker) -> None:
    """Keep a peer, or change it."""
    row = {
        "peer_id": peer.peer_id,
        "agreed": int(peer.agreed),
        "url": peer.url,
        "token": peer.token.get_secret_value(),
    }
    write = insert(matchmakers).values(row)
    tx.execute(write.on_conflict_do_update(index_elements=["peer_id"], set_=row))


def get_matchmakers(tx: Connection) -> list[Matchmaker]:
    """Return all peers, by id."""
    rows = tx.execute(select(matchmakers).order_by(matchmakers.c.peer_id))
    return [
        Matchmaker(peer_id=row.peer_id, agreed=bool(row.agreed), url=row.url, token=row.token)
        for row in rows
    ]


def is_agreed(tx: Connection, peer_id: str) -> bool:
    """Say whether a peer may be told of cases."""
    chosen = select(matchmakers.c.agreed).where(matchmakers.c.peer_id == peer_id)
    return bool(tx.execute(chosen).scalar())

"""Platforms, tags, links and agreements in the network's ledger (S100, S200, S900)."""

from collections.abc import Iterator

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.sqlite import insert

from cluster.contracts.sharing import Peer, PlatformProfile, PlatformTag
from cluster.errors import Conflict, NotFound
from cluster.storage.remotes import get_epochs, get_keys
from cluster.storage.tables import links, platforms, tag_history


def is_registered(tx: Connection, profile: PlatformProfile, public_key: str) -> bool:
    """Say whether a platform is registered with just this profile and key."""
    chosen = select(platforms.c.public_key).where(platforms.c.platform_id == profile.platform_id)
    tag = get_tag(tx, profile.platform_id)
    return tag is not None and tag.profile == profile and tx.execute(chosen).scalar() == public_key


def put_profile(tx: Connection, profile: PlatformProfile, public_key: str) -> PlatformTag:
    """Register a platform, or change what it says of itself; a change is a new tag version.

    Raises:
        Conflict: a platform of test data would become one of real cases, or the other way.
    """
    old = get_tag(tx, profile.platform_id)
    if old and old.profile.test != profile.test:
        what = "a platform has test data or real cases, as it was registered first"
        raise Conflict(what, "test", "Register test data as a platform of their own.")
    if old and old.profile == profile:
        tx.execute(
            update(platforms)
            .where(platforms.c.platform_id == profile.platform_id)
            .values(public_key=public_key)
        )
        return old
    tag = PlatformTag(
        version=old.version + 1 if old else 1, profile=profile, mix=old.mix if old else {}
    )
    _put_tag(tx, tag, public_key)
    return tag


def put_mix(tx: Connection, platform_id: str, mix: dict[str, float]) -> PlatformTag:
    """Store what a platform's cases are about; a change is a new tag version.

    Raises:
        NotFound: the platform is not registered.
    """
    old = get_tag(tx, platform_id)
    if old is None:
        what = f"platform {platform_id} is not registered"
        raise NotFound(what, remedy="Register it first.")
    if old.mix == mix:
        return old
    tag = old.model_copy(update={"version": old.version + 1, "mix": mix})
    _put_tag(tx, tag, None)
    return tag


def get_tag(tx: Connection, platform_id: str) -> PlatformTag | None:
    """Return a platform's newest tag."""
    found = tx.execute(
        select(platforms.c.tag).where(platforms.c.platform_id == platform_id)
    ).scalar()
    return PlatformTag.model_validate_json(found) if found else None


def is_test(tx: Connection, platform_id: str) -> bool:
    """Say whether a platform of this cluster has test data; others have real cases."""
    tag = get_tag(tx, platform_id)
    return tag is not None and tag.profile.test


def get_tags(tx: Connection) -> list[PlatformTag]:
    """Return every platform's newest tag, by id."""
    rows = tx.execute(select(platforms.c.tag).order_by(platforms.c.platform_id))
    return [PlatformTag.model_validate_json(row.tag) for row in rows]


def put_link(tx: Connection, source: str, target: str, *, agreed: bool) -> bool:
    """Interconnect two platforms one way; ``agreed`` lets cases go that way.

    Returns:
        Whether anything has changed.
    """
    row = {"source": source, "target": target, "agreed": int(agreed), "epoch": 1}
    write = insert(links).values(row)
    write = write.on_conflict_do_update(
        index_elements=["source", "target"],
        set_={"agreed": int(agreed), "epoch": links.c.epoch + 1},
        where=links.c.agreed != int(agreed),
    )
    return tx.execute(write).rowcount > 0


def has_link(tx: Connection, source: str, target: str) -> bool:
    """Say whether there is a link one way."""
    chosen = select(links.c.agreed).where(links.c.source == source, links.c.target == target)
    return tx.execute(chosen).first() is not None


def get_links(tx: Connection) -> list[tuple[str, str, bool]]:
    """Return (from, to, agreed) of every link, sorted."""
    rows = tx.execute(select(links).order_by(links.c.source, links.c.target))
    return [(row.source, row.target, bool(row.agreed)) for row in rows]


def get_peers(tx: Connection, platform_id: str) -> list[Peer]:
    """Return the other platforms as one of them sees them.

    An agreement counts where both ways have one: who may receive may also be received from.
    """
    linked = {(row.source, row.target): row for row in tx.execute(select(links))}
    peers = []
    for peer_id, public_key, version, mix in _known(tx):
        there, back = linked.get((platform_id, peer_id)), linked.get((peer_id, platform_id))
        peers.append(
            Peer(
                peer_id=peer_id,
                linked=there is not None,
                agreed=bool(there and there.agreed and back and back.agreed),
                public_key=public_key,
                policy_epoch=version + sum(link.epoch for link in (there, back) if link),
                mix=mix,
            )
        )
    return sorted(
        (peer for peer in peers if peer.peer_id != platform_id), key=lambda peer: peer.peer_id
    )


def _known(tx: Connection) -> Iterator[tuple[str, str, int, dict[str, float]]]:
    """Return id, public key, version and mix of the platforms of this cluster and of others."""
    for row in tx.execute(select(platforms)).all():
        tag = PlatformTag.model_validate_json(row.tag)
        yield row.platform_id, row.public_key, tag.version, tag.mix
    epochs = get_epochs(tx)
    for card, key in get_keys(tx):
        yield card.platform_id, key, epochs[card.platform_id], card.mix


def _put_tag(tx: Connection, tag: PlatformTag, public_key: str | None) -> None:
    text = tag.model_dump_json()
    row = {"platform_id": tag.profile.platform_id, "tag_version": tag.version, "tag": text}
    if public_key is None:
        tx.execute(
            update(platforms)
            .where(platforms.c.platform_id == tag.profile.platform_id)
            .values(tag_version=tag.version, tag=text)
        )
    else:
        full = row | {"public_key": public_key}
        write = insert(platforms).values(full)
        tx.execute(write.on_conflict_do_update(index_elements=["platform_id"], set_=full))
    tx.execute(insert(tag_history).values(row))

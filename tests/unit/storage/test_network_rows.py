"""Platforms, tags, links and agreements in the network's ledger."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from builders import a_profile
from sqlalchemy import Connection

from cluster.errors import NotFound
from cluster.storage import network, tables
from cluster.storage.ledger import Ledger


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[Connection]:
    ledger = Ledger(tmp_path / "network.sqlite", tables.NETWORK)
    with ledger.begin() as opened:
        yield opened
    ledger.close()


def test_a_platform_has_a_versioned_tag(tx: Connection) -> None:
    """A1: the same words again are no new version; other words are; the history is kept."""
    assert network.put_profile(tx, a_profile(), "k1").version == 1
    assert network.put_profile(tx, a_profile(), "k1").version == 1
    assert network.put_profile(tx, a_profile(region="Baden"), "k1").version == 2
    assert network.put_mix(tx, "north", {"Heart": 1.0}).version == 3
    assert network.put_mix(tx, "north", {"Heart": 1.0}).version == 3
    tag = network.put_profile(tx, a_profile(region="Hesse"), "k1")
    assert (tag.version, tag.mix) == (4, {"Heart": 1.0})
    assert network.get_tag(tx, "north") == tag
    history = tx.exec_driver_sql("SELECT tag_version FROM tag_history ORDER BY 1").scalars()
    assert list(history) == [1, 2, 3, 4]


def test_a_mix_needs_a_registered_platform(tx: Connection) -> None:
    """A1: a tag is not made of nothing."""
    with pytest.raises(NotFound, match="nobody"):
        network.put_mix(tx, "nobody", {})
    assert network.get_tag(tx, "nobody") is None


def test_tags_are_listed_by_id(tx: Connection) -> None:
    """A1: all platforms, each once, sorted."""
    for name in ("south", "north"):
        network.put_profile(tx, a_profile(name), "k")
    assert [tag.profile.platform_id for tag in network.get_tags(tx)] == ["north", "south"]


def test_a_new_key_is_kept(tx: Connection) -> None:
    """A11: a platform that comes back with a new key is checked with the new one."""
    for name in ("north", "south"):
        network.put_profile(tx, a_profile(name), "old")
    network.put_mix(tx, "south", {"Heart": 1.0})
    network.put_profile(tx, a_profile("south"), "new")
    (peer,) = network.get_peers(tx, "north")
    assert peer.public_key == "new"
    assert peer.mix == {"Heart": 1.0}


@pytest.mark.parametrize(
    ("there", "back", "linked", "agreed"),
    [
        (None, None, False, False),
        (True, None, True, False),
        (None, True, False, False),
        (True, False, True, False),
        (False, True, True, False),
        (False, False, True, False),
        (True, True, True, True),
    ],
)
def test_an_agreement_needs_both_ways(
    tx: Connection, there: bool | None, back: bool | None, linked: bool, agreed: bool
) -> None:
    """A11: cases go only where both platforms agreed."""
    for name in ("north", "south"):
        network.put_profile(tx, a_profile(name), f"key-{name}")
    for ends, consent in [(("north", "south"), there), (("south", "north"), back)]:
        if consent is not None:
            network.put_link(tx, *ends, agreed=consent)
    (peer,) = network.get_peers(tx, "north")
    assert (peer.peer_id, peer.public_key) == ("south", "key-south")
    assert (peer.linked, peer.agreed) == (linked, agreed)


def test_every_change_of_a_link_raises_the_policy_epoch_both_ways(tx: Connection) -> None:
    """A11: what the two platforms know of each other is newer after every change."""
    for name in ("north", "south"):
        network.put_profile(tx, a_profile(name), "k")
    epochs: list[tuple[int, int]] = []
    for ends, agreed in [
        (("north", "south"), True),
        (("south", "north"), True),
        (("south", "north"), False),
        (("north", "south"), False),
        (("north", "south"), True),
    ]:
        network.put_link(tx, *ends, agreed=agreed)
        seen = [network.get_peers(tx, name)[0].policy_epoch for name in ("north", "south")]
        epochs.append((seen[0], seen[1]))
    for before, after in pairwise(epochs):
        assert after[0] > before[0]
        assert after[1] > before[1]
    network.put_link(tx, "north", "south", agreed=True)
    assert network.get_peers(tx, "north")[0].policy_epoch == epochs[-1][0]


def test_links_are_listed(tx: Connection) -> None:
    """A1: every link one way with its agreement, sorted, the last word counts."""
    network.put_link(tx, "south", "north", agreed=True)
    network.put_link(tx, "north", "south", agreed=True)
    network.put_link(tx, "south", "north", agreed=False)
    assert network.get_links(tx) == [("north", "south", True), ("south", "north", False)]

"""A network's ledger of an earlier release becomes one of this release."""

from pathlib import Path

from builders import a_profile
from sqlalchemy import MetaData

from cluster.storage import network, tables
from cluster.storage.journal import append_audit, first_broken_audit_row
from cluster.storage.ledger import Ledger
from tests.unit.storage.test_platform_migrations import columns


def test_an_old_network_gets_tokens_and_an_audit_chain(tmp_path: Path) -> None:
    """B3 B9: what it has stays, and no table or column differs from those of one made today."""
    before = MetaData()
    for table in (tables.platforms, tables.tag_history, tables.links):
        table.to_metadata(before)
    old, new = tmp_path / "old.sqlite", tmp_path / "new.sqlite"
    ledger = Ledger(old, before)
    with ledger.begin() as tx:
        tag = network.put_profile(tx, a_profile(), "key")
    ledger.close()
    ledger = Ledger(old, tables.NETWORK, tables.NETWORK_MIGRATIONS)
    Ledger(new, tables.NETWORK, tables.NETWORK_MIGRATIONS).close()
    with ledger.begin() as tx:
        assert network.get_tag(tx, "north") == tag
        for at in (1.0, 2.0):
            append_audit(tx, at, "token issued", {"by": "operator"})
        assert first_broken_audit_row(tx) is None
    ledger.close()
    assert columns(old) == columns(new)

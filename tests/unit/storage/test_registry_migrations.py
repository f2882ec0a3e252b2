"""A registry's ledger of an earlier release becomes one of this release."""

from pathlib import Path

from sqlalchemy import MetaData

from cluster.contracts.registry import ModelChange
from cluster.storage import tables
from cluster.storage.ledger import Ledger
from cluster.storage.registry import Artefact, get_artefacts, get_changes, put_artefact, put_change
from tests.unit.storage.test_platform_migrations import columns


def test_an_old_registry_gets_the_history_of_image_models(tmp_path: Path) -> None:
    """B3 C11: what it has stays; no table or column differs from those of a ledger made today."""
    before = MetaData()
    for table in (tables.artefacts, tables.channels):
        table.to_metadata(before)
    old, new = tmp_path / "old.sqlite", tmp_path / "new.sqlite"
    artefact = Artefact("d1", "trend_model", None, "{}")
    ledger = Ledger(old, before)
    with ledger.begin() as tx:
        put_artefact(tx, artefact)
    ledger.close()
    ledger = Ledger(old, tables.REGISTRY, tables.REGISTRY_MIGRATIONS)
    Ledger(new, tables.REGISTRY, tables.REGISTRY_MIGRATIONS).close()
    lines = [
        ModelChange(name="lungs", version=f"v{n}", action="published", at=2.0 - n, by="a")
        for n in range(2)
    ]
    for line in lines:
        with ledger.begin() as tx:
            put_change(tx, line)
    with ledger.begin() as tx:
        assert get_artefacts(tx, "trend_model") == [artefact]
        assert get_changes(tx) == lines  # in the order of the lines, not of the clock
    ledger.close()
    assert columns(old) == columns(new)

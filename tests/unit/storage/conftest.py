"""An open platform ledger."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.storage import tables
from cluster.storage.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A platform's ledger in a folder of its own."""
    opened = Ledger(tmp_path / "ledger.sqlite", tables.PLATFORM)
    yield opened
    opened.close()

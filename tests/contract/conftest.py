"""What all contract tests share: the clusters of one file are closed before the next begins."""

from collections.abc import Iterator

import pytest

from tests.http_builders import LocalCluster


@pytest.fixture(scope="module", autouse=True)
def _clusters_closed() -> Iterator[None]:
    """Each open ledger holds four file descriptors; nobody needs them after the file."""
    yield
    while LocalCluster.opened:
        LocalCluster.opened.pop().close()

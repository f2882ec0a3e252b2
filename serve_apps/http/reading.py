"""Indexes of platforms, read in one thread beside the routes.

A search takes some milliseconds in which nothing else of a replica would be answered, a withdrawal
least of all. One thread, because what is counted of an index is kept and renewed without a lock.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from cluster.flow.matchmaking import choose
from cluster.flow.reading import CaseReaders
from cluster.retrieval.query import CaseQuery, SearchAnswer
from cluster.standards.mme.match import Question

P = ParamSpec("P")
R = TypeVar("R")


class Reading:
    """Searches and choices, one at a time, in the order in which they came."""

    def __init__(self, readers: CaseReaders) -> None:
        """Take over the readers; nobody else uses them."""
        self._readers = readers
        self._thread = ThreadPoolExecutor(1, "reading")

    async def search(self, platform_id: str, query: CaseQuery) -> SearchAnswer:
        """Search one platform; see ``cluster.flow.search``."""
        return await self._run(self._readers.search, platform_id, query)

    async def choose(self, platform_id: str, question: Question) -> dict[str, float]:
        """Return the cases that answer a question best; see ``cluster.flow.matchmaking``."""
        return await self._run(
            lambda name: choose(self._readers.reader(name), question), platform_id
        )

    async def _run(self, work: Callable[P, R], *asked: P.args, **named: P.kwargs) -> R:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: work(*asked, **named))

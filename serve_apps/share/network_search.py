"""A search of several platforms: each answers for itself, through its own gate (S400, A11)."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Annotated, Final

from fastapi import APIRouter, Body, Request

from cluster.flow.network_search import put_together
from cluster.retrieval.profiles import OWN
from cluster.retrieval.query import (
    CaseQuery,
    Hit,
    NetworkAnswer,
    NetworkQuery,
    NetworkQuestion,
    PlatformAnswer,
)
from cluster.storage.peer_client import RemotePlatform, Unanswered, peer_http
from serve_apps.http.guard import caller_of
from serve_apps.share.examples import NETWORK_QUERY
from serve_apps.share.ports import SharePorts

ANSWER_S: Final = 20.0
"""Seconds that a platform has to answer."""
ONE: Final = "/platforms/{platform}"
logger = logging.getLogger("dazzle.http")


def add_network_search(made: APIRouter, ports: SharePorts) -> None:
    """Add the route to those of the share application."""

    @made.post(ONE + "/network-search")
    async def network_search(
        request: Request,
        platform: str,
        query: Annotated[NetworkQuery, Body(openapi_examples=NETWORK_QUERY)],
    ) -> NetworkAnswer:
        """Find cases of a platform and of those that it has an agreement with, all at once (S400).

        Others tell of cases whose consent is given, redacted and under the names by which they are
        shared, at most 20 each; so do those of other clusters. Each platform has 20 seconds and a
        state of its own: one that is away is named as such. Diseases are ranked by the own
        platform's cases alone. The query is not stored.
        """
        home = await ports.platform(platform)
        asked = await home.network_question(query, caller_of(request).name)
        own, answers = await asyncio.gather(
            ports.searcher.search(platform, _at_home(query, asked)),
            _ask(ports, platform, asked, query.like),
        )
        away = {one.platform: one for one in answers.values() if isinstance(one, PlatformAnswer)}
        told = {name: one for name, one in answers.items() if not isinstance(one, PlatformAnswer)}
        return put_together(query, told, away, asked, own)


def _at_home(query: NetworkQuery, asked: NetworkQuestion) -> CaseQuery:
    """Return what the own platform is asked for its diseases; of a named case, not counting it."""
    given = query if query.like is not None else asked.query
    own = given.where.model_copy(update={"state": OWN})
    return CaseQuery.model_validate(given.model_dump(exclude={"platforms"}) | {"where": own})


Answer = tuple[Hit, ...] | PlatformAnswer | None


async def _ask(
    ports: SharePorts, asker: str, asked: NetworkQuestion, like: str | None
) -> dict[str, Answer]:
    """Ask every platform at once, each with one call; the own one knows which case it is about."""
    at_home = asked.query.model_copy(update={"like": like})
    queries = {
        name: at_home if name == asker else asked.query
        for name in asked.platforms
        if name not in asked.refused
    }
    remotes = {one.card.platform_id: one for one in await ports.network.remotes()}
    async with peer_http() as client:
        elsewhere = {n: RemotePlatform(remotes[n], client) for n in queries if n in remotes}

        async def hits(name: str) -> tuple[Hit, ...] | None:
            where = elsewhere.get(name) or await ports.platform(name)
            return await where.find_hits(asker, queries[name])

        answers = await asyncio.gather(*(_answer(name, hits(name)) for name in queries))
    return dict(zip(queries, answers, strict=True))


async def _answer(name: str, asked: Awaitable[tuple[Hit, ...] | None]) -> Answer:
    """Return what a platform tells, or how it failed; a failure of one is none of the others."""
    try:
        async with asyncio.timeout(ANSWER_S):
            return await asked
    except TimeoutError:
        message = f"no answer within {ANSWER_S:.0f} seconds"
        return PlatformAnswer(platform=name, state="timed_out", message=message)
    except Unanswered as error:
        return PlatformAnswer(platform=name, state="unreachable", message=str(error))
    except Exception as error:  # whatever it is, the others have answered
        logger.warning("platform %s did not answer: %s", name, type(error).__name__)
        return PlatformAnswer(platform=name, state="unreachable", message="it does not answer")

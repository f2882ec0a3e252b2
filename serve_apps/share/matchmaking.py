"""Routes of the Matchmaker Exchange as a client: peers, and questions to them (B6)."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Body, Request

from cluster.clock import SystemClock
from cluster.contracts.matchmaking import (
    Matchmaker,
    MatchmakerPut,
    MatchmakerRow,
    Matchmaking,
    MatchmakingOrder,
    PeerQuestion,
    PeerResult,
)
from cluster.ids import checked_platform_id
from cluster.standards.mme.match import PlatformContact, patient_object
from cluster.storage.mme_client import MmePeer, ask_peers, checked_base, checked_token
from serve_apps.http.guard import caller_of
from serve_apps.share.examples import MATCHMAKER, MATCHMAKING
from serve_apps.share.ports import SharePorts

TIMEOUT_S: Final = 20.0
ONE: Final = "/platforms/{platform}"
DISCLAIMER: Final = (
    "Each server answers for itself and in its own way of scoring. A likeness of cases, not a "
    "diagnosis; no answer says nothing about its patients."
)


def add_matchmaking(made: APIRouter, ports: SharePorts) -> None:
    """Add the routes to those of the share application."""

    @made.get(ONE + "/matchmakers")
    async def list_matchmakers(platform: str) -> list[MatchmakerRow]:
        """List the servers of the Matchmaker Exchange that a platform knows."""
        found = await (await ports.platform(platform)).matchmakers()
        return [MatchmakerRow(peer_id=p.peer_id, agreed=p.agreed, url=p.url) for p in found]

    @made.put(ONE + "/matchmakers/{peer}")
    async def put_matchmaker(
        request: Request,
        platform: str,
        peer: str,
        said: Annotated[MatchmakerPut, Body(openapi_examples=MATCHMAKER)],
    ) -> MatchmakerRow:
        """Keep a server, and whether it may be told of cases.

        `peer` is the platform that stands in the token which it asks with; `url` and `token` are
        those for asking it.
        """
        if said.url:
            checked_base(said.url)
            checked_token(said.token)
        kept = Matchmaker(peer_id=checked_platform_id(peer), **said.model_dump())
        by = caller_of(request).name
        await (await ports.platform(platform)).put_matchmaker(kept, by)
        return MatchmakerRow(peer_id=kept.peer_id, agreed=kept.agreed, url=kept.url)

    @made.post(ONE + "/matchmaking")
    async def ask(
        request: Request,
        platform: str,
        order: Annotated[MatchmakingOrder, Body(openapi_examples=MATCHMAKING)],
    ) -> Matchmaking:
        """Ask other servers for patients like a case of this platform, all at once.

        Each peer is told the redacted case under a name made for it, has 20 seconds, and answers
        for itself: who is away is named with its state, never with an empty list. A question about
        test data says that it is a test.
        """
        where = await ports.platform(platform)
        by = caller_of(request).name
        said = {tag.profile.platform_id: tag.profile for tag in await ports.network.tags()}
        profile = said.get(platform)
        href = (profile.contact if profile else "") or f"{ports.public_url}/share/v1/info"
        contact = PlatformContact(name=platform, href=href)
        test = profile is not None and profile.test
        asked = await where.matchmaking_questions(order.case_id, list(order.peers), by)
        told = await asyncio.gather(*(_answer(one, contact, test=test) for one in asked))
        return Matchmaking(case_id=order.case_id, peers=tuple(told), disclaimer=DISCLAIMER)


async def _answer(asked: PeerQuestion, contact: PlatformContact, *, test: bool) -> PeerResult:
    patient = patient_object(asked.document, asked.shared_id, contact, test=test)
    peer = MmePeer(asked.peer.peer_id, asked.peer.url, asked.peer.token)
    (told,) = await ask_peers([peer], patient, clock=SystemClock(), timeout_s=TIMEOUT_S)
    return PeerResult(
        peer_id=told.peer_id,
        state=told.state,
        message=told.message,
        seconds=round(told.seconds, 3),
        results=tuple(one.model_dump(mode="json", by_alias=True) for one in told.results),
        disclaimer=told.disclaimer,
    )

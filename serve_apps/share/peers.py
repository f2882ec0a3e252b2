"""Routes between clusters: cards, remote platforms, and what they send and ask (S900-S1020)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Final

from fastapi import APIRouter, Body, Query, Request

from cluster.authorisation.roles import Role
from cluster.contracts.peers import (
    PeerAnswers,
    PeerCard,
    PeerDeliveries,
    PeerDiseaseCases,
    PeerDiseaseQuestion,
    PeerItems,
    PeerQuestions,
    Remote,
)
from cluster.contracts.sharing import Envelope, Receipt, Refusal
from cluster.errors import InputError, NotFound
from cluster.ids import checked_platform_id
from cluster.retrieval.query import PeerHits, PeerSearch
from cluster.storage.peer_client import checked_remote
from serve_apps.http.bodies import read_body, schema_of
from serve_apps.http.guard import RETRY_AFTER_S, body_limit, caller_of
from serve_apps.http.problems import Refused
from serve_apps.share.examples import DELIVERIES, QUESTIONS, RARE_CASES, REMOTE, SEARCHES
from serve_apps.share.ports import SharePorts

DELIVERIES_MIB: Final = 4
TURNS: Final = 4
"""Calls of one sender at a time; its courier makes one."""
PREFIX: Final = "/share/v1"


def add_peers(made: APIRouter, ports: SharePorts) -> None:
    """Add the routes to those of the share application."""
    _add_cards(made, ports)
    _add_exchange(made, ports)
    _add_questions(made, ports)


def _add_cards(made: APIRouter, ports: SharePorts) -> None:
    @made.get("/platforms/{platform}/card")
    async def get_card(platform: str) -> PeerCard:
        """Get what the operator of another cluster needs to exchange cases with a platform."""
        for tag in await ports.network.tags():
            if tag.profile.platform_id == platform:
                key, _, _ = await (await ports.platform(platform)).describe()
                url = f"{ports.public_url}{PREFIX}" if ports.public_url else ""
                return PeerCard(platform_id=platform, url=url, public_key=key, mix=tag.mix)
        what = "there is no such platform"
        raise NotFound(what, remedy="List the platforms.")

    @made.put("/remote-platforms/{peer}")
    async def put_remote(
        request: Request, peer: str, remote: Annotated[Remote, Body(openapi_examples=REMOTE)]
    ) -> PeerCard:
        """Register a platform of another cluster by its card and the token that it has given.

        Interconnect it with `PUT links` as any other; the other cluster does the same for its part.
        """
        if checked_platform_id(peer) != remote.card.platform_id:
            what = "the card is of another platform than the address"
            raise InputError(what, "card.platform_id", "Make them the same.")
        await ports.network.put_remote(checked_remote(remote), caller_of(request).name)
        await _tell_platforms(ports)
        await ports.courier.nudge()
        return remote.card

    @made.delete("/remote-platforms/{peer}", status_code=204)
    async def end_remote(request: Request, peer: str) -> None:
        """End the exchange with a platform of another cluster, and the tokens that it was given.

        Recalls go neither way any more. Withdraw first what it has got from here, and see in the
        outbox that it was taken back; what is here of its cases stays until it is withdrawn here.
        Its name stays its own: with a new token, `PUT` and agreement the exchange goes on.
        """
        await ports.network.end_remote(peer, caller_of(request).name)
        await _tell_platforms(ports)

    @made.get("/remote-platforms")
    async def list_remotes() -> list[PeerCard]:
        """List the platforms of other clusters, without the tokens that they have given."""
        return [remote.card for remote in await ports.network.remotes()]


async def _tell_platforms(ports: SharePorts) -> None:
    """Have every platform of this cluster know what holds now."""
    for tag in await ports.network.tags():
        name = tag.profile.platform_id
        await (await ports.platform(name)).set_peers(await ports.network.peers(name))


def _add_exchange(made: APIRouter, ports: SharePorts) -> None:
    content = {
        "application/json": {
            "schema": schema_of(PeerDeliveries, "envelopes"),
            "examples": DELIVERIES,
        }
    }
    body = {"requestBody": {"required": True, "content": content}}
    turns = Turns()

    @made.post("/peer/deliveries", openapi_extra=body_limit(DELIVERIES_MIB) | body)
    async def receive(request: Request) -> PeerAnswers:
        """Take in cases, related material and recalls of a platform of another cluster.

        Each delivery is answered with a signed receipt, once it is durable, or with a refusal. The
        same delivery again gets the receipt of the first time.
        """
        sender = await _sender(request, ports)
        with turns.one(sender):
            sent = read_body(PeerDeliveries, await request.body())
            return PeerAnswers(answers=await _answers(ports, sender, sent.envelopes))

    @made.get("/peer/receipts/{delivery_id}")
    async def receipt(
        request: Request, delivery_id: str, receiver: Annotated[str, Query(max_length=63)]
    ) -> Receipt:
        """Get the receipt of a delivery of the caller's platform, where the answer got lost."""
        sender = await _sender(request, ports)
        return await (await ports.platform(receiver)).receipt(sender, delivery_id)


def _add_questions(made: APIRouter, ports: SharePorts) -> None:
    @made.post("/peer/questions", openapi_extra=body_limit(1))
    async def questions(
        request: Request, asked: Annotated[PeerQuestions, Body(openapi_examples=QUESTIONS)]
    ) -> PeerItems:
        """Answer which cases here are related to some of the caller's platform (S1010).

        Who has no agreement gets nothing. With whom else the platform has one is not told.
        """
        sender = await _sender(request, ports)
        where = await ports.platform(asked.receiver)
        found = await where.find_related(sender, asked.queries)
        items = {
            name: tuple(item.model_copy(update={"audience": ()}) for item in its)
            for name, its in found.items()
        }
        return PeerItems(items=items)

    @made.post("/peer/searches", openapi_extra=body_limit(1))
    async def search(
        request: Request, asked: Annotated[PeerSearch, Body(openapi_examples=SEARCHES)]
    ) -> PeerHits:
        """Answer which cases here are like one that the caller's platform looks for (S400).

        Who has no agreement gets null. An answer has 20 cases at most, redacted.
        """
        sender = await _sender(request, ports)
        where = await ports.platform(asked.receiver)
        return PeerHits(hits=await where.find_hits(sender, asked.query))

    @made.post("/peer/rare-cases", openapi_extra=body_limit(1))
    async def rare_cases(
        request: Request, asked: Annotated[PeerDiseaseQuestion, Body(openapi_examples=RARE_CASES)]
    ) -> PeerDiseaseCases:
        """Answer which rare cases of a disease the caller's platform may know of (C8).

        Who has no agreement gets null.
        """
        sender = await _sender(request, ports)
        where = await ports.platform(asked.receiver)
        return PeerDiseaseCases(cases=await where.find_cases(sender, asked.question))


class Turns:
    """Calls of each sender that are worked on: what must never be shed has no slots."""

    def __init__(self) -> None:
        """Begin with none."""
        self._taken: Counter[str] = Counter()

    @contextmanager
    def one(self, sender: str) -> Iterator[None]:
        """Take a turn.

        Raises:
            Refused: the sender has all of its own.
        """
        if self._taken[sender] >= TURNS:
            headers = {"Retry-After": str(RETRY_AFTER_S)}
            raise Refused(503, "this platform's other deliveries are not done", headers=headers)
        self._taken[sender] += 1
        try:
            yield
        finally:
            self._taken[sender] -= 1


async def _sender(request: Request, ports: SharePorts) -> str:
    """Return the platform of another cluster whose token this is.

    Raises:
        Refused: the token is nobody's in particular, or of a platform that is none of those.
    """
    caller = caller_of(request)
    remotes = {one.card.platform_id for one in await ports.network.remotes()}
    if caller.role is not Role.PLATFORM or caller.platform not in remotes:
        raise Refused(403, "this needs a token of a platform of another cluster")
    return caller.platform


async def _answers(
    ports: SharePorts, sender: str, envelopes: Sequence[Envelope]
) -> tuple[Receipt | Refusal, ...]:
    """Have each delivery taken by its receiver; the answers are in their order."""
    answers: dict[int, Receipt | Refusal] = {}
    by_receiver: dict[str, list[int]] = {}
    for place, one in enumerate(envelopes):
        if one.sender == sender:
            by_receiver.setdefault(one.receiver, []).append(place)
        else:
            answers[place] = _refused(one, "wrong_sender", "the token is another platform's")
    for receiver, places in by_receiver.items():
        taken = await _receive(ports, receiver, [envelopes[place] for place in places])
        answers |= dict(zip(places, taken, strict=True))
    return tuple(answers[place] for place in range(len(envelopes)))


async def _receive(
    ports: SharePorts, receiver: str, envelopes: list[Envelope]
) -> list[Receipt | Refusal]:
    try:
        where = await ports.platform(receiver)
    except (NotFound, InputError):
        text = "there is no such platform here"
        return [_refused(one, "unknown_receiver", text) for one in envelopes]
    return await where.receive(envelopes)


def _refused(envelope: Envelope, code: str, reason: str) -> Refusal:
    return Refusal(delivery_id=envelope.delivery_id, code=code, reason=reason)

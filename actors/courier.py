"""How deliveries and questions reach a platform, of this cluster or of another (S1000, S1010)."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final, Protocol

from ray.exceptions import RayError

from cluster.contracts.related import (
    DiseaseCases,
    DiseaseQuestion,
    NetworkCases,
    RelatedItem,
    RelatedQuery,
)
from cluster.contracts.sharing import Envelope, Receipt, Refusal, Settlement
from cluster.flow.cases_of_disease import cases_by_platform
from cluster.storage.peer_client import Unanswered

ANSWER_S: Final = 20.0
"""Seconds that a platform has to say which cases it has."""


class Receiver(Protocol):
    """Who takes deliveries and answers questions."""

    async def receive(self, envelopes: Sequence[Envelope]) -> Sequence[Receipt | Refusal]:
        """Take deliveries in; returns the answers to the first ones, or to all.

        Raises:
            Unanswered: what was taken is not known.
        """
        ...

    async def find_related(
        self, asker: str, queries: Sequence[RelatedQuery]
    ) -> Mapping[str, Sequence[RelatedItem]]:
        """Answer what another platform asks for its shared cases.

        Raises:
            Unanswered: there is no answer.
        """
        ...

    async def find_cases(self, asker: str, question: DiseaseQuestion) -> DiseaseCases | None:
        """Answer with the rare cases of a disease that who asks may know of.

        Raises:
            Unanswered: there is no answer.
        """
        ...


class PlatformHere:
    """A platform of this cluster, as couriers and refreshes call it."""

    def __init__(self, actor: Any) -> None:  # noqa: ANN401 - a handle
        """Stand for a platform."""
        self._actor = actor

    async def receive(self, envelopes: Sequence[Envelope]) -> Sequence[Receipt | Refusal]:
        """Call the actor."""
        answers: list[Receipt | Refusal] = await _answer(self._actor.receive.remote(envelopes))
        return answers

    async def find_related(
        self, asker: str, queries: Sequence[RelatedQuery]
    ) -> Mapping[str, Sequence[RelatedItem]]:
        """Call the actor."""
        call = self._actor.find_related.remote(asker, queries)
        items: dict[str, list[RelatedItem]] = await _answer(call)
        return items

    async def find_cases(self, asker: str, question: DiseaseQuestion) -> DiseaseCases | None:
        """Call the actor."""
        cases: DiseaseCases | None = await _answer(self._actor.find_cases.remote(asker, question))
        return cases


async def _answer(call: Any) -> Any:  # noqa: ANN401 - Ray does not type it
    try:
        return await call
    except RayError:
        code = "no_answer"
        raise Unanswered(code) from None


async def cases_of_disease(
    asker: str, asked: Sequence[str], peers: Mapping[str, Receiver], question: DiseaseQuestion
) -> NetworkCases:
    """Ask platforms for the rare cases of a disease, all at once (C8).

    One that fails, or takes longer than ``ANSWER_S``, is named with the reason and takes nothing
    from the others.
    """

    async def one(name: str) -> DiseaseCases | str | None:
        if name not in peers:
            return "it is not known here"
        try:
            async with asyncio.timeout(ANSWER_S):
                return await peers[name].find_cases(asker, question)
        except TimeoutError:
            return f"no answer within {ANSWER_S:.0f} seconds"
        except Unanswered as error:
            return str(error)

    told = dict(zip(asked, await asyncio.gather(*map(one, asked)), strict=True))
    answers = {name: said for name, said in told.items() if not isinstance(said, str)}
    unanswered = {name: said for name, said in told.items() if isinstance(said, str)}
    return cases_by_platform(question, answers, unanswered)


async def carry(receiver: Receiver | None, sent: list[Envelope]) -> list[Settlement]:
    """Bring envelopes to one receiver; no answer leaves their outcome unknown."""
    answers: list[Receipt | Refusal] = []
    reason = "peer_unknown"
    if receiver is not None:
        try:
            answers, reason = [*await receiver.receive(sent)], "no_answer"
        except Unanswered as error:
            reason = str(error)
    return [
        Settlement(
            delivery_id=envelope.delivery_id,
            epoch=envelope.epoch,
            receipt=answer if isinstance(answer, Receipt) else None,
            refusal=answer if isinstance(answer, Refusal) else None,
            reason=reason,
        )
        for envelope, answer in zip_longest(sent, answers)
    ]

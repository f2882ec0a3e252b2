"""The supervisor as a process: keeps the others alive, and carries what is due between platforms.

It writes nothing: what is due stands in the platforms' outboxes, so its death loses nothing and a
new one goes on.
"""

import asyncio
import os
import uuid
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import ray
from ray.exceptions import RayError

from actors.network import start_network
from actors.options import SUPERVISOR, actor_options
from actors.platform import start_platform
from actors.registry import start_registry
from actors.trend import start_trend
from cluster.clock import SystemClock
from cluster.contracts.sharing import Envelope, Receipt, RelatedItem, Settlement
from cluster.errors import Conflict
from cluster.settings import Settings

BATCH = 64
"""Deliveries claimed from one platform at a time."""


class SupervisorService:
    """Starts who should be alive; takes deliveries from platform to platform."""

    def __init__(self, settings: Settings) -> None:
        """Remember what the others are started with."""
        self._settings = settings
        self._owner = uuid.uuid4().hex

    async def describe(self) -> tuple[str, int, str]:
        """Return the service's name, its process id, and the digest of its settings."""
        return SUPERVISOR, os.getpid(), self._settings.digest()

    async def ensure(self, platform_ids: Sequence[str]) -> None:
        """Start every actor that is not there, and wait until all answer.

        Raises:
            Conflict: an actor of the cluster runs with other settings.
        """
        services = [start(self._settings) for start in (start_network, start_registry, start_trend)]
        platforms = [start_platform(name, self._settings) for name in platform_ids]
        found = await asyncio.gather(*(a.describe.remote() for a in [*services, *platforms]))
        if {digest for _, _, digest in found} != {self._settings.digest()}:
            raise other_settings()

    async def deliver(self) -> int:
        """Carry deliveries until every outbox is settled; returns how many attempts were made."""
        platforms = await self._platforms()
        await asyncio.gather(*(a.release_claims.remote(self._owner) for a in platforms.values()))
        attempts = await asyncio.gather(*(self._empty(name, platforms) for name in platforms))
        return sum(attempts)

    async def refresh(self, now: float) -> int:
        """Renew the related material that is due; returns how many items were new or changed."""
        platforms = await self._platforms()
        pushed = 0
        for name, home in platforms.items():
            queries, audience = await home.related_queries.remote(now)
            if not queries:
                continue
            asked = [platforms[peer] for peer in (name, *audience) if peer in platforms]
            found = await asyncio.gather(
                *(actor.find_related.remote(name, queries) for actor in asked)
            )
            answers: dict[str, list[RelatedItem]] = {query.case_id: [] for query in queries}
            for answer in found:
                for case_id, items in answer.items():
                    answers[case_id].extend(items)
            pushed += await home.store_related.remote(now, answers)
        return pushed

    async def _platforms(self) -> dict[str, Any]:
        """Return the actors of all registered platforms, by id."""
        tags = await start_network(self._settings).tags.remote()
        ids = [tag.profile.platform_id for tag in tags]
        return {name: start_platform(name, self._settings) for name in ids}

    async def _empty(self, name: str, platforms: dict[str, Any]) -> int:
        """Carry one platform's outbox, waiting where a delivery is to be tried again later."""
        sender, attempts = platforms[name], 0
        due: float | None = 0.0
        clock = SystemClock()
        while due is not None:
            await asyncio.sleep(max(0.0, due - clock.now()))
            envelopes = await sender.claim.remote(self._owner, BATCH)
            attempts += len(envelopes)
            by_receiver: defaultdict[str, list[Envelope]] = defaultdict(list)
            for envelope in envelopes:
                by_receiver[envelope.receiver].append(envelope)
            carried = await asyncio.gather(
                *(self._carry(platforms.get(to), sent) for to, sent in by_receiver.items())
            )
            due = await sender.settle.remote([one for part in carried for one in part])
        return attempts

    async def _carry(self, receiver: Any, sent: list[Envelope]) -> list[Settlement]:  # noqa: ANN401
        """Bring envelopes to one receiver; no answer leaves their outcome unknown."""
        answers: Sequence[Any] = []
        if receiver is not None:
            try:
                answers = await receiver.receive.remote(sent)
            except RayError:
                answers = []
        settlements = []
        for number, envelope in enumerate(sent):
            answer = answers[number] if answers else None
            is_receipt = isinstance(answer, Receipt)
            settlements.append(
                Settlement(
                    delivery_id=envelope.delivery_id,
                    epoch=envelope.epoch,
                    receipt=answer if is_receipt else None,
                    refusal=None if is_receipt else answer,
                )
            )
        return settlements


def other_settings() -> Conflict:
    """Return the error of a run that meets actors with other settings than its own."""
    what = "the cluster's actors run with other settings, perhaps on another data folder"
    return Conflict(what, remedy="Use their settings, or restart the cluster.")


def start_supervisor(settings: Settings) -> Any:  # noqa: ANN401 - a handle, which Ray does not type
    """Return the supervisor, started where there is none."""
    return ray.remote(SupervisorService).options(**actor_options(SUPERVISOR)).remote(settings)

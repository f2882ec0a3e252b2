"""The supervisor as a process: keeps the others alive, and carries what is due between platforms.

It writes nothing: what is due stands in the platforms' outboxes, so its death loses nothing and a
new one goes on.
"""

import asyncio
import os
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import httpx
import ray
from ray.exceptions import RayError

from actors.courier import ANSWER_S, PlatformHere, Receiver, carry, cases_of_disease
from actors.network import start_network
from actors.options import SUPERVISOR, actor_options
from actors.platform import start_platform
from actors.registry import start_registry
from actors.trend import start_trend
from cluster.clock import SystemClock
from cluster.contracts.related import (
    DiseaseQuestion,
    NetworkCases,
    RefreshReport,
    RelatedAnswers,
    RelatedItem,
    RelatedQuestions,
    SourceState,
)
from cluster.contracts.sharing import Envelope
from cluster.errors import Conflict, NotFound, StoreUnavailable
from cluster.retrieval.literature import NETWORK, SOURCES, LiteratureSource, ask
from cluster.settings import Settings
from cluster.storage.literature import load_disease_names
from cluster.storage.peer_client import RemotePlatform, Unanswered, peer_http
from cluster.storage.pubmed import RateLimiter, literature_sources

BATCH = 64
"""Deliveries claimed from one platform at a time."""
Answers = dict[str, tuple[RelatedItem, ...]]
"""Items by the case's pseudonym."""
MARGIN = 20
"""Publications asked for beyond those that are kept: a case's own are among them."""


class SupervisorService:
    """Starts who should be alive; takes deliveries from platform to platform."""

    def __init__(self, settings: Settings) -> None:
        """Remember what the others are started with."""
        self._settings = settings
        self._owner = uuid.uuid4().hex
        self._refreshing = asyncio.Lock()
        self._limiter = RateLimiter()
        self._names: dict[str, str] = {}
        self._couriers: dict[str, asyncio.Task[int]] = {}
        self._nudges, self._nudged = 0, asyncio.Event()
        self._http: httpx.AsyncClient | None = None

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
        """Carry deliveries until every outbox is settled; returns how many attempts were made.

        What one platform takes in may have another one queue something: a recall that is passed on.
        """
        attempts = 0
        while made := sum(await self._one_pass()):
            attempts += made
        return attempts

    async def _one_pass(self) -> list[int]:
        couriers = await self._couriers_at_work()
        return await asyncio.gather(*map(asyncio.shield, couriers))

    async def nudge(self) -> None:
        """Have what is due carried now, in the background; who waits to try again looks anew."""
        await self._couriers_at_work()

    async def _couriers_at_work(self) -> list[asyncio.Task[int]]:
        """Give every platform a courier that will look at its outbox from now on.

        One that is at work is told to look again before it ends: what was queued before this call
        is not missed, whatever the courier has read by then.
        """
        for name, actor in (await self._platforms()).items():
            if name not in self._couriers or self._couriers[name].done():
                self._couriers[name] = asyncio.create_task(self._empty(actor))
        self._nudges += 1
        self._nudged.set()
        self._nudged = asyncio.Event()
        return list(self._couriers.values())

    async def cases_of_disease(self, name: str, question: DiseaseQuestion, by: str) -> NetworkCases:
        """Ask a platform and all that it has an agreement with for rare cases of a disease (C8).

        Raises:
            NotFound: there is no such platform.
            StoreUnavailable: it cannot say whom to ask.
        """
        platforms = await self._platforms()
        if name not in platforms:
            what = "there is no such platform"
            raise NotFound(what, remedy="List the platforms.")
        try:
            async with asyncio.timeout(ANSWER_S):
                asked = await platforms[name].platforms_to_ask.remote(question, by)
        except (TimeoutError, RayError):
            what = f"{name} does not answer"
            raise StoreUnavailable(what, remedy="Ask again later.") from None
        return await cases_of_disease(name, asked, await self._peers(platforms), question)

    async def refresh(self, now: float, settings: Settings) -> RefreshReport:
        """Renew the related material that is due (S1020, S1030).

        All platforms are asked what is due before anybody is asked for it, so that a source
        outside is called once for all. A source that fails takes nothing from the others.

        Args:
            now: the present, in seconds since the epoch.
            settings: say where literature is to be had; they may differ from this actor's own.

        Raises:
            RayError: a platform could not say what is due, or not store what was found; the
                others are refreshed before it is raised.
        """
        async with self._refreshing:
            return await self._refresh(now, settings)

    async def _refresh(self, now: float, settings: Settings) -> RefreshReport:
        platforms = await self._platforms()
        sources = literature_sources(settings, self._limiter)
        names = tuple(source.name for source in sources)
        asked, untold = await _gathered(
            {home: one.related_questions.remote(now, names) for home, one in platforms.items()}
        )
        literature, states = await self._ask_literature(sources, list(asked.values()))
        peers = await self._peers(platforms)
        calls = (_ask_network(home, asked[home], peers) for home in asked)
        network = dict(zip(asked, await asyncio.gather(*calls), strict=True))
        answers = {
            home: RelatedAnswers(network=found, literature=literature, sources=names)
            for home, (found, _) in network.items()
        }
        pushed, unstored = await _gathered(
            {home: platforms[home].store_related.remote(now, one) for home, one in answers.items()}
        )
        failures = [*untold.values(), *unstored.values()]
        if failures:
            raise failures[0]
        one_network = combined(NETWORK, [state for _, state in network.values()])
        absent = [SourceState(source=s, state="not configured") for s in SOURCES if s not in names]
        return RefreshReport(pushed=pushed, sources=(one_network, *states, *absent))

    async def _ask_literature(
        self, sources: Sequence[LiteratureSource], questions: Sequence[RelatedQuestions]
    ) -> tuple[dict[str, Answers], list[SourceState]]:
        """Ask each source for all platforms at once, beside the loop: it may take its time."""
        by_source = [
            [query for one in questions for query in one.literature.get(source.name, ())]
            for source in sources
        ]
        if any(by_source) and not self._names:
            reading = ray.remote(load_disease_names).options(num_cpus=0)
            self._names = await reading.remote(self._settings.data_dir)
        limit = self._settings.related_max + MARGIN
        done = await asyncio.gather(
            *(
                asyncio.to_thread(ask, source, queries, self._names, limit)
                for source, queries in zip(sources, by_source, strict=True)
            )
        )
        return {state.source: found for found, state in done}, [state for _, state in done]

    async def _platforms(self) -> dict[str, Any]:
        """Return the actors of all registered platforms, by id."""
        tags = await start_network(self._settings).tags.remote()
        ids = [tag.profile.platform_id for tag in tags]
        return {name: start_platform(name, self._settings) for name in ids}

    async def _peers(self, platforms: dict[str, Any]) -> dict[str, Receiver]:
        """Return all who may be sent something: platforms here, and those of other clusters."""
        remotes = await start_network(self._settings).remotes.remote()
        if self._http is None:
            self._http = peer_http()
        return {
            **{name: PlatformHere(actor) for name, actor in platforms.items()},
            **{one.card.platform_id: RemotePlatform(one, self._http) for one in remotes},
        }

    async def _empty(self, sender: Any) -> int:  # noqa: ANN401 - a handle
        """Carry one platform's outbox, waiting where a delivery is to be tried again later."""
        await sender.release_claims.remote(self._owner)
        attempts, clock = 0, SystemClock()
        while True:
            seen = self._nudges
            envelopes = await sender.claim.remote(self._owner, BATCH)
            attempts += len(envelopes)
            by_receiver: defaultdict[str, list[Envelope]] = defaultdict(list)
            for envelope in envelopes:
                by_receiver[envelope.receiver].append(envelope)
            peers = await self._peers(await self._platforms()) if envelopes else {}
            under_way = [carry(peers.get(to), sent) for to, sent in by_receiver.items()]
            due: float | None = None if under_way else await sender.settle.remote([])
            for carried in asyncio.as_completed(under_way):
                due = await sender.settle.remote(await carried)
            if self._nudges == seen:
                if due is None:
                    return attempts
                await self._pause(due - clock.now())

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than until the next nudge."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._nudged.wait(), max(0.0, seconds))


async def _ask_network(
    home: str, questions: RelatedQuestions, peers: Mapping[str, Receiver]
) -> tuple[dict[str, Answers], SourceState]:
    """Ask the platforms for one of them; who fails is left out and named."""
    asked = {peer: queries for peer, queries in questions.network.items() if queries}
    calls = {p: peers[p].find_related(home, asked[p]) for p in asked if p in peers}
    answers, _ = await _gathered(calls)
    missing = sorted(set(asked) - set(answers))
    state = SourceState(
        source=NETWORK,
        state="unavailable" if missing else "ok",
        reason=f"no answer from {', '.join(missing)}" if missing else "",
        asked=sum(map(len, asked.values())),
        answered=sum(map(len, answers.values())),
        found=sum(len(items) for one in answers.values() for items in one.values()),
    )
    return answers, state


async def _gathered(calls: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Exception]]:
    """Wait for calls to others; returns what they answered, and who failed and how."""

    async def one(call: Any) -> tuple[Any, Exception | None]:  # noqa: ANN401 - Ray does not type it
        try:
            return await call, None
        except (RayError, Unanswered) as error:
            return None, error

    done = dict(zip(calls, await asyncio.gather(*map(one, calls.values())), strict=True))
    failed = {name: error for name, (_, error) in done.items() if error}
    return {name: value for name, (value, _) in done.items() if name not in failed}, failed


def combined(source: str, states: Sequence[SourceState]) -> SourceState:
    """Add up how a source did for several platforms."""
    reasons = dict.fromkeys(state.reason for state in states if state.reason)
    return SourceState(
        source=source,
        state="unavailable" if reasons else "ok",
        reason="; ".join(reasons),
        asked=sum(state.asked for state in states),
        answered=sum(state.answered for state in states),
        found=sum(state.found for state in states),
    )


def other_settings() -> Conflict:
    """Return the error of a run that meets actors with other settings than its own."""
    what = "the cluster's actors run with other settings, perhaps on another data folder"
    return Conflict(what, remedy="Use their settings, or restart the cluster.")


def start_supervisor(settings: Settings) -> Any:  # noqa: ANN401 - a handle, which Ray does not type
    """Return the supervisor, started where there is none."""
    return ray.remote(SupervisorService).options(**actor_options(SUPERVISOR)).remote(settings)

"""Calls the share service of another cluster for a platform of this one (S400, S1000, S1020).

Every failure is ``Unanswered`` with a code: whether the peer has taken something is not known then,
and the same is sent again under the same key. The token goes to its peer alone, over HTTPS or to
this machine.
"""

import asyncio
import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Final, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from cluster.contracts.peers import (
    QUESTIONS_MAX,
    PeerAnswers,
    PeerDeliveries,
    PeerDiseaseCases,
    PeerDiseaseQuestion,
    PeerItems,
    PeerQuestions,
    Remote,
)
from cluster.contracts.related import (
    PMID,
    WHY_SAME_DISEASE,
    DiseaseCases,
    DiseaseQuestion,
    RelatedItem,
    RelatedQuery,
)
from cluster.contracts.sharing import Envelope, Receipt, Refusal
from cluster.retrieval.literature import NETWORK, SAME_DISEASE, score_of
from cluster.retrieval.query import CaseQuery, Hit, PeerHits, PeerSearch
from cluster.storage.mme_client import (
    AGENT,
    Unreadable,
    check_packing,
    check_size,
    checked_base,
    checked_token,
)

ANSWER_S: Final = 30.0
"""For one call, from the connection to the last byte."""
CALL_BYTES: Final = 2 << 20
"""Of payloads that go in one call, where one alone is not more."""
TEXT_CHARS: Final = 300
"""Of a title or a reason in a peer's words."""
M = TypeVar("M", bound=BaseModel)


class Unanswered(Exception):
    """A peer gave no answer that counts; the text is a code."""


def checked_remote(remote: Remote) -> Remote:
    """Return a platform that can be called.

    Raises:
        InputError: its address is not safe or no address, or its token cannot be sent.
    """
    checked_base(remote.card.url)
    checked_token(remote.token)
    return remote


class RemotePlatform:
    """A platform of another cluster, as couriers and refreshes call it."""

    def __init__(self, remote: Remote, client: httpx.AsyncClient) -> None:
        """Stand for a platform.

        Args:
            remote: where and how it is called.
            client: of ``peer_http``; one for all.
        """
        self._remote, self._client = remote, client

    async def receive(self, envelopes: Sequence[Envelope]) -> list[Receipt | Refusal]:
        """Bring deliveries; returns the answers in their order, as far as there are any.

        Raises:
            Unanswered: there is none at all: what was taken is not known.
        """
        answers: list[Receipt | Refusal] = []
        for part in _parts(envelopes):
            sent = PeerDeliveries(envelopes=part)
            try:
                told = (await self._call("peer/deliveries", sent, PeerAnswers)).answers
                if [one.delivery_id for one in told] != [one.delivery_id for one in part]:
                    raise Unanswered(UNREADABLE)
            except Unanswered:
                if answers:
                    break
                raise
            answers += told
        return answers

    async def find_related(
        self, asker: str, queries: Sequence[RelatedQuery]
    ) -> Mapping[str, Sequence[RelatedItem]]:
        """Ask for related items; the token says who asks.

        Raises:
            Unanswered: it is not known what the platform has.
        """
        del asker
        name = self._remote.card.platform_id
        items: dict[str, list[RelatedItem]] = {}
        for start in range(0, len(queries), QUESTIONS_MAX):
            part = tuple(queries[start : start + QUESTIONS_MAX])
            asked = PeerQuestions(receiver=name, queries=part)
            told = (await self._call("peer/questions", asked, PeerItems)).items
            for query in part:
                if query.case_id in told:
                    found = told[query.case_id]
                    items[query.case_id] = [_as_its_own(item, name) for item in found]
        return items

    async def find_hits(self, asker: str, query: CaseQuery) -> tuple[Hit, ...] | None:
        """Ask for cases like one; None where this platform may receive none from there.

        Raises:
            Unanswered: it is not known what the platform has.
        """
        del asker
        name = self._remote.card.platform_id
        asked = PeerSearch(receiver=name, query=query)
        hits = (await self._call("peer/searches", asked, PeerHits)).hits
        if hits is None:
            return None
        _check_names(name, [hit.case_id for hit in hits])
        return tuple(_as_its_own_hit(hit, name) for hit in hits)

    async def find_cases(self, asker: str, question: DiseaseQuestion) -> DiseaseCases | None:
        """Ask for the rare cases of a disease; None where this platform may receive none.

        Raises:
            Unanswered: it is not known what the platform has.
        """
        del asker
        name = self._remote.card.platform_id
        asked = PeerDiseaseQuestion(receiver=name, question=question)
        cases = (await self._call("peer/rare-cases", asked, PeerDiseaseCases)).cases
        if cases is None:
            return None
        _check_names(name, [item.item_id for item in cases.items])
        if cases.rare < len(cases.items):
            raise Unanswered(UNREADABLE)
        known = {WHY_SAME_DISEASE.format(code) for code in question.codes}
        items = tuple(
            RelatedItem(
                item_id=item.item_id,
                kind="case",
                title=question.name,
                platform=name,
                score=1.0,
                why=item.why if item.why in known else WHY_SAME_DISEASE.format(question.disease_id),
            )
            for item in cases.items[: question.limit]
        )
        return cases.model_copy(update={"items": items})

    async def _call(self, path: str, body: BaseModel, answer: type[M]) -> M:
        url = checked_base(self._remote.card.url) + path
        headers = {
            "Authorization": f"Bearer {checked_token(self._remote.token)}",
            "Content-Type": "application/json",
        }
        content = bytearray()
        try:
            async with (
                asyncio.timeout(ANSWER_S),
                self._client.stream(
                    "POST", url, headers=headers, content=body.model_dump_json().encode()
                ) as response,
            ):
                check_packing(response)
                async for part in response.aiter_raw():
                    content += part
                    check_size(content)
        except (TimeoutError, httpx.TimeoutException):
            raise Unanswered(TIMED_OUT) from None
        except Unreadable:
            raise Unanswered(UNREADABLE) from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError):
            raise Unanswered(UNREACHABLE) from None
        if response.status_code != httpx.codes.OK:
            code = f"peer_answered_{response.status_code}"
            raise Unanswered(code)
        try:
            return answer.model_validate_json(bytes(content))
        except ValidationError:
            raise Unanswered(UNREADABLE) from None


TIMED_OUT: Final = "peer_timed_out"
UNREACHABLE: Final = "peer_unreachable"
UNREADABLE: Final = "peer_answer_unreadable"


def peer_http() -> httpx.AsyncClient:
    """Return a client for calls to peers; it trusts this machine's authorities."""
    return httpx.AsyncClient(
        headers={"User-Agent": AGENT, "Accept-Encoding": "identity"},
        timeout=ANSWER_S,
        follow_redirects=False,
        trust_env=False,
        verify=_authorities(),
    )


@cache
def _authorities() -> ssl.SSLContext:
    """Return whom this machine trusts; reading that takes longer than many a call."""
    return ssl.create_default_context()


def _as_its_own(item: RelatedItem, platform: str) -> RelatedItem:
    """Return what a peer may say of an item: that it is its own, for us alone, and how like it is.

    Raises:
        Unanswered: it is another's, or no publication.
    """
    is_case = item.kind == "case"
    if is_case:
        _check_names(platform, [item.item_id])
    elif not PMID.fullmatch(item.item_id):
        raise Unanswered(UNREADABLE)
    told = {
        "platform": platform,
        "audience": (),
        "source": NETWORK,
        "title": item.title[:TEXT_CHARS] if is_case else "",
        "why": item.why[:TEXT_CHARS],
        "score": min(max(item.score, 0.0), 1.0 if is_case else score_of(SAME_DISEASE, 1.0)),
    }
    return item.model_copy(update=told)


def _as_its_own_hit(hit: Hit, platform: str) -> Hit:
    told = {"platform": platform, "disease_label": hit.disease_label[:TEXT_CHARS]}
    return hit.model_copy(update=told)


def _check_names(platform: str, names: Sequence[str]) -> None:
    """Let no peer name what is not its own.

    Raises:
        Unanswered: one of the names is not as the platform makes them.
    """
    form = re.compile(rf"{re.escape(platform)}\.[A-Za-z0-9_-]{{1,128}}")
    if not all(map(form.fullmatch, names)):
        raise Unanswered(UNREADABLE)


def _parts(envelopes: Sequence[Envelope]) -> Iterator[tuple[Envelope, ...]]:
    """Divide deliveries into calls of bounded size."""
    part: list[Envelope] = []
    size = 0
    for one in envelopes:
        if part and size + len(one.payload) > CALL_BYTES:
            yield tuple(part)
            part, size = [], 0
        part.append(one)
        size += len(one.payload)
    if part:
        yield tuple(part)

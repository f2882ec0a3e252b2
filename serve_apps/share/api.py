"""Routes of sharing: platforms, cases, searches, accesses, decisions and deliveries (A1-A12)."""

from typing import Annotated, Any, Final, Literal, TypeVar

import pyarrow as pa
from fastapi import APIRouter, Body, Query, Request, Response

from cluster.authorisation.roles import Role
from cluster.contracts.access import EVENTS
from cluster.contracts.related import RelatedItem
from cluster.contracts.result import ScreeningReport
from cluster.contracts.share import (
    AccessEvents,
    CaseAdded,
    CasePage,
    CaseView,
    Consent,
    DecisionPage,
    DeliveryPage,
    EventsTaken,
    InboxPage,
    InboxRow,
    OutboxRow,
)
from cluster.errors import EventInvalid
from cluster.retrieval.query import CaseQuery, SearchAnswer
from serve_apps.http.application import router
from serve_apps.http.bodies import read_body, schema_of
from serve_apps.http.guard import Key, body_limit, caller_of
from serve_apps.http.problems import Refused
from serve_apps.share.administration import add_administration
from serve_apps.share.arrow_events import read_stream
from serve_apps.share.examples import CASE, CONSENT, EVENT_BATCH, QUERY
from serve_apps.share.forms import FHIR, answer_in, phenopacket_of, written
from serve_apps.share.matchmaking import add_matchmaking
from serve_apps.share.network_search import add_network_search
from serve_apps.share.pages import LIMIT, After, InboxAsked, Limit, OutboxAsked
from serve_apps.share.peers import add_peers
from serve_apps.share.ports import SharePorts

Row = TypeVar("Row", OutboxRow, InboxRow)
EVENTS_MAX: Final = 1000
ARROW: Final = "application/vnd.apache.arrow.stream"
CASE_MIB: Final = 1
EVENTS_MIB: Final = 1
PREFIX: Final = "/share/v1"
ONE: Final = "/platforms/{platform}"

IN_BOTH_FORMS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {FHIR: {"schema": {"type": "object"}}}}
}


def routes(ports: SharePorts) -> APIRouter:
    """Return the routes over a cluster."""
    made = router(PREFIX)
    _add_cases(made, ports)
    _add_searches(made, ports)
    _add_accesses(made, ports)
    _add_results(made, ports)
    add_administration(made, ports)
    add_matchmaking(made, ports)
    add_peers(made, ports)
    add_network_search(made, ports)
    return made


def _add_cases(made: APIRouter, ports: SharePorts) -> None:
    kinds = {kind: {"schema": {"type": "object"}, "examples": CASE[kind]} for kind in CASE}
    body = {"requestBody": {"required": True, "content": kinds}}

    @made.post(ONE + "/cases", openapi_extra=body_limit(CASE_MIB) | body)
    async def add_case(
        request: Request,
        platform: str,
        consent: Literal["share", "private"] = "private",
        key: Key = "",
    ) -> CaseAdded:
        """Add a case, a GA4GH Phenopacket 2.0 or a FHIR R4 Bundle; durable before the answer.

        The same content again changes nothing; other content under the same id is a new revision,
        which keeps its consent. A new case is private, unless `consent` says that it may be shared.
        """
        content = await request.json()
        packet, findings = phenopacket_of(request, content)
        where = await ports.platform(platform)
        added = await where.add_case(written(packet), caller_of(request).name, key, consent)
        return added.model_copy(update={"findings": (*findings, *added.findings)})

    @made.get(ONE + "/cases")
    async def list_cases(platform: str, after: After = "", limit: Limit = LIMIT) -> CasePage:
        """List the cases of a platform by id; `next` is the `after` of the next page."""
        return await (await ports.platform(platform)).list_cases(after, limit)

    @made.get(ONE + "/cases/{case_id}", response_model=CaseView, responses=IN_BOTH_FORMS)
    async def get_case(request: Request, platform: str, case_id: str) -> Response:
        """Get a case, or its FHIR Bundle by `Accept`; who read it is in the audit chain first."""
        where = await ports.platform(platform)
        return answer_in(request, await where.get_case(case_id, caller_of(request).name))

    @made.put(ONE + "/cases/{case_id}/consent")
    async def set_consent(
        request: Request,
        platform: str,
        case_id: str,
        consent: Annotated[Consent, Body(openapi_examples=CONSENT)],
    ) -> Consent:
        """Say whether a case is active and may be shared.

        What is queued is held back with the answer; whom it was sent to is told to erase it.
        """
        where = await ports.platform(platform)
        by = caller_of(request).name
        await where.set_consent(case_id, consent.state, consent.consent, by)
        await ports.courier.nudge()
        return consent


def _add_searches(made: APIRouter, ports: SharePorts) -> None:
    @made.get(ONE + "/cases/{case_id}/related")
    async def related(platform: str, case_id: str) -> list[RelatedItem]:
        """Get the related cases and literature that are kept beside a case (S1040)."""
        return await (await ports.platform(platform)).related_of(case_id)

    @made.post(ONE + "/search")
    async def search(
        platform: str, query: Annotated[CaseQuery, Body(openapi_examples=QUERY)]
    ) -> SearchAnswer:
        """Find cases of a platform by phenotype, disease, gene, words or another case (S400).

        The query is not stored.
        """
        return await ports.searcher.search(platform, query)


def _add_accesses(made: APIRouter, ports: SharePorts) -> None:
    batch = {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": schema_of(AccessEvents, "events"),
                    "examples": EVENT_BATCH,
                },
                ARROW: {"schema": {"type": "string", "format": "binary"}},
            },
        }
    }

    @made.post(ONE + "/events", openapi_extra=body_limit(EVENTS_MIB) | batch)
    async def record(request: Request, platform: str) -> EventsTaken:
        """Record up to 1,000 accesses of cases of a platform, as JSON or as an Arrow IPC stream.

        An event id that was recorded before counts once. What is refused is told by row.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        if kind == ARROW:
            events = await _arrow(request)
        else:
            events = _table(read_body(AccessEvents, await request.body()))
        return await (await ports.platform(platform)).record_batch(events)


def _table(batch: AccessEvents) -> pa.Table:
    columns = {
        name: pa.array([row.get(name) for row in batch.events], EVENTS.field(name).type)
        for name in EVENTS.names
        if name != "platform"
    }
    return pa.table(columns)


async def _arrow(request: Request) -> pa.Table:
    """Read an Arrow IPC stream.

    Raises:
        EventInvalid: it is none that is safe to read, or has too many rows.
    """
    table = read_stream(await request.body())
    if not 1 <= table.num_rows <= EVENTS_MAX:
        what = f"the batch has {table.num_rows} events"
        raise EventInvalid(what, remedy=f"Send 1 to {EVENTS_MAX} at a time.")
    return table


def _add_results(made: APIRouter, ports: SharePorts) -> None:
    @made.get(ONE + "/rarity")
    async def rarity(platform: str) -> ScreeningReport:
        """Get the newest screening: every class with its incidence, every case with its reason."""
        return await (await ports.platform(platform)).rarity()

    @made.get(ONE + "/decisions")
    async def decisions(
        platform: str,
        period_end: float | None = None,
        outcome: str = "",
        after: After = "",
        limit: Limit = LIMIT,
    ) -> DecisionPage:
        """List the decisions, whole: indexes, preset, model versions and the reason (S800)."""
        where = await ports.platform(platform)
        return await where.decision_page(after, limit, period_end=period_end, outcome=outcome)

    @made.get(ONE + "/deliveries")
    async def deliveries(
        request: Request, platform: str, asked: Annotated[OutboxAsked, Query()]
    ) -> DeliveryPage:
        """List the outbox: what goes where and why, how far it is, why it stands still (S900).

        A machine's token sees no diseases and no reasons.
        """
        _check(request, asked.disease_id)
        where = await ports.platform(platform)
        page = await where.delivery_page(asked.after, asked.limit, asked.chosen_rows())
        rows = tuple(_shown(request, row) for row in page.deliveries)
        return page.model_copy(update={"deliveries": rows})

    @made.get(ONE + "/inbox")
    async def inbox(
        request: Request, platform: str, asked: Annotated[InboxAsked, Query()]
    ) -> InboxPage:
        """List what was received from other platforms, the last first (S1000).

        A machine's token sees no diseases and no reasons.
        """
        _check(request, asked.disease_id)
        where = await ports.platform(platform)
        page = await where.inbox_page(asked.after, asked.limit, asked.chosen_rows())
        rows = tuple(_shown(request, row) for row in page.received)
        return page.model_copy(update={"received": rows})


def _check(request: Request, disease_id: str) -> None:
    """Refuse a machine that asks by disease: it would learn what it is not shown.

    Raises:
        Refused: it does.
    """
    if disease_id and caller_of(request).role is Role.PLATFORM:
        raise Refused(403, "only who sees diseases may filter by them")


def _shown(request: Request, row: Row) -> Row:
    """Return what of a row is for the caller."""
    if caller_of(request).role is not Role.PLATFORM:
        return row
    return row.model_copy(update={"disease_id": "", "evidence": ()})

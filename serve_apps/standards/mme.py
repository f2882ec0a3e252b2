"""The Matchmaker Exchange API 1.0 and 1.1: other servers ask for patients like theirs (B6)."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa
from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from cluster.clock import iso
from cluster.contracts.matchmaking import Told
from cluster.errors import NotFound, StoreUnavailable
from cluster.standards.mme.match import (
    RESULTS,
    Candidate,
    PlatformContact,
    Question,
    question_of,
    results_of,
)
from cluster.standards.mme.messages import parsed_request
from cluster.standards.mme.metrics import Traffic, metrics_of
from cluster.standards.mme.versions import LATEST, SUPPORTED, MmeProblem, Version, negotiated
from serve_apps.http.guard import body_limit, caller_of
from serve_apps.http.problems import PROBLEM_JSON
from serve_apps.standards.examples import MATCH
from serve_apps.standards.ports import StandardsPorts, kept_for

MATCH_MIB: Final = 1
DISCLAIMER: Final = (
    "For research and clinical collaboration only, not a diagnosis. Do not try to identify a "
    "patient; do not pass this on. Scores are a likeness of cases."
)


KINDS: Final = tuple(one.media_type for one in SUPPORTED)
ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    status: {
        "description": description,
        "content": {kind: {"schema": {"type": "object"}} for kind in (*KINDS, PROBLEM_JSON)},
    }
    for status, description in (
        (200, "results, best first"),
        (400, "no JSON"),
        (406, "another version of the API"),
        (415, "another media type, or none"),
        (422, "not the form of the API"),
    )
}


def add_mme(made: APIRouter, ports: StandardsPorts) -> None:
    """Add the routes."""
    body = {
        "requestBody": {
            "required": True,
            "content": {
                kind: {"schema": {"type": "object"}, "examples": MATCH}
                for kind in (*KINDS, "application/json")
            },
        }
    }

    @made.post("/mme/match", responses=ANSWERS, openapi_extra=body_limit(MATCH_MIB) | body)
    async def match(request: Request) -> Response:
        """Find patients like one; only cases whose platform has an agreement with who asks."""
        version = LATEST
        try:
            version = negotiated(request.headers.get("content-type"))
            asked = parsed_request(await request.body())
        except MmeProblem as problem:
            return _answer(problem.body, version, problem.status)
        question = question_of(asked.patient, ports.symbol_of)
        told: dict[str, Any] = {"disclaimer": DISCLAIMER}
        if question.remarks:
            told["_remarks"] = question.remarks
        told["results"] = await _matches(ports, caller_of(request).platform, question)
        return _answer(told, version)

    @made.get("/mme/metrics", responses={200: ANSWERS[200]})
    async def metrics(request: Request) -> Response:
        """Tell how much there is to match with, of what who asks may be told of; no test data."""
        asker = caller_of(request).platform
        platforms = [await ports.platform(name) for name in await kept_for(ports, test=False)]
        tables = await asyncio.gather(*(one.matchable(asker) for one in platforms))
        held = pa.concat_tables(tables) if tables else _no_cases()
        agreeing = sum(1 for one in tables if one.num_rows)
        told = metrics_of(held, Traffic(submitters=agreeing), iso(ports.clock.now()))
        return _answer({"metrics": told, "disclaimer": DISCLAIMER}, LATEST)

    @made.get("/mme/heartbeat", responses={200: ANSWERS[200]})
    async def heartbeat() -> Response:
        """Say that the server lives, and which versions it speaks."""
        told = {
            "production": ports.is_production,
            "version": ports.beacon.software_version,
            "accept": [one.media_type for one in SUPPORTED],
        }
        return _answer({"heartbeat": told, "disclaimer": DISCLAIMER}, LATEST)


async def _matches(ports: StandardsPorts, asker: str, question: Question) -> list[dict[str, Any]]:
    """Ask every platform for what it has, one call each; those that are not there are left out.

    A test is answered by platforms of test data, and everything else by the others.
    """
    contacts = await kept_for(ports, test=question.is_test)
    told = await asyncio.gather(*(_told(ports, one, asker, question) for one in contacts))
    results = []
    for (name, href), cases in zip(contacts.items(), told, strict=True):
        found = [Candidate(one.shared_id, one.document, one.similarity) for one in cases]
        contact = PlatformContact(name, href, ports.beacon.organisation_name)
        results += results_of(question, found, contact)
    results.sort(key=lambda one: (-one["score"]["patient"], one["patient"]["id"]))
    return results[:RESULTS]


async def _told(ports: StandardsPorts, name: str, asker: str, question: Question) -> list[Told]:
    """Return what a platform tells; one that is away tells nothing, and the others answer."""
    try:
        chosen = await ports.readers.choose(name, question)
        return await (await ports.platform(name)).disclose(asker, chosen) if chosen else []
    except (NotFound, StoreUnavailable):
        return []


def _no_cases() -> pa.Table:
    lists, text = pa.list_(pa.int32()), pa.string()
    kinds = {"terms": lists, "excluded": lists, "genes": pa.list_(text), "disease_id": text}
    return pa.table({name: pa.array([], kind) for name, kind in kinds.items()})


def _answer(content: Mapping[str, Any], version: Version, status: int = 200) -> Response:
    return JSONResponse(dict(content), status, media_type=version.media_type)

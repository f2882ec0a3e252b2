"""GA4GH Beacon v2: how many individuals have these signs, in counts that hide the few (B6)."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request, Response
from starlette.responses import JSONResponse

from cluster.errors import InputError
from cluster.standards.beacon.answer import answer, refusal, rounded
from cluster.standards.beacon.count import Individuals
from cluster.standards.beacon.demo import simulated_individuals
from cluster.standards.beacon.framework import (
    beacon_map,
    configuration,
    entry_types,
    filtering_terms,
    info,
    service_info,
)
from cluster.standards.beacon.query import BeaconQuery, query_of_body, query_of_parameters
from serve_apps.http.problems import PROBLEM_JSON, Refused
from serve_apps.standards.examples import COUNT
from serve_apps.standards.ports import StandardsPorts, kept_for

Json = dict[str, Any]
JSON = "application/json"
ANSWERS: dict[int | str, dict[str, Any]] = {
    400: {
        "description": "an unsupported filter, in the Beacon's own form of errors",
        "content": {kind: {"schema": {"type": "object"}} for kind in (JSON, PROBLEM_JSON)},
    }
}
DESCRIBED = {
    "": info,
    "/info": info,
    "/service-info": service_info,
    "/configuration": configuration,
    "/entry_types": entry_types,
    "/map": beacon_map,
}


def add_beacon(made: APIRouter, ports: StandardsPorts) -> None:
    """Add the routes: the seven of the framework, and individuals."""
    for path, describe in DESCRIBED.items():
        made.get(f"/beacon{path}", name=f"beacon{path}")(_constant(describe(ports.beacon)))

    @made.get("/beacon/filtering_terms")
    async def terms(
        skip: Annotated[int, Query(ge=0, le=100_000)] = 0,
        limit: Annotated[int, Query(ge=0, le=10_000)] = 10,
    ) -> Json:
        """List what can be asked for, whether a case has it or not."""
        return filtering_terms(ports.beacon, ports.ontology, skip, limit)

    @made.get("/beacon/individuals", responses=ANSWERS)
    async def count_by_parameters(request: Request, filters: str = "") -> Response:
        """Count individuals: `filters` are HPO terms, diagnoses and sexes, all of which hold."""
        del filters  # described here; read below with all others
        try:
            query = query_of_parameters(request.query_params.multi_items(), ports.ontology)
        except InputError as error:
            return _refused(ports, error)
        return await _counted(request, ports, query)

    @made.post("/beacon/individuals", responses=ANSWERS)
    async def count_by_body(
        request: Request, body: Annotated[Json, Body(openapi_examples=COUNT)]
    ) -> Response:
        """Count individuals, asked in the form of a Beacon request."""
        try:
            query = query_of_body(body, ports.ontology)
        except InputError as error:
            return _refused(ports, error)
        return await _counted(request, ports, query)


def _constant(told: Json) -> Callable[[], Coroutine[None, None, Json]]:
    async def describe() -> Json:
        """Describe this Beacon."""
        return told

    return describe


async def _counted(request: Request, ports: StandardsPorts, query: BeaconQuery) -> Response:
    """Answer a query; who shows no token gets SIMULATED individuals, if it asks for these."""
    if query.test_mode:
        found = Individuals.of(simulated_individuals(), ports.ontology).count(query)
        return JSONResponse(answer(ports.beacon, query, found))
    if request.state.cell == "few":
        headers = {"WWW-Authenticate": "Bearer"}
        raise Refused(401, "without a token only testMode is answered", headers=headers)
    platforms = [await ports.platform(name) for name in await kept_for(ports, test=False)]
    counts = await asyncio.gather(*(one.count_individuals(query) for one in platforms))
    # Each by itself, since a caller may know the number of its own platform.
    return JSONResponse(answer(ports.beacon, query, sum(map(rounded, counts))))


def _refused(ports: StandardsPorts, error: InputError) -> Response:
    return JSONResponse(refusal(ports.beacon, error, 400), 400)

"""One application: its routes behind the door, described by OpenAPI, erring in problem+json."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from cluster.authorisation.roles import Role, rights_of
from cluster.settings import Settings
from serve_apps.http import problems
from serve_apps.http.door import Check, Door, Limits
from serve_apps.http.guard import GuardedRoute, Slots

REFUSALS: Mapping[int | str, dict[str, Any]] = {
    status: {
        "description": problems.HTTP_CODES[status],
        "content": {problems.PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status in (400, 401, 403, 404, 405, 406, 408, 409, 413, 414, 415, 422, 429, 431, 503)
}
"""What any route may answer beside its own."""


def router(prefix: str) -> APIRouter:
    """Begin the routes of an application; each must be in the role table."""
    return APIRouter(prefix=prefix, route_class=GuardedRoute, responses=dict(REFUSALS))


def limits_of(settings: Settings) -> dict[str, float]:
    """Return what callers are told of the limits, by the names of the settings."""
    return {
        "calls_per_s": settings.calls_per_s,
        "calls_burst": settings.calls_burst,
        "public_calls_per_s": settings.public_calls_per_s,
        "calls_at_once": settings.calls_at_once,
    }


@dataclass(frozen=True)
class Entrance:
    """What stands before the routes of every application."""

    settings: Settings
    check: Check
    """Of tokens."""


def application(title: str, routes: APIRouter, entrance: Entrance, docs: str) -> ASGIApp:
    """Put the routes of an application behind the door.

    Args:
        title: of the OpenAPI description.
        routes: made with ``router``.
        entrance: checks of callers.
        docs: path under which the OpenAPI description is shown; nothing is there where the
            settings turn it off.
    """
    shown = f"{docs}/openapi.json" if entrance.settings.show_api else None
    app = FastAPI(
        title=title,
        version="1",
        openapi_url=shown,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.slots = Slots(entrance.settings.calls_at_once)
    problems.install(app)
    app.include_router(routes)
    _describe(app)
    return Door(app, entrance.check, Limits(entrance.settings))


def _describe(app: FastAPI) -> None:
    """Add to the description how errors look and how callers show their token."""
    made = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = made()
            parts = schema.setdefault("components", {})
            parts.setdefault("schemas", {})["Problem"] = problems.SCHEMA
            parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            parts["securitySchemes"]["peer"] = {
                "type": "apiKey",
                "in": "header",
                "name": "X-Auth-Token",
            }
            for path, methods in schema["paths"].items():
                for method, operation in methods.items():
                    is_open = rights_of(method.upper(), path).cells[Role.PUBLIC] != "-"
                    ways: list[dict[str, list[str]]] = [{"token": []}, {"peer": []}]
                    operation["security"] = ways + ([{}] if is_open else [])
        found: dict[str, Any] = app.openapi_schema or {}
        return found

    app.openapi = described  # type: ignore[method-assign]  # the documented way to extend it

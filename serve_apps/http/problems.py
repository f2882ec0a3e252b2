"""How errors reach callers: problem+json (RFC 9457) with a stable code, never with what was sent.

Each code has a page ``docs/errors/<code>.md``.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from cluster.errors import DazzleError

PROBLEM_JSON: Final = "application/problem+json"
FAULTS_SHOWN: Final = 20
STATUS: Final[Mapping[str, int]] = {
    "input_invalid": 422,
    "case_invalid": 422,
    "event_invalid": 422,
    "window_invalid": 422,
    "source_unreadable": 422,
    "setting_invalid": 422,
    "image_set_refused": 422,
    "weights_invalid": 422,
    "model_refused": 422,
    "mme_refused": 422,
    "policy_refused": 403,
    "not_found": 404,
    "case_withdrawn": 410,
    "conflict": 409,
    "no_space": 507,
    "model_not_ready": 503,
    "store_unavailable": 503,
    "unreachable": 502,
    "integrity_error": 500,
    "fault": 500,
    "error": 500,
}
"""Of the codes of ``cluster.errors``."""
HTTP_CODES: Final[Mapping[int, str]] = {
    400: "request_malformed",
    401: "token_missing",
    403: "role_not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "request_timed_out",
    409: "conflict",
    413: "body_too_large",
    414: "address_too_long",
    415: "media_type_unsupported",
    416: "range_not_satisfiable",
    422: "body_invalid",
    429: "rate_exceeded",
    431: "headers_too_large",
    503: "overloaded",
}
"""Code of what is refused before it reaches the core."""
METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
SCHEMA: Final[Mapping[str, object]] = {
    "type": "object",
    "required": ["type", "code", "title", "status"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:dazzle:error:not_found"]},
        "code": {"type": "string", "description": "stable; docs/errors has a page for each"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "message": {"type": "string", "description": "as title, where some standards look for it"},
        "name": {"type": "string", "description": "kind of an unforeseen error"},
        "n_errors": {"type": "integer"},
        "where": {"type": "string", "description": "place of the fault"},
        "remedy": {"type": "string", "description": "what to do"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"where": {"type": "string"}, "what": {"type": "string"}},
            },
        },
    },
}
logger = logging.getLogger("dazzle.http")


class Refused(HTTPException):
    """A request that is answered with a problem."""

    def __init__(
        self, status: int, title: str, *, code: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        """Say what is wrong.

        Args:
            status: of HTTP.
            title: one sentence, without anything that was sent.
            code: stable; that of the status where none is given.
            headers: added to the answer.
        """
        super().__init__(status, title, dict(headers or {}))
        self.code = code or HTTP_CODES[status]


def problem(
    status: int, code: str, title: str, headers: Mapping[str, str] | None = None, **more: object
) -> Response:
    """Make an answer of a problem."""
    content = {"type": f"urn:dazzle:error:{code}", "code": code, "title": title, "status": status}
    content["message"] = title  # where the Matchmaker Exchange looks for it
    return JSONResponse(
        content | {name: value for name, value in more.items() if value},
        status,
        headers=dict(headers or {}),
        media_type=PROBLEM_JSON,
    )


def of_refusal(refused: Refused) -> Response:
    """Make an answer of a refusal."""
    return problem(refused.status_code, refused.code, refused.detail, refused.headers)


def of_error(error: DazzleError) -> Response:
    """Make an answer of an error of the core."""
    status = STATUS.get(error.code, 500)
    headers = {"Retry-After": "1"} if status == 503 else None
    return problem(status, error.code, error.what, headers, where=error.where, remedy=error.remedy)


def of_faults(faults: Sequence[Any]) -> Response:
    """Make an answer of pydantic's faults: places and rules, without what was sent."""
    errors = [
        {"where": _place(one), "what": str(one["msg"])[:200]} for one in faults[:FAULTS_SHOWN]
    ]
    title = "the request does not have the form that is described"
    return problem(422, "body_invalid", title, errors=errors, n_errors=len(faults))


def _place(fault: Any) -> str:  # noqa: ANN401 - a dictionary of pydantic
    """Return where a fault is; the name of a key that nobody asked for is the caller's own word."""
    parts = fault["loc"][:-1] if fault["type"] == "extra_forbidden" else fault["loc"]
    return ".".join(map(str, parts))


def unforeseen(error: Exception) -> Response:
    """Make an answer of what should not happen."""
    return problem(500, "fault", "this should not have happened", name=type(error).__name__)


def install(app: FastAPI) -> None:
    """Let an application answer every error with a problem."""

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> Response:
        return of_refusal(error)

    @app.exception_handler(DazzleError)
    async def core(_: Request, error: DazzleError) -> Response:
        return of_error(getattr(error, "cause", error))  # an actor's comes wrapped by Ray

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return of_faults(error.errors())

    @app.exception_handler(Exception)
    async def broken(_: Request, error: Exception) -> Response:
        return unforeseen(error)

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> Response:
        status, headers = error.status_code, error.headers
        code = HTTP_CODES.get(status, "error")
        title = "there is nothing here" if status == 404 else str(error.detail)
        if status == 405:
            headers = {"Allow": ", ".join(_methods_of(request))}
        return problem(status, code, title, headers)


def _methods_of(request: Request) -> list[str]:
    """Return the methods of a path; the framework names those of the first route only."""
    routes = request.app.routes
    asked = [(method, dict(request.scope, method=method)) for method in METHODS]
    return [m for m, it in asked if any(route.matches(it)[0] is Match.FULL for route in routes)]

"""Routes that ask the role table first, bound what they read, and shed load before they work.

A route that is not in the table cannot be made. Slots are counted here and not by Serve, so that
what must never be shed (withdrawal, revocation, health) is answered beside a full house, and so
that a caller without rights takes none.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final

from fastapi import Header, Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.types import Message, Receive

from cluster.authorisation.roles import Cell, Rights, Role, rights_of
from serve_apps.http.accept import chosen
from serve_apps.http.door import Caller
from serve_apps.http.problems import PROBLEM_JSON, Refused

BODY_BYTES_MAX: Final = 64 << 10
"""Of a body whose route says no other limit (``body_limit``)."""
RETRY_AFTER_S: Final = 1
BODY_S: Final = 10.0
BYTES_A_SECOND: Final = 1 << 20
"""A body may take so many seconds, and a second more for so many bytes that it may have."""
JSON: Final = "application/json"
Key = Annotated[
    str, Header(alias="Idempotency-Key", max_length=200, description="names this command")
]
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def body_limit(mib: float) -> dict[str, Any]:
    """Say how large the body of a route may be, in MiB; a part of its OpenAPI description."""
    return {"x-body-bytes-max": int(mib * (1 << 20))}


class Slots:
    """Calls that one replica works on at a time."""

    def __init__(self, most: int) -> None:
        """Set how many there are."""
        self.most, self.taken = most, 0

    @contextmanager
    def one(self, rights: Rights) -> Iterator[None]:
        """Take a slot for a call; what must never be shed takes one that is not counted.

        Raises:
            Refused: all are taken.
        """
        if rights.standing == "core":
            yield
            return
        if self.taken >= self.most:
            headers = {"Retry-After": str(RETRY_AFTER_S)}
            raise Refused(503, "all slots are taken", headers=headers)
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


class GuardedRequest(Request):
    """A request whose body is bounded and whose JSON is strict."""

    def __init__(self, scope: Any, receive: Receive, most: int) -> None:  # noqa: ANN401 - of ASGI
        """Bound a request.

        Args:
            scope: of ASGI.
            receive: of ASGI.
            most: bytes of the body.
        """
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > most:
            raise _too_large(most)
        left, is_whole = most, False
        end = asyncio.get_running_loop().time() + BODY_S + most / BYTES_A_SECOND

        async def bounded() -> Message:
            nonlocal left, is_whole
            try:
                async with asyncio.timeout_at(None if is_whole else end):
                    message = await receive()
            except TimeoutError:
                raise Refused(408, "the body did not come in time") from None
            is_whole = not message.get("more_body", False)
            left -= len(message.get("body", b""))
            if left < 0:
                raise _too_large(most)
            return message

        super().__init__(scope, bounded)

    async def json(self) -> Any:  # noqa: ANN401 - as the framework has it
        """Read the body as JSON of at most some hundred levels, without NaN.

        Raises:
            Refused: it is none.
        """
        try:
            return from_json(await self.body(), allow_inf_nan=False)
        except ValueError:
            raise not_json() from None


class GuardedRoute(APIRoute):
    """A route of the role table."""

    def get_route_handler(self) -> Handler:
        """Return the handler, behind the guard.

        Raises:
            KeyError: the route is not in the role table.
        """
        handle = super().get_route_handler()
        rows = {
            method: rights_of("GET" if method == "HEAD" else method, self.path)
            for method in self.methods or ()
        }
        most = int((self.openapi_extra or {}).get("x-body-bytes-max", BODY_BYTES_MAX))
        forms = self._forms()

        async def guarded(request: Request) -> Response:
            rights = rows[request.method]
            caller = caller_of(request)
            cell = rights.cells[caller.role]
            refuse(caller, cell, request.path_params.get("platform"))
            _negotiate(request, forms)
            slots: Slots = request.app.state.slots
            with slots.one(rights):
                request.state.cell = cell
                return await handle(GuardedRequest(request.scope, request.receive, most))

        return guarded

    def _forms(self) -> list[str]:
        """Return the media types of what the route answers, as far as it says."""
        told = self.responses.get(200, {}).get("content", {})
        modelled = [JSON] if self.response_model is not None else []
        return [one for one in dict.fromkeys([*modelled, *told]) if one != PROBLEM_JSON]


def _negotiate(request: Request, forms: list[str]) -> None:
    """Leave of ``Accept`` the one form that is wanted most of those that a route has.

    Raises:
        Refused: the caller takes none of them; nothing was done.
    """
    accept = ",".join(request.headers.getlist("accept"))
    if not accept or not forms:
        return
    form = chosen(accept, forms)
    if form is None:
        raise Refused(406, f"the answer is {' or '.join(forms)}, and neither is acceptable")
    kept = [one for one in request.scope["headers"] if one[0] != b"accept"]
    request.scope["headers"] = [*kept, (b"accept", form.encode())]


def refuse(caller: Caller, cell: Cell, platform: str | None) -> None:
    """Refuse a caller who may not use a route.

    Args:
        caller: who calls.
        cell: of the role table.
        platform: whose things the route is about, if it names a platform.

    Raises:
        Refused: by the table; what belongs to another platform is answered as if it were not there.
    """
    if cell == "-":
        if caller.role is Role.PUBLIC:
            headers = {"WWW-Authenticate": "Bearer"}
            raise Refused(401, "this route needs a token", headers=headers)
        raise Refused(403, f"the role {caller.role} may not use this route")
    if cell == "whole" and caller.platform:
        raise Refused(403, "this needs a token of the whole cluster")
    if cell == "own" and platform is not None and not owns(caller, platform):
        raise Refused(404, "there is nothing here")


def owns(caller: Caller, platform: str) -> bool:
    """Say whether what belongs to a platform belongs to a caller."""
    return caller.role is not Role.PUBLIC and caller.platform in ("", platform)


def is_of_the_whole(caller: Caller) -> bool:
    """Say whether a caller is an operator of the whole cluster."""
    return caller.role is Role.OPERATOR and not caller.platform


def caller_of(request: Request) -> Caller:
    """Return who calls, as the door has found."""
    caller: Caller = request.state.caller
    return caller


def not_json() -> Refused:
    """Return what is answered to a body that is no JSON."""
    return Refused(400, "the body is not JSON", code="json_invalid")


def _too_large(most: int) -> Refused:
    return Refused(413, f"the body is larger than {most} bytes")

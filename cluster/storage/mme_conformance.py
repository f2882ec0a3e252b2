"""Runs the checks of the Matchmaker Exchange API against a server."""

from collections.abc import Callable, Iterator
from typing import Final

import httpx
from pydantic import SecretStr

from cluster.errors import Unreachable
from cluster.standards.mme.conformance import (
    Check,
    Finding,
    Request,
    checks,
    judge,
    self_match_check,
)
from cluster.standards.mme.rules import Response, has_results
from cluster.storage.mme_client import (
    AGENT,
    TOKEN_HEADER,
    Unreadable,
    check_packing,
    check_size,
    checked_base,
    checked_token,
)

WRONG_TOKEN: Final = "dazzle-conformance-wrong-token"  # noqa: S105 - it opens nothing

Progress = Callable[[str, int, int], None]
"""Is told the step, and how much of how much is done."""


def no_progress(step: str, done: int, total: int) -> None:
    """Tell nobody."""


def run_checks(
    url: str, token: SecretStr, *, timeout_s: float, progress: Progress = no_progress
) -> list[Finding]:
    """Send every probe to a server, one after the other, and judge its answers.

    Args:
        url: base address of the server.
        token: that opens it.
        timeout_s: of each probe.
        progress: is told of each.

    Raises:
        InputError: the address or the token cannot be used.
        Unreachable: the server does not answer the first probe at all.
    """
    base, secret = checked_base(url), checked_token(token)
    client = httpx.Client(
        headers={"User-Agent": AGENT, "Accept-Encoding": "identity"},
        timeout=timeout_s,
        follow_redirects=False,
        trust_env=False,
    )
    with client:
        return list(_run(client, base, secret, progress))


def _run(client: httpx.Client, base: str, secret: str, progress: Progress) -> Iterator[Finding]:
    waiting, done = checks(), 0
    while waiting:
        check = waiting.pop(0)
        try:
            response = _sent(client, base, secret, check.request)
        except (httpx.HTTPError, Unreadable) as error:
            if not done:
                what = f"the server does not answer ({type(error).__name__})"
                raise Unreachable(what, base) from None
            yield Finding(check, False, f"no answer ({type(error).__name__})")
        else:
            yield judge(check, response)
            if check.rule is has_results:
                waiting += _further(response)
        done += 1
        progress("checks", done, done + len(waiting))


def _further(response: Response) -> list[Check]:
    found = self_match_check(response)
    return [found] if found else []


def _sent(client: httpx.Client, base: str, secret: str, request: Request) -> Response:
    tokens = {"right": {TOKEN_HEADER: secret}, "wrong": {TOKEN_HEADER: WRONG_TOKEN}, "none": {}}
    headers = {**request.headers, **tokens[request.key]}
    with client.stream(
        request.method, base + request.path, headers=headers, content=request.body
    ) as answer:
        body = bytearray()
        check_packing(answer)
        for part in answer.iter_raw():
            body += part
            check_size(body)
    return Response(answer.status_code, answer.headers.get("content-type", ""), bytes(body))

"""Checks of Matchmaker Exchange servers: a good one passes, each fault is found by its check."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from builders import Json

from cluster.standards.mme.conformance import (
    Finding,
    Request,
    checks,
    judge,
    self_match_check,
)
from cluster.standards.mme.messages import parsed_request
from cluster.standards.mme.rules import Response
from cluster.standards.mme.versions import LATEST, MmeProblem, negotiated
from tests.unit.standards.mme_builders import a_patient, an_answer

Server = Callable[[Request], Response]
METRICS = {"metrics": {"numberOfCases": 3, "dateGenerated": "2026-01-02"}, "terms": "x"}
HEARTBEAT = {
    "heartbeat": {"production": False, "version": "1", "accept": [LATEST.media_type]},
    "disclaimer": "x",
}


def reply(status: int, content: object, media_type: str = LATEST.media_type) -> Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Response(status, media_type, body)


def good(request: Request) -> Response:
    """A server that keeps every rule."""
    if request.key != "right":
        return reply(401, {"message": "no"})
    if request.method == "GET":
        told = {"metrics": METRICS, "heartbeat": HEARTBEAT}.get(request.path)
        return reply(200, told) if told else reply(405, {"message": "no"})
    try:
        version = negotiated(request.headers.get("Content-Type"))
        parsed_request(request.body)
    except MmeProblem as problem:
        return reply(problem.status, problem.body)
    return reply(200, an_answer(0.9, 0.2), version.media_type)


def findings(server: Server) -> list[Finding]:
    return [judge(check, server(check.request)) for check in checks()]


def broken(server: Server) -> list[str]:
    return [one.check.name for one in findings(server) if not one.ok]


def answering(*results: object, **more: object) -> Server:
    """A server whose matches have these results."""

    def serve(request: Request) -> Response:
        told = good(request)
        if told.status != 200 or request.method == "GET":
            return told
        return replace(told, body=json.dumps({"results": list(results), **more}).encode())

    return serve


def result(score: object, **changes: object) -> Json:
    return {"score": {"patient": score}, "patient": a_patient(**changes)}


def saying(path: str, content: object) -> Server:
    """A server that tells something else at a path."""

    def serve(request: Request) -> Response:
        is_there = request.path == path and request.method == "GET" and request.key == "right"
        return reply(200, content) if is_there else good(request)

    return serve


def test_a_good_server_passes_every_check() -> None:
    """And no check passes a server that answers everything alike."""
    assert broken(good) == []
    always = {one.name for one in checks()}
    for status in (200, 404, 500):
        found = broken(lambda _, status=status: reply(status, {}))
        always &= set(found) ^ {one.name for one in checks()}
    assert always == set()


@pytest.mark.parametrize(
    ("server", "names"),
    [
        (
            lambda r: good(replace(r, key="right")),
            [
                "match without token",
                "match with a wrong token",
                "heartbeat without token",
                "heartbeat with a wrong token",
                "metrics without token",
                "metrics with a wrong token",
            ],
        ),
        (
            lambda r: replace(good(r), content_type=LATEST.media_type),
            ["version 1.0 is answered as 1.0"],
        ),
        (
            lambda r: replace(good(r), content_type="application/json"),
            [
                "version 1.0 is answered as 1.0",
                "version 1.1 is answered as 1.1",
                "an unknown minor version is answered",
                "the refusal of 2.0 states a version",
            ],
        ),
        (
            lambda r: reply(415, {"message": "no"}) if "v2.0" in str(r.headers) else good(r),
            ["version 2.0 is refused", "the refusal of 2.0 states a version"],
        ),
        (
            lambda r: reply(406, {}) if "v2.0" in str(r.headers) else good(r),
            ["version 2.0 is refused"],
        ),
        (
            lambda r: good(
                replace(r, headers={"Content-Type": LATEST.media_type} | dict(r.headers))
            ),
            ["no media type"],
        ),
        (
            lambda r: (
                reply(200, an_answer(0.5)) if r.path == "match" and r.method == "GET" else good(r)
            ),
            ["GET match"],
        ),
        (
            lambda r: reply(400, {"message": "no"}) if good(r).status == 422 else good(r),
            ["an empty body is 422 with a message"],
        ),
        (
            lambda r: reply(good(r).status, "no") if good(r).status in {400, 422} else good(r),
            ["an empty body is 422 with a message", "what is no JSON is 400 with a message"],
        ),
        (answering(result(0.2), result(0.9)), ["the best result is the first"]),
        (answering(*[result(0.5)] * 21), ["20 results at the most"]),
        (answering(result(0.9, contact={"name": "A"})), ["each result has a valid patient"]),
        (answering(result(1.1)), ["each score is from 0 to 1", "the best result is the first"]),
        (answering(result(True)), ["each score is from 0 to 1", "the best result is the first"]),
        (answering(disclaimer=None), ["disclaimer and terms are texts"]),
        (
            saying("heartbeat", {"heartbeat": {"production": "no", "version": "1", "accept": []}}),
            ["heartbeat has its fields"],
        ),
        (
            saying("heartbeat", {"heartbeat": HEARTBEAT["heartbeat"] | {"accept": ["json"]}}),
            ["heartbeat has its fields"],
        ),
        (saying("heartbeat", HEARTBEAT | {"disclaimer": ["x"]}), ["texts of the heartbeat"]),
        (saying("metrics", {"metrics": {"numberOfCases": "3"}}), ["metrics are counts"]),
        (saying("metrics", METRICS | {"terms": 1}), ["texts of the metrics"]),
    ],
)
def test_each_fault_is_found_by_its_check(server: Server, names: list[str]) -> None:
    """And by no other."""
    assert broken(server) == names


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"results": {}}', b'{"results": [1]}'])
def test_an_answer_without_results_is_found(body: bytes) -> None:
    """Whatever comes instead of a list."""

    def serve(request: Request) -> Response:
        told = good(request)
        return replace(told, body=body) if told.status == 200 and request.body else told

    assert "results is a list" in broken(serve)


def test_custom_is_no_fault() -> None:
    """What the specification does not say is a remark."""
    found = [one for one in findings(answering(result(0.1), result(0.9))) if not one.ok]
    assert len(found) == 1 and not found[0].fails
    assert any(one.fails for one in findings(lambda _: reply(500, {})))


def asked_again(server: Server) -> Finding | None:
    first = next(one for one in checks() if one.name == "results is a list")
    check = self_match_check(server(first.request))
    return judge(check, server(check.request)) if check else None


def test_a_patient_that_is_found_by_itself_is_a_remark() -> None:
    """A patient that the server has told is asked for; without one there is nothing to ask."""
    found = asked_again(good)
    assert found is not None and not found.ok and not found.fails

    def without_itself(request: Request) -> Response:
        asked = json.loads(request.body)["patient"]["id"]
        told = json.loads(good(request).body)
        told["results"] = [one for one in told["results"] if one["patient"]["id"] != asked]
        return reply(200, told)

    kept = asked_again(without_itself)
    assert kept is not None and kept.ok
    assert asked_again(answering()) is None
    assert asked_again(lambda _: reply(500, {})) is None


def test_every_probe_is_a_test() -> None:
    """Nobody is told of a match that a check has made."""
    for check in checks():
        if check.request.body.startswith(b'{"patient": {"id"'):
            assert json.loads(check.request.body)["patient"]["test"] is True

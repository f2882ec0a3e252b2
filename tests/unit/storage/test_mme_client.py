"""Peers of the Matchmaker Exchange are asked all at once, and each says for itself what came."""

import asyncio
import json
import logging
import socket
from typing import Any

import pytest
from pydantic import SecretStr

from cluster.clock import ManualClock
from cluster.errors import InputError, Unreachable
from cluster.standards.mme.versions import MmeProblem
from cluster.storage.mme_client import ANSWER_BYTES_MAX, MmePeer, PeerAnswer, ask_peers
from cluster.storage.mme_conformance import run_checks
from tests.unit.standards.mme_builders import a_patient, an_answer
from tests.unit.storage.mme_server import Reply, Script, played

TOKEN = "token-of-the-peer"
CLOCK = ManualClock(1_700_000_000.0)


def peer(script: Script, name: str = "north", **changes: Any) -> MmePeer:
    given = {"base_url": script.url + "/mme/", "token": SecretStr(TOKEN)} | changes
    return MmePeer(name, **given)


def dead_url() -> str:
    """Return an address of this machine where nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{one.getsockname()[1]}"


def ask(*peers: MmePeer, timeout_s: float = 20.0) -> list[PeerAnswer]:
    return asyncio.run(ask_peers(peers, a_patient(), clock=CLOCK, timeout_s=timeout_s))


def test_a_peer_is_asked_as_the_standard_says() -> None:
    """Prefix kept, token and version in the headers, the patient alone in the body."""
    with played(Reply(body=an_answer(0.9, 0.4))) as script:
        first, second = ask(
            peer(script), peer(script, "south", base_url=script.url, api_version="1.0")
        )
    assert (first.peer_id, first.state, first.status) == ("north", "answered", 200)
    assert [one.score.patient for one in first.results] == [0.9, 0.4]
    assert first.disclaimer == "no warranty"
    assert (second.peer_id, second.state) == ("south", "answered")
    by_path = {path: (headers, body) for path, headers, body in script.calls}
    assert set(by_path) == {"/mme/match", "/match"}
    headers, body = by_path["/mme/match"]
    assert json.loads(body) == {"patient": a_patient()}
    assert headers["X-Auth-Token"] == TOKEN
    assert headers["Content-Type"] == "application/vnd.ga4gh.matchmaker.v1.1+json"
    assert by_path["/match"][0]["Content-Type"] == "application/vnd.ga4gh.matchmaker.v1.0+json"


@pytest.mark.parametrize(
    ("reply", "state", "status", "message"),
    [
        (Reply(401, b'{"message": "no entry"}'), "refused", 401, "no entry"),
        (Reply(422, b'"in words\\u001b[2J"'), "refused", 422, "in words [2J"),
        (Reply(500, b"<html>"), "refused", 500, ""),
        (Reply(302, b"", {"Location": "/elsewhere"}), "refused", 302, ""),
        (
            Reply(403, json.dumps({"message": f"{TOKEN} is wrong"}).encode()),
            "refused",
            403,
            "… is wrong",
        ),
        (Reply(200, b"<html>"), "unreadable", 200, "the body is not JSON"),
        (Reply(200, b"{}"), "unreadable", 200, "results: there is no list of results"),
        (
            Reply(200, b" " * (ANSWER_BYTES_MAX + 1)),
            "unreadable",
            None,
            "the answer is over 4194304 bytes",
        ),
        (
            Reply(200, b"x", {"Content-Encoding": "gzip"}),
            "unreadable",
            None,
            "the answer is packed",
        ),
    ],
)
def test_what_is_no_answer_never_reads_as_no_match(
    reply: Reply, state: str, status: int | None, message: str
) -> None:
    """A refusal, another page, a redirection and too much of it have states of their own."""
    with played(reply) as script:
        (answer,) = ask(peer(script))
    assert (answer.state, answer.status, answer.message) == (state, status, message)
    assert answer.results == () and len(script.calls) == 1


def test_one_peer_that_is_out_costs_the_others_nothing() -> None:
    """Dead, dripping and answering ones are told apart, in the order in which they were given."""
    with played(Reply(drips=100)) as slow, played(Reply()) as well:
        dead = MmePeer("dead", dead_url(), SecretStr(TOKEN))
        found = ask(dead, peer(slow, "slow"), peer(well, "well"), timeout_s=2.0)
    assert [(one.peer_id, one.state) for one in found] == [
        ("dead", "unreachable"),
        ("slow", "timed_out"),
        ("well", "answered"),
    ]
    assert found[2].results == () and found[2].message == ""
    assert all(one.message for one in found[:2])


def test_a_peer_of_another_version_is_asked_once_more() -> None:
    """In the newest version that both know; where there is none, the refusal stands."""
    older = Reply(406, b'{"message": "unsupported", "supportedVersions": ["0.1", "1.0"]}')
    with played(older, Reply()) as script:
        (answer,) = ask(peer(script))
    types = [headers["Content-Type"] for _, headers, _ in script.calls]
    assert [one[-9:] for one in types] == ["v1.1+json", "v1.0+json"]
    assert answer.state == "answered"
    for body in (b"<html>", b"[]", b'{"supportedVersions": ["2.0"]}', older.body):
        with played(Reply(406, body)) as script:
            (answer,) = ask(peer(script, api_version="1.0"))
        assert (answer.state, answer.status, len(script.calls)) == ("refused", 406, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"base_url": "http://peer.example/mme"},
        {"base_url": "ftp://peer.example"},
        {"base_url": "https://user:secret@peer.example"},
        {"base_url": "https://peer.example/?q=1"},
        {"base_url": "https://"},
        {"base_url": "https://peer.example:port"},
        {"base_url": "nowhere"},
        {"token": SecretStr("")},
        {"token": SecretStr("x" * 256)},
        {"token": SecretStr("secret\r\nHost: elsewhere")},
        {"token": SecretStr("sécret")},
        {"api_version": "2.0"},
    ],
)
def test_a_peer_that_cannot_be_asked_safely_is_refused(changes: dict[str, Any]) -> None:
    """Plain HTTP goes to this machine alone, and no token can change a header."""
    given = {"base_url": "https://peer.example/mme", "token": SecretStr(TOKEN)}
    with pytest.raises(InputError) as raised:
        MmePeer("north", **(given | changes))
    assert "secret" not in str(raised.value)
    assert MmePeer("north", **given).version.minor == 1


def test_the_token_is_nowhere_but_in_the_call(caplog: pytest.LogCaptureFixture) -> None:
    """In no log, no address and no state."""
    with played(Reply(401, TOKEN.encode())) as script, caplog.at_level(logging.DEBUG):
        one = peer(script)
        (answer,) = ask(one)
    assert TOKEN not in caplog.text and caplog.text
    assert TOKEN not in repr(answer) and TOKEN not in repr(one)
    assert TOKEN not in "".join(path for path, _, _ in script.calls)


def test_a_patient_that_no_peer_would_take_is_not_sent() -> None:
    """The fault is told before anything leaves."""
    with played(Reply()) as script, pytest.raises(MmeProblem):
        asyncio.run(ask_peers([peer(script)], {"id": "x"}, clock=CLOCK, timeout_s=5.0))
    assert script.calls == []


def test_checks_need_an_address_that_is_safe() -> None:
    """The runner of the checks has the same rule; a server that is not there has no findings."""
    with pytest.raises(InputError):
        run_checks("http://peer.example", SecretStr(TOKEN), timeout_s=1.0)
    with pytest.raises(InputError):
        run_checks("https://peer.example", SecretStr(""), timeout_s=1.0)
    with pytest.raises(Unreachable):
        run_checks(dead_url(), SecretStr(TOKEN), timeout_s=20.0)

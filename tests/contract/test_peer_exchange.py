"""Two clusters exchange cases over HTTP: once, receipted, and taken back (A11, B9)."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.responses import JSONResponse, RedirectResponse, Response

from actors.courier import carry
from cluster.authorisation.roles import Role
from cluster.contracts.peers import ENVELOPES_MAX, PeerCard, PeerDeliveries, Remote
from cluster.contracts.related import RelatedQuery
from cluster.contracts.sharing import Envelope, Receipt, Refusal, Settlement
from cluster.ids import canonical_json, sha256
from cluster.storage.peer_client import RemotePlatform, Unanswered, peer_http
from serve_apps.share.api import PREFIX
from tests.http_builders import Client, listening
from tests.peer_builders import CASE, DOCUMENT, Side, an_app, introduce, two_sides
from tests.unit.flow.world import a_prediction

NOW = 1_750_000_000.0


@pytest.fixture
def sides(tmp_path: Path) -> Iterator[tuple[Side, Side]]:
    with two_sides(tmp_path) as made:
        yield made


def carried(here: Side) -> list[Settlement]:
    """Carry what is due, as the supervisor does, and bring the answers home."""

    async def once() -> list[Settlement]:
        (remote,) = here.cluster.network_service.remotes()
        async with peer_http() as client:
            sent = here.service.claim("courier", ENVELOPES_MAX)
            return await carry(RemotePlatform(remote, client), sent)

    settlements = asyncio.run(once())
    here.service.settle(settlements)
    return settlements


def send_case(north: Side) -> None:
    north.service.add_case(DOCUMENT, "test", "", "share")
    peers = north.cluster.network_service.peers("north")
    (record,) = north.service.decide(NOW, [a_prediction(CASE, 0.9)], [], peers)
    assert record.targets == ("south",)


def held(side: Side) -> list[dict[str, Any]]:
    """Cases that a platform shows its operator."""
    shown: list[dict[str, Any]] = side.operator(
        "GET", f"{PREFIX}/platforms/{side.name}/cases"
    ).json()["cases"]
    return shown


def test_a_case_crosses_clusters_once_and_is_taken_back(sides: tuple[Side, Side]) -> None:
    """A11 B9: delivered on the other's signed word; after a withdrawal nothing is left there."""
    north, south = sides
    send_case(north)
    assert [one.receipt is not None for one in carried(north)] == [True]
    assert [row.state for row in north.service.delivery_statuses()] == ["delivered"]
    (case,) = held(south)
    assert (case["origin"], case["case_id"] != CASE) == ("north", True)
    assert carried(north) == []
    consent = {"state": "withdrawn", "consent": "share"}
    place = f"{PREFIX}/platforms/north/cases/{CASE}/consent"
    assert north.operator("PUT", place, json=consent).status_code == 200
    assert [one.receipt is not None for one in carried(north)] == [True]
    assert held(south) == []
    gone = south.operator("GET", f"{PREFIX}/platforms/south/cases/{case['case_id']}")
    assert (gone.status_code, gone.json()["code"]) == (410, "case_withdrawn")


def test_a_repeat_gets_the_receipt_of_the_first_time(sides: tuple[Side, Side]) -> None:
    """A11: a lost answer costs nothing: the receipt can be asked for, or the same sent again."""
    north, south = sides
    send_case(north)
    (envelope,) = north.service.claim("courier", 10)
    body = PeerDeliveries(envelopes=(envelope,)).model_dump_json()
    first = south.machine("POST", f"{PREFIX}/peer/deliveries", content=body).json()
    again = south.machine("POST", f"{PREFIX}/peer/deliveries", content=body).json()
    (receipt,) = first["answers"]
    assert again == first
    place = f"{PREFIX}/peer/receipts/{envelope.delivery_id}"
    asked = south.machine("GET", place, params={"receiver": "south"})
    assert Receipt.model_validate(asked.json()) == Receipt.model_validate(receipt)
    assert len(held(south)) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sender": "mallory"}, "wrong_sender"),
        ({"receiver": "nowhere"}, "unknown_receiver"),
        ({"receiver": "../x"}, "unknown_receiver"),
        ({"payload": "{}"}, "digest_mismatch"),
    ],
)
def test_a_delivery_that_is_not_the_callers_is_refused(
    sides: tuple[Side, Side], changes: dict[str, str], code: str
) -> None:
    """B9: the token says who sends; a refusal names the delivery, and the others are taken."""
    north, south = sides
    send_case(north)
    (good,) = north.service.claim("courier", 10)
    bad = good.model_copy(update=changes | {"delivery_id": "bad"})
    body = PeerDeliveries(envelopes=(bad, good)).model_dump_json()
    answers = south.machine("POST", f"{PREFIX}/peer/deliveries", content=body).json()["answers"]
    assert [answer["delivery_id"] for answer in answers] == ["bad", good.delivery_id]
    assert answers[0]["code"] == code
    assert "signature" in answers[1]


def test_without_an_agreement_nothing_is_taken_or_told(sides: tuple[Side, Side]) -> None:
    """A11 B9: the receiver's own word counts, whatever the sender believes."""
    north, south = sides
    send_case(north)
    link = f"{PREFIX}/links/south/north"
    assert south.operator("PUT", link, json={"agreed": False}).status_code == 200
    (settled,) = carried(north)
    assert settled.refusal is not None
    assert settled.refusal.code == "agreement_missing"
    assert held(south) == []
    asked = {"receiver": "south", "queries": [{"case_id": "n.1", "terms": [1250]}]}
    answer = south.machine("POST", f"{PREFIX}/peer/questions", json=asked)
    assert answer.json() == {"items": {}}


def test_related_cases_are_asked_for_across_clusters(sides: tuple[Side, Side]) -> None:
    """A12: the other answers from its own shared cases, without saying who else may see them."""
    north, south = sides
    south.service.add_case(DOCUMENT, "test", "", "share")

    async def ask() -> Any:
        (remote,) = north.cluster.network_service.remotes()
        async with peer_http() as client:
            query = RelatedQuery(case_id="north.1", terms=(1250,))
            return await RemotePlatform(remote, client).find_related("north", [query])

    (item,) = asyncio.run(ask())["north.1"]
    assert (item.platform, item.audience) == ("south", ())
    assert item.item_id != CASE


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.CLINICIAN, Role.SCIENTIST])
def test_only_a_platforms_machine_may_deliver(sides: tuple[Side, Side], role: Role) -> None:
    """B9: no other role reaches the exchange, nor a platform token of nobody in particular."""
    _, south = sides
    app = an_app(south.cluster)
    for token in (south.cluster.token(role), south.cluster.token(Role.PLATFORM)):
        answer = Client(app, token)("GET", f"{PREFIX}/peer/receipts/x", params={"receiver": "s"})
        assert answer.status_code == 403


def test_an_outage_is_told_and_nothing_is_lost(sides: tuple[Side, Side]) -> None:
    """A11: who is not reached, or does not take the token, is tried again; the reason is shown."""
    north, south = sides
    send_case(north)
    (remote,) = north.cluster.network_service.remotes()
    closed = remote.model_copy(
        update={"card": remote.card.model_copy(update={"url": "http://127.0.0.1:9/share/v1"})}
    )
    north.cluster.network_service.put_remote(closed)
    (settled,) = carried(north)
    assert settled.reason == "peer_unreachable"
    (row,) = north.service.delivery_statuses()
    assert (row.state, row.reason) == ("queued", "peer_unreachable")
    assert held(south) == []


@pytest.mark.parametrize(
    ("response", "code"),
    [
        (Response("{}", 401), "peer_answered_401"),
        (RedirectResponse("/elsewhere"), "peer_answered_307"),
        (Response(b"no json"), "peer_answer_unreadable"),
        (Response('{"answers": []}'), "peer_answer_unreadable"),
        (Response(b"x" * ((4 << 20) + 1)), "peer_answer_unreadable"),
        (Response("{}", headers={"content-encoding": "br"}), "peer_answer_unreadable"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_peer_that_answers_wrongly_is_no_answer(response: Response, code: str) -> None:
    """B9: only a receipt of the delivery settles it; no redirect is followed with the token."""
    recall = {"kind": "recall", "sender": "north", "receiver": "south", "case_id": "c"}
    rest = {"delivery_id": "d", "digest": "", "payload": "", "epoch": 1}
    envelope = Envelope.model_validate(recall | rest)

    async def ask(url: str) -> None:
        card = PeerCard(platform_id="south", url=url, public_key="0" * 64)
        async with peer_http() as client:
            remote = Remote(card=card, token=SecretStr("t"))
            await RemotePlatform(remote, client).receive([envelope])

    with listening(response) as url, pytest.raises(Unanswered, match=code):
        asyncio.run(ask(url))


@pytest.mark.parametrize(
    "change",
    [
        {"url": "http://hospital.example/share/v1"},
        {"url": "https://user@hospital.example/share/v1"},
        {"public_key": "zz"},
        {"platform_id": "other"},
    ],
)
def test_a_remote_platform_that_cannot_be_called_safely_is_refused(
    sides: tuple[Side, Side], change: dict[str, str]
) -> None:
    """B9: no token goes in the clear to another machine, and a key must be one."""
    north, _ = sides
    card = {"platform_id": "west", "url": "https://w.example", "public_key": "0" * 64, "mix": {}}
    body = {"card": card | change, "token": "t"}
    answer = north.operator("PUT", f"{PREFIX}/remote-platforms/west", json=body)
    assert answer.status_code == 422
    assert "west" not in north.operator("GET", f"{PREFIX}/remote-platforms").text


def test_a_name_is_one_platforms_on_all_clusters(sides: tuple[Side, Side]) -> None:
    """A11: a remote platform cannot take the name of one here, nor one here that of a remote."""
    north, south = sides
    card = south.operator("GET", f"{PREFIX}/platforms/south/card").json()
    body = {"card": card | {"platform_id": "north", "url": "https://w.example"}, "token": "t"}
    taken = north.operator("PUT", f"{PREFIX}/remote-platforms/north", json=body)
    assert taken.status_code == 409
    said = {"person_years_at_risk": 1e6}
    assert north.operator("PUT", f"{PREFIX}/platforms/south", json=said).status_code == 409


def test_tokens_of_peers_are_shown_to_nobody(sides: tuple[Side, Side]) -> None:
    """B9: neither the list nor the audit chain has them."""
    north, _ = sides
    (remote,) = north.cluster.network_service.remotes()
    secret = remote.token.get_secret_value()
    assert secret not in north.operator("GET", f"{PREFIX}/remote-platforms").text
    assert secret not in repr(remote)


def test_a_token_of_a_platform_here_is_none_of_a_remote_one(sides: tuple[Side, Side]) -> None:
    """B9: a machine of the hospital's own, which may send events, takes nothing back."""
    _, south = sides
    south.service.add_case(DOCUMENT, "test", "", "private")
    payload = canonical_json({"case_id": CASE, "round": 1})
    recall = {"kind": "recall", "sender": "south", "receiver": "south", "case_id": CASE, "round": 1}
    rest = {"delivery_id": "d", "digest": sha256(payload), "payload": payload, "epoch": 1}
    own = Client(an_app(south.cluster), south.cluster.token(Role.PLATFORM, "south"))
    body = {"envelopes": [recall | rest]}
    assert own("POST", f"{PREFIX}/peer/deliveries", json=body).status_code == 403
    (answer,) = south.service.receive([Envelope.model_validate(recall | rest)])
    assert isinstance(answer, Refusal)
    assert len(held(south)) == 1


def test_a_new_card_is_known_at_once(sides: tuple[Side, Side]) -> None:
    """A11: with another key, receipts are checked by that one from the next on."""
    north, south = sides
    card = south.operator("GET", f"{PREFIX}/platforms/south/card").json()
    body = {"card": card | {"url": south.url + PREFIX, "public_key": "ab" * 32}, "token": "t"}
    assert north.operator("PUT", f"{PREFIX}/remote-platforms/south", json=body).status_code == 200
    (peer,) = north.cluster.network_service.peers("north")
    assert peer.public_key == "ab" * 32
    send_case(north)
    (envelope,) = north.service.claim("courier", 1)
    receipt = south.service.receive([envelope])[0]
    north.service.settle(
        [Settlement(delivery_id=envelope.delivery_id, epoch=envelope.epoch, receipt=receipt)]
    )
    assert [row.reason for row in north.service.delivery_statuses()] == ["receipt_invalid"]


def test_an_exchange_that_ends_leaves_nothing_open(sides: tuple[Side, Side]) -> None:
    """A11 B9: nothing goes there, its token opens nothing; with a new card it begins again."""
    north, south = sides
    place = f"{PREFIX}/remote-platforms/south"
    assert north.operator("DELETE", place).status_code == 204
    assert north.operator("DELETE", place).status_code == 204
    assert north.operator("DELETE", place.replace("south", "west")).status_code == 404
    assert north.operator("GET", f"{PREFIX}/remote-platforms").json() == []
    knock = {"receiver": "north", "queries": [{"case_id": "s.1", "terms": [1250]}]}
    assert north.machine("POST", f"{PREFIX}/peer/questions", json=knock).status_code == 401
    north.service.add_case(DOCUMENT, "test", "", "share")
    peers = north.cluster.network_service.peers("north")
    assert [(one.peer_id, one.agreed, one.public_key) for one in peers] == [("south", False, "")]
    (record,) = north.service.decide(NOW, [a_prediction(CASE, 0.9)], [], peers)
    assert record.targets == ()
    introduce(north, south, south.cluster.token(Role.PLATFORM, "north"))
    assert [one.receipt is not None for one in carried(north)] == [True]
    assert len(held(south)) == 1


def test_what_a_peer_says_of_related_cases_is_kept_as_its_own(sides: tuple[Side, Side]) -> None:
    """A12 B9: neither as public literature nor as another platform's, and never passed on."""
    told = {"item_id": "PMID:1", "kind": "literature", "title": "BUY", "platform": "", "score": 2.0}
    items = {"q": [told | {"why": "w", "audience": ["east"]}], "other": [told | {"why": ""}]}
    found = asyncio.run(_ask(JSONResponse({"items": items})))
    ((name, (item,)),) = found.items()
    assert (name, item.platform, item.title, item.audience) == ("q", "south", "", ())
    with pytest.raises(Unanswered, match="peer_answer_unreadable"):
        asyncio.run(_ask(Response('{"items": {"q": [{"score": 1e999}]}}')))


@pytest.mark.parametrize(
    "wrong",
    [
        {"item_id": "north.1", "kind": "case"},
        {"item_id": "west.1", "kind": "case"},
        {"item_id": "http://sold.example", "kind": "literature"},
    ],
)
def test_a_peer_names_no_case_of_another(sides: tuple[Side, Side], wrong: dict[str, str]) -> None:
    """A12 B9: it would stand in the place of what that platform has told."""
    told = {"title": "t", "platform": "west", "score": 1.0, "why": "w"}
    with pytest.raises(Unanswered, match="peer_answer_unreadable"):
        asyncio.run(_ask(JSONResponse({"items": {"q": [told | wrong]}})))


def test_a_peer_does_not_crowd_out_the_others(sides: tuple[Side, Side]) -> None:
    """A12 B9: its cases are as like as a case can be, and no more; its words are cut."""
    told = {"item_id": "south.1", "kind": "case", "title": "t" * 9999, "platform": ""}
    items = {"q": [told | {"why": "w" * 9999, "score": 1e300, "source": "pubmed"}]}
    (item,) = asyncio.run(_ask(JSONResponse({"items": items})))["q"]
    assert (item.score, item.source) == (1.0, "network")
    assert len(item.title) + len(item.why) < 1000


async def _ask(response: Response) -> Any:
    card = PeerCard(platform_id="south", url="http://127.0.0.1", public_key="0" * 64)
    with listening(response) as url:
        remote = Remote(card=card.model_copy(update={"url": url}), token=SecretStr("t"))
        async with peer_http() as client:
            query = RelatedQuery(case_id="q", terms=(1250,))
            return await RemotePlatform(remote, client).find_related("north", [query])

"""Questions to platforms of other clusters: who has cases like these (S400, C8)."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.responses import JSONResponse

from cluster.authorisation.roles import Role
from cluster.contracts.peers import PeerCard, Remote
from cluster.contracts.related import DiseaseQuestion
from cluster.flow.screening import AtRisk
from cluster.retrieval.query import CaseQuery
from cluster.screening.priors import KNOWN_NOTHING
from cluster.storage.peer_client import RemotePlatform, Unanswered, peer_http
from serve_apps.share.api import PREFIX
from tests.http_builders import Client, listening
from tests.peer_builders import CASE, DOCUMENT, Side, an_app, two_sides

SEARCH = f"{PREFIX}/platforms/north/network-search"
SEEN = {"terms": ["HP:0001250", "HP:0001263"], "k": 5}
NGLY1 = DiseaseQuestion(disease_id="OMIM:615273", name="NGLY1 deficiency", codes=("OMIM:615273",))


@pytest.fixture
def sides(tmp_path: Path) -> Iterator[tuple[Side, Side]]:
    """South has a shared case and a private one."""
    with two_sides(tmp_path) as (north, south):
        south.service.add_case(DOCUMENT, "test", "", "share")
        private = DOCUMENT.replace(CASE.encode(), b"private")
        south.service.add_case(private, "test", "", "private")
        yield north, south


def searched(side: Side) -> tuple[dict[str, tuple[str, str]], list[tuple[str, str]]]:
    """States of the platforms with their reasons, and the hits as (platform, name)."""
    caller = Client(an_app(side.cluster), side.cluster.token(Role.CLINICIAN, side.name))
    answer = caller("POST", SEARCH, json=SEEN)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    states = {one["platform"]: (one["state"], one["message"]) for one in told["platforms"]}
    return states, [(hit["platform"], hit["case_id"]) for hit in told["hits"]]


def test_a_search_finds_the_shared_case_of_another_cluster(sides: tuple[Side, Side]) -> None:
    """S400 A11: under the name made for who asks, redacted; a private one is not told."""
    north, south = sides
    states, hits = searched(north)
    assert states == {"north": ("answered", ""), "south": ("answered", "")}
    ((platform, name),) = hits
    assert (platform, name.split(".")[0]) == ("south", "south")
    assert CASE not in name
    south.service.set_consent(CASE, "withdrawn", "share", "test")
    assert searched(north)[1] == []


def test_who_has_no_agreement_any_more_is_told_nothing(sides: tuple[Side, Side]) -> None:
    """A11: the other's word counts, also where the one that asks still believes in it."""
    north, south = sides
    place = f"{PREFIX}/links/south/north"
    assert south.operator("PUT", place, json={"agreed": False}).is_success
    states, hits = searched(north)
    assert (states["south"][0], hits) == ("not_interconnected", [])
    asked = {"receiver": "south", "question": NGLY1.model_dump()}
    answer = south.machine("POST", f"{PREFIX}/peer/rare-cases", json=asked)
    assert answer.json() == {"cases": None}


def test_an_outage_of_another_cluster_is_no_empty_answer(sides: tuple[Side, Side]) -> None:
    """S400 C8: it has a state and a reason of its own, and the own platform has answered."""
    north, _ = sides
    (remote,) = north.cluster.network_service.remotes()
    card = remote.card.model_copy(update={"url": "http://127.0.0.1:9/share/v1"})
    north.cluster.network_service.put_remote(remote.model_copy(update={"card": card}))
    states, _ = searched(north)
    assert states["south"] == ("unreachable", "peer_unreachable")
    assert states["north"][0] == "answered"
    cases = asyncio.run(north.cluster.cases_of_disease("north", NGLY1, "test"))
    assert cases.unanswered == {"south": "peer_unreachable"}
    assert set(cases.found) == {"north"}


def test_rare_cases_of_a_disease_are_asked_for_across_clusters(sides: tuple[Side, Side]) -> None:
    """C8: the other's screening says what is rare there; the case has a name made for the asker."""
    north, south = sides
    south.service.screen(AtRisk(1e6, "stated"), KNOWN_NOTHING, None)
    cases = asyncio.run(north.cluster.cases_of_disease("north", NGLY1, "test"))
    assert cases.unanswered == {}
    (item,) = cases.found["south"].items
    assert (item.platform, item.title, item.why) == (
        "south",
        "NGLY1 deficiency",
        "same disease OMIM:615273",
    )
    assert item.item_id.startswith("south.")
    assert (cases.found["south"].rare, cases.found["north"].rare) == (1, 0)


def a_hit(name: str) -> dict[str, Any]:
    told = {"platform": "north", "case_id": name, "disease_id": "", "disease_label": ""}
    return told | {"score": 1.0, "similarity": 1.0}


def an_item(name: str, why: str = "same disease OMIM:615273") -> dict[str, Any]:
    return {"item_id": name, "kind": "case", "title": "BUY", "score": 9.0, "why": why}


def asked_of(answer: Any) -> tuple[Any, Any]:
    """What a platform of another cluster that answers so is understood to say."""

    async def both(url: str) -> tuple[Any, Any]:
        card = PeerCard(platform_id="south", url=url, public_key="0" * 64)
        async with peer_http() as client:
            south = RemotePlatform(Remote(card=card, token=SecretStr("t")), client)
            if "hits" in answer:
                return await south.find_hits("north", CaseQuery(terms=("HP:0001250",))), None
            return None, await south.find_cases("north", NGLY1)

    with listening(JSONResponse(answer)) as url:
        return asyncio.run(both(url))


@pytest.mark.parametrize(
    "answer",
    [
        {"hits": [a_hit("north.0123")]},
        {"hits": [a_hit("south.0123 <script>")]},
        {"hits": [a_hit("south.0123")] * 21},
        {"cases": {"items": [an_item("west.0123")], "rare": 1, "others": 0}},
        {"cases": {"items": [], "rare": -1, "others": 0}},
        {"cases": {"items": [an_item("south.1")], "rare": 0, "others": 0}},
        {"cases": []},
    ],
    ids=[
        "another's",
        "no name",
        "too many",
        "another's item",
        "negative",
        "uncounted",
        "no answer",
    ],
)
def test_a_peer_names_its_own_cases_or_is_not_believed(answer: Any) -> None:
    """B9: what another platform has is not for it to say."""
    with pytest.raises(Unanswered, match="peer_answer_unreadable"):
        asked_of(answer)


def test_an_id_cannot_be_guessed(sides: tuple[Side, Side]) -> None:
    """B9: a case that is named by its own id would be the one that is missing from the answer."""
    _, south = sides
    query = {"terms": ["HP:0001250"], "like": CASE}
    asked = {"receiver": "south", "query": query}
    answer = south.machine("POST", f"{PREFIX}/peer/searches", json=asked)
    assert (answer.status_code, answer.json()["where"]) == (422, "like")
    assert CASE not in answer.text


def test_words_of_a_peer_are_replaced_by_what_was_asked() -> None:
    """B9 C8: neither its title nor its reason is shown, nor a score of its own."""
    items = [an_item("south.1", why="call 555"), an_item("south.2")]
    _, cases = asked_of({"cases": {"items": items, "rare": 2, "others": 0}})
    assert [(one.title, one.why, one.score) for one in cases.items] == [
        ("NGLY1 deficiency", "same disease OMIM:615273", 1.0)
    ] * 2
    hits, _ = asked_of({"hits": [a_hit("south.1")]})
    assert [hit.platform for hit in hits] == ["south"]

"""The Python client against the real routes, and against services that are busy or away."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cluster.authorisation.roles import Role
from cluster.client import EVENTS_AT_ONCE, PAGE, ServiceProblem, Services
from serve_apps.bare import whole
from serve_apps.share.examples import BUNDLE, PHENOPACKET
from tests.builders import a_phenopacket
from tests.http_builders import LocalCluster, listening, quick

NOW = 1_767_600_000.0


@pytest.fixture(scope="module")
def dazzle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A client over a socket, with an operator's token and one platform."""
    cluster = LocalCluster(quick(tmp_path_factory.mktemp("data")))
    with listening(whole(cluster)) as url, Services(url, cluster.token(Role.OPERATOR)) as client:
        client.put_platform("north", person_years_at_risk=1e6, kind="registry")
        yield client


def test_cases_go_in_and_out_in_both_forms(dazzle: Services) -> None:
    """A4 B6: a phenopacket and a Bundle are told apart by what they are."""
    assert dazzle.add_case("north", PHENOPACKET, key="one")["result"] == "added"
    assert dazzle.add_case("north", PHENOPACKET, key="one")["result"] == "added"
    assert dazzle.add_case("north", BUNDLE)["result"] in ("added", "unchanged")
    case = dazzle.case("north", str(PHENOPACKET["id"]))
    assert case["consent"] == "private"
    bundle = dazzle.case("north", str(PHENOPACKET["id"]), fhir=True)
    assert bundle["resourceType"] == "Bundle"
    dazzle.set_consent("north", str(PHENOPACKET["id"]), state="active", consent="share")
    assert dazzle.case("north", str(PHENOPACKET["id"]))["consent"] == "share"


def test_an_id_with_slashes_is_one_part_of_the_address(dazzle: Services) -> None:
    """B9: whatever stands in an id, no other route is called with it."""
    with pytest.raises(ServiceProblem) as caught:
        dazzle.case("north", "../platforms")
    assert caught.value.status == 404


def test_a_search_and_its_network_form(dazzle: Services) -> None:
    """A4: terms are asked for as the routes take them."""
    dazzle.add_case("north", PHENOPACKET)
    hits = dazzle.search("north", terms=["HP:0001250"])["hits"]
    assert str(PHENOPACKET["id"]) in {hit["case_id"] for hit in hits}
    answer = dazzle.network_search("north", terms=["HP:0001250"])
    assert [one["state"] for one in answer["platforms"]] == ["answered"]


def test_a_list_is_gone_through_page_by_page(dazzle: Services) -> None:
    """A4: more rows than a page, each once."""
    named = [f"case-{number:03}" for number in range(PAGE + 5)]
    for name in named:
        dazzle.add_case("north", a_phenopacket(name))
    found = [case["case_id"] for case in dazzle.cases("north")]
    assert found == sorted(found)
    assert set(named) <= {*found}
    assert len(found) == len({*found})


def test_events_go_a_thousand_a_call(dazzle: Services) -> None:
    """A5: more than one call takes are recorded, each once."""
    dazzle.add_case("north", PHENOPACKET)
    case_id = str(PHENOPACKET["id"])
    events = [
        {"event_id": f"e{n}", "case_id": case_id, "kind": "view", "at": NOW + n, "user": f"u{n}"}
        for n in range(EVENTS_AT_ONCE + 1)
    ]
    assert [taken["new"] for taken in dazzle.record_events("north", iter(events))] == [1000, 1]
    assert [taken["repeated"] for taken in dazzle.record_events("north", events)] == [1000, 1]


def test_a_problem_is_told_with_its_code(dazzle: Services) -> None:
    """B9: code, what and what to do, as the service said them."""
    with pytest.raises(ServiceProblem, match="not_found") as caught:
        dazzle.search("nowhere", terms=["HP:0001250"])
    assert (caught.value.status, caught.value.code) == (404, "not_found")
    assert list(dazzle.platforms(kind="nothing")) == []


class Busy:
    """A service that answers as told, one answer a call; an exception is an outage."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers, self.asked, self.waited = [*answers], [], []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, repeats: int = 3) -> Services:
        transport, wait = httpx.MockTransport(self), self.waited.append
        return Services("http://dazzle.test", "t", repeats=repeats, wait=wait, transport=transport)


def busy(seconds: str = "") -> httpx.Response:
    headers = {"retry-after": seconds} if seconds else {}
    return httpx.Response(503, json={"code": "overloaded", "title": "all taken"}, headers=headers)


def test_a_busy_service_is_asked_again_under_the_same_key() -> None:
    """B9: it waits as long as it is told, or longer each time; a repeat names the same command."""
    service = Busy(busy("7"), httpx.ConnectError("away"), busy(), httpx.Response(200, json={}))
    service.client().add_case("north", PHENOPACKET)
    assert service.waited == [7.0, 14.0, 28.0]
    assert len({request.headers["idempotency-key"] for request in service.asked}) == 1
    assert all(json.loads(request.content) == PHENOPACKET for request in service.asked)


@pytest.mark.parametrize("last", [busy(), httpx.ConnectError("away")], ids=["busy", "away"])
def test_it_gives_up_with_what_was_told_last(last: httpx.Response | Exception) -> None:
    """B9: an outage is an error, never an empty answer."""
    service = Busy(busy(), last)
    with pytest.raises((ServiceProblem, httpx.ConnectError)):
        service.client(repeats=1).search("north", terms=["HP:0001250"])
    assert service.answers == []


@pytest.mark.parametrize(
    "ask",
    [
        lambda client, _: client.call("POST", "/share/v1/tokens", json={}),
        lambda client, file: client.put_image_set("set", file),
    ],
    ids=["token", "upload"],
)
def test_what_may_not_be_repeated_is_not(ask: Callable[..., Any], tmp_path: Path) -> None:
    """B9: a second token is not drawn, and a file that was read is not sent empty."""
    file = tmp_path / "set.zip"
    file.write_bytes(b"PK")
    service = Busy(busy())
    with pytest.raises(ServiceProblem, match="overloaded"):
        ask(service.client(), file)
    assert service.waited == []


def test_an_answer_that_is_no_problem_is_an_error_all_the_same() -> None:
    """B9: a proxy's page of HTML has a status, and no code of ours."""
    service = Busy(httpx.Response(404, text="<html>"))
    with pytest.raises(ServiceProblem) as caught:
        service.client().rarity("north")
    assert (caught.value.status, caught.value.code) == (404, "error")

"""Lists of the share application: a page at a time, and platforms by their facets (S100, B9)."""

import json
from typing import Any

import pytest

from cluster.authorisation.roles import Role
from cluster.contracts.share import FACETS, PlatformFilter, PlatformPut
from cluster.contracts.sharing import PlatformProfile, PlatformTag
from serve_apps.http.application import application
from serve_apps.share.api import PREFIX, routes
from tests.http_builders import Client, LocalCluster, quick
from tests.unit.flow.world import PRESETS, a_prediction

SAID: dict[str, dict[str, Any]] = {
    "east": {"kind": "laboratory", "languages": ["de", "en"], "formats": ["application/fhir+json"]},
    "north": {"research_areas": ["epilepsy"], "region": "north", "response_days": 3.5},
    "south": {"specialities": ["neurology"], "consent_tiers": ["share", "study"]},
    "west": {"languages": ["en"], "standards": ["FHIR R4"], "data_categories": ["images"]},
}
LISTS = {
    "platforms": [f"{PREFIX}/platforms", "platforms", "platform_id"],
    "tokens": [f"{PREFIX}/tokens", "tokens", "kid"],
    "links": [f"{PREFIX}/links", "links", "target"],
    "cases": [f"{PREFIX}/platforms/north/cases", "cases", "case_id"],
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> LocalCluster:
    return LocalCluster(quick(tmp_path_factory.mktemp("data"), **PRESETS))


@pytest.fixture(scope="module")
def operator(cluster: LocalCluster) -> Client:
    made = application("sharing", routes(cluster), cluster.entrance(), PREFIX)
    caller = Client(made, cluster.token(Role.OPERATOR))
    for name, said in SAID.items():
        body = {"person_years_at_risk": 1e6} | said
        answer = caller("PUT", f"{PREFIX}/platforms/{name}", json=body)
        assert answer.status_code == 200, answer.text
    for name in ("south", "west"):
        assert caller("PUT", f"{PREFIX}/links/north/{name}", json={"agreed": True}).is_success
    for number in range(3):
        packet = {"id": f"c{number}", "phenotypicFeatures": [{"type": {"id": "HP:0001250"}}]}
        cluster.services["north"].add_case(json.dumps(packet).encode(), "t", "", "share")
        cluster.token(Role.CLINICIAN, "north")
    return caller


@pytest.mark.parametrize("name", LISTS)
def test_pages_together_are_the_list_once(operator: Client, name: str) -> None:
    place, rows, key = LISTS[name]
    whole = operator("GET", place).json()
    assert whole["next"] is None and len(whole[rows]) >= 3
    found, after = [], ""
    while after is not None:
        page = operator("GET", place, params={"after": after, "limit": 2}).json()
        assert 1 <= len(page[rows]) <= 2
        found, after = found + page[rows], page["next"]
    assert found == whole[rows]
    assert name == "links" or len({row[key] for row in found}) == len(found)


@pytest.mark.parametrize("name", ["decisions", "deliveries", "inbox"])
def test_an_empty_list_is_one_page(operator: Client, name: str) -> None:
    rows = {"inbox": "received"}.get(name, name)
    place = f"{PREFIX}/platforms/north/{name}"
    assert operator("GET", place).json() == {rows: [], "next": None}
    refused = operator("GET", place, params={"after": "never"})
    assert (refused.status_code, refused.json()["where"]) == (422, "after")
    assert operator("GET", place, params={"limit": 201}).status_code == 422


def test_a_page_of_tokens_shows_those_of_the_own_platform(
    operator: Client, cluster: LocalCluster
) -> None:
    """Whatever place is asked for."""
    made = application("sharing", routes(cluster), cluster.entrance(), PREFIX)
    of_north = Client(made, cluster.token(Role.OPERATOR, "north"))
    shown = of_north("GET", f"{PREFIX}/tokens", params={"limit": 200}).json()["tokens"]
    assert {one["platform"] for one in shown} == {"north"}


@pytest.mark.parametrize(
    ("facet", "value", "names"),
    [
        ("kind", "laboratory", ["east"]),
        ("region", "north", ["north"]),
        ("speciality", "neurology", ["south"]),
        ("research_area", "epilepsy", ["north"]),
        ("data_category", "images", ["west"]),
        ("standard", "FHIR R4", ["west"]),
        ("format", "application/fhir+json", ["east"]),
        ("consent_tier", "study", ["south"]),
        ("language", "en", ["east", "west"]),
        ("language", "e", []),
        ("kind", "lab", []),
    ],
)
def test_platforms_are_found_by_each_facet(
    operator: Client, facet: str, value: str, names: list[str]
) -> None:
    found = operator("GET", f"{PREFIX}/platforms", params={facet: value}).json()["platforms"]
    assert [one["platform_id"] for one in found] == names


def test_facets_narrow_one_another(operator: Client) -> None:
    asked = {"language": "en", "kind": "hospital"}
    found = operator("GET", f"{PREFIX}/platforms", params=asked).json()["platforms"]
    assert [one["platform_id"] for one in found] == ["west"]


def test_who_sees_no_tags_filters_by_kind_alone(operator: Client, cluster: LocalCluster) -> None:
    """Else a filter would tell what the list does not show."""
    del operator
    made = application("sharing", routes(cluster), cluster.entrance(), PREFIX)
    clinician = Client(made, cluster.token(Role.CLINICIAN, "north"))
    found = clinician("GET", f"{PREFIX}/platforms", params={"kind": "laboratory"})
    assert found.json()["platforms"] == [{"platform_id": "east", "kind": "laboratory", "tag": None}]
    for facet in FACETS.keys() - {"kind"}:
        refused = clinician("GET", f"{PREFIX}/platforms", params={facet: "x"})
        assert refused.status_code == 403, facet


def test_a_change_of_what_a_platform_says_is_a_new_tag(operator: Client) -> None:
    place = f"{PREFIX}/platforms/north"
    before = operator("GET", place).json()
    assert before["profile"]["response_days"] == 3.5
    same = {"person_years_at_risk": 1e6} | SAID["north"]
    assert operator("PUT", place, json=same).json() == before
    changed = operator("PUT", place, json=same | {"response_days": 7}).json()
    assert (changed["version"], changed["profile"]["response_days"]) == (before["version"] + 1, 7)
    operator("PUT", place, json=same)


@pytest.mark.parametrize(
    "said", [{"languages": ["not a language"]}, {"response_days": 0}, {"research_areas": [""]}]
)
def test_what_no_platform_says_is_refused(operator: Client, said: dict[str, Any]) -> None:
    body = {"person_years_at_risk": 1e6} | said
    assert operator("PUT", f"{PREFIX}/platforms/north", json=body).status_code == 422


def test_a_tag_of_an_earlier_release_still_loads() -> None:
    stored = '{"version":1,"profile":{"platform_id":"north","person_years_at_risk":1.0},"mix":{}}'
    profile = PlatformTag.model_validate_json(stored).profile
    assert profile == PlatformProfile(platform_id="north", person_years_at_risk=1.0)
    assert profile.languages == () and profile.response_days is None


def test_every_facet_is_a_part_of_a_profile_that_can_be_put() -> None:
    assert FACETS.keys() == PlatformFilter.model_fields.keys()
    assert {*FACETS.values()} <= PlatformPut.model_fields.keys()
    assert PlatformPut.model_fields.keys() <= PlatformProfile.model_fields.keys()


@pytest.mark.parametrize("name", ["deliveries", "inbox"])
def test_a_machine_learns_no_diseases_from_the_lists(cluster: LocalCluster, name: str) -> None:
    """B9: tokens of machines never read cases: neither by a row nor by a filter."""
    made = application("sharing", routes(cluster), cluster.entrance(), PREFIX)
    machine = Client(made, cluster.token(Role.PLATFORM, "north"))
    place = f"{PREFIX}/platforms/north/{name}"
    assert machine("GET", place, params={"disease_id": "OMIM:1"}).status_code == 403
    north = cluster.services["north"]
    north.decide(1.75e9, [a_prediction("c0", 0.9)], [], cluster.network_service.peers("north"))
    shown = machine("GET", place).json()
    rows = shown.get("deliveries", shown.get("received"))
    assert name == "inbox" or rows
    assert all(row["disease_id"] == "" and row["evidence"] == [] for row in rows)
    clinician = Client(made, cluster.token(Role.CLINICIAN, "north"))
    told = clinician("GET", place).json()
    assert name == "inbox" or any(row["evidence"] for row in told["deliveries"])

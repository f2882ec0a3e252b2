"""The rare cases of a disease on the network, over HTTP (C8)."""

import json
from pathlib import Path
from typing import Any

import pytest
from builders import a_phenopacket

from actors.platform import PlatformService
from cluster.authorisation.roles import Role
from cluster.clock import SystemClock
from cluster.contracts.sharing import PlatformProfile
from cluster.device.cache import Cache
from cluster.device.client import Device
from cluster.device.source import TOKEN_VARIABLE, open_source
from cluster.errors import NotFound
from cluster.flow.screening import AtRisk
from cluster.screening.priors import KNOWN_NOTHING
from tests.diagnosis_builders import PNEUMONIA, DiagnosisCluster
from tests.http_builders import Client, listening, quick
from tests.unit.flow.world import PRESETS

NORTH = "/diagnosis/v1/platforms/north/rare-cases"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> DiagnosisCluster:
    """North may receive cases from south and not from west; each has a case and a private one."""
    made = DiagnosisCluster(quick(tmp_path_factory.mktemp("data"), **PRESETS))
    network = made.network_service
    for name in ("north", "south", "west"):
        service = made.services[name] = PlatformService(name, made.settings)
        network.register(
            PlatformProfile(platform_id=name, person_years_at_risk=1e6), service.describe()[0]
        )
        for consent in ("share", "private"):
            packet = a_phenopacket(f"{name}-{consent}-canary", disease=PNEUMONIA)
            service.add_case(json.dumps(packet).encode(), "test", "", consent)
        service.screen(AtRisk(1e6, "stated"), KNOWN_NOTHING, None)
    network.link("north", "south", True)
    network.link("north", "west", False)
    for name, service in made.services.items():
        service.set_peers(network.peers(name))
    return made


def asked(cluster: DiagnosisCluster, role: Role, platform: str, **query: Any) -> Any:
    caller = Client(cluster.app(), cluster.token(role, platform))
    return caller("GET", NORTH, params={"disease": "pneumonia"} | query)


@pytest.mark.parametrize("role", [Role.CLINICIAN, Role.PLATFORM, Role.OPERATOR])
def test_the_network_is_asked_by_code_or_name(cluster: DiagnosisCluster, role: Role) -> None:
    """C8: of those with an agreement, under names made for who asks; a private case is not told."""
    for query in ("pneumonia", PNEUMONIA, "MeSH:D011014"):
        answer = asked(cluster, role, "north", disease=query)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert {name: len(one["items"]) for name, one in told["found"].items()} == {
            "north": 1,
            "south": 1,
        }
        assert (told["question"]["disease_id"], told["unanswered"]) == (PNEUMONIA, {})
        assert "canary" not in answer.text


def test_that_others_were_asked_is_in_the_audit_chain(cluster: DiagnosisCluster) -> None:
    """B9: a question tells what the platform looks for, so it is noted before it is asked."""
    assert asked(cluster, Role.CLINICIAN, "north").status_code == 200
    ledger = cluster.services["north"]._platform.ledger
    with ledger.begin() as tx:
        rows = tx.exec_driver_sql("SELECT * FROM audit ORDER BY seq DESC LIMIT 1").mappings().all()
    assert all(word in str(rows[0]) for word in ("disclosure attempted", "south", PNEUMONIA))


def test_another_platforms_network_is_not_there(cluster: DiagnosisCluster) -> None:
    """B9: 404 and no word of what is asked; scientists see no cases."""
    assert asked(cluster, Role.CLINICIAN, "south").status_code == 404
    assert asked(cluster, Role.SCIENTIST, "north").status_code == 403


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [("Jane-Canary", 404, "not_found"), ("OMIM:Jane-Canary", 422, "input"), ("", 422, "")],
)
def test_a_question_without_a_record_is_not_repeated(
    cluster: DiagnosisCluster, query: str, status: int, code: str
) -> None:
    """C8 B9: words that are neither code nor name go to no other platform, nor into an error."""
    answer = asked(cluster, Role.CLINICIAN, "north", disease=query)
    assert answer.status_code == status
    assert "Canary" not in answer.text
    assert answer.json()["code"].startswith(code)


def test_a_code_without_a_record_is_asked_for_alone(cluster: DiagnosisCluster) -> None:
    """C8: cases have diseases that the database which serves does not know."""
    told = asked(cluster, Role.CLINICIAN, "north", disease="MIM 618393").json()
    assert told["question"]["codes"] == ["OMIM:618393"]
    assert set(told["found"]) == {"north", "south"}


def test_a_platform_that_is_away_is_named(cluster: DiagnosisCluster) -> None:
    """C8: that says nothing of its cases, and the others have answered."""
    away = cluster.services.pop("south")
    try:
        told = asked(cluster, Role.CLINICIAN, "north").json()
    finally:
        cluster.services["south"] = away
    assert (set(told["found"]), set(told["unanswered"])) == ({"north"}, {"south"})


def test_a_device_asks_its_own_network(
    cluster: DiagnosisCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C8: with the token of its platform, over a real connection; another one's is not there."""
    monkeypatch.setenv(TOKEN_VARIABLE, cluster.token(Role.CLINICIAN, "north"))
    clock = SystemClock()
    with listening(cluster.app()) as url:
        device = Device(Cache(tmp_path, clock), open_source(f"{url}/diagnosis/v1"), clock)
        cases = device.rare_cases(PNEUMONIA, "north")
        with pytest.raises(NotFound):
            device.rare_cases(PNEUMONIA, "south")
    assert {name: one.rare for name, one in cases.found.items()} == {"north": 1, "south": 1}

"""Dazzle and a server of another maker ask each other over sockets (B6, A11)."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from actors.platform import PlatformService
from cluster.authorisation.roles import Role
from cluster.contracts.matchmaking import Matchmaker
from cluster.standards.mme.patients import phenopackets_of
from cluster.storage.mme_conformance import run_checks
from serve_apps.http.application import application
from serve_apps.share.api import routes as share_routes
from serve_apps.standards.api import routes as standards_routes
from tests.http_builders import Client, LocalCluster, listening, quick
from tests.unit.standards.mme_builders import a_patient

PYTHON = os.environ.get("PATIENTMATCHER_PYTHON", sys.executable)
TOKEN = secrets.token_hex(8)
HOME = "north"
TRIAL = "trial"
PEER = "patientmatcher"
V1 = "application/vnd.ga4gh.matchmaker.v1.0+json"


@pytest.fixture(scope="module")
def benchmark() -> Path:
    """The file of the 50 benchmark patients, which patientMatcher carries."""
    code = "import patientMatcher.resources as r, mongomock; print(r.path_to_benchmark_patients)"
    done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("patientMatcher and mongomock are not here; see PATIENTMATCHER_PYTHON")
    return Path(done.stdout.strip())


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, benchmark: Path) -> LocalCluster:
    """Two platforms that have the same patients, one as its cases and one as test data."""
    data = tmp_path_factory.mktemp("data")
    words = ("--file", str(benchmark), "--platform", TRIAL, "--set", f"data_dir={data}")
    subprocess.run([sys.executable, "-m", "jobs.load_test_patients", *words], check=True)
    made = LocalCluster(quick(data))
    packets, _ = phenopackets_of(benchmark.read_bytes(), made.symbol_of)
    service = made.services[HOME] = PlatformService(HOME, made.settings)
    for packet in packets:
        service.add_case(json.dumps(packet).encode(), "test", "", "share")
    made.services[TRIAL] = PlatformService(TRIAL, made.settings)
    for one in made.services.values():
        one.put_matchmaker(Matchmaker(peer_id=PEER, agreed=True), "test")
    return made


@pytest.fixture(scope="module")
def our_url(cluster: LocalCluster) -> Iterator[str]:
    app = application("standards", standards_routes(cluster), cluster.entrance(), "")
    with listening(app) as url:
        yield f"{url}/mme/"


@pytest.fixture(scope="module")
def our_token(cluster: LocalCluster) -> str:
    return cluster.token(Role.PLATFORM, PEER)


@pytest.fixture(scope="module")
def their_url(our_url: str, our_token: str) -> Iterator[str]:
    script = str(Path(__file__).with_name("matchmaker_peer.py"))
    command = [PYTHON, script, TOKEN, our_url, our_token]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield next(line.strip() for line in process.stdout if line.startswith("http://"))
        finally:
            process.kill()


def test_we_speak_as_the_specification_says(our_url: str, our_token: str) -> None:
    findings = run_checks(our_url, SecretStr(our_token), timeout_s=30.0)
    assert [(one.check.name, one.what) for one in findings if not one.ok] == []
    assert len(findings) == 47, "with a patient of the test data that is asked for again"


@pytest.mark.parametrize("gene", ["GPX4", "2879"])
def test_the_benchmark_answers_tests(our_url: str, our_token: str, gene: str) -> None:
    """The two patients with GPX4 come first; a test finds test data, any other question cases."""
    signs = ("HP:0001250", "HP:0006852", "HP:0011675", "HP:0003312")
    patient = a_patient(
        features=[{"id": term} for term in signs], genomicFeatures=[{"gene": {"id": gene}}]
    )
    found = {}
    for test in (True, False):
        told = httpx.post(
            f"{our_url}match",
            json={"patient": patient | {"test": test}},
            headers={"X-Auth-Token": our_token, "Content-Type": V1},
        ).json()
        found[test] = [one["patient"] for one in told["results"]]
    for test, name in ((True, TRIAL), (False, HOME)):
        assert {one["contact"]["name"] for one in found[test]} == {name}
        assert {one.get("test", False) for one in found[test]} == {test}
        assert [one["genomicFeatures"] for one in found[test][:2]] == [
            [{"gene": {"id": "GPX4"}}]
        ] * 2


def test_they_find_our_cases(their_url: str, cluster: LocalCluster) -> None:
    """GPX4 has two patients: asked about one, Dazzle answers with it and the other, first."""
    headers = {"X-Auth-Token": TOKEN, "Content-Type": V1, "Accept": V1}
    with httpx.Client(headers=headers, timeout=60) as client:
        asked = client.post(f"{their_url}match/external/P0001058", params={"node": "dazzle"})
        assert asked.status_code == 200, asked.text
        told = client.get(f"{their_url}matches/P0001058")
    (match,) = told.json()["matches"]
    (node,) = match["results"]
    found = [one["patient"] for one in node["patients"]]
    genes = [{f["gene"]["id"] for f in one.get("genomicFeatures", ())} for one in found]
    assert [bool(names) for names in genes[:2]] == [True, True]
    platform = cluster.services[HOME]
    expected = {
        one.shared_id for one in platform.disclose(PEER, {"P0001058": 1.0, "P0001059": 1.0})
    }
    assert {one["id"] for one in found[:2]} == expected
    assert not [one for one in found if one["id"].startswith("P0")]


def test_we_find_their_patients_and_tell_who_was_away(
    their_url: str, cluster: LocalCluster
) -> None:
    app = application("share", share_routes(cluster), cluster.entrance(), "")
    operator = Client(app, cluster.token(Role.OPERATOR))
    place = f"/share/v1/platforms/{HOME}"
    for peer, url in (("there", their_url), ("away", "http://127.0.0.1:9/")):
        said = {"agreed": True, "url": url, "token": TOKEN}
        kept = operator("PUT", f"{place}/matchmakers/{peer}", json=said)
        assert kept.status_code == 200 and TOKEN not in kept.text
    asked = operator("POST", f"{place}/matchmaking", json={"case_id": "P0001058"})
    told = {one["peer_id"]: one for one in asked.json()["peers"]}
    assert told["away"]["state"] == "unreachable"
    assert {one["patient"]["id"] for one in told["there"]["results"][:2]} == {
        "P0001058",
        "P0001059",
    }


def test_a_peer_is_told_only_what_may_be_shared(
    our_url: str, our_token: str, cluster: LocalCluster
) -> None:
    """No agreement, or consent withdrawn: no case; each change counts at once."""
    service = cluster.services[HOME]
    patient = {
        "id": "q",
        "contact": {"name": "T", "href": "mailto:t@example.org"},
        "genomicFeatures": [{"gene": {"id": "GPX4"}}],
    }

    def ids(token: str) -> set[str]:
        headers = {"X-Auth-Token": token, "Content-Type": V1}
        answer = httpx.post(f"{our_url}match", json={"patient": patient}, headers=headers)
        return {one["patient"]["id"] for one in answer.json()["results"]}

    assert len(ids(our_token)) == 2
    assert ids(cluster.token(Role.PLATFORM, "stranger")) == set()
    service.set_consent("P0001059", "active", "private", "test")
    assert len(ids(our_token)) == 1
    service.set_consent("P0001059", "active", "share", "test")
    service.put_matchmaker(Matchmaker(peer_id=PEER, agreed=False), "test")
    assert ids(our_token) == set()
    service.put_matchmaker(Matchmaker(peer_id=PEER, agreed=True), "test")
    assert service.broken_audit_row() is None

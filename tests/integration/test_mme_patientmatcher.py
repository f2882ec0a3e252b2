"""A real peer of another maker: patientMatcher, with the 50 benchmark patients of the exchange.

Where it is not installed beside Dazzle, ``PATIENTMATCHER_PYTHON`` may name a Python that has it.
"""

import asyncio
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import SecretStr

from cluster.clock import SystemClock
from cluster.ontology import term_number
from cluster.standards.mme.match import question_of
from cluster.standards.mme.messages import parsed_request
from cluster.standards.mme.metrics import Traffic, metrics_of
from cluster.storage.mme_client import MmePeer, ask_peers
from cluster.storage.mme_conformance import run_checks
from jobs import conformance, shell
from tests.unit.standards.mme_builders import a_patient

PYTHON = os.environ.get("PATIENTMATCHER_PYTHON", sys.executable)
TOKEN = secrets.token_hex(8)
FAILS = {
    "metrics without token": "status 200, not 401",
    "metrics with a wrong token": "status 200, not 401",
    "version 1.0 is answered as 1.0": "the Content-Type of the answer states no version",
    "version 1.1 is answered as 1.1": "status 415, not 200",
    "an unknown minor version is answered": "status 415, not 200",
    "version 2.0 is refused": "status 415, not 406",
    "the refusal of 2.0 states a version": "status 415, not 406",
}
REMARKS = {
    "plain JSON is taken": "status 415, not 200",
    "a media type without version is taken": "status 415, not 200",
    "any Accept is served": "status 406, not 200",
    "an empty body is 422 with a message": "the body is no JSON object",
    "what is no JSON is 400 with a message": "the body is no JSON object",
    "gender, and a variant without start": "status 422, not 200",
    "a patient is not found by itself": "the patient is found by itself",
}
"""Of patientMatcher 4.7.0."""


@pytest.fixture(scope="module")
def peer_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of patientMatcher in a process of its own, ended with the module."""
    there = subprocess.run(
        [PYTHON, "-c", "import patientMatcher, mongomock"], capture_output=True, check=False
    )
    if there.returncode:
        pytest.skip("patientMatcher and mongomock are not here; see PATIENTMATCHER_PYTHON")
    log = tmp_path_factory.mktemp("peer") / "log.txt"
    script = str(Path(__file__).with_name("matchmaker_peer.py"))
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [PYTHON, script, TOKEN], stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        assert process.stdout is not None
        try:
            lines = (line.strip() for line in process.stdout)
            url = next((line for line in lines if line.startswith("http://")), "")
            assert url, log.read_text()[-2000:]
            yield url
        finally:
            process.kill()


def test_our_checks_find_what_the_peer_does_otherwise(peer_url: str) -> None:
    """The report is known: versions and the token of metrics fail, everything else is kept."""
    findings = run_checks(peer_url, SecretStr(TOKEN), timeout_s=30.0)
    failed = {one.check.name: one.what for one in findings if one.fails}
    remarks = {one.check.name: one.what for one in findings if not one.ok and not one.fails}
    assert (failed, remarks) == (FAILS, REMARKS)
    assert len(findings) == 47


def test_the_job_reports_and_fails(
    peer_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line a check, exit code 1 where the specification is broken, the token nowhere."""
    monkeypatch.setattr("sys.argv", ["conformance", "mme", "--url", peer_url])
    monkeypatch.setenv("DAZZLE_MME_TOKEN", TOKEN)
    with pytest.raises(SystemExit) as ended:
        shell.run_job(conformance.main)
    told = capsys.readouterr().out
    assert ended.value.code == shell.EXIT_FAULT
    assert "ok      match without token" in told
    assert "FAILS   version 2.0 is refused: status 415, not 406 (search API, versioning)" in told
    assert f"47 checks, {len(FAILS)} fail, {len(REMARKS)} remarks" in told
    assert TOKEN not in told


def test_a_patient_is_matched_there_and_a_dead_peer_is_told(peer_url: str) -> None:
    """GPX4 finds both GPX4 patients; the order among peers is kept, and none is silent."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{free.getsockname()[1]}/"
    token = SecretStr(TOKEN)
    peers = [
        MmePeer("dead", dead, token),
        MmePeer("there", peer_url, token, "1.0"),
        MmePeer("newer", peer_url, token, "1.1"),
        MmePeer("stranger", peer_url, SecretStr("another-token"), "1.0"),
    ]
    signs = ("HP:0001250", "HP:0006852", "HP:0011675", "HP:0003312")
    patient = a_patient(features=[{"id": term} for term in signs])
    answers = asyncio.run(ask_peers(peers, patient, clock=SystemClock(), timeout_s=60.0))
    gone, there, newer, stranger = answers
    assert (gone.peer_id, gone.state, gone.results) == ("dead", "unreachable", ())
    assert there.state == "answered" and there.faults == () and there.disclaimer
    ids = [one.patient.id for one in there.results]
    assert {"P0001058", "P0001059"} == set(ids[:2]) and len(ids) == 5
    assert there.results[0].patient.contact.name == "Lijia Huang"
    assert newer.state == "answered"  # it takes nothing but 1.0, in which it is then asked
    assert [one.patient.id for one in newer.results] == ids
    assert (stranger.state, stranger.status) == ("refused", 401)


def test_the_benchmark_patients_are_read_and_counted(peer_url: str) -> None:
    """All 50, with the two that the copied schema refuses; the counts are those of the exchange."""
    code = "import patientMatcher.resources as r; print(r.path_to_benchmark_patients)"
    done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=True)
    patients = json.loads(Path(done.stdout.strip()).read_text(encoding="utf-8"))
    rows = []
    for patient in patients:
        read = parsed_request(json.dumps({"patient": patient}).encode()).patient
        asked = question_of(read, lambda _: "")
        genes = [one.gene.id for one in read.genomic_features]
        rows.append(
            {
                "terms": [term_number(one) for one in asked.observed],
                "excluded": [term_number(one) for one in asked.excluded],
                "genes": genes,
                "disease_id": next(iter(asked.disorders), ""),
            }
        )
        assert set(genes) == set(asked.genes) and asked.is_test
    columns = {name: pa.array([row[name] for row in rows]) for name in rows[0]}
    told = metrics_of(pa.table(columns), Traffic(), "2026-01-02")
    assert told == {
        "numberOfCases": 50,
        "numberOfGenes": 70,
        "numberOfUniqueGenes": 23,
        "numberOfFeatures": 556,
        "numberOfUniqueFeatures": 286,
        "numberOfFeatureSets": 50,
        "numberOfCasesWithDiagnosis": 43,
        "dateGenerated": "2026-01-02",
    }

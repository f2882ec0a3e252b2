"""The share application over HTTP: what a service sends and gets (A4, A5, B9)."""

import io
import json

import pyarrow as pa
import pytest

from cluster.authorisation.roles import Role
from serve_apps.http.application import application
from serve_apps.share.api import ARROW, PREFIX, routes
from serve_apps.share.examples import BUNDLE, EVENT_BATCH, PHENOPACKET
from serve_apps.share.forms import FHIR
from tests.http_builders import Client, LocalCluster, quick

HOME = "/share/v1/platforms/north"
EVENTS = EVENT_BATCH["two"]["value"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> LocalCluster:
    return LocalCluster(quick(tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def app(cluster: LocalCluster) -> object:
    made = application("sharing", routes(cluster), cluster.entrance(), PREFIX)
    operator = Client(made, cluster.token(Role.OPERATOR))
    for name in ("north", "south"):
        said = {"region": "north", "person_years_at_risk": 1e6}
        answer = operator("PUT", f"/share/v1/platforms/{name}", json=said)
        assert answer.status_code == 200, answer.text
    return made


@pytest.fixture(scope="module")
def clinician(app: object, cluster: LocalCluster) -> Client:
    return Client(app, cluster.token(Role.CLINICIAN, "north"))


@pytest.fixture(scope="module")
def added(clinician: Client) -> dict[str, object]:
    answer = clinician("POST", f"{HOME}/cases", json=PHENOPACKET, headers={"Idempotency-Key": "k1"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_case_is_added_once_and_found(clinician: Client, added: dict[str, object]) -> None:
    assert (added["result"], added["rev"]) == ("added", 1)
    again = clinician("POST", f"{HOME}/cases", json=PHENOPACKET)
    assert again.json()["result"] == "unchanged"
    repeated = clinician(
        "POST", f"{HOME}/cases", json=PHENOPACKET, headers={"Idempotency-Key": "k1"}
    )
    assert repeated.json() == added
    found = clinician("POST", f"{HOME}/search", json={"terms": ["HP:0001250"]})
    assert [hit["case_id"] for hit in found.json()["hits"]] == ["simulated-1"]
    got = clinician("GET", f"{HOME}/cases/simulated-1").json()
    assert got["phenopacket"]["subject"]["sex"] == "FEMALE"


def test_a_case_goes_in_and_out_as_a_fhir_bundle(clinician: Client) -> None:
    fhir = {"content-type": FHIR, "accept": FHIR}
    added = clinician("POST", f"{HOME}/cases", content=json.dumps(BUNDLE), headers=fhir)
    assert added.status_code == 200, added.text
    place = f"{HOME}/cases/{added.json()['case_id']}"
    kept = clinician("GET", place).json()["phenopacket"]
    assert [one["type"]["id"] for one in kept["phenotypicFeatures"]] == ["HP:0001250"]
    out = clinician("GET", place, headers=fhir)
    assert (out.headers["content-type"], out.json()["resourceType"]) == (FHIR, "Bundle")
    broken = BUNDLE | {"entry": BUNDLE["entry"][:1]}
    refused = clinician("POST", f"{HOME}/cases", content=json.dumps(broken), headers=fhir)
    assert refused.status_code == 422


def test_a_key_with_another_case_is_refused(clinician: Client, added: dict[str, object]) -> None:
    other = PHENOPACKET | {"id": "simulated-2"}
    answer = clinician("POST", f"{HOME}/cases", json=other, headers={"Idempotency-Key": "k1"})
    assert answer.status_code == 409
    assert answer.json()["code"] == "conflict"


def test_a_key_with_another_consent_is_refused(clinician: Client) -> None:
    """B9: it would be answered as done, and the case would stay private."""
    one = PHENOPACKET | {"id": "simulated-3"}
    sent = {"json": one, "headers": {"Idempotency-Key": "k3"}}
    assert clinician("POST", f"{HOME}/cases", **sent).status_code == 200
    assert clinician("POST", f"{HOME}/cases?consent=share", **sent).status_code == 409
    assert clinician("POST", f"{HOME}/cases", **sent).status_code == 200


def test_events_count_once_in_both_forms(clinician: Client, added: dict[str, object]) -> None:
    first = clinician("POST", f"{HOME}/events", json=EVENTS)
    assert first.json() == {"new": 2, "repeated": 0, "refused": []}
    rows = [{"parent_id": None} | one for one in EVENTS["events"]]
    table = pa.Table.from_pylist([rows[0], rows[1] | {"case_id": "elsewhere"}])
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    headers = {"content-type": ARROW}
    again = clinician("POST", f"{HOME}/events", content=stream.getvalue(), headers=headers)
    assert again.status_code == 200, again.text
    assert again.json()["repeated"] == 1
    assert [(one["row"], one["code"]) for one in again.json()["refused"]] == [(1, "case_unknown")]


def test_what_is_foreign_does_not_exist(app: object, cluster: LocalCluster) -> None:
    south = Client(app, cluster.token(Role.CLINICIAN, "south"))
    for path in (f"{HOME}/cases", f"{HOME}/cases/simulated-1", "/share/v1/platforms/nowhere/cases"):
        assert south("GET", path).status_code == 404


def test_a_revoked_token_ends_at_once(app: object, cluster: LocalCluster) -> None:
    operator = Client(app, cluster.token(Role.OPERATOR))
    issued = operator("POST", "/share/v1/tokens", json={"role": "clinician", "holder": "app"})
    token = issued.json()["token"]
    assert Client(app, token)("GET", "/share/v1/platforms").status_code == 200
    kid = issued.json()["card"]["kid"]
    assert operator("DELETE", f"/share/v1/tokens/{kid}").status_code == 204
    assert Client(app, token)("GET", "/share/v1/platforms").status_code == 401


def test_no_error_repeats_what_was_sent(clinician: Client) -> None:
    secret = "Jane-Canary-Doe"
    bad = [
        ("POST", f"{HOME}/search", {"terms": [1, secret], "name": secret}),
        ("POST", f"{HOME}/search", {"text": secret, "k": 10_000}),
        ("POST", f"{HOME}/cases", {"id": "", "subject": secret}),
        ("POST", f"{HOME}/events", {"events": [{"user": secret, "at": secret}]}),
        ("PUT", f"{HOME}/cases/{secret}/consent", {"state": secret, "consent": "share"}),
    ]
    for method, path, body in bad:
        answer = clinician(method, path, json=body)
        assert answer.status_code == 422, (path, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert secret not in answer.text


def test_malformed_and_large_bodies_are_refused(clinician: Client) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    for body, status, code in (
        (b"{", 400, "json_invalid"),
        (b'{"k": NaN}', 400, "json_invalid"),
        (deep[:60_000].encode(), 400, "json_invalid"),
        (b"x" * 65_537, 413, "body_too_large"),
    ):
        headers = {"content-type": "application/json"}
        answer = clinician("POST", f"{HOME}/search", content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_folder_outside_is_no_platform(app: object, cluster: LocalCluster) -> None:
    operator = Client(app, cluster.token(Role.OPERATOR))
    for name in ("..", "%2e%2e", "a%2Fb", "UPPER", "x" * 64):
        answer = operator("POST", f"/share/v1/platforms/{name}/search", json={"text": "x"})
        assert answer.status_code in (404, 422), (name, answer.text)

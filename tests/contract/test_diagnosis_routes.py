"""Models, files and results over HTTP: what devices and services ask for (C4, C8, C9)."""

from pathlib import Path
from typing import Any

import pytest

from cluster.authorisation.roles import Role
from cluster.contracts.image_models import NOT_A_DIAGNOSIS, ListedModel
from cluster.ids import sha256
from serve_apps.diagnosis.examples import R
from tests.diagnosis_builders import PNEUMONIA, DiagnosisCluster
from tests.http_builders import Client, quick

HOME = "/diagnosis/v1"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> DiagnosisCluster:
    return DiagnosisCluster(quick(tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def listed(cluster: DiagnosisCluster) -> ListedModel:
    return cluster.publish_colours()


@pytest.fixture(scope="module")
def public(cluster: DiagnosisCluster, listed: ListedModel) -> Client:
    return Client(cluster.app())


@pytest.fixture(scope="module")
def clinician(cluster: DiagnosisCluster, listed: ListedModel) -> Client:
    return Client(cluster.app(), cluster.token(Role.CLINICIAN, "north"))


@pytest.fixture(scope="module")
def folder(cluster: DiagnosisCluster, listed: ListedModel) -> Path:
    return cluster.settings.data_dir / "public"


def test_the_list_is_that_of_the_folder_and_not_sent_twice(public: Client, folder: Path) -> None:
    content = (folder / "models.json").read_bytes()
    first = public("GET", f"{HOME}/models.json")
    assert (first.status_code, first.content) == (200, content)
    assert first.headers["etag"] == f'"{sha256(content)}"'
    assert first.headers["content-type"] == "application/json"
    assert first.headers["x-content-type-options"] == "nosniff"
    for told in (first.headers["etag"], f'"x", W/{first.headers["etag"]}', "*"):
        again = public("GET", f"{HOME}/models.json", headers={"If-None-Match": told})
        assert (again.status_code, again.content) == (304, b"")
    other = public("GET", f"{HOME}/models.json", headers={"If-None-Match": '"x"'})
    assert other.status_code == 200


def test_a_file_comes_whole_and_in_parts(public: Client, folder: Path) -> None:
    path = max((folder / "files").iterdir(), key=lambda one: one.stat().st_size)
    content, at = path.read_bytes(), f"{HOME}/files/{path.name}"
    whole = public("GET", at)
    assert (whole.status_code, whole.content) == (200, content)
    assert whole.headers["etag"] == f'"{path.name}"'
    assert whole.headers["content-type"] == "application/octet-stream"
    assert "immutable" in whole.headers["cache-control"]
    assert public("GET", at, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    size = len(content)
    for asked, span in {
        "bytes=100-": (100, size),
        "bytes=0-99": (0, 100),
        "bytes=7-7": (7, 8),
        "bytes=-5": (size - 5, size),
        f"bytes=3-{size + 9}": (3, size),
    }.items():
        part = public("GET", at, headers={"Range": asked, "If-Range": whole.headers["etag"]})
        assert (part.status_code, part.content) == (206, content[slice(*span)]), asked
        assert part.headers["content-range"] == f"bytes {span[0]}-{span[1] - 1}/{size}"


def test_what_is_no_part_is_answered_with_the_whole(public: Client, folder: Path) -> None:
    """RFC 9110: a Range that is malformed, several, or of another content is passed over."""
    path = next((folder / "files").iterdir())
    at, size = f"{HOME}/files/{path.name}", path.stat().st_size
    for asked in ("bytes=5-2", "bytes=a-", "items=0-1", "bytes=", "bytes=0-1,3-4", "bytes=-"):
        answer = public("GET", at, headers={"Range": asked})
        assert (answer.status_code, len(answer.content)) == (200, size), asked
    for start in ("1", str(size + 1)):
        headers = {"Range": f"bytes={start}-", "If-Range": '"other"'}
        assert public("GET", at, headers=headers).status_code == 200
    for asked in (f"bytes={size}-", f"bytes={size + 1}-", "bytes=-0"):
        answer = public("GET", at, headers={"Range": asked})
        assert (answer.status_code, answer.json()["code"]) == (416, "range_not_satisfiable"), asked
        assert answer.headers["content-range"] == f"bytes */{size}"


def test_head_tells_what_get_would(public: Client, folder: Path) -> None:
    digest = next((folder / "files").iterdir()).name
    answer = next((folder / "answers").iterdir()).name
    for path in ("models.json", f"files/{digest}", f"answers/{answer}"):
        got, head = public("GET", f"{HOME}/{path}"), public("HEAD", f"{HOME}/{path}")
        assert (head.status_code, head.content) == (200, b"")
        for name in ("etag", "content-length", "content-type", "cache-control"):
            assert head.headers[name] == got.headers[name]


def test_no_name_leaves_the_folder(public: Client, folder: Path) -> None:
    (folder.parent / "secret").write_text("secret")
    link = folder / "files" / ("f" * 64)
    link.symlink_to(folder.parent / "secret")
    half = folder / "files" / ".half.partial"  # as one that is being written
    half.write_text("secret")
    names = [
        "..",
        half.name,
        "../models.json",
        "../../secret",
        "secret",
        "F" * 64,
        "0" * 64,
        "f" * 64,
    ]
    answers = [*names, "DOID_552", "..json", "DOID:552.json", "DOID_552.json.json", "%00.json"]
    for kind, tried in (("files", names), ("answers", answers)):
        for name in tried:
            escaped = name.replace("/", "%2F")  # the client itself resolves a plain one
            for written in (escaped, escaped.replace(".", "%2e")):
                answer = public("GET", f"{HOME}/{kind}/{written}")
                assert answer.status_code == 404, (kind, written)
                assert answer.json()["code"] == "not_found"
    link.unlink()
    half.unlink()


def test_models_are_found_by_disease_class_and_name(
    public: Client, cluster: DiagnosisCluster, listed: ListedModel
) -> None:
    def found(client: Client, **asked: str) -> list[str]:
        answer = client("GET", f"{HOME}/models", params=asked)
        assert answer.status_code == 200, answer.text
        return [one["name"] for one in answer.json()["models"]]

    assert found(public) == ["colours"]
    for disease in (PNEUMONIA, "pneumonia", "MeSH:D011014"):
        assert found(public, disease=disease) == ["colours"], disease
    assert found(public, disease="influenza") == []
    assert found(public, label="green", name="colours") == ["colours"]
    assert found(public, label="pink") == found(public, name="other") == []
    assert found(public, state="retired") == []
    refused = public("GET", f"{HOME}/models", params={"state": "pending"})
    assert refused.status_code == 403
    operator = Client(cluster.app(), cluster.token(Role.OPERATOR))
    assert found(operator, state="pending") == []
    bad = public("GET", f"{HOME}/models", params={"disease": "OMIM:Jane-Canary"})
    assert bad.status_code == 422 and "Canary" not in bad.text


def test_before_anything_is_listed_there_is_an_empty_view_and_no_list(tmp_path: Path) -> None:
    nobody = Client(DiagnosisCluster(quick(tmp_path)).app())
    assert nobody("GET", f"{HOME}/models").json()["models"] == []
    assert nobody("GET", f"{HOME}/models.json").status_code == 404


def test_a_disease_is_found_by_code_name_or_words(public: Client) -> None:
    for query in ("DOID:552", "MeSH:D011014", "Pneumonia", "air spaces fill fluid pus"):
        answer = public("GET", f"{HOME}/diseases", params={"query": query, "others": 0})
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert (found["disease_id"], found["others"]) == ("DOID:552", [])
        assert found["definitions"][0]["source"] and "not a diagnosis" in found["notice"]
    for query, status in (("Jane-Canary", 404), ("OMIM:Jane-Canary", 422), ("", 422)):
        answer = public("GET", f"{HOME}/diseases", params={"query": query})
        assert answer.status_code == status
        assert "Canary" not in answer.text


def a_result(listed: ListedModel, **changes: Any) -> dict[str, Any]:
    own = {
        "model": listed.name,
        "version": listed.version,
        "label": "red",
        "disease_id": PNEUMONIA,
        "probabilities": {"red": 0.93, "green": 0.07},
    }
    return R | own | changes


def test_a_result_leads_to_what_is_known(clinician: Client, listed: ListedModel) -> None:
    answer = clinician("POST", f"{HOME}/results", json=a_result(listed))
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["model"], found["number"], found["probability"]) == ("colours", 1, 0.93)
    assert found["disease"]["disease_id"] == PNEUMONIA
    assert found["disease"]["definitions"][0]["text"]
    assert found["notice"] == NOT_A_DIAGNOSIS


def test_what_is_no_disease_or_outside_has_none(clinician: Client, listed: ListedModel) -> None:
    for label, outside, words in (("green", False, "not bound"), ("unknown", True, "outside")):
        said = a_result(listed, label=label, outside=outside, disease_id="")
        answer = clinician("POST", f"{HOME}/results", json=said)
        assert answer.status_code == 200, answer.text
        assert answer.json()["disease"] is None
        assert words in answer.json()["meaning"]


def test_a_result_is_not_believed_beyond_its_model(
    clinician: Client, cluster: DiagnosisCluster, listed: ListedModel
) -> None:
    retired = cluster.publish_colours("withdrawn")
    cluster.registry_service.retire_image("withdrawn", "1", "test", "wrong")
    for changes, status, where in (
        ({"version": "0" * 64}, 404, "version"),
        ({"model": "other"}, 404, "version"),
        ({"model": "withdrawn", "version": retired.version}, 409, "version"),
        ({"label": "pink", "disease_id": ""}, 422, "label"),
        ({"disease_id": "DOID:8469"}, 422, "disease_id"),
        ({"label": "green"}, 422, "disease_id"),
        ({"label": "unknown", "disease_id": ""}, 422, "outside"),
        ({"outside": True}, 422, "outside"),
        ({"probabilities": {"pink": 1.0}}, 422, "probabilities"),
        ({"probability": 1.5}, 422, None),
        ({"variant": "fp16"}, 422, None),
        ({"image": "iVBORw0KGgo="}, 422, None),
        ({"probabilities": {"red": "iVBORw0KGgo="}}, 422, None),
    ):
        answer = clinician("POST", f"{HOME}/results", json=a_result(listed, **changes))
        assert answer.status_code == status, (changes, answer.text)
        assert answer.json().get("where") == where, (changes, answer.text)
        assert "iVBOR" not in answer.text


def test_no_image_is_taken_as_a_result(clinician: Client) -> None:
    headers = {"content-type": "image/png"}
    for size, status in ((1000, 422), (65_537, 413)):
        content = b"\x89PNG" + b"x" * (size - 4)
        answer = clinician("POST", f"{HOME}/results", content=content, headers=headers)
        assert answer.status_code == status

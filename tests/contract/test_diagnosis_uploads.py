"""Images and models handed over HTTP: taken, or refused without a trace (C1, C9)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.types import Message, Scope

from cluster.authorisation.roles import Role
from cluster.errors import NoSpace
from cluster.models.fitness import NOT_EXAMINED
from serve_apps.diagnosis.examples import R
from serve_apps.diagnosis.uploads import AT_ONCE, Uploads
from serve_apps.http.problems import Refused
from tests import onnx_builders
from tests.diagnosis_builders import DiagnosisCluster, files_of
from tests.http_builders import URL, Client, quick
from tests.image_builders import a_set, quoted_overlap, with_attributes, zip_bytes

HOME = "/diagnosis/v1"
ZIP = {"content-type": "application/zip"}
BYTES = {"content-type": "application/octet-stream"}
MIB = 1 << 20
ORDER: dict[str, Any] = {
    "labels": list(onnx_builders.LABELS),
    "size": onnx_builders.SIZE,
    "licence": "Apache-2.0",
    "intended_use": "Teaching.",
    "summary": "Tells colours apart.",
    "changelog": "First.",
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> DiagnosisCluster:
    small = {"image_set_mib_max": 1, "model_mib_max": 1}
    return DiagnosisCluster(quick(tmp_path_factory.mktemp("data"), **small))


@pytest.fixture(scope="module")
def scientist(cluster: DiagnosisCluster) -> Client:
    return Client(cluster.app(), cluster.token(Role.SCIENTIST))


@pytest.fixture(scope="module")
def operator(cluster: DiagnosisCluster) -> Client:
    return Client(cluster.app(), cluster.token(Role.OPERATOR))


@pytest.fixture
def data(cluster: DiagnosisCluster) -> Path:
    return cluster.settings.data_dir


def codes(answer: httpx.Response) -> set[str]:
    return {one["code"] for one in answer.json()["report"]["findings"]}


def test_a_set_is_taken_and_listed_once(scientist: Client, data: Path) -> None:
    content = zip_bytes(a_set())
    for _ in range(2):
        answer = scientist("PUT", f"{HOME}/image-sets/cells", content=content, headers=ZIP)
        assert answer.status_code == 200, answer.text
    taken = answer.json()
    assert taken["stored"]["classes"] == {"class-0": 6, "class-1": 6}
    assert taken["report"]["accepted"] and taken["report"]["bytes_read"] > 0
    assert scientist("GET", f"{HOME}/image-sets").json() == [taken["stored"]]
    assert list((data / "uploads").iterdir()) == []


def hostile_sets() -> dict[str, tuple[bytes, str]]:
    files = a_set()
    return {
        "leaves": (zip_bytes({"../x.jpg": b"x"} | files), "name_unsafe"),
        "absolute": (zip_bytes({"/etc/x.jpg": b"x"} | files), "name_unsafe"),
        "link": (with_attributes({"a/1.jpg": b"x"} | files, "a/1.jpg", 0o120777), "link"),
        "overlap": (quoted_overlap(files), "zip_overlap"),
        "bomb": (zip_bytes({"a/1.jpg": bytes(8 * MIB)} | files), "zip_ratio"),
        "none": (b"PK but no zip", "zip_unreadable"),
        "cut": (zip_bytes(files)[:-40], "zip_unreadable"),
        "one class": (zip_bytes(a_set(1)), "classes_too_few"),
    }


@pytest.mark.parametrize("kind", hostile_sets())
def test_a_hostile_set_is_told_and_leaves_nothing(kind: str, scientist: Client, data: Path) -> None:
    content, code = hostile_sets()[kind]
    before = files_of(data)
    answer = scientist("PUT", f"{HOME}/image-sets/hostile", content=content, headers=ZIP)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "image_set_refused"
    assert code in codes(answer) and answer.json()["where"] in codes(answer)
    assert files_of(data) == before


def test_a_body_is_taken_up_to_its_limit_and_no_byte_more(scientist: Client, data: Path) -> None:
    before = files_of(data)
    order = {"params": ORDER, "headers": BYTES}
    for path, asked in (("image-sets/large", {"headers": ZIP}), ("uploads/large", order)):
        for size, status in ((MIB, 422), (MIB + 1, 413)):

            async def parts(size: int = size) -> AsyncIterator[bytes]:
                yield bytes(size - 1)
                yield b"x"

            for content in (bytes(size), parts()):  # with a length that is told, and without
                answer = scientist("PUT", f"{HOME}/{path}", content=content, **asked)
                assert answer.status_code == status, (path, size, answer.text)
    assert files_of(data) == before


def test_what_is_no_such_body_is_refused_before_it_is_read(scientist: Client) -> None:
    for path, headers, content, status in (
        ("image-sets/x", BYTES, b"x", 415),
        ("image-sets/x", {"content-type": "multipart/form-data; boundary=x"}, b"x", 415),
        ("image-sets/UPPER", ZIP, b"x", 422),
        ("image-sets/..%2Fx", ZIP, b"x", 404),
        ("uploads/x?labels=a", BYTES, b"x", 422),
    ):
        answer = scientist("PUT", f"{HOME}/{path}", content=content, headers=headers)
        assert answer.status_code == status, (path, answer.text)
    for path, asked in (("image-sets/x", {}), ("uploads/x", {"params": ORDER})):
        kind = ZIP if "sets" in path else BYTES
        answer = scientist("PUT", f"{HOME}/{path}", content=b"", headers=kind, **asked)
        assert (answer.status_code, answer.json()["code"]) == (422, "input_invalid")


def test_a_sender_that_goes_away_leaves_nothing(cluster: DiagnosisCluster, data: Path) -> None:
    """Cut off within a body: no file, no set, and the slot is free again."""
    app, token = cluster.app(), cluster.token(Role.SCIENTIST)
    before = files_of(data)
    path = f"{HOME}/image-sets/gone"
    scope: dict[str, Any] = {
        "type": "http", "method": "PUT", "path": path, "raw_path": path.encode(),
        "query_string": b"", "http_version": "1.1", "scheme": "http", "server": ("x", 80),
        "client": ("127.0.0.1", 1), "root_path": "", "asgi": {"version": "3.0"},
        "headers": [
            (b"content-type", b"application/zip"), (b"authorization", f"Bearer {token}".encode()),
        ],
    }  # fmt: skip

    async def call() -> None:
        messages: list[Message] = [
            {"type": "http.request", "body": zip_bytes(a_set())[:5000], "more_body": True},
            {"type": "http.disconnect"},
        ]

        async def receive() -> Message:
            return messages.pop(0)

        async def send(message: Message) -> None:
            assert message.get("status", 400) == 400

        await app(scope | {"state": {}}, receive, send)

    for _ in range(AT_ONCE + 1):
        asyncio.run(call())
    assert files_of(data) == before
    good = Client(app, token)("PUT", path, content=zip_bytes(a_set()), headers=ZIP)
    assert good.status_code == 200, good.text


def test_more_uploads_than_slots_are_sent_away(cluster: DiagnosisCluster) -> None:
    token = cluster.token(Role.SCIENTIST)
    headers = ZIP | {"authorization": f"Bearer {token}"}

    async def call() -> list[int]:
        begun, go = [asyncio.Event() for _ in range(AT_ONCE)], asyncio.Event()

        async def body(event: asyncio.Event) -> AsyncIterator[bytes]:
            yield b"PK"
            event.set()
            await go.wait()

        transport = httpx.ASGITransport(cluster.app())
        async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
            path = f"{HOME}/image-sets/many"
            put = [
                asyncio.create_task(client.put(path, content=body(event), headers=headers))
                for event in begun
            ]
            for event in begun:
                await event.wait()
            late = await client.put(path, content=b"PK", headers=headers)
            assert late.headers["retry-after"]
            listed = await client.get(f"{HOME}/image-sets", headers=headers)
            go.set()
            return [late.status_code, listed.status_code, *[(await one).status_code for one in put]]

    assert asyncio.run(call()) == [503, 200, 422, 422]


def a_request(body: asyncio.Queue[Message]) -> Request:
    class Route:
        path = f"{HOME}/image-sets/{{name}}"

    scope: Scope = {
        "type": "http", "method": "PUT", "route": Route(),
        "headers": [(b"content-type", b"application/zip")],
    }  # fmt: skip
    return Request(scope, body.get)


def test_work_that_has_begun_ends_though_its_caller_is_gone(tmp_path: Path) -> None:
    """Its file stays open and its slot taken until then, so that nothing is mixed up."""

    async def run() -> None:
        uploads, begun, go = Uploads(tmp_path), asyncio.Event(), asyncio.Event()
        read: list[bytes] = []

        async def work(path: Path) -> None:
            begun.set()
            await go.wait()
            read.append(path.read_bytes())

        body: asyncio.Queue[Message] = asyncio.Queue()
        body.put_nowait({"type": "http.request", "body": b"whole", "more_body": False})
        task = asyncio.create_task(uploads.take(a_request(body), "application/zip", work))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert uploads.slots.taken == 1
        go.set()
        await asyncio.gather(*uploads._begun)
        assert (uploads.slots.taken, read) == (0, [b"whole"])

    asyncio.run(run())


def test_a_sender_that_falls_silent_and_a_full_disk_free_their_slot(tmp_path: Path) -> None:
    async def run() -> None:
        uploads = Uploads(tmp_path, silence_s=0.0)

        async def full(path: Path) -> None:
            raise OSError(28, "no space", str(path))

        with pytest.raises(Refused) as silent:
            await uploads.take(a_request(asyncio.Queue()), "application/zip", full)
        assert silent.value.status_code == 408
        body: asyncio.Queue[Message] = asyncio.Queue()
        body.put_nowait({"type": "http.request", "body": b"whole", "more_body": False})
        with pytest.raises(NoSpace):
            await Uploads(tmp_path).take(a_request(body), "application/zip", full)
        assert uploads.slots.taken == 0

    asyncio.run(run())


def test_a_model_waits_until_an_operator_accepts_it(
    scientist: Client, operator: Client, cluster: DiagnosisCluster
) -> None:
    content = onnx_builders.saved(onnx_builders.a_model())
    order = ORDER | {"diseases": ["DOID:552", "", ""]}
    answer = scientist("PUT", f"{HOME}/uploads/tints", content=content, params=order, headers=BYTES)
    assert answer.status_code == 200, answer.text
    waits = answer.json()
    assert (waits["state"], waits["serving"], waits["diseases"]) == ("pending", False, ["DOID:552"])
    mine = waits["made_by"]
    assert mine in {one.kid for one in cluster.network_service.token_cards()}
    at = f"{HOME}/models/tints/acceptance"
    assert scientist("POST", at, json={"version": "1", "decision": "accept"}).status_code == 403
    pending = operator("GET", f"{HOME}/models", params={"state": "pending"}).json()["models"]
    assert [one["version"] for one in pending] == [waits["version"]]
    assert scientist("GET", f"{HOME}/models").json()["models"] == []
    decided = operator("POST", at, json={"version": waits["version"][:8], "decision": "accept"})
    assert decided.status_code == 200, decided.text
    assert scientist("GET", f"{HOME}/models").json()["models"] == [decided.json()]
    bundle = scientist("GET", f"{HOME}/files/{waits['version']}").json()
    assert bundle["card"]["made_by"] == mine
    found = R | {"model": "tints", "version": waits["version"], "label": "red", "probabilities": {}}
    told = scientist("POST", f"{HOME}/results", json=found | {"variant": "fp32"})
    assert told.json()["disease"]["disease_id"] == "DOID:552", told.text
    other = scientist("POST", f"{HOME}/results", json=found | {"variant": "int8"})
    assert (other.status_code, other.json()["where"]) == (422, "variant")
    for said, status in (
        ({"version": "1", "decision": "retire"}, 422),
        ({"version": "9", "decision": "accept"}, 404),
        ({"version": "1", "decision": "refuse", "reason": "late"}, 409),
        ({"version": "1", "decision": "retire", "reason": "wrong"}, 200),
    ):
        assert operator("POST", at, json=said).status_code == status, said
    for state, numbers in (("published", []), ("retired", [1])):
        left = scientist("GET", f"{HOME}/models", params={"state": state}).json()["models"]
        assert [one["number"] for one in left] == numbers
    changes = cluster.registry_service.image_history()
    assert [(one.action, one.reason) for one in changes] == [
        ("pending", NOT_EXAMINED), ("published", ""), ("retired", "wrong"),
    ]  # fmt: skip
    assert changes[0].by == mine and changes[1].by == changes[2].by != mine


def test_a_hostile_model_is_told_and_leaves_nothing(scientist: Client, data: Path) -> None:
    before = files_of(data)
    for content, code in (
        (onnx_builders.external("../../etc/passwd"), "external_data"),
        (onnx_builders.zipped("x"), "format_zip"),
    ):
        answer = scientist(
            "PUT", f"{HOME}/uploads/hostile", content=content, params=ORDER, headers=BYTES
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "model_refused"), answer.text
        assert code in answer.text
    assert files_of(data) == before


def test_what_is_said_of_a_model_is_checked_first(scientist: Client) -> None:
    for changes in (
        {"labels": ["red"]},
        {"labels": ["red", "unknown"]},
        {"labels": ["red", "Red"]},
        {"diseases": ["DOID:552"]},
        {"diseases": ["DOID:0", "", ""]},
        {"range": "0-2"},
        {"size": 16},
        {"licence": ""},
        {"by": "somebody else"},
    ):
        answer = scientist(
            "PUT", f"{HOME}/uploads/x", content=b"x", params=ORDER | changes, headers=BYTES
        )
        assert answer.status_code == 422, (changes, answer.text)
        assert answer.json()["code"] in ("body_invalid", "input_invalid"), changes

"""The prediction application over HTTP: models, and indexes of counts and of cases (A7, A13)."""

import asyncio
import json
import subprocess
import sys
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.authorisation.roles import Role
from cluster.contracts.prediction import ITEMS_MAX
from cluster.contracts.trend import Prediction
from cluster.storage.predictions import count_predictions
from cluster.trend.platform_model import GROUPS
from serve_apps.http.application import application
from serve_apps.prediction.api import PREFIX, routes
from serve_apps.prediction.examples import COUNTS
from tests.http_builders import Client
from tests.prediction_builders import (
    N_CASES,
    NOW,
    PERIOD_DAYS,
    PredictionCluster,
    a_first_model,
    another_model,
    some_items,
)

Json = dict[str, Any]
INDEXES = f"{PREFIX}/indexes"
OF_NORTH = f"{PREFIX}/platforms/north/indexes"
FIGURES = ("index", "surge", "log_growth")
ITEMS = some_items(40)


def asked(items: object, **more: object) -> Json:
    """A body of items of one period."""
    return {"period_end": NOW, "period_days": PERIOD_DAYS, "items": items} | more


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> PredictionCluster:
    made = PredictionCluster(tmp_path_factory.mktemp("data"))
    made.registry_service.publish(*a_first_model())
    return made


@pytest.fixture(scope="module")
def app(cluster: PredictionCluster) -> object:
    return application("prediction", routes(cluster), cluster.entrance(), PREFIX)


@pytest.fixture(scope="module")
def scientist(app: object, cluster: PredictionCluster) -> Client:
    return Client(app, cluster.token(Role.SCIENTIST))


@pytest.fixture(scope="module")
def clinician(app: object, cluster: PredictionCluster) -> Client:
    return Client(app, cluster.token(Role.CLINICIAN, "north"))


@pytest.fixture(scope="module")
def events(cluster: PredictionCluster) -> pa.Table:
    """Accesses of the cases of north."""
    return asyncio.run(cluster.add_platform("north"))


@pytest.fixture(scope="module")
def windows(cluster: PredictionCluster, events: pa.Table) -> pa.Table:
    """The windows of north that end now, as the flow has them."""
    return cluster.services["north"].access_windows(NOW, 0.0)


@pytest.fixture(scope="module")
def alone(scientist: Client) -> list[Json]:
    """The answer to each of the items, asked alone."""
    said = [scientist("POST", INDEXES, json=asked([item])).json() for item in ITEMS]
    return [one["items"][0] for one in said]


def flow_says(cluster: PredictionCluster, windows: pa.Table) -> dict[str, Prediction]:
    """What the flow predicts, by case; without keeping it."""
    model = asyncio.run(cluster.models.get(a_first_model()[1].version))
    return {one.item_id: one for one in model.model.predict(windows)}


def test_counts_give_the_index_that_the_flow_gives(
    cluster: PredictionCluster, scientist: Client, events: pa.Table, windows: pa.Table
) -> None:
    """A7: what a platform cuts from events, told as counts, is answered alike, to the last digit"""
    first = events.group_by("case_id").aggregate([("at", "min")])
    first_access = dict(zip(first["case_id"].to_pylist(), first["at_min"].to_pylist(), strict=True))
    items = [
        {
            "id": row["item_id"],
            "clicks": list(map(int, row["clicks"])),
            "usages": list(map(int, row["usages"])),
            "elsewhere": list(map(int, row["plat_b"])),
            "first_access": first_access.get(row["item_id"]),
            "propagation": row["propagation"],
        }
        for row in windows.to_pylist()
    ]
    said = scientist("POST", INDEXES, json=asked(items)).json()
    known = flow_says(cluster, windows)
    assert {one["id"]: [one[name] for name in FIGURES] for one in said["items"]} == {
        case_id: [one.index, one.surge, one.log_growth] for case_id, one in known.items()
    }
    assert len(known) == N_CASES
    assert len({one.index for one in known.values()}) > N_CASES / 2
    assert (said["model_version"], said["role"]) == (a_first_model()[1].version, "first")


def test_cases_are_answered_as_in_the_flow_and_kept(
    cluster: PredictionCluster, clinician: Client, windows: pa.Table
) -> None:
    """A7: by id the index, digest and version are the flow's, and lie in the ledger, once."""
    case_ids = ["case-3", "nobody", "case-0", "case-3"]
    ledger = cluster.trend_service._ledger
    for _ in range(2):
        answer = clinician("POST", OF_NORTH, json={"case_ids": case_ids})
        assert answer.status_code == 200, answer.text
    said, known = answer.json()["items"], flow_says(cluster, windows)
    assert [one["id"] for one in said] == case_ids
    for row in (0, 2, 3):
        prediction = known[case_ids[row]]
        told = [prediction.index, prediction.surge, prediction.log_growth]
        assert [said[row][name] for name in FIGURES] == told
        assert said[row]["inputs_digest"] == prediction.inputs_digest
    assert (said[1]["index"], said[1]["reason"]) == (None, "no_window")
    with ledger.begin() as tx:
        assert count_predictions(tx) == 2
    assert not cluster.trend_service.unlike_kept([known["case-0"], known["case-3"]])


def test_counts_are_not_kept(cluster: PredictionCluster, scientist: Client) -> None:
    """A7: a question of what were if leaves nothing behind."""
    with cluster.trend_service._ledger.begin() as tx:
        before = count_predictions(tx)
        assert scientist("POST", INDEXES, json=asked(ITEMS)).status_code == 200
        assert count_predictions(tx) == before


def test_the_described_example_is_answered(scientist: Client) -> None:
    """A13: what the OpenAPI description shows can be sent as it is."""
    answer = scientist("POST", INDEXES, json=COUNTS | {"period_days": PERIOD_DAYS})
    assert [one["id"] for one in answer.json()["items"]] == ["rising", "silent"]


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.integers(0, len(ITEMS) - 1), min_size=1, max_size=60))
def test_an_answer_does_not_depend_on_the_other_items(
    scientist: Client, alone: list[Json], rows: list[int]
) -> None:
    """A7: in any order, selection and repetition each item's answer is that to it alone."""
    said = scientist("POST", INDEXES, json=asked([ITEMS[row] for row in rows])).json()
    assert said["items"] == [alone[row] for row in rows]


def test_a_digest_names_what_was_told(scientist: Client, alone: list[Json]) -> None:
    """A7: other counts or another period give another digest, another id does not."""
    item, digest = ITEMS[0], alone[0]["inputs_digest"]
    changes: list[Json] = [
        {"clicks": [90, *item["clicks"][1:]]},
        {"usages": [90, *item["usages"][1:]]},
        {"elsewhere": [0] * 8},
        {"first_access": NOW - 1e6},
        {"propagation": None},
    ]
    bodies = [asked([item | change]) for change in changes]
    bodies += [asked([item], period_end=NOW + 1), asked([item], period_days=27.5)]
    said = [scientist("POST", INDEXES, json=body).json()["items"][0] for body in bodies]
    assert len({digest, *(one["inputs_digest"] for one in said)}) == len(bodies) + 1
    renamed = scientist("POST", INDEXES, json=asked([item | {"id": "other"}])).json()
    assert renamed["items"][0] == alone[0] | {"id": "other"}


@pytest.mark.parametrize(("n", "status"), [(0, 422), (1, 200), (ITEMS_MAX, 200), (1001, 422)])
def test_a_call_takes_1_to_1000(
    scientist: Client, clinician: Client, events: pa.Table, n: int, status: int
) -> None:
    """A13: the limits of a batch, by counts and by ids."""
    assert scientist("POST", INDEXES, json=asked(some_items(n))).status_code == status
    case_ids = [f"case-{number}" for number in range(n)]
    answer = clinician("POST", OF_NORTH, json={"case_ids": case_ids})
    assert answer.status_code == status
    if status == 200:
        assert [one["id"] for one in answer.json()["items"]] == case_ids


@pytest.mark.parametrize("bad", ["NaN", "-1", "1.5", "2.0", "true", '"3"', "null", str(2**53 + 1)])
def test_what_is_no_count_is_refused_by_its_place(scientist: Client, bad: str) -> None:
    """A13: the error names the item and the bin, and does not repeat the rest."""
    body = json.dumps(asked(ITEMS[:3])).replace(
        json.dumps(ITEMS[2]["clicks"]), f"[0, 0, 0, 0, 0, {bad}, 0, 0]"
    )
    answer = scientist("POST", INDEXES, content=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "body_invalid")
    assert [one["where"] for one in answer.json()["errors"]] == ["items.2.clicks.5"]
    assert "item-2" not in answer.text


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"elsewhere": [99] * 8}, "elsewhere"),
        ({"first_access": None}, "first_access"),
        ({"first_access": NOW + 1}, "first_access"),
        ({"clicks": [1] * 7}, "clicks"),
        ({"propagation": 1.1}, "propagation"),
        ({"age": 3}, ""),  # the caller's own word is not said again
    ],
)
def test_what_contradicts_itself_is_refused_by_its_item(
    scientist: Client, change: Json, field: str
) -> None:
    """A13: an item that no platform could have is not guessed at."""
    answer = scientist("POST", INDEXES, json=asked([ITEMS[0], ITEMS[1] | change]))
    assert answer.status_code == 422
    found = answer.json().get("errors") or [answer.json()]
    assert found[0]["where"] == f"items.1.{field}".rstrip(".")


def test_malformed_and_large_bodies_are_refused(scientist: Client) -> None:
    for body, status in ((b"{", 400), (b"[]", 422), (b" " * ((1 << 20) + 1), 413)):
        assert scientist("POST", INDEXES, content=body).status_code == status
    assert scientist("POST", INDEXES, content=b" " * (1 << 20)).status_code == 400


def test_a_period_that_was_not_learned_has_no_index(
    cluster: PredictionCluster, scientist: Client, clinician: Client, events: pa.Table
) -> None:
    """A7: the reason stands where the index would, and the answer is none of an error."""
    said = scientist("POST", INDEXES, json=asked(ITEMS[:2], period_days=7.0)).json()["items"]
    assert [(one["index"], one["reason"]) for one in said] == [(None, "period_not_covered")] * 2
    assert len({one["inputs_digest"] for one in said}) == 2
    assert clinician("POST", OF_NORTH, json={"case_ids": ["x"], "period_end": NOW + 1}).json()[
        "where"
    ] == ("period_end")


def test_what_moved_an_index_is_told_where_it_is_asked(
    cluster: PredictionCluster, clinician: Client, alone: list[Json], windows: pa.Table
) -> None:
    """A13: every group of inputs has its part, and the index is that without the question."""
    said = clinician("POST", INDEXES, json=asked(ITEMS, explain=True)).json()["items"]
    assert all(one.pop("moved").keys() == GROUPS.keys() for one in [dict(one) for one in said])
    assert [{k: v for k, v in one.items() if k != "moved"} for one in said] == alone
    assert max(abs(one["moved"]["accesses"]) for one in said) > 0.01
    assert all(one["moved"]["propagation"] == 0 for one in said if one["id"] == "item-3")
    answer = clinician("POST", OF_NORTH, json={"case_ids": ["case-1", "x"], "explain": True})
    rows = answer.json()["items"]
    mine = windows.filter(pc.equal(windows["item_id"], pa.scalar("case-1")))
    model = asyncio.run(cluster.models.get(a_first_model()[1].version))
    moved = {name: part.tolist()[0] for name, part in model.moved(model.features(mine)).items()}
    assert rows[0]["moved"] == moved
    assert rows[1].get("moved") is None


def test_only_known_versions_answer(scientist: Client) -> None:
    """A13: a version is asked by its name; another is not there, and a second is not ready."""
    version = a_first_model()[1].version
    said = scientist("POST", INDEXES, json=asked(ITEMS[:1], model=version)).json()
    assert said["model_version"] == version
    unknown = scientist("POST", INDEXES, json=asked(ITEMS[:1], model="0" * 64))
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    second = scientist("POST", INDEXES, json=asked(ITEMS[:1], model="second"))
    assert (second.status_code, second.json()["code"]) == (503, "model_not_ready")
    assert "retry-after" in second.headers
    assert scientist("POST", INDEXES, json=asked(ITEMS[:1], model="third")).status_code == 422


def test_who_may_ask(app: object, cluster: PredictionCluster, events: pa.Table) -> None:
    """B9: counts are anybody's with a token, cases belong to the platform's clinicians."""
    for role, home, of_counts, of_north in (
        (Role.OPERATOR, "", 200, 200),
        (Role.CLINICIAN, "north", 200, 200),
        (Role.CLINICIAN, "south", 200, 404),
        (Role.SCIENTIST, "", 200, 403),
        (Role.PLATFORM, "north", 200, 403),
    ):
        client = Client(app, cluster.token(role, home))
        assert client("POST", INDEXES, json=asked(ITEMS[:1])).status_code == of_counts
        assert client("GET", f"{PREFIX}/models").status_code == 200
        answer = client("POST", OF_NORTH, json={"case_ids": ["case-1"]})
        assert answer.status_code == of_north, (role, answer.text)
    public = Client(app)
    assert public("POST", INDEXES, json=asked(ITEMS[:1])).status_code == 401
    assert public("GET", f"{PREFIX}/models").status_code == 401
    assert public("GET", f"{PREFIX}/v2/health/ready").json() == {"ready": True}


def test_what_serves_changes_with_the_registry(tmp_path: Any) -> None:
    """A13: none, a first, its second, another first: the next call knows, and says what is so."""
    cluster = PredictionCluster(tmp_path)
    app = application("prediction", routes(cluster), cluster.entrance(), PREFIX)
    client = Client(app, cluster.token(Role.OPERATOR))
    content, card = a_first_model()

    def state() -> list[Any]:
        codes = [
            client("POST", INDEXES, json=asked(ITEMS[:1], model=model)).status_code
            for model in ("first", "second")
        ]
        models = client("GET", f"{PREFIX}/models").json()
        server = client("GET", f"{PREFIX}/v2/health/ready")
        assert (server.status_code == 200) == server.json()["ready"]
        names = [one["name"] for one in models["serving"] if one["ready"]]
        return [*codes, server.json()["ready"], names, len(models["models"])]

    assert state() == [503, 503, False, [], 0]
    cluster.registry_service.publish(content, card)
    assert state() == [200, 503, True, ["trend-first"], 1]
    cluster.registry_service.publish(*another_model("second", parent=card.version))
    assert state() == [200, 200, True, ["trend-first", "trend-second"], 2]
    said = client("POST", INDEXES, json=asked(ITEMS[:1], model="second")).json()
    assert said["role"] == "second"
    other = another_model("first", seed=77)
    cluster.registry_service.publish(*other)
    assert state() == [200, 503, True, ["trend-first"], 3]
    (tmp_path / "blobs" / other[1].version[:2] / other[1].version).unlink()
    assert state()[0] == 200, "it is in memory"
    cluster.models._kept.clear()
    assert state() == [503, 503, False, [], 3]


def test_models_are_described_in_the_open_inference_protocol(scientist: Client) -> None:
    """A13: metadata and readiness have the shapes of the protocol; other names are not there."""
    v2 = f"{PREFIX}/v2/models"
    first = scientist("GET", f"{v2}/trend-first").json()
    assert first.keys() == {"name", "versions", "platform", "inputs", "outputs"}
    assert first["versions"] == [a_first_model()[1].version]
    assert {"name": "clicks", "datatype": "INT64", "shape": [-1, 8]} in first["inputs"]
    ready = scientist("GET", f"{v2}/trend-first/ready")
    assert (ready.status_code, ready.json()) == (200, {"name": "trend-first", "ready": True})
    ready = scientist("GET", f"{v2}/trend-second/ready")
    assert (ready.status_code, ready.json()) == (503, {"name": "trend-second", "ready": False})
    assert scientist("GET", f"{v2}/trend-third").status_code == 404
    assert scientist("POST", f"{v2}/trend-first/infer", json={}).status_code == 404


def test_routes_are_imported_without_torch_or_ray() -> None:
    """A13: only the process that serves them pays for either."""
    code = (
        "import sys, serve_apps.prediction.api\n"
        "sys.exit(str([name for name in ('torch', 'ray', 'actors') if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "[]"

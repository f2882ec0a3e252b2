"""Rules that the answer of a Matchmaker Exchange server is held against."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from cluster.standards.mme.messages import Json, Patient, fault_of, parsed_json
from cluster.standards.mme.versions import LATEST, NOT_ACCEPTABLE, MmeProblem, Version, stated

OK: Final = 200
RESULTS_CUSTOMARY: Final = 20
COUNTS: Final = (
    *("numberOfCases", "numberOfSubmitters", "numberOfGenes", "numberOfUniqueGenes"),
    *("numberOfVariants", "numberOfUniqueVariants", "numberOfFeatures", "numberOfUniqueFeatures"),
    *("numberOfFeatureSets", "numberOfUniqueGenesMatched", "numberOfCasesWithDiagnosis"),
    *("numberOfRequestsReceived", "numberOfPotentialMatchesSent"),
)


@dataclass(frozen=True)
class Response:
    """What came back."""

    status: int
    content_type: str
    body: bytes


class Broken(Exception):
    """A rule is broken; says how, without what the answer holds."""


Rule = Callable[[Response], None]
"""Raises ``Broken`` where an answer does not keep it."""


def status(*allowed: int) -> Rule:
    """Hold the status."""

    def rule(response: Response) -> None:
        if response.status not in allowed:
            text = f"status {response.status}, not {' or '.join(map(str, allowed))}"
            raise Broken(text)

    return rule


def refused(*allowed: int) -> Rule:
    """Hold the status, and that the body has a message."""

    def rule(response: Response) -> None:
        status(*allowed)(response)
        message = content_of(response, *allowed).get("message")
        if not isinstance(message, str) or not message.strip():
            text = "there is no message"
            raise Broken(text)

    return rule


def speaks(version: Version | None) -> Rule:
    """Hold the version of the answer; any of the same major version where None."""

    def rule(response: Response) -> None:
        status(OK)(response)
        said = version_of(response)
        if said.major != LATEST.major or version not in (None, said):
            text = f"it is answered in version {said}"
            raise Broken(text)

    return rule


def version_of(response: Response) -> Version:
    """Return the version that the answer states."""
    said = stated(response.content_type)
    if said is None:
        text = "the Content-Type of the answer states no version"
        raise Broken(text)
    return said


def refusal_has_version(response: Response) -> None:
    """Hold that a version is refused, and the answer states one that is known."""
    status(NOT_ACCEPTABLE)(response)
    version_of(response)


def content_of(response: Response, *allowed: int) -> Json:
    """Return the object of an answer."""
    status(*(allowed or (OK,)))(response)
    try:
        content = parsed_json(response.body)
    except MmeProblem:
        content = None
    if not isinstance(content, dict):
        text = "the body is no JSON object"
        raise Broken(text)
    return content


def results_of(response: Response) -> list[Json]:
    """Return the results of an answer."""
    results = content_of(response).get("results")
    if not isinstance(results, list) or not all(isinstance(one, dict) for one in results):
        text = "results is no list of objects"
        raise Broken(text)
    return results


def scores_of(response: Response) -> list[float]:
    """Return the scores of an answer."""
    found = []
    for place, one in enumerate(results_of(response)):
        score = one.get("score")
        number = score.get("patient") if isinstance(score, dict) else None
        if not isinstance(number, int | float) or isinstance(number, bool) or not 0 <= number <= 1:
            text = f"results.{place}.score.patient is no number from 0 to 1"
            raise Broken(text)
        found.append(float(number))
    return found


def has_results(response: Response) -> None:
    """Hold that there is a list of results."""
    results_of(response)


def has_scores(response: Response) -> None:
    """Hold that each score is a number from 0 to 1."""
    scores_of(response)


def has_patients(response: Response) -> None:
    """Hold that each result has a valid patient."""
    for place, one in enumerate(results_of(response)):
        try:
            Patient.model_validate(one.get("patient"))
        except ValidationError as error:
            text = fault_of(error, f"results.{place}.patient")
            raise Broken(text) from None


def is_sorted(response: Response) -> None:
    """Hold that the best result is the first."""
    scores = scores_of(response)
    if scores != sorted(scores, reverse=True):
        text = "the scores do not descend"
        raise Broken(text)


def is_short(response: Response) -> None:
    """Hold the number of results."""
    results = results_of(response)
    if len(results) > RESULTS_CUSTOMARY:
        text = f"there are {len(results)} results"
        raise Broken(text)


def is_without(patient_id: str) -> Rule:
    """Hold that a patient is not among the results."""

    def rule(response: Response) -> None:
        patients = (one.get("patient") for one in results_of(response))
        if patient_id in [one.get("id") for one in patients if isinstance(one, dict)]:
            text = "the patient is found by itself"
            raise Broken(text)

    return rule


def has_texts(response: Response) -> None:
    """Hold that disclaimer and terms are texts, where they are there."""
    content = content_of(response)
    wrong = [name for name in ("disclaimer", "terms") if not isinstance(content.get(name, ""), str)]
    if wrong:
        text = f"{wrong[0]} is no text"
        raise Broken(text)


def is_heartbeat(response: Response) -> None:
    """Hold the fields of a heartbeat."""
    found = _inner(response, "heartbeat")
    forms = {"production": bool, "version": str, "accept": list}
    wrong = [name for name, form in forms.items() if not isinstance(found.get(name), form)]
    if wrong:
        text = f"heartbeat.{wrong[0]} is missing or of another kind"
        raise Broken(text)
    types = found["accept"]
    if not types or not all(isinstance(one, str) and stated(one) for one in types):
        text = "heartbeat.accept is no list of media types with versions"
        raise Broken(text)


def is_metrics(response: Response) -> None:
    """Hold that metrics are counts, where they are there."""
    found = _inner(response, "metrics")
    for name in COUNTS:
        count = found.get(name, 0)
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            text = f"metrics.{name} is no count"
            raise Broken(text)
    if not isinstance(found.get("dateGenerated", ""), str):
        text = "metrics.dateGenerated is no text"
        raise Broken(text)


def _inner(response: Response, name: str) -> Json:
    inner = content_of(response).get(name)
    if not isinstance(inner, dict):
        text = f"there is no object {name}"
        raise Broken(text)
    return inner

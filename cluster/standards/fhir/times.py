"""Ages: an ISO 8601 duration of a phenopacket, and a FHIR Age, which has one unit only."""

from typing import Any, Final

from cluster.case.phenopacket import AGE, Age, TimeElement
from cluster.standards.fhir.systems import UCUM, concept, phenotype_of

UNITS: Final = {"a": "Y", "mo": "M", "wk": "W", "d": "D"}
"""Units of UCUM, and their letters in a duration; a year is 12 months in both."""
_NAMES: Final = {"a": "years", "mo": "months", "wk": "weeks", "d": "days"}
ANTENATAL: Final = ("HP:0030674", "Antenatal onset")
"""What a gestational age is told as: an Age begins at birth."""

Json = dict[str, Any]


def age_of(age: Age) -> Json | None:
    """Return a FHIR Age of the same days, in the duration's own unit where it has one only.

    Years and months become months; everything else becomes days.
    """
    found = AGE.fullmatch(age.iso8601duration)
    days = age.days()
    if not found or days is None:
        return None
    years, months, weeks, *smaller = (float(part) if part else 0.0 for part in found.groups())
    given = [bool(years), bool(months), bool(weeks), any(smaller)]
    if given == [False, False, True, False]:
        return _quantity(weeks, "wk")
    if any(given[2:]) or not any(given):
        return _quantity(days, "d")
    return _quantity(years * 12 + months, "mo") if months else _quantity(years, "a")


def duration_of(age: Json) -> str:
    """Return the ISO 8601 duration of a FHIR Age; an empty text for one that cannot be read."""
    letter = UNITS.get(str(age.get("code", "")))
    value = age.get("value")
    if letter is None or value is None or age.get("comparator"):
        return ""
    number = f"{float(value):.6f}".rstrip("0").rstrip(".")
    text = f"P{number}{letter}"
    return text if AGE.fullmatch(text) else ""


def onset_of(time: TimeElement | None) -> Json:
    """Return an onset as ``valueAge`` or ``valueCodeableConcept``; empty if it is neither."""
    if time is None or time.is_invalid:
        return {}
    if time.form == "gestational_age":
        return {"valueCodeableConcept": concept(*ANTENATAL)}
    if time.ontology_class:
        coded = concept(time.ontology_class.id, time.ontology_class.label)
        return {"valueCodeableConcept": coded} if coded else {}
    age = age_of(time.age) if time.age else None
    return {"valueAge": age} if age else {}


def time_of(given: Json) -> Json:
    """Return the time element of a value of ``onset_of``; empty for an unreadable one."""
    if age := given.get("valueAge"):
        duration = duration_of(age)
        return {"age": {"iso8601duration": duration}} if duration else {}
    term = phenotype_of(given.get("valueCodeableConcept") or {})
    return {"ontologyClass": term} if term else {}


def _quantity(value: float, unit: str) -> Json:
    number = round(value, 6)
    whole = int(number) if number == int(number) else number
    return {"value": whole, "unit": _NAMES[unit], "system": UCUM, "code": unit}

"""Small messages of the Matchmaker Exchange API."""

import json
from typing import Any

Json = dict[str, Any]
CONTACT = {"name": "North", "href": "https://north.example/contact"}


def a_patient(**changes: Any) -> Json:
    """Return a patient; a part that is changed to None is left out."""
    made = {
        "id": "p1",
        "contact": CONTACT,
        "features": [{"id": "HP:0001250"}],
        "genomicFeatures": [{"gene": {"id": "GPX4"}}],
    } | changes
    return {name: value for name, value in made.items() if value is not None}


def a_request(**changes: Any) -> bytes:
    """Return the body of a request about it."""
    return json.dumps({"patient": a_patient(**changes)}).encode()


def an_answer(*scores: float) -> bytes:
    """Return the body of an answer with a patient for each score."""
    results = [
        {"score": {"patient": score}, "patient": a_patient(id=f"r{place}")}
        for place, score in enumerate(scores)
    ]
    return json.dumps({"results": results, "disclaimer": "no warranty"}).encode()

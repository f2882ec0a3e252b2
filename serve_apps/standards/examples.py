"""Requests that the OpenAPI description shows; all SIMULATED."""

from typing import Any, Final

MATCH: Final[Any] = {
    "phenotype and gene": {
        "summary": "a SIMULATED patient",
        "value": {
            "patient": {
                "id": "simulated-7",
                "contact": {"name": "A. Tester", "href": "mailto:tester@example.org"},
                "features": [{"id": "HP:0001250"}, {"id": "HP:0000252", "observed": "no"}],
                "genomicFeatures": [{"gene": {"id": "NGLY1"}}],
                "test": True,
            }
        },
    }
}
COUNT: Final[Any] = {
    "seizures": {
        "summary": "SIMULATED individuals with seizures",
        "value": {
            "meta": {"apiVersion": "v2.0"},
            "query": {
                "filters": [{"id": "HP:0001250"}],
                "requestedGranularity": "count",
                "testMode": True,
            },
        },
    }
}

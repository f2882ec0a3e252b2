"""Requests that the OpenAPI description shows, and that the tests send; all SIMULATED."""

from typing import Any, Final

COUNTS: Final[dict[str, Any]] = {
    "model": "first",
    "period_end": 1_767_600_000.0,
    "period_days": 14.0,
    "items": [
        {
            "id": "rising",
            "clicks": [0, 1, 0, 2, 3, 5, 8, 13],
            "usages": [0, 0, 0, 1, 1, 2, 3, 5],
            "elsewhere": [0, 0, 0, 0, 1, 2, 4, 9],
            "first_access": 1_766_500_000.0,
            "propagation": 0.31,
        },
        {
            "id": "silent",
            "clicks": [0, 0, 0, 0, 0, 0, 0, 0],
            "usages": [0, 0, 0, 0, 0, 0, 0, 0],
            "first_access": 1_760_000_000.0,
        },
    ],
}
CASES: Final[dict[str, Any]] = {"model": "first", "case_ids": ["simulated-1", "simulated-2"]}

"""What a Beacon says of a count: never the count itself.

A count is rounded down to a multiple of 11, and what is below 11 exists no more than nothing does.
So one answer never tells a count of 1 to 10 from none, and two answers, to a query and to the same
with one more filter, leave at least eleven possible sizes to the group between them.
"""

from typing import Any

from cluster.errors import DazzleError
from cluster.standards.beacon.framework import (
    API_VERSION,
    FLOOR,
    BeaconIdentity,
    rounding,
    schemas,
)
from cluster.standards.beacon.query import BeaconQuery

Json = dict[str, Any]


def rounded(count: int) -> int:
    """Return what is told of a count: it rounded down to a multiple of 11."""
    return count - count % FLOOR


def answer(identity: BeaconIdentity, query: BeaconQuery, count: int) -> Json:
    """Answer a query whose exact count is known, as ``boolean`` or ``count`` and no finer.

    Args:
        identity: who answers.
        query: what was asked.
        count: the exact count, of SIMULATED individuals where the query is in test mode.
    """
    told = rounded(count)
    is_boolean = query.requested_granularity == "boolean"
    summary: Json = {"exists": told > 0}
    if not is_boolean:
        summary |= {"numTotalResults": told, "countPrecision": "rounded"}  # the latter of v2.2
    information = {"counts": rounding()}
    if query.test_mode:
        information["testMode"] = "SIMULATED individuals"
    return {
        "meta": _meta(identity, query, "boolean" if is_boolean else "count"),
        "responseSummary": summary,
        "info": information,
    }


def refusal(identity: BeaconIdentity, error: DazzleError, status: int) -> Json:
    """Answer what could not be answered.

    Args:
        identity: who answers.
        error: why not; its texts carry no patient data.
        status: HTTP status, which is the Beacon's error code too.
    """
    return {
        "meta": _meta(identity, BeaconQuery(), "boolean"),
        "error": {"errorCode": status, "errorMessage": str(error)},
    }


def _meta(identity: BeaconIdentity, query: BeaconQuery, granularity: str) -> Json:
    return {
        "beaconId": identity.id,
        "apiVersion": API_VERSION,
        "returnedSchemas": schemas(),
        "returnedGranularity": granularity,
        "testMode": query.test_mode,
        "receivedRequestSummary": {
            "apiVersion": API_VERSION,
            "requestedSchemas": [],
            "filters": [one.id for one in query.filters],
            "includeResultsetResponses": query.include_resultset_responses,
            "pagination": query.pagination.model_dump(),
            "requestedGranularity": query.requested_granularity,
            "testMode": query.test_mode,
        },
    }

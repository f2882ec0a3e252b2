"""The two forms in which a case goes in and out: GA4GH Phenopacket 2.0 and FHIR R4 Bundle (B6)."""

import re
from typing import Any, Final

from fastapi import Request, Response
from starlette.responses import JSONResponse

from cluster.contracts.ingest import Finding
from cluster.contracts.share import CaseView
from cluster.errors import CaseInvalid
from cluster.ids import canonical_json
from cluster.standards.fhir.read import read_bundle
from cluster.standards.fhir.write import bundle_of
from serve_apps.http.problems import Refused

Json = dict[str, Any]
FHIR: Final = "application/fhir+json"
JSON: Final = "application/json"
VARY: Final = {"Vary": "Accept"}
ADDRESSABLE: Final = re.compile(r"(?!\.{1,2}$)[^/\\\x00-\x1f\x7f]{1,255}")


def phenopacket_of(request: Request, content: Json) -> tuple[Json, tuple[Finding, ...]]:
    """Return what was sent as a phenopacket, with what of a Bundle could not be taken.

    Raises:
        InputError: a Bundle has not one patient with a phenotype.
        Refused: it is of another media type.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (JSON, FHIR):
        raise Refused(415, f"a case is {JSON} or {FHIR}")
    if kind == JSON:
        return content, ()
    read = read_bundle(content)
    return read.phenopacket, tuple(read.findings)


def answer_in(request: Request, case: CaseView) -> Response:
    """Return a case as it is asked for by ``Accept``: itself, or its FHIR Bundle."""
    if FHIR in request.headers.get("accept", ""):
        return JSONResponse(bundle_of(case.phenopacket), media_type=FHIR, headers=VARY)
    return Response(case.model_dump_json(), media_type=JSON, headers=VARY)


def written(packet: Json) -> bytes:
    """Write a phenopacket in its one form.

    Raises:
        CaseInvalid: a number of it is larger than any, or its id is no part of an address.
    """
    try:
        document = canonical_json(packet).encode()
    except ValueError:
        what = "a number is not finite"
        raise CaseInvalid(what, remedy="Send numbers that are.") from None
    name = packet.get("id") if isinstance(packet, dict) else None
    if isinstance(name, str) and not ADDRESSABLE.fullmatch(name):
        what = "the id of the case cannot be part of an address"
        raise CaseInvalid(what, "id", "Use 1 to 255 letters, digits and signs, without a slash.")
    return document

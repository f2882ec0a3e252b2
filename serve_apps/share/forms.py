"""The two forms in which a case goes in and out: GA4GH Phenopacket 2.0 and FHIR R4 Bundle (B6)."""

from typing import Any, Final

from fastapi import Request, Response
from starlette.responses import JSONResponse

from cluster.contracts.ingest import Finding
from cluster.contracts.share import CaseView
from cluster.standards.fhir.read import read_bundle
from cluster.standards.fhir.write import bundle_of

Json = dict[str, Any]
FHIR: Final = "application/fhir+json"
JSON: Final = "application/json"


def phenopacket_of(request: Request, content: Json) -> tuple[Json, tuple[Finding, ...]]:
    """Return what was sent as a phenopacket, with what of a Bundle could not be taken.

    Raises:
        InputError: a Bundle has not one patient with a phenotype.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FHIR:
        return content, ()
    read = read_bundle(content)
    return read.phenopacket, tuple(read.findings)


def answer_in(request: Request, case: CaseView) -> Response:
    """Return a case as it is asked for by ``Accept``: itself, or its FHIR Bundle."""
    if FHIR in request.headers.get("accept", ""):
        return JSONResponse(bundle_of(case.phenopacket), media_type=FHIR)
    return Response(case.model_dump_json(), media_type=JSON)

"""A case as a FHIR R4 Bundle, and a Bundle read as a phenopacket."""

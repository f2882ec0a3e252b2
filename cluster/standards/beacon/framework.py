"""The informational answers of a Beacon v2: what it is, what it serves, what can be asked.

Shapes follow the framework's schemas (github.com/ga4gh-beacon/beacon-v2). Nothing in them depends
on a case: the filtering terms are those of the vocabularies, not those that occur.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from cluster.ontology import Ontology, term_id

API_VERSION: Final = "v2.0.0"
ENTRY_TYPE: Final = "individual"
SCHEMA: Final = "ga4gh-beacon-individual-v2.0.0"
FLOOR: Final = 11
"""Counts are multiples of it: see the decision on small counts."""
TERMS_A_PAGE: Final = 1000
"""Most filtering terms in one answer."""
FEMALE: Final = "NCIT:C16576"
MALE: Final = "NCIT:C20197"

_REPOSITORY: Final = "https://raw.githubusercontent.com/ga4gh-beacon/beacon-v2/main"
_CONFIGURATION: Final = f"{_REPOSITORY}/framework/json/configuration"
_RESOURCES: Final = (
    ("hp", "Human Phenotype Ontology", "HP", "http://purl.obolibrary.org/obo/HP_"),
    ("omim", "Online Mendelian Inheritance in Man", "OMIM", "https://omim.org/entry/"),
    ("orphanet", "Orphanet", "ORPHA", "http://www.orpha.net/ORDO/Orphanet_"),
    ("mondo", "Mondo Disease Ontology", "MONDO", "http://purl.obolibrary.org/obo/MONDO_"),
    ("ncit", "NCI Thesaurus", "NCIT", "http://purl.obolibrary.org/obo/NCIT_"),
)
"""Id, name, prefix of ids and prefix of addresses of each vocabulary with filters."""

Json = dict[str, Any]
Word = Annotated[str, Field(min_length=1, max_length=255)]
Url = Annotated[str, Field(pattern=r"^https?://[^\s/]\S*[^\s/]$", max_length=255)]


class BeaconIdentity(BaseModel):
    """Who answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Word
    """In reverse domain notation, such as ``org.example.north``."""
    name: Word
    environment: Literal["prod", "test", "dev", "staging"]
    organisation_id: Word
    organisation_name: Word
    base_url: Url
    """Address of the Beacon's root, without a slash at its end."""
    software_version: Word


def schemas() -> list[Json]:
    """Return which form an individual has."""
    return [{"entityType": ENTRY_TYPE, "schema": SCHEMA}]


def info(identity: BeaconIdentity) -> Json:
    """Answer ``/`` and ``/info``."""
    return _answer(
        identity,
        {
            "id": identity.id,
            "name": identity.name,
            "apiVersion": API_VERSION,
            "environment": identity.environment,
            "organization": {"id": identity.organisation_id, "name": identity.organisation_name},
            "description": f"Counts of rare cases by phenotype, diagnosis and sex. {rounding()}",
            "version": identity.software_version,
            "welcomeUrl": identity.base_url,
        },
    )


def service_info(identity: BeaconIdentity) -> Json:
    """Answer ``/service-info``, in the form of GA4GH service-info 1.0.0, which has no ``meta``."""
    return {
        "id": identity.id,
        "name": identity.name,
        "type": {"group": "org.ga4gh", "artifact": "beacon", "version": API_VERSION[1:]},
        "organization": {"name": identity.organisation_name, "url": identity.base_url},
        "environment": identity.environment,
        "version": identity.software_version,
    }


def configuration(identity: BeaconIdentity) -> Json:
    """Answer ``/configuration``."""
    status = {"prod": "PROD", "dev": "DEV"}.get(identity.environment, "TEST")
    return _answer(
        identity,
        {
            "$schema": f"{_CONFIGURATION}/beaconConfigurationSchema.json",
            "maturityAttributes": {"productionStatus": status},
            "securityAttributes": {"defaultGranularity": "count", "securityLevels": ["CONTROLLED"]},
            "entryTypes": _entry_types(),
        },
    )


def entry_types(identity: BeaconIdentity) -> Json:
    """Answer ``/entry_types``."""
    return _answer(identity, {"entryTypes": _entry_types()})


def beacon_map(identity: BeaconIdentity) -> Json:
    """Answer ``/map``."""
    endpoints = {
        "entryType": ENTRY_TYPE,
        "rootUrl": f"{identity.base_url}/individuals",
        "filteringTermsUrl": f"{identity.base_url}/filtering_terms",
    }
    content = {
        "$schema": f"{_CONFIGURATION}/beaconMapSchema.json",
        "endpointSets": {ENTRY_TYPE: endpoints},
    }
    return _answer(identity, content)


def filtering_terms(
    identity: BeaconIdentity, ontology: Ontology, skip: int = 0, limit: int = 10
) -> Json:
    """Answer ``/filtering_terms`` with one page: the sexes, then every sign of the ontology.

    Codes of OMIM, Orphanet and Mondo are filters too; these vocabularies stand in ``resources``
    only.

    Args:
        identity: who answers.
        ontology: whose living signs are listed, whether a case has them or not.
        skip: pages to leave out.
        limit: terms a page; 0 for as many as one answer takes.
    """
    terms = [_term(FEMALE, "Female", "NCI Thesaurus"), _term(MALE, "Male", "NCI Thesaurus")]
    size = min(limit or TERMS_A_PAGE, TERMS_A_PAGE)
    rows = ontology.descendants(ontology.row_of("HP:0000118"))
    first = max(skip * size - len(terms), 0)
    last = max((skip + 1) * size - len(terms), 0)
    signs = [
        _term(term_id(int(ontology.numbers[row])), ontology.names[row], "Human Phenotype Ontology")
        for row in rows[first:last]
    ]
    resources = [
        {"id": name, "name": full, "nameSpacePrefix": prefix, "iriPrefix": iri}
        for name, full, prefix, iri in _RESOURCES
    ]
    resources[0]["version"] = ontology.version
    page = [*terms[skip * size : (skip + 1) * size], *signs]
    return _answer(identity, {"resources": resources, "filteringTerms": page})


def rounding() -> str:
    """Say in words what every count of this Beacon is."""
    return (
        f"Counts are rounded down to a multiple of {FLOOR}; fewer than {FLOOR} individuals, none "
        "included, are all answered as not existing."
    )


def _answer(identity: BeaconIdentity, response: Json) -> Json:
    meta = {"beaconId": identity.id, "apiVersion": API_VERSION, "returnedSchemas": schemas()}
    return {"meta": meta, "response": response}


def _term(code: str, label: str, vocabulary: str) -> Json:
    return {"type": vocabulary, "id": code, "label": label, "scopes": [ENTRY_TYPE]}


def _entry_types() -> Json:
    return {
        ENTRY_TYPE: {
            "id": ENTRY_TYPE,
            "name": "Individual",
            "description": "A person whose rare case the platform may share; one case, one person.",
            "ontologyTermForThisType": {"id": "NCIT:C25190", "label": "Person"},
            "partOfSpecification": f"Beacon {API_VERSION}",
            "defaultSchema": {
                "id": SCHEMA,
                "name": "Default schema for an individual",
                "referenceToSchemaDefinition": (
                    f"{_REPOSITORY}/models/json/beacon-v2-default-model/individuals"
                    "/defaultSchema.json"
                ),
                "schemaVersion": API_VERSION,
            },
            "nonFilteredQueriesAllowed": True,
        }
    }

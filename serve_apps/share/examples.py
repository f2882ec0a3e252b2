"""Requests that the OpenAPI description shows, and that the tests send; all SIMULATED."""

from typing import Any, Final

PHENOPACKET: Final[dict[str, Any]] = {
    "id": "simulated-1",
    "subject": {"id": "person-1", "sex": "FEMALE"},
    "phenotypicFeatures": [
        {"type": {"id": "HP:0001250", "label": "Seizure"}},
        {"type": {"id": "HP:0001263", "label": "Global developmental delay"}},
        {"type": {"id": "HP:0000252", "label": "Microcephaly"}, "excluded": True},
    ],
    "diseases": [{"term": {"id": "OMIM:615273", "label": "NGLY1-deficiency"}}],
    "metaData": {
        "created": "2026-01-05T00:00:00Z",
        "createdBy": "simulation",
        "phenopacketSchemaVersion": "2.0",
        "resources": [
            {
                "id": "hp",
                "name": "human phenotype ontology",
                "url": "http://purl.obolibrary.org/obo/hp.owl",
                "version": "2025-01-16",
                "namespacePrefix": "HP",
                "iriPrefix": "http://purl.obolibrary.org/obo/HP_",
            }
        ],
    },
}
BUNDLE: Final[dict[str, Any]] = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [
        {
            "fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000001",
            "resource": {"resourceType": "Patient", "id": "simulated-3", "gender": "male"},
        },
        {
            "fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000002",
            "resource": {
                "resourceType": "Observation",
                "status": "final",
                "code": {
                    "coding": [
                        {"system": "http://human-phenotype-ontology.org", "code": "HP:0001250"}
                    ]
                },
                "subject": {"reference": "urn:uuid:00000000-0000-4000-8000-000000000001"},
                "valueBoolean": True,
            },
        },
    ],
}
CASE: Final[Any] = {
    "application/json": {"phenopacket": {"summary": "a SIMULATED case", "value": PHENOPACKET}},
    "application/fhir+json": {"bundle": {"summary": "a SIMULATED case", "value": BUNDLE}},
}
QUERY: Final[Any] = {
    "phenotype": {
        "summary": "by what was seen and what was looked for and absent",
        "value": {"terms": ["HP:0001250", "HP:0001263"], "excluded": ["HP:0000252"], "k": 5},
    },
    "words": {"summary": "by words", "value": {"text": "seizure", "k": 5}},
}
NETWORK_QUERY: Final[Any] = {
    "phenotype": {
        "summary": "the own platform and all that it has an agreement with",
        "value": {"terms": ["HP:0001250", "HP:0001263"], "excluded": ["HP:0000252"], "k": 5},
    },
    "disease": {
        "summary": "cases of a disease on platforms that are named",
        "value": {"where": {"disease_id": "OMIM:615273"}, "platforms": ["platform-2"]},
    },
}
EVENT_BATCH: Final[Any] = {
    "two": {
        "summary": "a view, and a download that followed it",
        "value": {
            "events": [
                {
                    "event_id": "e-1",
                    "case_id": "simulated-1",
                    "kind": "view",
                    "at": 1_767_600_000.0,
                    "user": "u-7f3a",
                },
                {
                    "event_id": "e-2",
                    "case_id": "simulated-1",
                    "kind": "download",
                    "at": 1_767_600_060.0,
                    "user": "u-7f3a",
                    "parent_id": "e-1",
                },
            ]
        },
    }
}
CONSENT: Final[Any] = {
    "withdrawn": {
        "summary": "taken back from all who got it",
        "value": {"state": "withdrawn", "consent": "private"},
    }
}
PLATFORM: Final[Any] = {
    "hospital": {
        "summary": "a children's hospital",
        "value": {
            "person_years_at_risk": 1_200_000.0,
            "region": "north",
            "specialities": ["neurology"],
            "contact": "mailto:rare@north.example",
        },
    }
}
AGREED: Final[Any] = {"yes": {"summary": "cases go both ways", "value": {"agreed": True}}}
TOKEN: Final[Any] = {
    "clinician": {
        "summary": "for an application of the hospital",
        "value": {"role": "clinician", "holder": "ward 3", "platform": "platform-1", "days": 30},
    }
}
MATCHMAKER: Final[Any] = {
    "peer": {
        "summary": "a server that may be told of cases, and how it is asked",
        "value": {"agreed": True, "url": "https://mme.example/", "token": "THEIRS"},
    }
}
MATCHMAKING: Final[Any] = {
    "all": {"summary": "all that have an agreement", "value": {"case_id": "simulated-1"}}
}
REMOTE: Final[Any] = {
    "south": {
        "summary": "what the other side's operator has sent",
        "value": {
            "card": {
                "platform_id": "south-1",
                "url": "https://south.example/share/v1",
                "public_key": "0123456789abcdef" * 4,
                "mix": {"nervous system": 0.4},
            },
            "token": "THEIRS",
        },
    }
}
QUESTIONS: Final[Any] = {
    "related": {
        "summary": "what a shared case is like",
        "value": {
            "receiver": "platform-1",
            "queries": [
                {
                    "case_id": "platform-9.0123456789abcdef01234567",
                    "terms": [1250, 1263],
                    "disease_id": "OMIM:615273",
                    "genes": ["NGLY1"],
                }
            ],
        },
    }
}
SEARCHES: Final[Any] = {
    "phenotype": {
        "summary": "by what was seen",
        "value": {
            "receiver": "platform-1",
            "query": {"terms": ["HP:0001250", "HP:0001263"], "k": 5},
        },
    }
}
RARE_CASES: Final[Any] = {
    "disease": {
        "summary": "by the codes of a disease",
        "value": {
            "receiver": "platform-1",
            "question": {
                "disease_id": "OMIM:615273",
                "name": "NGLY1-deficiency",
                "codes": ["OMIM:615273", "ORPHA:404454"],
                "limit": 5,
            },
        },
    }
}
DELIVERIES: Final[Any] = {
    "recall": {
        "summary": "a case is taken back",
        "value": {
            "envelopes": [
                {
                    "delivery_id": "5b0f2a7c1d8e4f6a9b3c5d7e9f1a2b3c",
                    "kind": "recall",
                    "sender": "platform-9",
                    "receiver": "platform-1",
                    "case_id": "platform-9.0123456789abcdef01234567",
                    "digest": "0" * 64,
                    "payload": "{}",
                    "epoch": 1,
                    "round": 1,
                }
            ]
        },
    }
}

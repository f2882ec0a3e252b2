"""Small files of disease records for tests."""

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cluster.contracts.disease import DiseaseCard
from cluster.diseases.lookup import DiseaseTable
from cluster.ids import sha256
from cluster.storage.diseases import read_diseases

Json = dict[str, Any]

TREATED = {"kind": "treatment", "text": "Rest.", "source": "NHLBI", "url": "https://example.org/t"}
ACTION = {
    "action": "carnitine supplementation",
    "maxo_id": "MAXO:0010006",
    "relation": "treats",
    "for": "HP:0003198",
    "for_label": "Myopathy",
    "evidence": "PCS",
    "source": "PMID:2502671",
}
PNEUMONIA: list[Json] = [
    {"id": "DOID:850", "name": "lung disease"},
    {"id": "DOID:552", "name": "pneumonia", "parents": ["DOID:850"], "texts": [TREATED]},
    {
        "id": "DOID:874",
        "name": "bacterial pneumonia",
        "synonyms": ["pneumonia caused by bacteria"],
        "definitions": [
            {"text": "A pneumonia by bacteria.", "source": "Disease Ontology DOID:874"}
        ],
        "xrefs": {"ICD-10": ["J15.9"], "MeSH": ["D018410"], "OMIM": [{"id": "609016"}]},
        "parents": ["DOID:552"],
    },
    {
        "id": "ORPHA:5",
        "name": "Sjögren's deficiency",
        "xrefs": {
            "OMIM": [{"id": "609016", "relation": "E"}, {"id": "154700", "relation": "BTNT"}],
            "MONDO": ["12173"],
        },
        "treatments": [ACTION],
    },
    {
        "id": "ORPHA:6",
        "name": "Another one",
        "synonyms": ["SDX"],
        "xrefs": {"OMIM": [{"id": "609016", "relation": "NTBT"}]},
    },
    {"id": "ORPHA:7", "name": "NON RARE IN EUROPE: Autism", "synonyms": ["sdx"], "status": ["Old"]},
]


def packed(*lines: Json | bytes) -> bytes:
    """Return a file packed with gzip, one record or raw line after the other."""
    parts = (one if isinstance(one, bytes) else json.dumps(one).encode() for one in lines)
    return gzip.compress(b"".join(part + b"\n" for part in parts))


def a_card(content: bytes, **changes: Any) -> DiseaseCard:
    """Return the card of a file that was not read yet."""
    return DiseaseCard(name="d.jsonl.gz", digest=sha256(content), records=0, **changes)


def a_table(*lines: Json) -> DiseaseTable:
    """Return the look-up over some records."""
    content = packed(*lines)
    return read_diseases(content, a_card(content))[0]


def bytes_below(folder: Path) -> Mapping[str, bytes]:
    """Return the content of every file below a folder, by name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }

"""Where the ontology comes from: the HPO release that the ``hpo3`` package carries.

The table is built once into the data folder and then memory-mapped, so that many processes share
one copy (building takes about a second and 200 MB, mapping nothing).
"""

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import ipc

from cluster.ingest.simulation import AnnotatedDisease
from cluster.ontology import TABLE, Ontology
from cluster.storage.files import write_durably

VERSION = b"hpo_version"


def load_ontology(data_dir: Path) -> Ontology:
    """Open the ontology's table in the data folder, building it where it is missing."""
    path = data_dir / "ontology.arrow"
    if not path.exists():
        table = _table_from_hpo3()
        sink = pa.BufferOutputStream()
        with ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        write_durably(path, sink.getvalue().to_pybytes())
    with pa.memory_map(str(path)) as source:
        table = ipc.open_file(source).read_all()
    return Ontology(table, version=(table.schema.metadata or {})[VERSION].decode())


def _table_from_hpo3() -> pa.Table:
    release = _release()
    terms = sorted(release, key=int)
    row_of = {int(term): row for row, term in enumerate(terms)}
    diseases = len(release.omim_diseases)
    successor = {int(t): int(t.replaced_by[3:]) for t in terms if t.replaced_by}
    replaced = [
        row_of[_last(int(term), successor)] if int(term) in successor else None for term in terms
    ]
    columns = [
        [int(term) for term in terms],
        [term.name for term in terms],
        [sorted(row_of[number] for number in term.parent_ids()) for term in terms],
        [
            sorted({row, *(row_of[int(above)] for above in term.all_parents)})
            for row, term in enumerate(terms)
        ],
        [_information(term, diseases) for term in terms],
        replaced,
        [term.is_obsolete for term in terms],
    ]
    arrays = [pa.array(c, field.type) for c, field in zip(columns, TABLE, strict=True)]
    schema = TABLE.with_metadata({VERSION: f"HPO {release.version()} (hpo3)".encode()})
    return pa.Table.from_arrays(arrays, schema=schema)


def _last(number: int, successor: dict[int, int]) -> int:
    """Follow successors to the term that stands today."""
    passed = {number}
    while number in successor and successor[number] not in passed:
        number = successor[number]
        passed.add(number)
    return number


def _information(term: object, diseases: int) -> float:
    """Return -ln(share of diseases); a term no disease has is as rare as one in all of them."""
    known = float(term.information_content.omim)  # type: ignore[attr-defined]  # untyped package
    return known if known > 0 or int(term) <= 1 else math.log(diseases)  # type: ignore[call-overload]


def load_annotated_diseases() -> list[AnnotatedDisease]:
    """Read the OMIM diseases that the embedded release annotates, by id."""
    release = _release()
    return [
        AnnotatedDisease(f"OMIM:{int(disease.id)}", disease.name, tuple(sorted(disease.hpo)))
        for disease in sorted(release.omim_diseases, key=lambda disease: int(disease.id))
    ]


def _release() -> Any:  # noqa: ANN401 - untyped package
    """Return the release that is built into ``hpo3``, which is read once a process."""
    from pyhpo import Ontology as Release  # the import name of hpo3; loads 200 MB

    try:
        len(Release)
    except NameError:  # its way of saying that it has not been read
        Release()
    return Release

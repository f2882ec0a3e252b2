"""Where the ontology comes from: an ``hp.obo`` file, else the release that ``hpo3`` carries.

The table is built once into the data folder and then memory-mapped, so that many processes share
one copy (building takes seconds and some hundred MB, mapping nothing). Its file is named by what it
was made from: another source is another file, and an old one never stands for a new one.

Information content is -ln of the share of OMIM diseases that have the term or one below it. An
``hp.obo`` has no diseases: those of the embedded release are placed in the given hierarchy.
"""

import importlib.metadata
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import ipc
from scipy import sparse

from cluster.ids import canonical_json, sha256
from cluster.ingest.simulation import AnnotatedDisease
from cluster.ontology import TABLE, Floats, Ontology, term_id
from cluster.storage.files import write_durably
from cluster.storage.obo import ReleasedTerm, parse_obo, read_bytes

VERSION: Final = b"hpo_version"
FORM: Final = 2
"""Raised when tables are made in another way, so that those of before are made anew."""
DIGEST_CHARS: Final = 16
VERSION_CHARS: Final = 8


def load_ontology(data_dir: Path, hpo_path: str = "") -> Ontology:
    """Open the ontology's table in the data folder, building it where it is missing.

    Args:
        data_dir: folder where the table is kept.
        hpo_path: ``hp.obo`` or ``hp.obo.gz``; the embedded release where it is empty.

    Raises:
        SourceUnreadable: nothing usable lies at ``hpo_path``.
    """
    content = read_bytes(Path(hpo_path)) if hpo_path else b""
    digest = sha256(content)[:DIGEST_CHARS]
    embedded = f"hpo3-{importlib.metadata.version('hpo3')}"
    source = f"{digest}-{embedded}" if hpo_path else embedded
    path = data_dir / f"ontology-{source}-{FORM}.arrow"
    if not path.exists():
        if hpo_path:
            release, terms = parse_obo(content, Path(hpo_path))
            version = f"HPO {release or 'without a date'} (hp.obo {digest[:VERSION_CHARS]})"
        else:
            version, terms = _embedded_terms()
        _write(path, _table(terms, version))
        load_gene_symbols(data_dir)  # here, where the release has been read anyway
    with pa.memory_map(str(path)) as source_file:
        table = ipc.open_file(source_file).read_all()
    return Ontology(table, version=(table.schema.metadata or {})[VERSION].decode())


def load_annotated_diseases(ontology: Ontology | None = None) -> list[AnnotatedDisease]:
    """Read the OMIM diseases that the embedded release annotates, by id.

    Args:
        ontology: where it is given, terms are those that it has today, and the others are left out.
    """
    found = []
    for disease in _diseases():
        numbers = sorted(map(int, disease.hpo))
        if ontology is not None:
            rows = ontology.resolve(map(term_id, numbers)).rows
            numbers = sorted(int(ontology.numbers[row]) for row in rows)
        found.append(AnnotatedDisease(f"OMIM:{int(disease.id)}", disease.name, tuple(numbers)))
    return found


def load_gene_symbols(data_dir: Path) -> dict[str, str]:
    """Return the HGNC symbols of the genes that the embedded release annotates, by Entrez number.

    They are written beside the ontology once: reading the release takes seconds and 200 MB.
    """
    path = data_dir / f"genes-hpo3-{importlib.metadata.version('hpo3')}.json"
    if not path.exists():
        symbols = {str(gene.id): gene.name for gene in _release().genes}
        write_durably(path, canonical_json(symbols).encode())
    read: dict[str, str] = json.loads(path.read_bytes())
    return read


def _write(path: Path, table: pa.Table) -> None:
    sink = pa.BufferOutputStream()
    with ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    write_durably(path, sink.getvalue().to_pybytes())


def _table(given: Sequence[ReleasedTerm], version: str) -> pa.Table:
    """Build the table of a release without cycles."""
    terms = sorted(given, key=lambda term: term.number)
    row_of = {term.number: row for row, term in enumerate(terms)}
    parents = [[row_of[above] for above in term.parents] for term in terms]
    ancestors = _ancestors(parents)
    today = _today(terms)
    columns: list[Any] = [
        [term.number for term in terms],
        [term.name for term in terms],
        parents,
        ancestors,
        _information(ancestors, {number: row_of[now] for number, now in today.items()}),
        [row_of.get(today.get(term.number, -1)) if term.obsolete else None for term in terms],
        [term.obsolete for term in terms],
        [term.synonyms for term in terms],
        [term.definition for term in terms],
    ]
    arrays = [pa.array(c, field.type) for c, field in zip(columns, TABLE, strict=True)]
    return pa.Table.from_arrays(arrays, schema=TABLE.with_metadata({VERSION: version.encode()}))


def _ancestors(parents: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return the rows above each term with its own, ascending."""
    known: dict[int, frozenset[int]] = {}

    def above(row: int) -> frozenset[int]:
        if row not in known:
            known[row] = frozenset({row}).union(*(above(parent) for parent in parents[row]))
        return known[row]

    return [sorted(above(row)) for row in range(len(parents))]


def _today(terms: Sequence[ReleasedTerm]) -> dict[int, int]:
    """Return the living term that stands for each number; obsolete ones that end nowhere lack."""
    by_number = {term.number: term for term in terms}
    found = {}
    for term in terms:
        passed: set[int] = set()
        now: ReleasedTerm | None = term
        while now is not None and now.obsolete and now.number not in passed:
            passed.add(now.number)
            now = by_number.get(-1 if now.replaced_by is None else now.replaced_by)
        if now is not None and not now.obsolete:
            found[term.number] = now.number
    return found


def _information(ancestors: Sequence[Sequence[int]], row_of: dict[int, int]) -> Floats:
    """Return -ln(share of diseases) by row; a term no disease has is as rare as one in all."""
    diseases = _diseases()
    annotated = [[row_of[int(n)] for n in disease.hpo if int(n) in row_of] for disease in diseases]
    n_terms, n_diseases = len(ancestors), len(diseases)
    has = _indicator(annotated, n_terms) @ _indicator(ancestors, n_terms)
    counts = np.bincount(has.indices, minlength=n_terms)
    shares = np.log(n_diseases / np.maximum(counts, 1))
    information: Floats = np.where(counts > 0, shares, math.log(n_diseases)).astype(np.float32)
    return information


def _indicator(lists: Sequence[Sequence[int]], width: int) -> sparse.csr_array:
    """Return a matrix [lists, width] with a 1 in each column that a row's list names."""
    indptr = np.concatenate([[0], np.cumsum([len(one) for one in lists])])
    columns = np.fromiter((column for one in lists for column in one), np.int64, int(indptr[-1]))
    ones = np.ones(len(columns), np.int32)
    return sparse.csr_array((ones, columns, indptr), shape=(len(lists), width))


def _embedded_terms() -> tuple[str, list[ReleasedTerm]]:
    release = _release()
    terms = [
        ReleasedTerm(
            int(term),
            term.name,
            tuple(sorted(map(int, term.parent_ids()))),
            term.is_obsolete,
            int(term.replaced_by[3:]) if term.replaced_by else None,
        )
        for term in release
    ]
    return f"HPO {release.version()} (hpo3)", terms


def _diseases() -> list[Any]:
    return sorted(_release().omim_diseases, key=lambda disease: int(disease.id))


def _release() -> Any:  # noqa: ANN401 - untyped package
    """Return the release that is built into ``hpo3``, which is read once a process."""
    from pyhpo import Ontology as Release  # the import name of hpo3; loads 200 MB

    try:
        len(Release)
    except NameError:  # its way of saying that it has not been read
        Release()
    return Release

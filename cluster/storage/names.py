"""Names of terms, diseases and genes as they are published (B6, B9)."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from cluster.diseases.lookup import DiseaseTable
from cluster.errors import DazzleError
from cluster.ontology import Ontology, term_number
from cluster.storage.diseases import DiseaseShelf
from cluster.storage.literature import load_disease_names
from cluster.storage.ontology import load_gene_symbols

NAMES_KEPT = 10_000


def published_names(data_dir: Path, ontology: Ontology) -> Callable[[str], str]:
    """Return what gives the published name of an id: of the ontology, else of a disease.

    The names replace the words of a case. A disease is looked up in the disease database, then in
    the annotations that come with the ontology. An id that neither has is named by an empty text.
    """
    annotated = load_disease_names(data_dir)
    table = _table(data_dir)

    @lru_cache(NAMES_KEPT)
    def name_of(given: str) -> str:
        if term_number(given) >= 0:
            return ontology.label(given)
        if given in annotated:
            return annotated[given]
        found = _found(table, given)
        return found[0] if found else ""

    return name_of


def gene_symbols(data_dir: Path) -> Callable[[str], str]:
    """Return what gives the HGNC symbol of an Entrez number; empty for everything else.

    The genes are those that the ontology's release annotates with a disease. It has no Ensembl ids
    and no symbols of before.
    """
    symbols = load_gene_symbols(data_dir)

    def symbol_of(given: str) -> str:
        return symbols.get(given, "")

    return symbol_of


def _table(data_dir: Path) -> DiseaseTable | None:
    try:
        return DiseaseShelf(data_dir).open()[0]
    except DazzleError:  # names are not worth a platform that does not start
        return None


def _found(table: DiseaseTable | None, code: str) -> list[str]:
    try:
        return [one.name for one in table.find(code)] if table else []
    except DazzleError:  # no code of its vocabulary
        return []

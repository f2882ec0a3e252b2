"""Reads a release of the HPO from an ``hp.obo`` file, or says why it cannot be used.

Only ``is_a`` between HPO terms makes the hierarchy. A term's other ids (``alt_id``) become obsolete
terms that it replaces, so that an old id finds its way however the release names it.
"""

import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Final

from cluster.errors import SourceUnreadable
from cluster.ontology import PHENOTYPIC_ABNORMALITY, term_id, term_number

IS_A: Final = "is_a"
GZIP: Final = b"\x1f\x8b"
QUOTED: Final = re.compile(r'"((?:\\.|[^"\\])*)"')
ESCAPED: Final = re.compile(r"\\(.)")
RELEASE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
REMEDY: Final = "Give an unaltered hp.obo or hp.obo.gz of the HPO as hpo_path, or none."


@dataclass(frozen=True)
class ReleasedTerm:
    """A term as a release gives it; numbers are those of the ids."""

    number: int
    name: str
    parents: tuple[int, ...] = ()
    obsolete: bool = False
    replaced_by: int | None = None
    synonyms: tuple[str, ...] = ()
    definition: str = ""


def read_bytes(path: Path) -> bytes:
    """Return the text of an OBO file, unpacked where it is packed with gzip.

    Raises:
        SourceUnreadable: there is no such file, or it ends too early.
    """
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(GZIP) else content
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, f"it cannot be read ({type(error).__name__})") from None


def parse_obo(content: bytes, path: Path) -> tuple[str, list[ReleasedTerm]]:
    """Return the release's date, or an empty text, and its terms with their other ids.

    Args:
        content: the text of the file in UTF-8.
        path: the file, for the words of an error.

    Raises:
        SourceUnreadable: it is not OBO, has no HPO terms or not their root, names a parent that is
            not there, or has terms that are above themselves.
    """
    import obonet  # a quarter of a second, with networkx; only whoever builds a table pays for it

    if b"[Term]" not in content:
        raise _unreadable(path, "it is not OBO: it has no [Term]")
    try:
        graph = obonet.read_obo(io.StringIO(content.decode()), ignore_obsolete=False)
    except (ValueError, KeyError, TypeError) as error:
        raise _unreadable(path, f"it is not OBO ({type(error).__name__})") from None
    terms = {n: graph.nodes[given] for given in graph if (n := term_number(given)) >= 0}
    if not terms:
        raise _unreadable(path, "it has no term HP:nnnnnnn")
    root = terms.get(PHENOTYPIC_ABNORMALITY)
    if root is None or _is_obsolete(root):
        raise _unreadable(path, f"it has no {term_id(PHENOTYPIC_ABNORMALITY)}, the root")
    nameless = min((number for number, term in terms.items() if "name" not in term), default=None)
    if nameless is not None:
        raise _unreadable(path, f"{term_id(nameless)} is named as a parent and has no name")
    found = RELEASE.search(str(graph.graph.get("data-version", "")))
    return (found[0] if found else ""), list(_released(terms, _parents(graph, path)))


def _parents(graph: Any, path: Path) -> dict[int, set[int]]:  # noqa: ANN401 - networkx, untyped
    """Return the numbers right above each living term."""
    above: dict[int, set[int]] = {}
    for given, parent, kind in graph.edges(keys=True):
        ends = term_number(given), term_number(parent)
        if kind == IS_A and min(ends) >= 0 and not _is_obsolete(graph.nodes[given]):
            above.setdefault(ends[0], set()).add(ends[1])
    try:
        TopologicalSorter(above).prepare()
    except CycleError as error:
        raise _unreadable(path, f"{term_id(error.args[1][0])} is above itself") from None
    return above


def _released(
    terms: dict[int, dict[str, Any]], parents: dict[int, set[int]]
) -> Iterator[ReleasedTerm]:
    main = {
        other: number
        for number, term in sorted(terms.items(), reverse=True)
        if not _is_obsolete(term)
        for other in _numbers(term.get("alt_id", ()))
    }
    for number, term in terms.items():
        is_obsolete = _is_obsolete(term)
        successors = [n for n in _numbers(term.get("replaced_by", ())) if n in terms]
        yield ReleasedTerm(
            number,
            term["name"],
            tuple(sorted(parents.get(number, ()))),
            is_obsolete,
            next(iter(successors), main.get(number)) if is_obsolete else None,
            tuple(text for given in term.get("synonym", ()) if (text := _quoted(given))),
            _quoted(term.get("def", "")),
        )
    for other, number in main.items():
        if other not in terms:
            yield ReleasedTerm(other, terms[number]["name"], (), True, number)


def _is_obsolete(term: dict[str, Any]) -> bool:
    return term.get("is_obsolete") == "true"


def _numbers(given: Iterable[str]) -> list[int]:
    return [number for one in given if (number := term_number(one)) >= 0]


def _quoted(given: str) -> str:
    """Return the text between the first quotation marks, without the escapes of OBO."""
    found = QUOTED.search(given)
    return ESCAPED.sub(r"\1", found[1]) if found else ""


def _unreadable(path: Path, reason: str) -> SourceUnreadable:
    return SourceUnreadable(f"the ontology cannot be used: {reason}", str(path), REMEDY)

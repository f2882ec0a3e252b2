"""Which publications belong beside a case, in which order and why (S1010).

A publication of the same disease comes first, then one of the same gene, then one whose title has
the words of the disease's name; within each, the title that shares more of these words, then the
newer one. A score depends on the case and its publication only, never on what else a source has:
so a source that gains, loses or reorders publications changes no other item.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

import numpy as np

from cluster.case.codes import SYMBOL, canonical
from cluster.contracts.related import (
    LiteratureAnswer,
    LiteratureQuery,
    Publication,
    RelatedItem,
    SourceState,
)
from cluster.ontology import Floats, Ints

NETWORK: Final = "network"
FILE: Final = "file"
PUBMED: Final = "pubmed"
SOURCES: Final[tuple[str, ...]] = (FILE, PUBMED)
"""In the order in which their words on one publication are preferred."""
OUTSIDE: Final = frozenset({PUBMED})
"""Sources to which a question is a disclosure."""

SAME_DISEASE: Final = 2
SAME_GENE: Final = 1
LIKENESS_MAX: Final = 0.999
"""A likeness alone never lifts a publication into the next group."""
WORDS_SHARE_MIN: Final = 0.6
"""Least share of the name's words that a title must have where nothing else relates the two: on
published cases, of five such titles 33 % are of the disease (28 % at a half)."""
ARTICLES: Final = "a an and as at by caused due for from in is of on or the to with without"
FRAME: Final = "type form syndrome disease disorder autosomal dominant recessive linked"
COMMON: Final = frozenset(f"{ARTICLES} {FRAME}".split())
"""Words that hardly tell one disease from another."""
WORD: Final = re.compile(r"[^\W_]+")


class LiteratureSource(Protocol):
    """Where publications come from; it never raises for what is wrong with the world."""

    @property
    def name(self) -> str:
        """One of ``SOURCES``."""
        ...

    def find(self, queries: Sequence[LiteratureQuery], limit: int) -> LiteratureAnswer:
        """Return for each case its publications, best first, at most ``limit``."""
        ...


def words_of(text: str) -> tuple[str, ...]:
    """Return the telling words of a name or title, each once, in lower case and in order."""
    found = (word.lower() for word in WORD.findall(text))
    telling = (w for w in found if len(w) > 1 and not w.isdigit() and w not in COMMON)
    return tuple(dict.fromkeys(telling))


def score_of(level: int, likeness: float) -> float:
    """Return the score of a publication: its group and, behind the point, its likeness."""
    return round(level + min(likeness, LIKENESS_MAX), 6)


def relation(query: LiteratureQuery, diseases: Iterable[str], genes: Iterable[str]) -> str:
    """Say in words that a publication is about the disease or a gene; empty where about neither."""
    parts = []
    if query.disease_id and canonical(query.disease_id) in map(canonical, diseases):
        name = f" ({query.disease_name})" if query.disease_name else ""
        parts.append(f"same disease {query.disease_id}{name}")
    shared = sorted(set(query.genes) & set(genes) - {""})
    if shared:
        parts.append(f"same gene {', '.join(shared)}")
    return "; ".join(parts)


class Corpus:
    """Publications made ready for ranking: each PMID once, newest first."""

    def __init__(self, publications: Iterable[Publication]) -> None:
        """Merge equal PMIDs (first title, all diseases and genes) and note where words stand."""
        merged: dict[str, Publication] = {}
        for one in publications:
            known = merged.get(one.pmid)
            merged[one.pmid] = _joined(known, one) if known else one
        self.publications = sorted(merged.values(), key=lambda one: -number_of(one.pmid))
        self._diseases = _places(map(canonical, one.diseases) for one in self.publications)
        self._genes = _places(_genes_of(one) for one in self.publications)
        self._words = _places(words_of(one.title) for one in self.publications)

    def ranked(self, query: LiteratureQuery, limit: int, source: str) -> tuple[RelatedItem, ...]:
        """Return what belongs beside a case, best first, each with the reason in words."""
        asked = words_of(query.disease_name)
        likeness = self._likeness(asked)
        level = np.zeros(len(self.publications), np.int64)
        for gene in query.genes:
            level[self._genes.get(gene, _NOWHERE)] = SAME_GENE
        level[self._diseases.get(canonical(query.disease_id), _NOWHERE)] = SAME_DISEASE
        chosen = np.flatnonzero((level > 0) | (likeness >= WORDS_SHARE_MIN))
        score = level[chosen] + np.minimum(likeness[chosen], LIKENESS_MAX)
        best = chosen[np.argsort(-score, kind="stable")[:limit]]
        return tuple(
            self._item(
                query, asked, int(row), score_of(int(level[row]), float(likeness[row]))
            ).model_copy(update={"source": source})
            for row in best
        )

    def _likeness(self, asked: Sequence[str]) -> Floats:
        """Return for each publication the share of the asked words that its title has [P]."""
        places = [self._words.get(word, _NOWHERE) for word in asked]
        counts = np.bincount(np.concatenate([_NOWHERE, *places]), minlength=len(self.publications))
        share: Floats = (counts / max(len(asked), 1)).astype(np.float32)
        return share

    def _item(
        self, query: LiteratureQuery, asked: Sequence[str], row: int, score: float
    ) -> RelatedItem:
        one = self.publications[row]
        why = relation(query, one.diseases, _genes_of(one))
        if not why:
            there = set(words_of(one.title))
            why = f"title has {', '.join(word for word in asked if word in there)}"
        return RelatedItem(
            item_id=one.pmid, kind="literature", title=one.title, score=score, why=why
        )


def ask(
    source: LiteratureSource,
    queries: Sequence[LiteratureQuery],
    names: Mapping[str, str],
    limit: int,
) -> tuple[dict[str, tuple[RelatedItem, ...]], SourceState]:
    """Ask one source about cases.

    Args:
        source: who is asked.
        queries: without names of diseases.
        names: published names of diseases, by id.
        limit: publications a case at the most.

    Returns:
        The answers by case, and how it went; a case without an answer is not among them.
    """
    named = [
        query.model_copy(update={"disease_name": names.get(query.disease_id, "")})
        for query in queries
    ]
    answer = source.find(named, limit)
    state = SourceState(
        source=source.name,
        state="unavailable" if answer.reason else "ok",
        reason=answer.reason,
        asked=len(queries) - len(answer.unasked),
        answered=len(answer.found) - len(answer.unasked),
        found=sum(map(len, answer.found.values())),
        findings=answer.findings,
    )
    return answer.found, state


def number_of(pmid: str) -> int:
    """Return the number of a PMID; newer publications have higher ones."""
    digits = pmid.removeprefix("PMID:")
    return int(digits) if digits.isascii() and digits.isdigit() else 0


_NOWHERE: Final[Ints] = np.empty(0, np.int32)


def _joined(first: Publication, other: Publication) -> Publication:
    return Publication(
        pmid=first.pmid,
        title=first.title,
        diseases=tuple(dict.fromkeys(first.diseases + other.diseases)),
        genes=tuple(dict.fromkeys(first.genes + other.genes)),
    )


def _genes_of(publication: Publication) -> tuple[str, ...]:
    """Return the genes that a source states and those that the title names, in capitals."""
    words = re.findall(r"[\w-]+", publication.title)
    parts = (part for word in words for part in (word, *word.split("-")))
    return (*publication.genes, *(part for part in parts if SYMBOL.fullmatch(part)))


def _places(keys: Iterable[Iterable[str]]) -> dict[str, Ints]:
    """Return for each key the rows that have it, ascending and each once."""
    rows: dict[str, list[int]] = {}
    for row, found in enumerate(keys):
        for key in set(found) - {""}:
            rows.setdefault(key, []).append(row)
    return {key: np.array(held, np.int32) for key, held in rows.items()}

"""Y: what is known of one disease, put together from its record and those above it (C8)."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from cluster.clock import iso
from cluster.contracts.disease import (
    DEMO_NOTICE,
    NOTICE,
    TREATMENT,
    Definition,
    Disease,
    DiseaseAnswer,
    DiseaseCard,
    DiseaseSource,
    Match,
    Passage,
    Reference,
    Treatment,
)
from cluster.contracts.related import PMID, PUBMED_PAGES
from cluster.diseases.lookup import DiseaseTable

INFORMATION: Final = "information"
FREQUENCY: Final = "frequency"
PREVENTION: Final = "prevention"
PAGES: Final = {
    "DOID": "https://purl.obolibrary.org/obo/DOID_{}",
    "MONDO": "https://purl.obolibrary.org/obo/MONDO_{}",
    "OMIM": "https://omim.org/entry/{}",
    "ORPHA": "https://www.orpha.net/en/disease/detail/{}",
}
"""Pages of records, by vocabulary."""
DAY_CHARS: Final = 10
P = TypeVar("P", Definition, Treatment, Passage)


def answer_of(
    table: DiseaseTable, query: str, found: Sequence[Match], others_max: int, card: DiseaseCard
) -> DiseaseAnswer:
    """Return Y for the first of the records that a question led to.

    What is known of treatment is the record's own, or, where it has none, that of the nearest
    disease above it, with the way up to it.

    Args:
        table: the records.
        query: the question, as it was asked.
        found: matches, best first; at least one.
        others_max: further candidates that the answer names.
        card: of the data set.
    """
    match = found[0]
    record = table.record(match.disease_id)
    way = () if record.is_treated else table.treated_above(record.id)
    treated = table.record(way[-1].disease_id) if way else record
    passages = _dated(record.texts, card.dates)
    treatments = _dated(treated.treatments, card.dates)
    treatment_texts = tuple(
        text for text in _dated(treated.texts, card.dates) if text.kind == TREATMENT
    )
    told = (INFORMATION, FREQUENCY, PREVENTION, TREATMENT)
    return DiseaseAnswer(
        query=query,
        match=match,
        alike=table.alike(found),
        others=tuple(found[1 : 1 + others_max]),
        disease_id=record.id,
        name=record.name,
        synonyms=record.synonyms,
        kind=record.kind,
        status=record.status,
        codes=record.codes,
        definitions=_dated(record.definitions, card.dates),
        onset=record.onset,
        inheritance=record.inheritance,
        treatments=treatments,
        treatment_texts=treatment_texts,
        from_parent=way,
        information=tuple(text for text in passages if text.kind == INFORMATION),
        frequency=tuple(text for text in passages if text.kind == FREQUENCY),
        prevention=tuple(text for text in passages if text.kind == PREVENTION),
        resources=tuple(text for text in passages if text.kind not in told),
        references=_references(record, treated, treatments, (*passages, *treatment_texts)),
        notice=NOTICE + (DEMO_NOTICE if card.demo else ""),
        data_set=DiseaseSource(
            name=card.name,
            digest=card.digest,
            loaded_on=iso(card.loaded_at)[:DAY_CHARS] if card.loaded_at else "",
            demo=card.demo,
        ),
    )


def _dated(parts: Sequence[P], dates: Mapping[str, str]) -> tuple[P, ...]:
    """Put the release of its source beside each part that has no date of its own."""
    return tuple(
        part if part.date else part.model_copy(update={"date": _date_of(part.source, dates)})
        for part in parts
    )


def _date_of(source: str, dates: Mapping[str, str]) -> str:
    """Return the date of the longest name that a source begins with."""
    names = [name for name in dates if source.casefold().startswith(name.casefold())]
    return dates[max(names, key=len)] if names else ""


def _references(
    record: Disease,
    treated: Disease,
    treatments: Sequence[Treatment],
    passages: Sequence[Passage],
) -> tuple[Reference, ...]:
    """Return where all this can be read: pages of the records, publications, texts; each once."""
    exact = [one.code for one in record.codes if one.relation == "exact"]
    found = {code: _page(code) for code in (record.id, treated.id, *exact)}
    for treatment in treatments:
        if PMID.fullmatch(treatment.source):
            number = treatment.source.removeprefix("PMID:")
            found[treatment.source] = f"{PUBMED_PAGES}/{number}/"
    for passage in passages:
        if passage.url.startswith(("https://", "http://")):
            found.setdefault(passage.url, passage.url)
    return tuple(Reference(id=name, url=url) for name, url in found.items() if url)


def _page(code: str) -> str:
    vocabulary, _, local = code.partition(":")
    return PAGES[vocabulary].format(local) if vocabulary in PAGES else ""

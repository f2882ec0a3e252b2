"""Y for the terminal: a card of one disease, each part with its source and date.

Every text from outside is shown literally; passages are cut to what is read at a glance, with the
address of the rest.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.text import Text

from cluster.contracts.disease import DiseaseAnswer, Match, Passage, Relation, Treatment
from cluster.contracts.related import PMID
from cluster.report.text import literal

TREATMENTS_SHOWN: Final = 8
PASSAGES_SHOWN: Final = 2
PASSAGE_CHARS: Final = 600
CODES_SHOWN: Final = 16
REFERENCES_SHOWN: Final = 8
DIGEST_CHARS: Final = 8
STANDS: Final[dict[Relation, str]] = {
    "exact": "",
    "unstated": "the source states no relation",
    "broader": "this record is broader than the code",
    "narrower": "this record is narrower than the code",
    "undecided": "the source has not decided how they stand",
}
EVIDENCE: Final = {"PCS": "published clinical study", "TAS": "traceable statement of an author"}


def answer_lines(answer: DiseaseAnswer) -> list[Text]:
    """Return the lines of a card, in the order in which they are read."""
    lines = definition_lines(answer)
    lines += [literal(line) for line in _treatment(answer)]
    parts = (
        ("Frequency", answer.frequency),
        ("Prevention", answer.prevention),
        ("Information", answer.information),
        ("Links", answer.resources),
    )
    for title, passages in parts:
        lines += [literal(line) for line in _passages(title, passages)]
    shown = [one.url for one in answer.references[:REFERENCES_SHOWN]]
    more = len(answer.references) - len(shown)
    lines += [literal(f"Read: {url}") for url in shown]
    lines += [literal(f"Read: {more} more")] if more > 0 else []
    data = answer.data_set
    loaded = f", loaded {data.loaded_on}" if data.loaded_on else ""
    lines.append(literal(f"Data: {data.name} ({data.digest[:DIGEST_CHARS]}{loaded})"))
    lines.append(literal(answer.notice, style="yellow"))
    return lines


def definition_lines(answer: DiseaseAnswer) -> list[Text]:
    """Return the first lines of a card: which disease it is, by what it was found, what it is."""
    lines = [literal(f"{answer.disease_id}  {answer.name}", style="bold")]
    lines += [literal(line) for line in _head(answer)]
    for definition in answer.definitions:
        lines.append(literal(f"Definition: {definition.text}"))
        lines.append(literal(f"  [{_source(definition.source, definition.date)}]"))
    if not answer.definitions:
        lines.append(literal("Definition: none in this data set"))
    return lines


def match_text(match: Match) -> str:
    """Say by what a record was found."""
    if match.how == "words":
        return f"by the words {match.matched!r}; no record has this name or code"
    stands = STANDS[match.relation]
    return f"by the {match.how} {match.matched}" + (f"; {stands}" if stands else "")


def _head(answer: DiseaseAnswer) -> Iterator[str]:
    yield f"  found {match_text(answer.match)}"
    if answer.alike:
        yield f"  {answer.alike} other records match as well as this one: choose"
    facts = (
        ("kind", (answer.kind, *answer.status)),
        ("also", answer.synonyms),
        ("codes", _codes(answer)),
        ("onset", answer.onset),
        ("inheritance", answer.inheritance),
    )
    for name, values in facts:
        shown = ", ".join(filter(None, values))
        if shown:
            yield f"  {name}: {shown}"


def _codes(answer: DiseaseAnswer) -> tuple[str, ...]:
    marked = [
        f"{one.code} ({one.relation})" if one.relation in ("broader", "narrower") else one.code
        for one in answer.codes
    ]
    more = len(marked) - CODES_SHOWN
    return (*marked[:CODES_SHOWN], *([f"{more} more"] if more > 0 else []))


def _treatment(answer: DiseaseAnswer) -> Iterator[str]:
    if not answer.treatments and not answer.treatment_texts:
        yield "Treatment: nothing is known here, nor of a disease right above"
        return
    if answer.from_parent:
        way = " > ".join(f"{one.disease_id} {one.name}" for one in answer.from_parent)
        yield f"Treatment: nothing of the disease itself; of the disease above it: {way}"
    else:
        yield "Treatment:"
    for one in answer.treatments[:TREATMENTS_SHOWN]:
        yield f"  {_action(one)}"
    more = len(answer.treatments) - TREATMENTS_SHOWN
    if more > 0:
        yield f"  {more} more curated actions"
    yield from _passages("", answer.treatment_texts)


def _action(one: Treatment) -> str:
    agent = f" ({one.agent})" if one.agent else ""
    target = f": {one.target or one.target_id}" if one.target or one.target_id else ""
    evidence = EVIDENCE.get(one.evidence, one.evidence)
    is_published = PMID.fullmatch(one.source) and not one.date
    source = one.source if is_published else _source(one.source, one.date)
    sources = ", ".join(filter(None, (evidence, source)))
    return f"{one.action}{agent}, {one.relation.replace('_', ' ')}{target} [{sources}]"


def _passages(title: str, passages: Sequence[Passage]) -> Iterator[str]:
    for passage in passages[:PASSAGES_SHOWN]:
        text = " ".join(passage.text.split())
        is_cut = passage.cut or len(text) > PASSAGE_CHARS
        shown = text[:PASSAGE_CHARS] + (" …" if is_cut else "")
        yield f"{title}: {shown}" if title else f"  {shown}"
        yield f"  [{_source(passage.source, passage.date)}] {passage.url}".rstrip()
    more = len(passages) - PASSAGES_SHOWN
    if more > 0:
        yield f"  {more} more passages"


def _source(source: str, date: str) -> str:
    return f"{source}, {date}" if date else f"{source}, no date given"

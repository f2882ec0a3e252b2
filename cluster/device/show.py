"""What a device says on its terminal: the list, R, the answer Y and related rare cases (C4, C8).

Every text from outside is shown literally: no markup is read in it, and characters that could
steer a terminal are replaced.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cluster.contracts.disease import DiseaseAnswer, Passage, Treatment
from cluster.contracts.image_models import ListedModel, Recognition
from cluster.contracts.related import NetworkCases
from cluster.device.cache import MIB, CachedModel
from cluster.device.client import CASES_ASKED, Answered, Fetched, Listing, day
from cluster.errors import DazzleError

WIDTH_MIN: Final = 160
"""Where nobody said how wide a line may be, as in a pipe."""
GAP: Final = 2
"""Blanks between the columns of a table: its padding, and the line that is not drawn."""
PART: Final = re.compile(r"(?<=[,%]) | (?=of )")
"""Where a cell may be folded: behind what a comma ends, and within ``4 of 6, 67 % (30–90)``."""
CLASSES_SHOWN: Final = 3
SHOWN: Final = 6
"""Of treatments, links and the like; the rest is counted."""
TEXT_CHARS: Final = 600
ALWAYS_ONE: Final = "always one of these"
"""Stands behind the classes of a model that never says that an image is outside."""
CANNOT_TELL_OUTSIDE: Final = (
    "This model cannot tell that an image is outside of what it knows: whatever it shows gets one "
    "of its classes."
)
OUTSIDE: Final = "outside what this model knows"
NO_DISEASE: Final = "is no disease of the database, so there is nothing to look up"


def terminal(*, stderr: bool = False) -> Console:
    """Return a console that stays readable where there is no terminal, and reads no markup."""
    console = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = max(console.width, WIDTH_MIN)
    return console


def plain(text: str, style: str = "") -> Text:
    """Return a text from outside as it is, without what could steer a terminal."""
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return Text(shown, style=style)


def listing_lines(listing: Listing) -> Iterator[Text]:
    """Say how old the list is where the source was not reached, and what it withdrew."""
    if not listing.fresh:
        told = f"Offline: {listing.problem}. The list is of {day(listing.listed_at)}."
        yield plain(told, "yellow")
    for one in listing.dropped:
        name = f"{one.bundle.name} ({one.version[:12]})"
        yield plain(f"Withdrawn by the list, and dropped here: {name}", "yellow")


def models_table(models: Sequence[ListedModel], cached: Sequence[CachedModel], width: int) -> Table:
    """Return the models in the order given, as a table of at most that many characters a line."""
    rows = [
        (
            "model",
            "no.",
            "tells apart",
            "accuracy",
            "AUROC",
            "MiB",
            "here",
            "made by",
        )
    ]
    here = {one.version: one for one in cached}
    for one in models:
        sizes = ", ".join(f"{name} {size / MIB:.1f}" for name, size in sorted(one.sizes.items()))
        kept = here.get(one.version)
        cells = (
            one.name,
            str(one.number),
            ", ".join(classes_of(one)),
            one.accuracy_told or "-",
            _figure(one.macro_auroc),
            sizes,
            ", ".join(kept.variants) if kept else "",
            one.made_by,
        )
        rows.append(cells)
    return _table(rows, width)


def classes_of(model: ListedModel) -> list[str]:
    """Return what a model tells apart, and that it tells nothing else where that is so."""
    return [*model.labels, *([ALWAYS_ONE] if model.tells_outside is False else [])]


def cache_table(models: Sequence[CachedModel], width: int) -> Table:
    """Return what lies in a cache, as a table of at most that many characters a line."""
    rows = [("model", "version", "files", "MiB", "last used", "pinned")]
    for one in models:
        cells = (
            one.bundle.name,
            one.version[:12],
            ", ".join(one.variants),
            f"{one.bytes / MIB:.1f}",
            day(one.used_at) if one.used_at else "never",
            "yes" if one.pinned else "",
        )
        rows.append(cells)
    return _table(rows, width)


def _table(rows: Sequence[tuple[str, ...]], width: int) -> Table:
    """Lay out heads and rows; a cell is folded between its parts, and only where needed."""
    shown = [[plain(cell) for cell in row] for row in rows]
    columns = list(zip(*shown, strict=True))
    parts = [
        max(cell_len(part) for one in column for part in PART.split(one.plain))
        for column in columns
    ]
    whole = [max(one.cell_len for one in column) for column in columns]
    room = width - GAP * (len(columns) - 1)
    folded = _cut_to(parts, [1] * len(columns), room)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    widths = _cut_to(whole, folded, room)
    for head, characters in zip(shown[0], widths, strict=True):
        table.add_column(head, overflow="fold", width=characters)
    for row in shown[1:]:
        table.add_row(*(_folded(*pair) for pair in zip(row, widths, strict=True)))
    return table


def _folded(cell: Text, width: int) -> Text:
    """Put the parts of a cell into lines of at most that width; a part that is wider stays one."""
    lines: list[str] = []
    for part in PART.split(cell.plain):
        if lines and cell_len(f"{lines[-1]} {part}") <= width:
            lines[-1] += f" {part}"
        else:
            lines.append(part)
    return Text("\n".join(lines))


def _cut_to(wanted: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Return widths that fit, if the least do: those wanted, the widest cut to one width."""
    for widest in range(max(wanted), 0, -1):
        widths = [max(few, min(one, widest)) for one, few in zip(wanted, least, strict=True)]
        if sum(widths) <= room:
            return widths
    return list(least)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def fetched_lines(fetched: Fetched) -> Iterator[Text]:
    """Say which model is used, and whether it was cached or downloaded (C5)."""
    listed = fetched.listed
    if fetched.instead is not None:
        told = (
            f"{listed.name} {fetched.instead.number} cannot be fetched now; {listed.number} is used"
        )
        yield plain(told, "yellow")
    size = fetched.bytes_downloaded
    came = f"downloaded {size / MIB:.1f} MiB" if size else "cached"
    yield plain(f"{listed.name} {listed.number} ({fetched.variant}): {came}")
    chosen = fetched.bundle.variant(fetched.variant)
    if chosen is not None and chosen.outside_above is None:
        yield plain(CANNOT_TELL_OUTSIDE, "yellow")
    for one in fetched.evicted:
        yield plain(f"Removed to make room: {one.bundle.name} ({one.version[:12]})")


def recognition_lines(name: str, result: Recognition) -> Iterator[Text]:
    """Say what was recognised in a picture, and how sure the model is."""
    ratio = result.distance_ratio
    far = "" if ratio is None else f"; distance {ratio:.2f} of the limit"
    if result.outside:
        yield plain(f"{name}: {OUTSIDE}{far}", "bold yellow")
        return
    yield plain(f"{name}: {result.label}, probability {result.probability:.3f}{far}", "bold")
    ranked = sorted(result.probabilities.items(), key=lambda pair: -pair[1])[:CLASSES_SHOWN]
    yield plain("  " + ", ".join(f"{label} {p:.3f}" for label, p in ranked))
    if ranked and ranked[0][0] != result.label:
        yield plain("  (decided by weights of the classes, which validation images gave)")


def answer_lines(answered: Answered, related: Iterable[Text] = ()) -> Iterator[Text]:
    """Return Y: what the disease is, what is known of treatment, each with its source (C8).

    The lines of related cases come before the notice, and are asked for when they are reached.
    """
    answer = answered.answer
    if answered.kept_at is not None:
        yield plain(f"Offline: this answer is of {day(answered.kept_at)}.", "yellow")
    yield plain(f"{answer.disease_id}  {answer.name}", "bold")
    if answer.synonyms:
        yield plain(f"  also: {', '.join(answer.synonyms[:SHOWN])}")
    for one in answer.definitions:
        yield plain(f"Definition: {_cut(one.text)}")
        yield plain(f"  [{_source(one.source, one.date)}]")
    yield from map(plain, _treatment(answer))
    for title, passages in (
        ("Frequency", answer.frequency),
        ("Prevention", answer.prevention),
        ("Information", answer.information),
        ("Links", answer.resources),
    ):
        yield from map(plain, _passages(title, passages))
    yield from (plain(f"Read: {one.url}") for one in answer.references[:SHOWN])
    yield from map(plain, _more(len(answer.references), "references"))
    loaded = f", loaded {answer.data_set.loaded_on}" if answer.data_set.loaded_on else ""
    yield plain(f"Data: {answer.data_set.name}{loaded}")
    yield from related
    yield plain(answer.notice, "yellow")


def cases_lines(disease_id: str, found: NetworkCases | DazzleError) -> Iterator[Text]:
    """Say which rare cases of a disease each platform has, or why that is not known (C8)."""
    if isinstance(found, DazzleError):
        told = f"Whether the network has rare cases of {disease_id} is not known: {found}"
        yield plain(told, "yellow")
        return
    codes = found.question.codes
    yield plain(f"  coded {', '.join(codes[:SHOWN])}")
    yield from map(plain, _more(len(codes), "codes"))
    for platform, cases in found.found.items():
        yield plain(f"  {_cut(platform)}: {cases.counts(CASES_ASKED)}")
        for one in cases.items[:CASES_ASKED]:
            yield plain(f"    {_cut(one.item_id)}: {_cut(one.why)}")
    for platform, reason in found.unanswered.items():
        told = f"NO ANSWER, {_cut(reason)}; whether it has cases is not known"
        yield plain(f"  {_cut(platform)}: {told}", "yellow")
    if not found.found and not found.unanswered:
        yield plain("  no platform was asked; whether there are cases is not known", "yellow")


def _treatment(answer: DiseaseAnswer) -> Iterator[str]:
    if not answer.treatments and not answer.treatment_texts:
        yield "Treatment: nothing is known here, nor of a disease above it"
        return
    way = " > ".join(f"{one.disease_id} {one.name}" for one in answer.from_parent)
    above = f" nothing of the disease itself; this is of the disease above it: {way}"
    yield f"Treatment:{above if way else ''}"
    yield from map(_action, answer.treatments[:SHOWN])
    yield from _more(len(answer.treatments), "treatments")
    yield from _passages("", answer.treatment_texts)


def _action(one: Treatment) -> str:
    agent = f" ({one.agent})" if one.agent else ""
    target = f": {one.target or one.target_id}" if one.target or one.target_id else ""
    evidence = f"{one.evidence}, " if one.evidence else ""
    relation = one.relation.replace("_", " ")
    return f"  {one.action}{agent}, {relation}{target} [{evidence}{_source(one.source, one.date)}]"


def _passages(title: str, passages: Sequence[Passage]) -> Iterator[str]:
    for one in passages[:SHOWN]:
        text = f"{_cut(one.text)}{' …' if one.cut and len(one.text) <= TEXT_CHARS else ''}"
        yield f"{title}: {text}" if title else f"  {text}"
        yield f"  [{_source(one.source, one.date)}] {one.url}".rstrip()
    yield from _more(len(passages), "passages")


def _more(number: int, what: str) -> Iterator[str]:
    if number > SHOWN:
        yield f"  {number - SHOWN} more {what}"


def _cut(text: str) -> str:
    shown = " ".join(text.split())
    return shown if len(shown) <= TEXT_CHARS else f"{shown[:TEXT_CHARS]} …"


def _source(source: str, date: str) -> str:
    return f"{source}, {date or 'no date given'}"

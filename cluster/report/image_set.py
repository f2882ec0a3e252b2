"""The report on a set of images: tables for the terminal, and one HTML file with the images in it.

The page needs nothing else: no network, no server, no other file, no program.
"""

from base64 import b64encode
from collections.abc import Callable, Sequence
from importlib.resources import files
from itertools import pairwise
from typing import Final

from jinja2 import Environment, StrictUndefined
from rich import box
from rich.console import Console
from rich.table import Table

from cluster.contracts.images import DataSetCard
from cluster.images.examine import Image, Pair
from cluster.report.style import counted
from cluster.report.text import literal

TEMPLATE: Final = "image_set.html.j2"
SHEET_MAX: Final = 24
"""Thumbnails of a class."""
PAIRS_MAX: Final = 40
TERMINAL_FINDINGS_MAX: Final = 20
BARS: Final = (64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 4096, 8192)
LEVELS: Final = {
    "refused": "set refused",
    "left_out": "file left out",
    "warning": "warning",
    "note": "note",
}
PAIR_TITLES: Final = {
    "duplicate_conflict": "same image in several classes: none kept",
    "near_duplicate_classes": "nearly the same, in two classes: check both labels",
    "duplicate": "same image twice: the first kept",
    "near_duplicate": "nearly the same: kept in one split",
}
NOT_FOR_DIAGNOSIS: Final = "A check of files, not of what they show. Not for diagnosis."


def verdict_line(card: DataSetCard) -> str:
    """Say in one line what became of a set."""
    if not card.accepted:
        return "REFUSED: nothing of this set can be used as it is; the findings say why."
    kept = f"{counted(card.kept, 'image')} of {counted(card.files, 'file')} kept"
    by = counted(card.persons, "person") if card.persons else "near-duplicates; persons unknown"
    return f"ACCEPTED: {kept}, {counted(len(card.classes), 'class', 'classes')}; split by {by}."


def render_card(card: DataSetCard, console: Console) -> None:
    """Write the report as tables; texts from outside are shown literally."""
    console.print(literal(verdict_line(card)), soft_wrap=True)
    if card.classes:
        console.print(_classes(card))
    if card.cleaned:
        cleaned = ", ".join(f"{name.replace('_', ' ')} {n:,}" for name, n in card.cleaned.items())
        console.print(literal(f"removed or changed, by images: {cleaned}"), soft_wrap=True)
    if card.codes:
        console.print(_findings(card))
    console.print(NOT_FOR_DIAGNOSIS)


def _classes(card: DataSetCard) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for place, head in enumerate(("class", "files", "kept", "training", "validation", "test")):
        table.add_column(head, justify="left" if place == 0 else "right", overflow="fold")
    for one in card.classes:
        numbers = (one.files, one.kept, one.training, one.validation, one.test)
        table.add_row(literal(one.name), *(f"{n:,}" for n in numbers))
    return table


def _findings(card: DataSetCard) -> Table:
    """Show each code once, with its first place, until the terminal has enough."""
    table = Table(box=box.SIMPLE_HEAD)
    for head in ("level", "code", "n", "first place", "what and remedy"):
        table.add_column(head, overflow="fold", justify="right" if head == "n" else "left")
    seen: set[str] = set()
    for one in card.findings:
        if one.code in seen or len(seen) == TERMINAL_FINDINGS_MAX:
            continue
        seen.add(one.code)
        words = f"{one.message}. {one.remedy}".strip()
        number = f"{card.codes[one.code]:,}"
        table.add_row(one.level, one.code, number, literal(one.place), literal(words))
    return table


def render_page(
    card: DataSetCard,
    images: Sequence[Image],
    kept: Sequence[Image],
    pairs: Sequence[Pair],
    thumbnail: Callable[[str], bytes],
) -> str:
    """Return the report as one HTML document; the same set gives the same bytes.

    Args:
        card: the report.
        images: all readable images, sorted by name.
        kept: those that are taken.
        pairs: to be shown side by side.
        thumbnail: gives the JPEG of an image by its name.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"words": lambda text: text.replace("_", " ")}
    source = files("cluster.report").joinpath(TEMPLATE).read_text(encoding="utf-8")

    def picture(name: str) -> str:
        return f"data:image/jpeg;base64,{b64encode(thumbnail(name)).decode()}"

    sheets = [
        {
            "label": one.name,
            "kept": one.kept,
            "images": [(image.name, picture(image.name)) for image in _sample(kept, one.name)],
        }
        for one in card.classes
    ]
    rank = list(PAIR_TITLES)
    chosen = sorted(pairs, key=lambda pair: (rank.index(pair.kind), pair.bits))[:PAIRS_MAX]
    sides = [(pair, picture(pair.first), picture(pair.second)) for pair in chosen]
    return environment.from_string(source).render(
        card=card,
        verdict=verdict_line(card),
        sheets=sheets,
        pairs=sides,
        n_pairs=len(pairs),
        pair_titles=PAIR_TITLES,
        levels=LEVELS,
        bars=size_bars(images),
        caution=NOT_FOR_DIAGNOSIS,
    )


def _sample(kept: Sequence[Image], label: str) -> list[Image]:
    """Choose images of a class evenly over their names."""
    those = [one for one in kept if one.label == label]
    step = max(1.0, len(those) / SHEET_MAX)
    return [those[int(n * step)] for n in range(min(SHEET_MAX, len(those)))]


def size_bars(images: Sequence[Image]) -> list[tuple[str, int, float]]:
    """Count images by their longer side: label, number, share of the largest bar in per cent."""
    longer = [max(one.picture.width_given, one.picture.height_given) for one in images]
    ends = [*BARS, max([BARS[-1], *longer]) + 1]
    counts = [
        (f"{low:,} to {high - 1:,}", sum(low <= side < high for side in longer))
        for low, high in pairwise(ends)
    ]
    most = max([n for _, n in counts] or [0])
    return [(label, n, 100 * n / most) for label, n in counts if n]

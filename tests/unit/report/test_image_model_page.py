"""What is said of an image model on its page and on the terminal."""

import io
import json
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from image_model_reports import LABELS, a_bundle, a_model_report, an_image_card
from rich.console import Console

from cluster.contracts.image_models import NOT_A_DIAGNOSIS, ImageMetrics
from cluster.imaging.metrics import wilson
from cluster.imaging.shortcut import BorderCheck
from cluster.report.image_model import (
    MISTAKES_MAX,
    Answer,
    ModelReport,
    border_line,
    confusion_rows,
    picture_source,
    render_card,
    render_page,
    weakest_line,
)
from cluster.report.image_model_figures import distance_edges, draw_distances

SECTIONS = (
    "Class by class",
    "What is taken for what",
    "Worst mistakes",
    "Where it looks",
    "Do the stated probabilities hold?",
    "What it refuses",
    "How it was trained",
    "Files",
    "What it is for, and what it is not",
)


class Page(HTMLParser):
    """Headings, images, tags and words of a page, without its programs."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = re.sub(r"(?s)<(script|style)\b.*?</\1>", "", text)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(self.text)
        self.words = re.sub(r"<[^>]+>", " ", self.text)
        self.headings = re.findall(r"<h2>(.*?)</h2>", self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def images(self) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == "img"]


@pytest.fixture(scope="module")
def whole() -> str:
    return render_page(a_model_report())


def metrics() -> ImageMetrics:
    found = a_bundle().card.metrics
    assert found is not None
    return found


def test_the_page_has_every_section(whole: str) -> None:
    """C2: figures, classes, confusion, mistakes, saliency, calibration, rejection, training,
    files, and what it is not for.
    """
    page = Page(whole)
    assert page.headings == list(SECTIONS)
    for text in ("86.7 %", "CC BY 4.0", "cd" * 32, "ef" * 32, "From photographs.", "person"):
        assert text in page.words
    assert page.words.count(NOT_A_DIAGNOSIS) == 2
    drawn = re.search(r'id="drawings">(.*?)</script>', whole, re.DOTALL)
    assert drawn
    names = {"loss-0", "accuracy-0", "loss-1", "accuracy-1", "reliability", "distances"}
    assert set(json.loads(drawn[1])) == names
    assert all(f'id="plot-{name}"' in whole for name in names)


def test_the_page_needs_nothing_else(whole: str) -> None:
    """C2: one file, the same bytes for the same report; its policy loads nothing."""
    assert whole == render_page(a_model_report())
    page = Page(whole)
    links = [
        v for _, attributes in page.tags for k, v in attributes.items() if k in ("src", "href")
    ]
    assert links and all(link and link.startswith("data:") for link in links)
    assert "default-src 'none'" in page.text


def test_images_are_described(whole: str) -> None:
    """C2: whoever cannot see an image reads what it is of and what was made of it."""
    images = Page(whole).images()
    assert len(images) == 4
    assert all(one["alt"] and one["alt"].strip() for one in images)
    assert images[0]["alt"] == "image of class healed, taken for normal"  # the surest mistake first
    assert images[2]["alt"] == "image of class healed, recognised"
    assert [str(one["src"])[:15] for one in images[2:]] == ["data:image/jpeg", "data:image/png;"]


def test_labels_are_shown_as_they_are(whole: str) -> None:
    """C2: a class or text that looks like HTML is no HTML."""
    page = Page(whole)
    assert not [tag for tag, _ in page.tags if tag == "i"]
    assert "<b>ill" not in page.text and "<b>three" not in page.text
    assert "&lt;b&gt;ill&lt;/b&gt;" in page.text


def test_no_file_of_a_person_is_named(whole: str) -> None:
    """C2: of the report on the set only counts are shown."""
    assert "jane-doe" not in whole
    assert "300 files" in Page(whole).words


def test_what_is_not_there_leaves_no_hole() -> None:
    """C2: an uploaded model without figures has a page too, and says so."""
    bundle = a_bundle(metrics=None, epochs=(), temperature=None, rejection="", seed=None, config="")
    page = Page(render_page(ModelReport(bundle)))
    assert page.headings == ["How it was trained", "Files", "What it is for, and what it is not"]
    assert "It was not examined" in page.words
    assert not page.images()


def test_only_the_surest_mistakes_are_shown() -> None:
    """C2: the number of images on a page is bounded, and the rest is counted."""
    mistakes = tuple(Answer(b"x", "normal", "healed", n / 100) for n in range(40))
    page = Page(render_page(a_model_report(mistakes=mistakes, saliency=(), border=None)))
    assert len(page.images()) == MISTAKES_MAX
    assert f"{MISTAKES_MAX} of 40 mistakes" in page.words
    assert "39.0 %" in page.words and " 15.0 %" not in page.words


def test_mistakes_and_hits_have_other_colours() -> None:
    """C2: a cell is blue on the diagonal, orange beside it, clear where there is nothing."""
    rows = confusion_rows(metrics())
    assert [cell["n"] for cell in rows[1]["cells"]] == [0, 8, 2]
    assert [cell["color"] for cell in rows[1]["cells"]] == [
        "rgba(213,94,0,0.000)",
        "rgba(0,114,178,0.480)",
        "rgba(213,94,0,0.335)",
    ]


def test_the_weakest_class_is_named() -> None:
    """C2: a mean hides the class that is missed."""
    assert weakest_line(metrics()).startswith("Missed most often is <b>ill</b>: found in 8 of 10")
    assert weakest_line(None) == ""


@pytest.mark.parametrize(
    ("hits", "words"), [(70, "gives nothing away"), (150, "gives a part of the answer away")]
)
def test_a_shortcut_is_told_in_words(hits: int, words: str) -> None:
    """C2: whether the edge tells the class more than chance does."""
    assert words in border_line(BorderCheck(wilson(hits, 210), 1 / 3))
    assert border_line(None) == ""


def test_the_threshold_is_the_edge_of_a_bar() -> None:
    """C10: no bar holds both kept and refused images; every image is in one."""
    distances = tuple(np.linspace(0.1, 7.3, 50))
    edges = distance_edges(distances, 4.0)
    assert np.isclose(edges, 4.0).any() and edges[-1] >= 7.3
    kept, refused = draw_distances(distances, 4.0).data
    assert sum(kept.y) == sum(one < 4 for one in distances)
    assert sum(kept.y) + sum(refused.y) == 50
    assert sum(draw_distances((0.0, 0.0), None).data[0].y) == 2


def test_pictures_are_inside_the_page() -> None:
    """C2: a data address of the right kind."""
    assert picture_source(b"\xff\xd8\xff") == "data:image/jpeg;base64,/9j/"
    assert picture_source(b"\x89PNG").startswith("data:image/png;base64,")


@pytest.mark.parametrize("changes", [{}, {"metrics": None}])
def test_the_terminal_shows_the_card(changes: dict[str, Any]) -> None:
    """C2: figures, files, limits, licence and the notice, also where there is no terminal."""
    shown = io.StringIO()
    render_card(a_bundle(**changes), Console(file=shown, width=70))
    for text in ("three-kinds: 3 classes", "22.5", "99.5 %", "CC BY 4.0", NOT_A_DIAGNOSIS):
        assert text in shown.getvalue()
    assert ("26: 86.7 % (70.3–94.7)" in shown.getvalue()) == (not changes)
    assert an_image_card(**changes).metrics is None or LABELS[1] in shown.getvalue()

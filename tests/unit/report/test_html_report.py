"""The HTML report shows the result, marks what is simulated, and loads nothing."""

import json
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from flow_results import flow_result, platform_result, simulated_accesses, two_platforms

from cluster.contracts.result import SIMULATED, FlowResult
from cluster.report.html import render_report

HOSTILE = '<script>alert(1)</script><img src="http://evil.example/x.png">'
VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """What a browser would make of the page: captions, attributes, text, and its drawings."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.captions: list[str] = []
        self.text = ""
        self.drawings = ""
        self.scripts = 0
        self._open: list[str] = []
        self._is_json = False
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.text += " "
        if tag not in VOID:
            self._open.append(tag)
        if tag in ("caption", "figcaption"):
            self.captions.append("")
        self.scripts += tag == "script"
        self._is_json = dict(attrs).get("type") == "application/json"

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"{tag} is closed but not open"

    def handle_data(self, data: str) -> None:
        if "script" in self._open:
            self.drawings += data if self._is_json else ""
        elif "style" not in self._open:
            self.text += data
            if {"caption", "figcaption"} & set(self._open):
                self.captions[-1] += data


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(render_report(flow_result()))


@pytest.fixture(scope="module")
def simulated_page() -> Page:
    return Page(render_report(simulated_accesses()))


def marked(page: Page) -> set[str]:
    return {
        " ".join(one.replace(SIMULATED, "").split()) for one in page.captions if SIMULATED in one
    }


def test_nothing_says_simulated_where_nothing_is(page: Page) -> None:
    """A5: the mark means something, for it is absent from a result of real accesses."""
    assert SIMULATED not in page.text


def test_captions_of_what_rests_on_simulated_accesses_are_marked(simulated_page: Page) -> None:
    """A5: with simulated accesses every caption is marked but those about the given cases."""
    bare = {" ".join(one.split()) for one in simulated_page.captions if SIMULATED not in one}
    assert bare == {
        "3 platforms, 3 links, 2 without an agreement",
        "What each platform's cases are about, in per cent",
        "3 of 6 classes are rare by both screenings",
        "Screening by platform",
        *(
            f"Rarest classes of {name}, new cases per 100,000 person-years"
            for name in ("north", "south", "east")
        ),
        "Ingest by platform",
        "Findings by code",
        "Findings, refused records first",
        "Plan of the run",
        "Settings",
    }
    assert "SIMULATED – parts of this result" in " ".join(simulated_page.text.split())


@pytest.mark.parametrize("part", ["cases", "cohort of the demonstration", "weather"])
def test_captions_of_cases_are_marked_where_the_cases_are_simulated(part: str) -> None:
    """A2: screening and decisions of simulated cases are marked; so is all, by an unknown part."""
    found = marked(Page(render_report(flow_result(simulated=(part,)))))
    assert {"Screening by platform", "Ingest by platform", "Decisions on rare cases"} <= found
    assert ("Trend models" in found) is (part == "weather")


@pytest.mark.parametrize(
    ("part", "network", "screening"),
    [("links between platforms", True, False), ("populations at risk", False, True)],
)
def test_what_rests_on_links_or_populations_is_marked(
    part: str, network: bool, screening: bool
) -> None:
    """A2: simulated links mark the network, simulated populations the incidence, both the rest."""
    found = marked(Page(render_report(flow_result(simulated=(part,)))))
    assert ("3 platforms, 3 links, 2 without an agreement" in found) is network
    assert ("3 of 6 classes are rare by both screenings" in found) is screening
    assert ("Screening by platform" in found) is screening
    assert "Decisions on rare cases" in found
    assert not {"Ingest by platform", "Trend models"} & found


def test_the_plan_alone_is_enough_for_the_mark() -> None:
    """A5: a plan with simulated events marks the page, though the list of parts was forgotten."""
    page = Page(render_report(flow_result(events=SIMULATED)))
    assert "Decisions on rare cases" in marked(page)


def test_no_label_becomes_markup() -> None:
    """A13: a hostile disease label is shown as text, in tables and in drawings."""
    document = render_report(flow_result(two_platforms(label=HOSTILE)))
    page = Page(document)
    assert HOSTILE in page.text
    assert "<script>alert(1)" not in document
    assert not [tag for tag, _ in page.tags if tag == "img"]
    assert page.scripts == 3
    assert "&lt;script&gt;alert(1)" in json.dumps(json.loads(page.drawings))


def test_the_page_loads_nothing(page: Page) -> None:
    """A13: no tag and no style refers to a network, and the page's policy forbids it."""
    for tag, attributes in page.tags:
        assert tag not in ("iframe", "object", "embed", "base")
        for name in ("src", "href", "srcset", "action", "data"):
            assert re.match(r"#|data:|$", attributes.get(name) or ""), (tag, attributes)
    policy = next(a["content"] for _, a in page.tags if "Content-Security-Policy" in a.values())
    assert policy and policy.startswith("default-src 'none'")
    assert "http" not in policy and "connect-src" not in policy


def test_every_drawing_has_its_place(page: Page) -> None:
    """A13: each figure of the page has data, a place, a title, and a text for readers."""
    drawings = json.loads(page.drawings)
    places = {a["id"]: a for _, a in page.tags if (a.get("id") or "").startswith("plot-")}
    assert set(places) == {f"plot-{name}" for name in drawings}
    assert all(attributes["aria-label"] for attributes in places.values())


def test_tables_have_captions_and_headings(page: Page) -> None:
    """A13: a screen reader finds a caption for every table and an order of headings."""
    tables = sum(tag == "table" for tag, _ in page.tags)
    assert tables == sum(tag == "caption" for tag, _ in page.tags) > 10
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_numbers_are_those_of_the_result(page: Page) -> None:
    """A10: indexes, counts, deliveries, receipts and related material stand as given."""
    words = " ".join(page.text.split())
    for expected in (
        "uploads of 3 decisions",
        "of 3 deliveries have arrived",
        "north-rare-1 north Alport syndrome Kidney 0.247 (0.0542–0.913) 321 45 0.651 – upload",
        "0.651 – upload 1 of 2 1 1",
        "0.100 0.400 upload 0 of 1 0 0",
        "0.050 0.060 hold – – –",
        "parked 1 agreement_missing none",
        "signature 5169a15169a15169…",
        "A family literature PMID:1 network east 0.777 Hematuria",
        "old 0.8001 0.8042 +0.0041",
        "new 0.9107 0.8708 -0.0399",
        "12,345",
        "hp/releases/2025-01-16",
        "f1" * 32,
        "5e" * 32,
        "east ↔ south; north ↔ south",
        "The senders hold 1 receipt; the receivers' own ledgers hold 1 case",
    ):
        assert expected in words, expected


def test_the_best_figure_of_each_column_is_marked(page: Page) -> None:
    """A6: the baseline that beats the models is marked as the better one."""
    best = [a for tag, a in page.tags if tag == "td" and "best" in (a.get("class") or "")]
    assert len(best) == 2 * 3 + 1  # both models: MSLE, AUROC, Brier; the linear one: Spearman


def test_a_refused_update_says_why() -> None:
    """A9: without a second model the page says that there is none, and why."""
    page = Page(render_report(flow_result(second=False)))
    words = " ".join(page.text.split())
    assert "Second model not accepted: too few windows reach the propagation preset" in words


@pytest.mark.parametrize(
    "result", [flow_result([]), flow_result([platform_result("lonely")], second=False)]
)
def test_an_empty_result_is_a_page(result: FlowResult) -> None:
    """A13: without platforms, or with one that has decided nothing, the page stands and says so."""
    page = Page(render_report(result))
    assert "No rare case has been decided on in this period." in page.text
    assert "There are not two platforms that could share." in page.drawings


def test_the_same_result_gives_the_same_bytes() -> None:
    """A13: a report can be made again from the stored result, and compared."""
    assert render_report(flow_result()) == render_report(flow_result())

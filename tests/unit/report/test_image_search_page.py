"""What a search of image models looks like on a page and on the terminal."""

import io
import json
import re

from rich.console import Console

from cluster.contracts.image_search import ImageSearch, ImageSearchPlan, ImageTrial
from cluster.contracts.image_training import ImageFitConfig
from cluster.contracts.trend_search import Candidate, Parameter
from cluster.report.image_search import image_trial_rows, render_page, render_search
from cluster.report.trend_search import draw_parameter

SPACE = (
    Parameter(name="learning_rate", meaning="at <most>", scale="log", low=1e-5, high=1e-2),
    Parameter(
        name="depth", meaning="what is trained", scale="choice", choices=("head", "upper", "all")
    ),
)
CANDIDATES = (
    Candidate(id="trial-00", values={"learning_rate": 3e-4, "depth": "all"}),
    Candidate(id="trial-01", values={"learning_rate": 1e-3, "depth": "upper"}),
    Candidate(id="trial-02", values={"learning_rate": 5e-3, "depth": "head"}),
)


def a_search() -> ImageSearch:
    """Return a search whose second trial is the best and whose third failed."""
    best, default = (
        ImageTrial(
            **CANDIDATES[place].model_dump(),
            state="finished",
            epochs=2,
            validation_loss=loss,
            validation_accuracy=0.9,
            curve=((1, 1.0), (2, loss)),
            seconds=3.4,
        )
        for place, loss in ((1, 0.25), (0, 0.5))
    )
    failed = ImageTrial(**CANDIDATES[2].model_dump(), state="failed", error="setting_invalid")
    plan = ImageSearchPlan(
        data_set="a<b",
        data_set_digest="d",
        n_training=840,
        n_validation=180,
        weights="none",
        base=ImageFitConfig(image_size=160),
        space=SPACE,
        candidates=CANDIDATES,
    )
    return ImageSearch(plan=plan, trials=(best, default, failed))


def test_names_and_numbers_stay_what_they_are() -> None:
    """B7: a search is read back from JSON as it was written, named choices among numbers."""
    search = a_search()
    assert ImageSearch.model_validate_json(search.model_dump_json()) == search
    assert search.trials[0].values == {"learning_rate": 1e-3, "depth": "upper"}


def test_the_table_has_every_trial_with_its_accuracy() -> None:
    """B7: the best first, beside the default; a failed trial with its code and no figure."""
    best, default, failed = image_trial_rows(a_search())
    assert best == [
        "trial-01",
        "0.2500",
        "0.900",
        "-0.2500",
        "2",
        "finished",
        "3",
        "0.001",
        "upper",
    ]
    assert default[:4] == ["trial-00 (default)", "0.5000", "0.900", ""]
    assert failed[:6] == ["trial-02", "", "", "", "0", "failed (setting_invalid)"]


def test_the_terminal_shows_the_table_and_the_verdict() -> None:
    """B7: what was searched on what, and what follows."""
    shown = io.StringIO()
    render_search(a_search(), Console(file=shown, width=80))
    for text in (
        "3 trials of inception_v3 at 160 pixels",
        "setting_invalid",
        "0.2500 (50 %) lower",
    ):
        assert text in shown.getvalue()


def test_named_choices_are_drawn_in_their_order() -> None:
    """B7: the axis has every choice, also one that no trial took."""
    figure = draw_parameter(a_search(), SPACE[1])
    assert figure.layout.xaxis.type == "category"
    assert list(figure.layout.xaxis.categoryarray) == ["head", "upper", "all"]
    assert sorted(x for one in figure.data for x in one.x) == ["all", "upper"]


def test_the_page_is_whole() -> None:
    """B7: one file without a reference to another; texts of users are not read as HTML."""
    page = render_page(a_search())
    own = page.partition("<script>")[0] + page.rpartition("<script>")[2]  # without plotly's
    assert not re.search(r'(src|href)="http', own)
    assert "a&lt;b" in own and "at &lt;most&gt;" in own and "image model" in own
    drawings = re.search(r'id="drawings">(.*?)</script>', page, re.DOTALL)
    assert drawings and set(json.loads(drawings[1])) == {"0", "1", "curves"}
    assert render_page(a_search().model_copy(update={"trials": ()}))

"""What a search for a configuration looks like on a page and on the terminal."""

import io
import json
import re

import pytest
from rich.console import Console

from cluster.contracts.trend_search import Candidate, Parameter, SearchPlan, TrendSearch, Trial
from cluster.report.trend_search import (
    draw_curves,
    draw_parameter,
    render_page,
    render_search,
    trial_rows,
    verdict,
)

SPACE = (
    Parameter(name="lr", meaning="step <of> it", scale="log", low=1e-4, high=1e-2),
    Parameter(name="depth", meaning="blocks", scale="choice", low=1, high=4, choices=(1, 2, 4)),
)
CANDIDATES = tuple(
    Candidate(id=f"trial-{n:02d}", values={"lr": 0.001 * (n + 1), "depth": n + 1}) for n in range(3)
)


def a_search(*, best: int = 1) -> TrendSearch:
    """Return a search of a default, one that was stopped, and one that failed."""
    states = ("finished", "stopped_early", "failed")
    curves = (((3, 1.2), (6, 1.0)), ((3, 0.9 if best == 1 else 1.3),), ())
    trials = [
        Trial(
            **candidate.model_dump(),
            state=state,
            epochs=curve[-1][0] if curve else 0,
            validation_loss=curve[-1][1] if curve else None,
            curve=curve,
            seconds=2.4,
            error="setting_invalid" if state == "failed" else "",
        )
        for candidate, state, curve in zip(CANDIDATES, states, curves, strict=True)
    ]
    order = [trials[1], trials[0], trials[2]] if best == 1 else trials
    plan = SearchPlan(
        windows="a<b.parquet",
        dataset_digest="d",
        n_windows=1234,
        epochs_max=6,
        seed=1,
        label_weight=0.3,
        space=SPACE,
        candidates=CANDIDATES,
    )
    return TrendSearch(plan=plan, trials=tuple(order))


def test_the_table_has_every_trial_with_how_it_ended() -> None:
    """A6: the best first, beside the default; a failed trial with its code and no loss."""
    best, default, failed = trial_rows(a_search())
    assert best == ["trial-01", "0.9000", "-0.1000", "3", "stopped early", "2", "0.002", "2"]
    assert default[:5] == ["trial-00 (default)", "1.0000", "", "6", "finished"]
    assert failed[:5] == ["trial-02", "", "", "0", "failed (setting_invalid)"]


def test_what_follows_is_said_in_words() -> None:
    """A6: whether anything is better than the default, and by how much."""
    assert "0.1000 (10 %) lower than that of the default" in verdict(a_search())
    assert verdict(a_search(best=0)).startswith("Nothing tried is better than the default")
    none = a_search().model_copy(update={"trials": ()})
    assert verdict(none) == "No trial has a validation loss."


def test_the_terminal_shows_the_table_and_the_verdict() -> None:
    """A6: every trial is there, also where there is no terminal."""
    shown = io.StringIO()
    render_search(a_search(), Console(file=shown, width=80))
    for text in ("trial-00 (default)", "trial-02", "setting_invalid", "3 trials on 1,234 windows"):
        assert text in shown.getvalue()


def test_curves_show_which_trials_were_stopped() -> None:
    """A6: a stopped trial ends with a cross, a finished one with a dot."""
    drawn = {one.name: one for one in draw_curves(a_search(), "loss").data if one.x != (None,)}
    assert set(drawn) == {"trial-00", "trial-01"}  # the failed one has nothing to draw
    assert list(drawn["trial-00"].x) == [3, 6]
    assert drawn["trial-00"].marker.symbol[-1] == "circle"
    assert drawn["trial-01"].marker.symbol[-1] == "x"


@pytest.mark.parametrize(("place", "kind"), [(0, "log"), (1, "linear")])
def test_the_loss_is_drawn_against_each_parameter(place: int, kind: str) -> None:
    """A6: each trial with a loss is a point, on the scale on which it was drawn."""
    figure = draw_parameter(a_search(), SPACE[place])
    assert figure.layout.xaxis.type == kind or (kind == "linear" and not figure.layout.xaxis.type)
    assert sum(len(one.x) for one in figure.data) == 2


def test_the_page_is_whole_and_shows_names_as_they_are() -> None:
    """A6: one file without a reference to another; texts of users are not read as HTML."""
    page = render_page(a_search())
    assert page == render_page(a_search())
    own = page.partition("<script>")[0] + page.rpartition("<script>")[2]  # without plotly's
    assert not re.search(r'(src|href)="http', own)
    assert "a&lt;b.parquet" in page and "step &lt;of&gt; it" in page
    drawings = re.search(r'id="drawings">(.*?)</script>', page, re.DOTALL)
    assert drawings and set(json.loads(drawings[1])) == {"0", "1", "curves"}
    assert render_page(a_search().model_copy(update={"trials": ()}))

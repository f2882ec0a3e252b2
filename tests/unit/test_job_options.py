"""What people type is read into a plan."""

from pathlib import Path

import pytest

from cluster.errors import InputError
from cluster.settings import load_settings
from jobs.shell import person_years_of, plan_from


def test_populations_at_risk_are_part_of_the_plan() -> None:
    """A2: each platform's number is stated by its name, and kept with the plan of the run."""
    plan = plan_from(
        out=Path("runs/x"),
        cases="",
        events="",
        platforms=2,
        cases_per_platform=3,
        history_days=10,
        seed=1,
        as_of="2026-01-01",
        no_agreement=[],
        settings=load_settings(),
        at_risk=["platform-1=2500000", "platform-2=0"],
    )
    assert plan.at_risk == {"platform-1": 2.5e6, "platform-2": 0.0}


@pytest.mark.parametrize(
    "pairs",
    [["platform-1"], ["=5"], ["p=many"], ["p=-1"], ["p=inf"], ["p=nan"], ["p="], ["p=1", "p=2"]],
)
def test_a_population_that_cannot_be_read_is_an_error(pairs: list[str]) -> None:
    """A2: a number below 0, none, or a platform named twice is never guessed at."""
    with pytest.raises(InputError, match="name=person-years") as caught:
        person_years_of(pairs)
    assert caught.value.where == "--at-risk"

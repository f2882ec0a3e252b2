"""A run is begun with one plan and taken up with the same (A13)."""

from pathlib import Path

import pytest
from builders import a_phenopacket

from cluster.contracts.result import SIMULATED, FlowPlan
from cluster.errors import Conflict, NotFound, SourceUnreadable
from cluster.flow.plan import keep_plan, read_plan, sources_of
from cluster.settings import Settings
from tests.unit.flow.world import NOW, a_source


def a_plan(**changes: object) -> FlowPlan:
    """Return a small plan."""
    fields = {
        "run": "demo",
        "cases": SIMULATED,
        "events": SIMULATED,
        "as_of": NOW,
        "history_days": 90.0,
        "seed": 1,
        "platforms": 2,
        "cases_per_platform": 3,
        "no_agreement": (),
        "settings": {},
    }
    return FlowPlan.model_validate(fields | changes)


def test_a_run_is_taken_up_with_the_plan_it_was_begun_with(tmp_path: Path) -> None:
    """A13: the plan of the first call counts, its end of the period with it."""
    plan = a_plan()
    assert keep_plan(tmp_path, plan) == plan
    assert keep_plan(tmp_path, a_plan(as_of=NOW + 999)) == plan
    assert read_plan(tmp_path) == plan


@pytest.mark.parametrize("change", [{"seed": 2}, {"platforms": 3}, {"settings": {"lease_s": "5"}}])
def test_another_plan_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    """A13: a folder is one run's; another plan does not mix with what was begun."""
    keep_plan(tmp_path, a_plan())
    with pytest.raises(Conflict, match="another plan"):
        keep_plan(tmp_path, a_plan(**change))
    assert read_plan(tmp_path) == a_plan()


def test_a_folder_without_a_run_says_so(tmp_path: Path) -> None:
    """A13: taking up what was not begun is an error with a remedy."""
    with pytest.raises(NotFound, match="no run was begun"):
        read_plan(tmp_path)


def test_a_simulated_cohort_is_drawn_the_same_again(tmp_path: Path) -> None:
    """A13 B7: the same plan gives the same files; what is there is not drawn anew."""
    settings = Settings(data_dir=tmp_path / "data")
    sources = sources_of(a_plan(), tmp_path / "one", settings)
    assert list(sources) == ["platform-1", "platform-2"]
    files = [Path(source.files[0]) for source in sources.values()]
    content = [file.read_bytes() for file in files]
    assert [text.count(b"\n") for text in content] == [3, 3]
    assert content[0] != content[1]
    assert all(
        line.startswith(b'{"diseases"') and b"SIMULATED" in line for line in content[0].splitlines()
    )
    assert sources_of(a_plan(), tmp_path / "one", settings) == sources
    again = sources_of(a_plan(), tmp_path / "two", settings)
    assert [Path(source.files[0]).read_bytes() for source in again.values()] == content
    files[0].unlink()
    sources_of(a_plan(), tmp_path / "one", settings)
    assert files[0].read_bytes() == content[0]


def test_given_cases_are_divided_among_the_platforms(tmp_path: Path) -> None:
    """A13 B1: one collection is divided by the plan's number; a wrong path is an error."""
    settings = Settings(data_dir=tmp_path / "data")
    (path,) = a_source(tmp_path, a_phenopacket("a"), a_phenopacket("b")).files
    sources = sources_of(a_plan(cases=path, platforms=3), tmp_path, settings)
    assert [(s.part, s.parts) for s in sources.values()] == [(0, 3), (1, 3), (2, 3)]
    with pytest.raises(SourceUnreadable):
        sources_of(a_plan(cases=str(tmp_path / "nowhere")), tmp_path, settings)

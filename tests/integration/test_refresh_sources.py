"""The courier's refresh over several sources, and what of its settings may change between runs."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import a_phenopacket
from ray.exceptions import RayError

from actors.run import settings_of
from actors.supervisor import SupervisorService
from cluster.contracts.result import SIMULATED, FlowPlan
from cluster.errors import Conflict
from cluster.flow import related
from cluster.flow.plan import keep_plan, read_plan
from cluster.settings import Settings, load_settings
from jobs.shell import plan_from
from tests.unit.flow.world import NOW, World

KEY = "0123456789abcdef-secret"


class Handle:
    """A platform of this process behind the calls of an actor; it may be down."""

    def __init__(self, world: World, name: str) -> None:
        self.down: set[str] = set()
        home = world.platforms[name]
        self.related_questions = self._remote("related_questions", related.due_questions, home)
        self.find_related = self._remote("find_related", related.find_related, home)
        self.store_related = self._remote("store_related", related.store_related, home)

    def _remote(self, name: str, step: Callable[..., Any], home: object) -> Any:
        async def remote(*arguments: object) -> Any:
            if name in self.down:
                raise RayError
            return step(home, *arguments)

        return type("Method", (), {"remote": staticmethod(remote)})


class Courier(SupervisorService):
    """A supervisor whose platforms are in this process."""

    def __init__(self, world: World, settings: Settings) -> None:
        super().__init__(settings)
        self.handles = {name: Handle(world, name) for name in world.platforms}
        self._names = {"OMIM:100": "One hundred"}

    async def _platforms(self) -> dict[str, Any]:
        return self.handles


@pytest.fixture
def world(tmp_path: Path) -> World:
    """North and south share one case each, with each other."""
    made = World(tmp_path)
    made.add("north", a_phenopacket("a"))
    made.add("south", a_phenopacket("s", observed=("HP:0002069",), publication="PMID:7"))
    made.agree(("north", "south"))
    made.decide("north", {"a": 0.9})
    made.decide("south", {"s": 0.9})
    made.deliver()
    return made


def settings_with(folder: Path, **more: str) -> Settings:
    """Return settings with a file of one publication, one bad row, and more."""
    path = folder / "papers.tsv"
    path.write_text("pmid\ttitle\tdisease_ids\nPMID:2\tAnother\tOMIM:100\nnone\tx\t\n")
    return load_settings({"data_dir": str(folder), "literature_path": str(path)} | more)


def test_each_source_says_how_it_went(world: World, tmp_path: Path) -> None:
    """A12: pushed by platform, and by source its state, counts and findings."""
    settings = settings_with(tmp_path)
    report = asyncio.run(Courier(world, settings).refresh(NOW, settings))
    network, file, pubmed = report.sources
    assert report.pushed == {"north": 3, "south": 2}
    assert (network.state, network.asked, network.answered, network.found) == ("ok", 4, 4, 3)
    assert (file.state, file.asked, file.found) == ("ok", 2, 2)
    assert [(f.code, f.line) for f in file.findings] == [("pmid_invalid", 3)]
    assert (pubmed.source, pubmed.state) == ("pubmed", "not configured")
    again = asyncio.run(Courier(world, settings).refresh(NOW + 1, settings))
    assert (again.n_pushed, [one.asked for one in again.sources]) == (0, [0, 0, 0])


def test_what_fails_is_named_and_the_rest_goes_on(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A12: a platform that is down and a PubMed that nobody answers for leave the file's."""
    settings = settings_with(tmp_path, ncbi_email="a@b.org", ncbi_url="http://127.0.0.1:1/")
    courier = Courier(world, settings)
    courier.handles["south"].down.add("find_related")
    monkeypatch.setattr("time.sleep", lambda _: None)
    report = asyncio.run(courier.refresh(NOW, settings))
    network, file, pubmed = report.sources
    assert (network.state, network.reason) == ("unavailable", "no answer from south")
    assert (pubmed.state, pubmed.answered) == ("unavailable", 0)
    assert pubmed.reason == "no connection (ConnectError)"
    assert (file.state, report.pushed["north"]) == ("ok", 1)
    assert [one.source for one in report.unavailable] == ["network", "pubmed"]


@pytest.mark.parametrize("step", ["related_questions", "store_related"])
def test_a_home_that_fails_is_an_error_after_the_others(
    world: World, tmp_path: Path, step: str
) -> None:
    """A12 A13: the other platform is refreshed all the same."""
    settings = settings_with(tmp_path)
    courier = Courier(world, settings)
    courier.handles["north"].down.add(step)
    with pytest.raises(RayError):
        asyncio.run(courier.refresh(NOW, settings))
    assert "PMID:2" in {i.item_id for i in related.related_of(world.platforms["south"], "s")}


def a_plan(folder: Path, settings: Settings) -> FlowPlan:
    """Return the plan that a job makes of its options."""
    options: dict[str, Any] = {"cases": "", "events": "", "platforms": 2, "as_of": ""}
    options |= {"cases_per_platform": 9, "history_days": 9.0, "seed": 1, "no_agreement": []}
    return plan_from(out=folder, settings=settings, **options)


def test_a_run_may_be_taken_up_with_other_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A12 A13: file, address, key and URL may differ; anything else is another run."""
    keep_plan(tmp_path, a_plan(tmp_path, load_settings({"ncbi_api_key": KEY})))
    assert KEY not in (tmp_path / "plan.json").read_text()
    plan = read_plan(tmp_path)
    assert plan.cases == SIMULATED
    monkeypatch.setenv("DAZZLE_NCBI_API_KEY", "renewed")
    changed = {"ncbi_email": "a@b.org", "ncbi_url": "http://localhost/x", "literature_path": "p"}
    settings = settings_of(plan, tmp_path, changed)
    assert settings.ncbi_api_key.get_secret_value() == "renewed"
    assert (settings.ncbi_email, settings.ncbi_url) == ("a@b.org", "http://localhost/x")
    with pytest.raises(Conflict, match="related_max=5"):
        settings_of(plan, tmp_path, {"related_max": "6"})

"""The whole flow S100-S1000 on a real local Ray, stopped, killed and started again (A13)."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import ray

from actors.flow import run_all
from actors.upkeep import search
from cluster.contracts.result import FlowResult
from cluster.flow.replay import verdict_on
from cluster.retrieval.query import CaseQuery
from tests.integration.flow_runs import (
    begin,
    outcome,
    run_to_end,
    share_keys,
    stop_actors,
)

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("undisturbed")


@pytest.fixture(scope="module")
def undisturbed(ray_cluster: None, folder: Path) -> FlowResult:
    """The result of a run that nothing happened to."""
    return run_to_end(folder)


def test_every_step_left_its_result(undisturbed: FlowResult) -> None:
    """A1-A12: tags, screened cases, counts, indexes, decisions, deliveries, related material."""
    for platform in undisturbed.platforms:
        assert platform.tag is not None and platform.tag.mix
        assert platform.ingest.added == 180
        assert platform.screening.rare
        assert platform.period.events > 0
        assert {record.case_id for record in platform.decisions} == {
            case.case_id for case in platform.screening.rare
        }
        assert any(summary.index > 0 for summary in platform.propagation)
    assert undisturbed.first_model.shapes[0].held_out.n > 0
    assert any(shared.related for p in undisturbed.platforms for shared in p.shared)


def test_each_related_platform_holds_each_shared_case_once(undisturbed: FlowResult) -> None:
    """A11: delivered with a receipt to every platform with an agreement, and to no other."""
    agreed = {(here, there) for here, there, is_agreed in undisturbed.links if is_agreed}
    assert agreed
    for sender in undisturbed.platforms:
        for receiver in undisturbed.platforms:
            held = receiver.received.get(sender.platform, [])
            expected = len(sender.shared) if (sender.platform, receiver.platform) in agreed else 0
            assert len(held) == len(set(held)) == expected
        for shared in sender.shared:
            assert {d.state for d in shared.deliveries} <= {"delivered"}
            assert all(d.receipt and d.receipt.receiver == d.peer for d in shared.deliveries)


def test_a_platform_without_agreement_gets_and_gives_nothing(undisturbed: FlowResult) -> None:
    """A11: linked is not enough."""
    without = undisturbed.platforms[-1]
    assert any(without.platform in link[:2] for link in undisturbed.links)
    assert without.received == {}
    assert all(not shared.deliveries for shared in without.shared)


def test_kills_and_stops_change_nothing(
    undisturbed: FlowResult, folder: Path, tmp_path: Path
) -> None:
    """A13: kill -9 of every kind of actor in mid-step, and two stops, leave no trace."""
    share_keys(folder, tmp_path)
    victims = {
        "register": "network",
        "ingest": "platform-1",
        "accesses": "platform-2",
        "windows": "platform-3",
        "fit": "registry",
        "update": "trend",
        "decide": "platform-1",
        "deliver": "supervisor",
        "refresh": "platform-2",
    }
    stops = {"screen", "decide"}
    killed: list[str] = []

    def disturb(step: str, done: int, pids: dict[str, int]) -> None:
        if done:
            return
        if step in stops:
            stops.remove(step)
            raise KeyboardInterrupt(step)
        if step in victims:  # its call is under way
            killed.append(victims.pop(step))
            os.kill(pids[killed[-1]], signal.SIGKILL)

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run_to_end(tmp_path, disturb)
    result = run_to_end(tmp_path, disturb)
    assert {name.rstrip("-123") for name in killed} == {
        "network",
        "platform",
        "registry",
        "supervisor",
        "trend",
    }
    assert not victims
    assert outcome(result) == outcome(undisturbed)


def replay(folder: Path) -> subprocess.CompletedProcess[str]:
    """Replay the decisions of a run, as an operator does."""
    chosen = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "DAZZLE_"))}
    words = ("--out", str(folder), "--set", f"data_dir={folder / 'data'}")
    return subprocess.run(
        [sys.executable, "-m", "jobs.replay_decisions", *words],
        cwd=Path(__file__).parents[2],
        env=chosen,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_decisions_are_replayed_and_a_changed_one_is_named(
    undisturbed: FlowResult, folder: Path, tmp_path: Path
) -> None:
    """A10: all are equal; then one index and its verdict are changed, and that one is named."""
    kept = tmp_path / "run"
    shutil.copytree(folder, kept)
    made = [record for platform in undisturbed.platforms for record in platform.decisions]
    whole = replay(kept)
    assert whole.returncode == 0, whole.stderr
    assert f"{len(made)} decisions, {len(made)} equal, 0 differ" in whole.stdout
    held = next(record for record in made if record.outcome == "hold" and record.by_platform)
    first = held.first.model_copy(update={"index": 0.999})
    forged = held.model_copy(update={"first": first, "approved": True})
    verdict = verdict_on(forged)
    assert verdict.outcome == "upload"
    forged = forged.model_copy(update=vars(verdict))
    path = kept / "data" / "platforms" / held.platform / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as ledger, ledger:
        row = (forged.outcome, forged.model_dump_json(), held.decision_id)
        ledger.execute("UPDATE decisions SET outcome = ?, record = ? WHERE decision_id = ?", row)
    changed = replay(kept)
    assert changed.returncode == 1
    assert f"{len(made) - 1} equal, 1 differ" in changed.stdout
    said = changed.stdout.replace("\n", "").replace("│", "").replace(" ", "")
    assert held.decision_id[:12] in said
    assert "isnottheonethatwaskept" in said
    assert "integrity_error" in changed.stderr and "Traceback" not in changed.stderr


def test_a_finished_run_again_does_nothing(undisturbed: FlowResult, folder: Path) -> None:
    """A13: the same run started again sends nothing, pushes nothing, and reads the same result."""
    run = begin(folder)
    try:
        assert outcome(run_all(run)) == outcome(undisturbed)
        assert ray.get(run.session.supervisor.deliver.remote()) == 0
        again = run.session.supervisor.refresh.remote(run.plan.as_of, run.session.settings)
        assert ray.get(again).n_pushed == 0
        case = undisturbed.platforms[0].screening.rare[0].case_id
        answer = search(run, CaseQuery(like=case, k=5), [])
        assert len(answer.hits) == 5 and answer.hits[0].matches
        assert answer.diseases and answer.none_of_these is not None
        (alone,) = search(run, CaseQuery(like=case, k=1), ["platform-1"]).hits
        assert alone.platform == "platform-1" and alone.case_id != case
    finally:
        stop_actors()

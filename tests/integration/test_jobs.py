"""The jobs as their users run them: commands, output, exit codes."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import a_plan

from cluster.contracts.result import FlowResult
from cluster.flow.plan import keep_plan
from cluster.retrieval.query import CaseHit, DiseaseHit, SearchAnswer
from jobs.search import show
from tests.http_builders import free_port

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(600)


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the repository, without a terminal."""
    chosen = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "DAZZLE_"))}
    return subprocess.run(
        words,
        cwd=ROOT,
        env=chosen | environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def job(name: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-m", f"jobs.{name}", *words, **environment)


def test_the_list_names_every_job() -> None:
    """A13: ``python -m jobs`` lists the verbs, each with the command to type."""
    listed = run(sys.executable, "-m", "jobs").stdout
    verbs = {p.stem for p in (ROOT / "jobs").glob("[a-z]*.py")} - {"shell", "image_intake"}
    assert set(re.findall(r"^python -m jobs\.(\w+) ", listed, re.MULTILINE)) == verbs
    assert {"register_platforms", "ingest", "screen", "record_accesses"} < verbs
    assert {"fit_trend", "decide", "deliver", "refresh", "run_flow"} < verbs


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cases", "nowhere"], "there is no file or folder"),
        (["--set", "incidence=1"], "unknown setting incidence"),
        (["--set", "incidence_preset_per_100k=-1"], "incidence_preset_per_100k"),
        (["--set", "preset"], "is not name=value"),
        (["--as-of", "tomorrow"], "is not a date"),
        (["--events", "nowhere.parquet"], "cannot be read as Parquet"),
        (["--set", "prevalence_path=nowhere.csv"], "published rates cannot be read"),
        (["--set", "ranking_path=nowhere.json"], "weights of the ranking cannot be read"),
        (["--no-agreement", "platform-9"], "there is no platform platform-9"),
        (["--at-risk", "platform-9=1000"], "there is no platform platform-9"),
        (["--at-risk", "platform-1=all"], "is not name=person-years"),
    ],
)
def test_wrong_input_is_one_clear_line(tmp_path: Path, words: list[str], said: str) -> None:
    """A13: what is wrong, where, what to do; exit code 2, no stack, nothing started."""
    ended = job("run_flow", "--out", str(tmp_path / "run"), *words)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_another_plan_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    """A13: a run is never mixed with another one."""
    plan = a_plan(cases="elsewhere")
    keep_plan(tmp_path / "run", plan)
    (tmp_path / "a.jsonl").write_text("{}\n")
    cases = str(tmp_path / "a.jsonl")
    ended = job("run_flow", "--out", str(tmp_path / "run"), "--cases", cases)
    assert ended.returncode == 1
    assert "holds a run with another plan" in ended.stderr


def test_answers_from_files(tmp_path: Path) -> None:
    """A4: answers without a cluster; a query that cannot be asked is told, exit code 0."""
    cases, queries, out = (tmp_path / f"{name}.jsonl" for name in ("cases", "queries", "out"))
    cases.write_text("\n".join(json.dumps(_phenopacket(f"case-{n}")) for n in range(3)))
    queries.write_text(json.dumps(_phenopacket("query")) + "\n{}\n")
    words = ["--index", str(cases), "--queries", str(queries), "--out", str(out)]
    ended = job("retrieve", *words, "--k", "2")
    assert ended.returncode == 0, ended.stderr
    first, second = map(json.loads, out.read_text().splitlines())
    assert [found["case_id"] for found in first["ranked_cases"]] == ["case-0", "case-1"]
    assert (first["query_id"], second["ranked_cases"]) == ("query", [])
    assert "queries.jsonl:2: case_invalid" in ended.stderr
    for refused, said in ((["--k", "0"], "k is 0"), (["--leave-out", "no.json"], "no.json")):
        wrong = job("retrieve", *words, *refused)
        assert (wrong.returncode, said in wrong.stderr) == (2, True)
        assert "Traceback" not in wrong.stderr


def test_texts_of_cases_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """A4 B9: a name that looks like markup, or would steer a terminal, is a name."""
    hit = CaseHit(
        platform="north",
        case_id="[/x]",
        origin="north",
        disease_id="OMIM:1",
        disease_label="[red]\x1b[2J",
        category="",
        rare_feature=1.0,
        score=1.0,
        similarity=0.5,
        against=("HP:0001250",),
        facts=("gene [b]",),
    )
    ranked = DiseaseHit(
        disease_id="OMIM:1", disease_label="[/y]", probability=0.5, n_cases=1, figures={}
    )
    show(SearchAnswer(hits=[hit], diseases=[ranked], none_of_these=0.5, remarks=("[z]",)))
    told = capsys.readouterr().out
    for text in ("[/x]", "[red]", "[/y]", "[z]", "gene [b]", "- HP:0001250 is contradicted"):
        assert text in told
    assert "\x1b" not in told


def test_too_few_cases_to_learn_a_ranking_from(tmp_path: Path) -> None:
    """A4: one clear line and no file."""
    cases, out = tmp_path / "cases.jsonl", tmp_path / "ranking.json"
    cases.write_text("\n".join(json.dumps(_phenopacket(f"case-{n}")) for n in range(3)))
    ended = job("fit_ranking", "--index", str(cases), "--out", str(out))
    assert ended.returncode == 2
    assert "fewer than 50 cases have a disease with another publication" in ended.stderr
    assert "Traceback" not in ended.stderr and not out.exists()


@pytest.mark.ray
def test_steps_one_by_one_on_mixed_input(tmp_path: Path) -> None:
    """B1: bad records are named by file, line and reason; the rest is taken in and found."""
    folder = tmp_path / "cases"
    folder.mkdir()
    for name in ("one", "two"):
        lines = [json.dumps(_phenopacket(f"{name}-{n}")) for n in range(3)]
        lines[1:1] = ["not json", "{}", json.dumps(_phenopacket(f"{name}-0") | {"x": 1})]
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    out = ["--out", str(tmp_path / "run"), "--set", f"data_dir={tmp_path / 'data'}"]
    begun = job("register_platforms", *out, "--cases", str(folder))
    assert begun.returncode == 0, begun.stderr
    taken = job("ingest", *out)
    assert taken.returncode == 0, taken.stderr
    for line, code in ((2, "case_invalid"), (3, "case_invalid"), (4, "case_id_conflict")):
        assert re.search(rf"refused +│ {code} +│ one\.jsonl +│ {line} ", taken.stdout)
    assert job("screen", *out).returncode == 0
    found = job("search", *out, "--term", "HP:0001250")
    assert found.returncode == 0, found.stderr
    assert "one-2" in found.stdout and "Seizure" in found.stdout
    assert "none of those known here" in found.stdout
    wrong = job("search", *out, "--absent", "HP:0001250")
    assert (wrong.returncode, "no observed term" in wrong.stderr) == (2, True)
    assert "Traceback" not in wrong.stderr


@pytest.mark.ray
def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    """B1: the job ends with a non-zero exit only where nothing could be done."""
    (tmp_path / "bad.jsonl").write_text("{}\n[]\n")
    data = f"data_dir={tmp_path / 'data'}"
    cases = str(tmp_path / "bad.jsonl")
    ended = job("run_flow", "--out", str(tmp_path / "run"), "--cases", cases, "--set", data)
    assert ended.returncode == 2
    assert "no case could be read (case_invalid)" in ended.stderr


@pytest.fixture
def head(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A cluster started with ``ray start --head``, with a token; the environment to reach it."""
    ports = [free_port() for _ in range(4)]
    token = tmp_path / "token"
    token.write_text("0123456789abcdef" * 4)
    token.chmod(0o600)
    environment = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",
        "RAY_worker_maximum_startup_concurrency": "16",
    }
    command = [
        str(Path(sys.executable).with_name("ray")),
        "start",
        "--head",
        "--block",
        "--num-cpus=2",
        f"--port={ports[0]}",
        "--dashboard-host=127.0.0.1",
        f"--dashboard-port={ports[1]}",
        f"--ray-client-server-port={ports[2]}",
        f"--dashboard-agent-listen-port={ports[3]}",  # another cluster here may have the usual one
        "--object-store-memory=200000000",
    ]
    started = subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.PIPE, text=True
    )
    assert started.stdout
    assert any("block forever" in line for line in started.stdout), "the head did not start"
    yield environment | {"RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{ports[1]}"}
    started.terminate()  # it stops the processes that it started, and no others
    started.communicate(timeout=60)


@pytest.mark.ray
def test_the_flow_as_a_ray_job(head: dict[str, str], tmp_path: Path) -> None:
    """A13: ``ray job submit --working-dir . -- python -m jobs.run_flow`` runs S100 to S1000."""
    submitted = run(
        str(Path(sys.executable).with_name("ray")),
        "job",
        "submit",
        "--working-dir",
        ".",
        "--",
        sys.executable,
        "-m",
        "jobs.run_flow",
        "--out",
        str(tmp_path / "run"),
        "--platforms",
        "2",
        "--cases-per-platform",
        "150",
        "--set",
        f"data_dir={tmp_path / 'data'}",
        "--set",
        "train_epochs_max=10",
        **head,
    )
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    result = FlowResult.model_validate_json((tmp_path / "run" / "result.json").read_bytes())
    assert [platform.ingest.added for platform in result.platforms] == [150, 150]
    assert (tmp_path / "run" / "report.html").stat().st_size > 1_000_000


def _phenopacket(case_id: str) -> dict[str, object]:
    return {
        "id": case_id,
        "subject": {"id": "1"},
        "phenotypicFeatures": [{"type": {"id": "HP:0001250", "label": "Seizure"}}],
        "diseases": [{"term": {"id": f"OMIM:{case_id}", "label": "Disease"}}],
    }

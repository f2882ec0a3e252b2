"""The network's rare cases beside Y: asked only when it is wanted, and never silently none."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from device_builders import (
    DISEASE,
    Serving,
    an_answer,
    serving,
    some_cases,
    write_cases,
)

from cluster.contracts.disease import DiseaseAnswer
from cluster.contracts.image_models import NOT_A_DIAGNOSIS
from cluster.contracts.related import NetworkCases
from cluster.device.show import cases_lines
from cluster.errors import IntegrityError

Run = Callable[..., tuple[int, str, str]]
QUESTION = "/platforms/north/rare-cases?disease=MONDO%3A0005249&limit=5"
LINES = f"""\
  coded {DISEASE}, ORPHA:558
  north: no rare case; 2 more that are not rare there, or not screened yet
  south: 3 rare cases, of which the 2 that changed last are shown
    case-a: same {DISEASE}
    case-b: same {DISEASE}
  east: NO ANSWER, it is away; whether it has cases is not known""".splitlines()


@pytest.fixture
def server(public: Path) -> Iterator[Serving]:
    """A server whose network has some cases for north."""
    write_cases(public, some_cases().model_dump_json())
    with serving(public) as state:
        yield state


def told_of(cases: NetworkCases) -> list[str]:
    return [line.plain for line in cases_lines(DISEASE, cases)]


def questions(server: Serving) -> list[str]:
    return [path for path in server.paths() if "rare-cases" in path]


def test_each_platform_is_told_with_its_cases() -> None:
    """C8: how many, which and why; who did not answer is told from who has none."""
    assert told_of(some_cases()) == LINES
    item = some_cases().found["south"].items[0]
    one = {"south": {"items": (item,), "rare": 1, "others": 0}}
    assert told_of(some_cases(found=one))[1] == "  south: 1 rare case"


def test_no_more_is_shown_than_was_asked_for() -> None:
    """C8: a server that sends more does not flood the screen, and all are counted."""
    item = some_cases().found["south"].items[0]
    many = {"south": {"items": (item,) * 2000, "rare": 2000, "others": 0}}
    told = told_of(some_cases(found=many, unanswered={}))
    assert len(told) == 7
    assert told[1] == "  south: 2,000 rare cases, of which the 5 that changed last are shown"


def test_a_network_of_nobody_is_not_one_without_cases() -> None:
    """C8: where nobody was asked, nothing is known."""
    told = told_of(some_cases(found={}, unanswered={}))
    assert told[1:] == ["  no platform was asked; whether there are cases is not known"]


def test_names_are_shown_as_plain_text() -> None:
    """C8 B9: nothing that other hospitals send can steer the terminal or make up a line."""
    bad = "x\x1b[2J\x9b\n[red]\u202e"
    item = some_cases().found["south"].items[0].model_copy(update={"item_id": bad, "why": bad})
    question = some_cases().question.model_copy(update={"codes": (bad,)})
    found = {bad: {"items": (item,), "rare": 1, "others": 0}}
    told = told_of(some_cases(question=question, found=found, unanswered={bad: bad}))
    assert len(told) == 4 and all("[red]" in line for line in told)
    assert all(line.isprintable() for line in told)


def test_what_is_recognised_comes_with_its_cases(
    run: Run, server: Serving, pictures: dict[str, Path]
) -> None:
    """C8: one question for a disease, after Y; what it is not stays the last line."""
    files = (pictures["red"], pictures["red"], pictures["normal"])
    asks = ("--server", server.url, "--platform", "north")
    code, out, _ = run("recognise", *files, "--model", "colours", *asks)
    lines = out.splitlines()
    start = lines.index("Rare cases on the network, asked by north:")
    assert code == 0 and lines[start + 1 : start + 1 + len(LINES)] == LINES
    assert any("cooling" in line for line in lines[:start])
    assert lines[-2:] == ["Reference material.", NOT_A_DIAGNOSIS]
    assert questions(server) == [QUESTION]


def test_a_disease_comes_with_its_cases(
    run: Run, server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C8: the platform may be named once for all commands; the notice stays last."""
    monkeypatch.setenv("DAZZLE_PLATFORM", "north")
    code, out, _ = run("answer", "redness", "--server", server.url)
    assert code == 0 and "case-a: same" in out and questions(server) == [QUESTION]
    assert out.splitlines()[-1] == "Reference material."


def test_nobody_is_asked_unless_it_is_wanted(
    run: Run, server: Serving, pictures: dict[str, Path]
) -> None:
    """C8 B9: other hospitals do not learn what is looked for without a platform, or from R."""
    red = (pictures["red"], "--model", "colours", "--server", server.url)
    out = run("recognise", *red)[1] + run("answer", DISEASE)[1]
    json_lines = run("recognise", *red, "--platform", "north", "--json")[1].splitlines()
    assert questions(server) == [] and "network" not in out and len(json_lines) == 1


def test_cases_for_programs(run: Run, server: Serving, public: Path) -> None:
    """C8: Y as without them, then one line of ASCII; null where they are not known."""
    item = some_cases().found["south"].items[0].model_copy(update={"item_id": "\x9b2J:cat:"})
    cases = some_cases(found={"south": {"items": (item,), "rare": 1, "others": 0}})
    write_cases(public, cases.model_dump_json())
    answer = an_answer(synonyms=("a :cat:",))
    path = public / "answers" / f"{DISEASE.replace(':', '_')}.json"
    path.write_text(answer.model_dump_json())
    words = ("answer", DISEASE, "--json", "--server", server.url)
    (alone,) = run(*words)[1].splitlines()
    first, second = run(*words, "--platform", "north")[1].splitlines()
    assert first == alone and DiseaseAnswer.model_validate_json(first) == answer
    assert second.isascii() and NetworkCases.model_validate_json(second) == cases
    code, out, err = run(*words, "--platform", "south")
    assert code == 0 and out.splitlines() == [alone, "null"]
    assert "is not known" in err and len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"folder": True}, "a folder has no network"),
        ({"status": 401}, "Set DAZZLE_SERVER_TOKEN"),
        ({"status": 403}, "Set DAZZLE_SERVER_TOKEN"),
        ({"status": 404}, "no platform north"),
        ({"status": 422}, "status 422"),
        ({"status": 503, "told": {"Retry-After": "30"}}, "Ask again in 30 s."),
        ({"status": 302, "told": {"Location": "/x"}}, "status 302"),
        ({"cuts": [5]}, "does not answer"),
        ({"content": b"<html>Sign in</html>"}, "no list of cases"),
        ({"content": b" " * (5 << 20)}, "over 4,194,304 bytes"),
    ],
)
def test_an_outage_is_not_no_cases(
    run: Run, public: Path, server: Serving, fault: dict[str, Any], told: str
) -> None:
    """C8: one line says that it is not known; Y is there all the same."""
    server.status, server.refuses = fault.get("status", 0), "rare-cases"
    server.told, server.cuts = fault.get("told", {}), fault.get("cuts", [])
    write_cases(public, fault.get("content", some_cases().model_dump_json()))
    place = public if "folder" in fault else server.url
    code, out, err = run("answer", DISEASE, "--server", place, "--platform", "north")
    lines = out.splitlines()
    (line,) = [one for one in lines if "is not known" in one]
    assert (code, err) == (0, "") and told in line
    assert line.startswith(f"Whether the network has rare cases of {DISEASE} is not known: ")
    assert "cooling" in out and lines[-1] == "Reference material."
    assert "no rare case" not in out and "case-a" not in out


def test_cases_come_also_where_there_is_no_answer(
    run: Run, public: Path, server: Serving, pictures: dict[str, Path]
) -> None:
    """C8: one of the two may fail."""
    (public / "answers" / f"{DISEASE.replace(':', '_')}.json").unlink()
    asks = ("--server", server.url, "--platform", "north")
    code, out, _ = run("recognise", pictures["red"], "--model", "colours", *asks)
    assert code == 0 and f"No answer about {DISEASE}" in out and "case-a: same" in out


def test_cases_of_an_earlier_time_are_never_shown(run: Run, public: Path) -> None:
    """C8: a case may have been withdrawn since; Y is kept for times offline, cases are not."""
    write_cases(public, some_cases().model_dump_json())
    with serving(public) as server:
        words = ("answer", DISEASE, "--server", server.url, "--platform", "north")
        assert "case-a" in run(*words)[1]
    code, out, _ = run(*words)
    assert code == 0 and "Offline: this answer is of 20" in out and "is not known" in out
    assert "case-a" not in out and "no rare case" not in out


def test_a_name_that_is_no_platform_is_told_at_once(run: Run, server: Serving) -> None:
    """C8: before anything is asked or recognised."""
    words = ("answer", DISEASE, "--server", server.url, "--platform", "../north")
    code, out, err = run(*words)
    assert (code, out, server.paths()) == (2, "", []) and "platform id '../north'" in err


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"question": {"disease_id": "A:1", "name": "", "codes": ("A:1",)}}, "are of 'A:1'"),
        ({"found": {"south": {"rare": 0}}}, "than are counted"),
        ({"found": {"south": {"rare": -1}}}, "no list of cases"),
    ],
)
def test_what_contradicts_itself_is_refused(
    device: Any, server: Serving, public: Path, change: dict[str, Any], told: str
) -> None:
    """C8: an answer to another question, or counts that cannot be, are no answer."""
    cases = json.loads(some_cases().model_dump_json())
    south = cases["found"]["south"] | change.get("found", {}).get("south", {})
    write_cases(public, json.dumps(cases | change | {"found": {"south": south}}))
    with pytest.raises(IntegrityError, match=told):
        device(server.url).rare_cases(DISEASE, "north")


def test_cases_are_asked_by_any_code_of_the_disease(device: Any, server: Serving) -> None:
    """C8: the record may have another id than the code that was asked for."""
    assert device(server.url).rare_cases("ORPHA:558", "north") == some_cases()

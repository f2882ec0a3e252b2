"""PubMed is asked politely, survives what a server may answer, and is told nothing of a case."""

import json
import logging
from collections.abc import Iterator
from itertools import pairwise

import pytest
from pydantic import SecretStr

from cluster.clock import ManualClock
from cluster.contracts.related import LiteratureAnswer, LiteratureQuery
from cluster.retrieval.literature import ask
from cluster.settings import load_settings
from cluster.storage import pubmed
from cluster.storage.pubmed import PubMed, RateLimiter, literature_sources, terms_of
from tests.unit.storage.e_utilities import Reply, Utilities, served

KEY = "0123456789abcdef-secret"
NOONAN = LiteratureQuery(
    case_id="north.1", disease_id="OMIM:163950", disease_name="Noonan syndrome 1", genes=("PTPN11",)
)
MARFAN = LiteratureQuery(
    case_id="north.2", disease_id="OMIM:154700", disease_name="Marfan syndrome", genes=()
)


@pytest.fixture
def server() -> Iterator[Utilities]:
    """Three publications."""
    titles = {
        "11": "Noonan syndrome and &lt;i&gt;PTPN11&lt;/i&gt;.",
        "22": "PTPN11 <sup>again</sup>",
        "33": "Marfan\x1b[31m \n here",
    }
    with served(Utilities(titles)) as one:
        yield one


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries, in seconds, which nobody waits for."""
    passed: list[float] = []
    monkeypatch.setattr("time.sleep", passed.append)
    return passed


def source(server: Utilities, *, key: str = "", timeout_s: float = 5.0) -> PubMed:
    """Return PubMed at the server, with a clock that stands."""
    limiter = RateLimiter(now=lambda: 0.0, sleep=lambda _: None)
    return PubMed(
        server.url,
        "ops@example.org",
        SecretStr(key),
        limiter,
        timeout_s=timeout_s,
        clock=ManualClock(1_700_000_000.0),
    )


def find(server: Utilities, *queries: LiteratureQuery, key: str = "") -> LiteratureAnswer:
    """Ask for at most ten publications a case."""
    return source(server, key=key).find(queries, 10)


def ids(answer: LiteratureAnswer, case_id: str = "north.1") -> list[str]:
    """Return what was found for a case."""
    return [item.item_id for item in answer.found[case_id]]


def test_disease_and_gene_are_asked_and_titles_made_plain(server: Utilities) -> None:
    """A12: what both found is one item; markup and what steers a terminal are gone."""
    answer = find(server, NOONAN, MARFAN)
    first, second = answer.found["north.1"]
    assert (first.item_id, first.title) == ("PMID:11", "Noonan syndrome and PTPN11.")
    assert first.why == "same disease OMIM:163950 (Noonan syndrome 1); same gene PTPN11"
    assert (second.item_id, second.title) == ("PMID:22", "PTPN11 again")
    assert answer.found["north.2"][0].title == "Marfan [31m here"
    assert (answer.reason, first.source) == ("", "pubmed")


def test_only_names_and_symbols_leave(server: Utilities) -> None:
    """A12 B9: neither the case's name, nor the disease's id, nor what is no gene symbol."""
    odd = NOONAN.model_copy(update={"genes": ("PTPN11", "Mr Smith", "seizures", 'X" OR 1')})
    find(server, odd)
    assert [form["term"] for form in server.forms("esearch")] == [
        "noonan[Title/Abstract]",
        f"PTPN11[Title/Abstract] AND ({pubmed.GENE_WORDS})",
    ]
    assert set(server.forms("esearch")[0]) == {
        *("db", "retmode", "tool", "email", "term", "retmax", "sort")
    }
    assert "north" not in json.dumps(server.calls) and "163950" not in json.dumps(server.calls)
    server.calls.clear()
    nothing = LiteratureQuery(case_id="c", disease_id="LOCAL:7", genes=())
    answer = find(server, nothing)
    assert (answer.found, answer.unasked) == ({"c": ()}, ("c",))
    assert server.calls == []
    _, state = ask(source(server), [nothing, MARFAN], {"OMIM:154700": "Marfan syndrome"}, 5)
    assert (state.asked, state.answered, state.found) == (1, 1, 1)


def test_every_call_says_who_asks(server: Utilities) -> None:
    """A12: tool and address as NCBI wants them; a key only where there is one."""
    find(server, NOONAN)
    assert {(form["tool"], form["email"]) for _, form in server.calls} == {
        ("dazzle", "ops@example.org")
    }
    assert not [form for _, form in server.calls if "api_key" in form]
    server.calls.clear()
    find(server, NOONAN, key=KEY)
    assert {form["api_key"] for _, form in server.calls} == {KEY}


def test_the_key_is_nowhere_but_in_the_call(
    server: Utilities, waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """A12 B9: not in an address, a log, a reason; not even where the server repeats it."""
    refused = {"error": "API key invalid", "api-key": KEY}
    server.replies["esearch"] = [
        Reply(429),
        Reply(body=json.dumps({"error": f"{KEY} is busy"}).encode()),
        Reply(400, json.dumps(refused | {"error": f"API key {KEY} invalid"}).encode()),
    ]
    with caplog.at_level(logging.DEBUG):
        answer = find(server, MARFAN, key=KEY)
    assert answer.reason == "HTTP 400 API key … invalid"
    assert len(waits) == 2
    assert KEY not in caplog.text and KEY not in "".join(server.paths) and caplog.text
    assert KEY not in repr(vars(source(server, key=KEY)))


def test_equal_questions_are_asked_once(server: Utilities) -> None:
    """A12: many cases of one disease are one search, and all summaries one call."""
    again = NOONAN.model_copy(update={"case_id": "north.9"})
    answer = find(server, NOONAN, again, MARFAN)
    assert ids(answer) == ids(answer, "north.9") != []
    assert [name for name, _ in server.calls] == ["esearch"] * 3 + ["esummary"]


def test_summaries_come_in_batches(server: Utilities, monkeypatch: pytest.MonkeyPatch) -> None:
    """A12: so many ids a call and no more; a batch that fails takes only its own cases."""
    monkeypatch.setattr(pubmed, "SUMMARIES_AT_ONCE", 2)
    server.replies["esummary"] = [None, Reply(403)]
    answer = find(server, NOONAN, MARFAN)
    assert [form["id"] for form in server.forms("esummary")] == ["11,22", "33"]
    assert (list(answer.found), answer.reason) == (["north.1"], "HTTP 403")


def test_the_server_says_how_long_to_wait(server: Utilities, waits: list[float]) -> None:
    """A12: Retry-After in seconds or as a date is the pause; then it goes on as if nothing was."""
    date = "Tue, 14 Nov 2023 22:13:50 GMT"  # half a minute after the clock
    server.replies["esearch"] = [
        Reply(429, b'{"error":"API rate limit exceeded"}', {"Retry-After": "7"}),
        Reply(503, b"", {"Retry-After": date}),
    ]
    answer = find(server, MARFAN)
    assert ids(answer, "north.2") == ["PMID:33"]
    assert (waits, answer.reason) == ([7.0, 30.0], "")


@pytest.mark.parametrize("after", ["3600", "1e9"])
def test_a_pause_too_long_is_left_to_the_next_refresh(
    server: Utilities, waits: list[float], after: str
) -> None:
    """A12: an hour is not waited; an answer that is no time counts as none."""
    server.replies["esearch"] = [Reply(429, b"", {"Retry-After": after})] * pubmed.ATTEMPTS
    answer = find(server, MARFAN)
    assert (answer.found, answer.reason) == ({}, "HTTP 429")
    assert len(waits) == (0 if after == "3600" else pubmed.ATTEMPTS - 1)


BROKEN = {
    "busy": (Reply(502), "HTTP 502"),
    "an error with 200": (Reply(body=b'{"error":"Search is down"}'), "Search is down"),
    "xml with 200": (Reply(body=b"<?xml version='1.0'?><ERROR>x</ERROR>"), pubmed.NOT_JSON),
    "truncated": (Reply(body=b'{"esearchresult":{"idlist":["1"'), pubmed.NOT_JSON),
    "a list": (Reply(body=b"[]"), pubmed.NOT_JSON),
    "deeply nested": (Reply(body=b"[" * 100_000), pubmed.NOT_JSON),
    "not text": (Reply(body=b"\xff\xfe\x00"), pubmed.NOT_JSON),
    "backend": (
        Reply(body=b'{"esearchresult":{"ERROR":"Search Backend failed: x"}}'),
        "Search Backend failed: x",
    ),
    "no result": (Reply(body=b'{"header":{}}'), "the answer has no esearchresult"),
    "no list": (Reply(body=b'{"esearchresult":{}}'), "the answer has no idlist"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_answer_is_asked_for_again(
    server: Utilities, waits: list[float], name: str
) -> None:
    """A12: once broken it costs a pause; broken every time it is the reason of no answer."""
    reply, reason = BROKEN[name]
    server.replies["esearch"] = [reply]
    assert ids(find(server, MARFAN), "north.2") == ["PMID:33"]
    assert len(waits) == 1
    server.replies["esearch"] = [reply] * pubmed.ATTEMPTS
    answer = find(server, MARFAN, NOONAN)
    assert (list(answer.found), answer.reason) == (["north.1"], reason)


def test_what_no_repetition_mends_is_not_repeated(server: Utilities, waits: list[float]) -> None:
    """A12: a refusal, another address, and a body without end; none is followed or kept."""
    for reply, reason in (
        (Reply(403, b"no"), "HTTP 403"),
        (Reply(302, b"", {"Location": "http://elsewhere.example/"}), "HTTP 302"),
        (Reply(body=b" " * (pubmed.BODY_BYTES_MAX + 1)), pubmed.TOO_LONG),
    ):
        server.calls.clear()
        server.replies["esearch"] = [reply]
        answer = find(server, MARFAN)
        assert (answer.found, answer.reason, len(server.calls)) == ({}, reason, 1)
    assert waits == []


def test_a_server_that_is_down_is_left_alone(server: Utilities, waits: list[float]) -> None:
    """A12: after a few searches in a row that all fail no more is asked, of many cases."""
    server.replies["esearch"] = [Reply(500)] * 1000
    many = [
        MARFAN.model_copy(update={"case_id": f"c{n}", "disease_name": f"Name{n}"})
        for n in range(20)
    ]
    answer = find(server, *many)
    assert (answer.found, answer.reason) == ({}, "HTTP 500")
    assert len(server.calls) == pubmed.FAILURES_MAX * pubmed.ATTEMPTS


def test_silence_and_nobody_there_are_reasons(server: Utilities, waits: list[float]) -> None:
    """A12: a server that never answers costs the time that is set, not more."""
    server.replies["esearch"] = [Reply(hangs=True)] * pubmed.ATTEMPTS
    answer = source(server, timeout_s=0.05).find([MARFAN], 10)
    assert (answer.found, answer.reason) == ({}, pubmed.LATE)
    server.url = "http://127.0.0.1:1/eutils"
    assert find(server, MARFAN).reason == "no connection (ConnectError)"


def test_ids_without_summary_are_passed_over(server: Utilities) -> None:
    """A12: PubMed may know an id and have no document, or answer with what is no id."""
    server.titles["44"] = ""
    found = {"esearchresult": {"idlist": ["44", "33", "x", "0", "33,1", None, 5e9]}}
    server.replies["esearch"] = [Reply(body=json.dumps(found).encode())]
    answer = find(server, MARFAN)
    assert (ids(answer, "north.2"), answer.reason) == (["PMID:33"], "")
    assert server.forms("esummary")[0]["id"] == "33,44"


@pytest.mark.parametrize(("per_second", "apart"), [(3.0, 1 / 3), (10.0, 0.1)])
def test_calls_keep_their_distance(per_second: float, apart: float) -> None:
    """A12: so many a second and no more, however fast they come; none waits for nothing."""
    now, slept = [100.0], [0.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    limiter = RateLimiter(now=lambda: now[0], sleep=sleep)
    times = []
    for _ in range(30):
        limiter.wait(per_second)
        times.append(now[0])
    assert [b - a for a, b in pairwise(times)] == pytest.approx([apart] * 29)
    now[0] += 60
    slept.clear()
    limiter.wait(per_second)
    assert slept == []


@pytest.mark.parametrize(("key", "rate"), [("", 3.0), (KEY, 10.0)])
def test_every_call_passes_the_limiter(
    server: Utilities, waits: list[float], key: str, rate: float
) -> None:
    """A12: each try counts, with the rate that NCBI allows with and without a key."""
    slept: list[float] = []
    limiter = RateLimiter(now=lambda: 0.0, sleep=slept.append)
    server.replies["esearch"] = [Reply(500)]
    PubMed(server.url, "a@b.org", SecretStr(key), limiter).find([MARFAN], 5)
    assert slept == pytest.approx([1 / rate, 2 / rate])
    assert len(server.calls) == 3


def test_pubmed_is_off_without_an_address() -> None:
    """A12: nothing outside is asked by default; a file and PubMed are each asked where set."""
    limiter = RateLimiter()
    assert literature_sources(load_settings({"ncbi_api_key": KEY}), limiter) == []
    both = load_settings({"ncbi_email": "a@b.org", "literature_path": "x.tsv"})
    assert [one.name for one in literature_sources(both, limiter)] == ["file", "pubmed"]


def test_a_long_name_is_cut_to_its_first_words() -> None:
    """A12: a term has a bounded number of words, and a name of common words asks nothing."""
    long = MARFAN.model_copy(update={"disease_name": " ".join(f"word{n}" for n in range(40))})
    assert terms_of(long)["OMIM:154700"].count("[Title/Abstract]") == pubmed.WORDS_MAX
    assert terms_of(MARFAN.model_copy(update={"disease_name": "The syndrome, type 1"})) == {}

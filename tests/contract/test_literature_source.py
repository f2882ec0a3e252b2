"""What every source of literature promises: a file, in each of its forms, and PubMed."""

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from cluster.contracts.related import LiteratureQuery
from cluster.retrieval.literature import SOURCES, LiteratureSource
from cluster.storage.literature import FileSource
from cluster.storage.pubmed import PubMed, RateLimiter
from tests.unit.storage.e_utilities import Utilities, served

NOONAN, MARFAN = "OMIM:163950", "OMIM:154700"
SHELF = {
    "101": ("Noonan syndrome with PTPN11", (NOONAN,), ("PTPN11",)),
    "102": ("More about Noonan", (NOONAN,), ()),
    "103": ("PTPN11 in leukaemia", ("OMIM:607785",), ("PTPN11",)),
    "104": ("A family with Marfan syndrome", (MARFAN,), ("FBN1",)),
    "99": ("Noonan long ago", (NOONAN,), ()),
}
Make = Callable[[dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]]], LiteratureSource]


def query(case_id: str = "c", disease: str = NOONAN, *genes: str) -> LiteratureQuery:
    """Return a question."""
    names = {NOONAN: "Noonan syndrome 1", MARFAN: "Marfan syndrome"}
    return LiteratureQuery(
        case_id=case_id, disease_id=disease, disease_name=names.get(disease, ""), genes=genes
    )


def _file(folder: Path, name: str) -> Make:
    def make(shelf: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]]) -> LiteratureSource:
        rows = [
            {"pmid": f"PMID:{pmid}", "title": title, "disease_ids": diseases, "genes": genes}
            for pmid, (title, diseases, genes) in shelf.items()
        ]
        if ".tsv" in name:
            lines = ["\t".join(["pmid", "title", "disease_ids", "genes"])]
            cells = ([v if isinstance(v, str) else ";".join(v) for v in r.values()] for r in rows)
            lines += ["\t".join(row) for row in cells]
        else:
            lines = [json.dumps(row) for row in rows]
        content = "\n".join(lines).encode()
        (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return FileSource(folder / name)

    return make


@pytest.fixture(params=["papers.tsv", "papers.tsv.gz", "papers.jsonl", "papers.jsonl.gz", "pubmed"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes a source that has these publications."""
    if request.param != "pubmed":
        yield _file(tmp_path, request.param)
        return
    with served(Utilities({})) as server:

        def ask_server(
            shelf: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]],
        ) -> LiteratureSource:
            server.titles = {pmid: title for pmid, (title, _, _) in shelf.items()}
            limiter = RateLimiter(now=lambda: 0.0, sleep=lambda _: None)
            return PubMed(server.url, "ops@example.org", SecretStr(""), limiter)

        yield ask_server


def ids(source: LiteratureSource, asked: LiteratureQuery, limit: int = 10) -> list[str]:
    return [item.item_id for item in source.find([asked], limit).found[asked.case_id]]


def test_disease_first_then_gene(make: Make) -> None:
    """A12: of the disease, nearer titles and newer ones first; then what has the gene only."""
    source = make(SHELF)
    expected = ["PMID:102", "PMID:101", "PMID:99", "PMID:103"]
    found = source.find([query("c", NOONAN, "PTPN11")], 10)
    items = found.found["c"]
    assert sorted(item.item_id for item in items) == sorted(expected)
    assert items[-1].item_id == "PMID:103"
    assert [item.score for item in items] == sorted((i.score for i in items), reverse=True)
    assert all(item.why.startswith("same disease OMIM:163950") for item in items[:3])
    assert items[-1].why == "same gene PTPN11"
    assert {(i.kind, i.source, i.platform, i.audience) for i in items} == {
        ("literature", source.name, "", ())
    }
    assert source.name in SOURCES
    assert (found.reason, found.findings) == ("", ())


def test_every_case_is_answered_and_its_own_way(make: Make) -> None:
    """A12: also one of which nothing is known; no question, no answer."""
    source = make(SHELF)
    asked = [query("a"), query("b", MARFAN), query("n", "OMIM:1"), query("e", "", "NOGENE")]
    found = source.find(asked, 10).found
    assert set(found) == {"a", "b", "n", "e"}
    assert [item.item_id for item in found["b"]] == ["PMID:104"]
    assert found["n"] == found["e"] == ()
    assert source.find([], 10).found == {}


def test_no_more_than_the_limit_and_the_best(make: Make) -> None:
    """A12: the limit is for each case; of equal ones the newest."""
    source = make(SHELF)
    assert ids(source, query(), 2) == ["PMID:102", "PMID:101"]


def test_asking_again_changes_nothing(make: Make) -> None:
    """A12: the same question has the same answer, and another order of publications too."""
    source = make(SHELF)
    asked = [query("c", NOONAN, "PTPN11"), query("b", MARFAN)]
    first = source.find(asked, 10)
    assert source.find(asked, 10) == first
    turned = make(dict(reversed(SHELF.items())))
    assert turned.find(asked[::-1], 10).found == first.found


def test_a_new_title_changes_only_its_item(make: Make) -> None:
    """A12: scores and reasons of the others stay as they were."""
    asked = query("c", NOONAN, "PTPN11")
    before = {item.item_id: item for item in make(SHELF).find([asked], 10).found["c"]}
    changed = SHELF | {"102": ("Still more about Noonan", (NOONAN,), ())}
    after = {item.item_id: item for item in make(changed).find([asked], 10).found["c"]}
    assert [name for name in before if before[name] != after[name]] == ["PMID:102"]
    assert before.keys() == after.keys()

"""Literature beside a shared case: whom it is asked of, what is pushed, and what when it fails."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from builders import a_phenopacket

from cluster.clock import DAY_S
from cluster.contracts.related import LiteratureAnswer, LiteratureQuery, Publication
from cluster.flow import related
from cluster.retrieval.literature import FILE, PUBMED, Corpus
from cluster.storage.cases import set_state
from cluster.storage.literature import FileSource
from tests.unit.flow.world import World, held, read

WEEK = 7 * DAY_S
ROWS = {
    "PMID:1": ("The case itself", "OMIM:100"),
    "PMID:2": ("Another of it", "OMIM:100"),
    "PMID:3": ("A third", "OMIM:100"),
    "PMID:4": ("Something else", "OMIM:999"),
}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """North has shared a, of OMIM:100 and published as PMID:1, with south."""
    made = World(tmp_path)
    made.add("north", a_phenopacket("a", publication="PMID:1"))
    made.add("south", a_phenopacket("s", observed=("HP:0002069",), publication="PMID:7"))
    made.agree(("north", "south"))
    made.decide("north", {"a": 0.9})
    made.deliver()
    return made


def a_file(folder: Path, rows: dict[str, tuple[str, str]]) -> FileSource:
    """Return a file of publications, anew from the disk as at every refresh."""
    lines = ["pmid\ttitle\tdisease_ids"]
    lines += [f"{pmid}\t{title}\t{disease}" for pmid, (title, disease) in rows.items()]
    path = folder / "papers.tsv"
    path.write_text("\n".join(lines))
    return FileSource(path)


@dataclass
class Web:
    """A source outside that knows one publication, or does not answer."""

    title: str = "From afar"
    reason: str = ""
    pmid: str = "PMID:2"
    name: str = PUBMED

    def find(self, queries: list[LiteratureQuery], limit: int) -> LiteratureAnswer:
        """Answer for every case or for none."""
        if self.reason:
            return LiteratureAnswer(reason=self.reason)
        corpus = Corpus([Publication(pmid=self.pmid, title=self.title, diseases=("OMIM:100",))])
        found = {query.case_id: corpus.ranked(query, limit, PUBMED) for query in queries}
        return LiteratureAnswer(found=found)


def literature(world: World, home: str = "north") -> dict[str, str]:
    """Return the sources of the publications beside the shared case, by PMID."""
    case_id = "a" if home == "north" else held(world.platforms[home])[0][1]
    items = related.related_of(world.platforms[home], case_id)
    return {item.item_id: item.source for item in items if item.kind == "literature"}


def pushed(world: World) -> list[list[str]]:
    """Return the ids in each delivery of related material, in the order of their queueing."""
    rows = read(
        world.platforms["north"], "SELECT payload FROM outbox WHERE kind = 'related' ORDER BY rowid"
    )
    return [[i["item_id"] for i in json.loads(json.loads(row[0])["payload"])] for row in rows]


def audited(world: World) -> list[dict[str, Any]]:
    """Return what north has noted of questions to PubMed."""
    rows = [json.loads(row) for (row,) in read(world.platforms["north"], "SELECT row FROM audit")]
    return [row for row in rows if row.get("peer") == PUBMED]


def test_literature_stands_at_home_and_where_the_case_was_sent(world: World) -> None:
    """A12: other publications of the disease, without the case's own; the network's stays."""
    world.refresh(a_file(world.folder, ROWS))
    world.deliver()
    expected = {"PMID:2": FILE, "PMID:3": FILE, "PMID:7": "network"}
    assert literature(world) == literature(world, "south") == expected


def test_a_second_refresh_with_nothing_new_pushes_nothing(world: World) -> None:
    """A12: the same publications in another order are nothing new."""
    world.refresh(a_file(world.folder, ROWS), Web())
    world.deliver()
    before = world.statuses("north")
    world.clock.instant += WEEK
    assert world.refresh(a_file(world.folder, dict(reversed(ROWS.items()))), Web()) == 0
    assert world.statuses("north") == before


def test_a_changed_title_pushes_exactly_its_item(world: World) -> None:
    """A12: one title changed, one item goes out."""
    world.refresh(a_file(world.folder, ROWS))
    world.deliver()
    world.clock.instant += WEEK
    assert world.refresh(a_file(world.folder, ROWS | {"PMID:3": ("A new", "OMIM:100")})) == 1
    world.deliver()
    assert pushed(world)[1:] == [["PMID:3"]]
    items = related.related_of(world.platforms["south"], held(world.platforms["south"])[0][1])
    assert {i.title for i in items if i.item_id == "PMID:3"} == {"A new"}


def test_before_the_second_period_is_over_nobody_is_asked(world: World) -> None:
    """A12: a change waits for its time; then it goes out."""
    world.refresh(a_file(world.folder, ROWS))
    more = ROWS | {"PMID:9": ("New", "OMIM:100")}
    world.clock.instant += WEEK - 1
    assert world.refresh(a_file(world.folder, more)) == 0
    world.clock.instant += 1
    assert world.refresh(a_file(world.folder, more)) == 1


def test_one_pmid_of_several_sources_is_one_item(world: World) -> None:
    """A12: in a file, in PubMed and reported by a case of the network, and there once."""
    rows = ROWS | {"PMID:7": ("In the file", "OMIM:100")}
    world.refresh(a_file(world.folder, rows), Web(pmid="PMID:7"))
    assert literature(world) == {"PMID:2": FILE, "PMID:3": FILE, "PMID:7": "file, pubmed"}
    (item,) = [
        i for i in related.related_of(world.platforms["north"], "a") if i.item_id == "PMID:7"
    ]
    assert (item.title, item.platform) == ("In the file", "")


def test_a_source_that_fails_takes_nothing_away_and_is_asked_again(world: World) -> None:
    """A12: the others go on, its last answer stands, and its time has not come for the others."""
    north = world.platforms["north"]
    web = Web(reason="HTTP 500")
    world.refresh(a_file(world.folder, ROWS), web)
    assert literature(world) == {"PMID:2": FILE, "PMID:3": FILE, "PMID:7": "network"}
    due = related.due_questions(north, world.clock.now(), [FILE, PUBMED])
    assert {name: len(q) for name, q in due.literature.items()} == {FILE: 0, PUBMED: 1}
    assert not any(due.network.values())
    web.reason = ""
    assert world.refresh(a_file(world.folder, ROWS), web) == 1
    assert literature(world)["PMID:2"] == "file, pubmed"
    (world.folder / "papers.tsv").unlink()
    gone = FileSource(world.folder / "papers.tsv")
    world.clock.instant += WEEK
    assert world.refresh(gone, Web(reason="HTTP 500")) == 0
    assert set(literature(world)) == {"PMID:2", "PMID:3", "PMID:7"}


def test_a_platform_that_fails_takes_nothing_away(world: World) -> None:
    """A12: what south said before stays beside the case, and south is asked again."""
    world.refresh(a_file(world.folder, ROWS))
    world.clock.instant += WEEK
    south = world.platforms.pop("south")
    assert world.refresh(a_file(world.folder, ROWS)) == 0
    assert literature(world)["PMID:7"] == "network"
    due = related.due_questions(world.platforms["north"], world.clock.now(), [FILE])
    assert {name: len(q) for name, q in due.network.items()} == {"north": 0, "south": 1}
    world.platforms["south"] = south


def test_a_source_that_is_no_longer_in_use_no_longer_counts(world: World) -> None:
    """A12: its publications go with the next answer of anybody else."""
    world.refresh(a_file(world.folder, ROWS))
    world.clock.instant += WEEK
    assert world.refresh() == 0
    assert literature(world) == {"PMID:7": "network"}


def test_only_codes_of_cases_that_may_be_shared_are_asked_outside(world: World) -> None:
    """A12 B9: disease and genes, never a term, an id or words; the audit row is durable before."""
    north, now = world.platforms["north"], world.clock.now()
    (asked,) = related.due_questions(north, now, [PUBMED]).literature[PUBMED]
    assert asked == LiteratureQuery(
        case_id=north.shared_id("a", PUBMED), disease_id="OMIM:100", genes=()
    )
    (row,) = audited(world)
    assert (row["action"], row["diseases"]) == ("disclosure attempted", ["OMIM:100"])
    assert "HP:" not in json.dumps(row) and '"a"' not in json.dumps(row)
    with north.ledger.begin() as tx:
        set_state(tx, "a", state="active", consent="private")
    assert related.due_questions(north, now, [PUBMED]).literature[PUBMED] == ()
    assert len(audited(world)) == 1


def test_a_file_is_asked_without_a_disclosure(world: World) -> None:
    """A12: reading a file tells nobody anything; an address outside is told, and noted."""
    world.refresh(a_file(world.folder, ROWS))
    assert audited(world) == []
    world.refresh(Web())
    assert len(audited(world)) == 1


def test_what_is_no_code_leaves_no_question(tmp_path: Path) -> None:
    """A12 B9: a record number or words in the place of a disease are not asked about."""
    world = World(tmp_path)
    world.add("north", a_phenopacket("a", disease="WARD7:4711"))
    world.add("south")
    world.agree(("north", "south"))
    world.decide("north", {"a": 0.9})
    due = related.due_questions(world.platforms["north"], world.clock.now(), [PUBMED])
    assert due.literature == {PUBMED: ()}
    assert audited(world) == []


def test_publications_from_outside_reach_all_who_hold_the_case(world: World) -> None:
    """A11 A12: they are public; south's own items still go only where south allows it."""
    world.add("west")
    world.agree(("north", "south"), ("north", "west"))
    world.deliver()
    world.refresh(a_file(world.folder, ROWS))
    world.deliver()
    assert literature(world, "west") == {"PMID:2": FILE, "PMID:3": FILE}
    assert literature(world, "south") == {"PMID:2": FILE, "PMID:3": FILE, "PMID:7": "network"}


def test_the_newest_are_kept_up_to_the_preset_number(world: World) -> None:
    """A12: a new publication enters where all places are taken."""
    most = world.platforms["north"].settings.related_max
    rows = {f"PMID:{n}": ("T", "OMIM:100") for n in range(10, 20 + most)}
    world.refresh(a_file(world.folder, rows))
    newest = [f"PMID:{19 + most - n}" for n in range(most)]
    assert list(literature(world)) == ["PMID:7", *newest[:-1]]  # a like case reports the first
    world.clock.instant += WEEK
    assert world.refresh(a_file(world.folder, rows | {"PMID:500": ("New", "OMIM:100")})) == 1
    assert list(literature(world)) == ["PMID:7", "PMID:500", *newest[:-2]]


def test_a_change_back_goes_out_too(world: World) -> None:
    """A12: a title that changes there and back again is pushed and delivered each time."""
    for title in ("One", "Two", "One", "Two"):
        assert world.refresh(a_file(world.folder, {"PMID:3": (title, "OMIM:100")})) >= 1
        world.deliver()
        ((_, shared_id),) = held(world.platforms["south"])
        items = related.related_of(world.platforms["south"], shared_id)
        assert [i.title for i in items if i.item_id == "PMID:3"] == [title]
        world.clock.instant += WEEK


def test_a_publication_that_is_gone_goes_at_the_receivers_too(world: World) -> None:
    """A12: when only removals happened a push goes out, and once."""
    world.refresh(a_file(world.folder, ROWS))
    world.deliver()
    world.clock.instant += WEEK
    assert world.refresh(a_file(world.folder, {"PMID:2": ROWS["PMID:2"]})) == 0
    world.deliver()
    expected = {"PMID:2": FILE, "PMID:7": "network"}
    assert literature(world) == literature(world, "south") == expected
    assert pushed(world)[1:] == [[]]
    world.clock.instant += WEEK
    world.refresh(a_file(world.folder, {"PMID:2": ROWS["PMID:2"]}))
    assert len(pushed(world)) == 2


def test_a_disease_without_a_published_name_is_not_asked_outside(tmp_path: Path) -> None:
    """A12 B9: an ORPHA case is no question to PubMed and no disclosure; a file is asked."""
    world = World(tmp_path)
    world.add("north", a_phenopacket("a", disease="Orphanet:558"))
    world.add("south")
    world.agree(("north", "south"))
    world.decide("north", {"a": 0.9})
    due = related.due_questions(world.platforms["north"], world.clock.now(), [FILE, PUBMED])
    assert due.literature[PUBMED] == ()
    assert [query.disease_id for query in due.literature[FILE]] == ["ORPHA:558"]
    assert audited(world) == []
    world.refresh(a_file(world.folder, {"PMID:5": ("Of it", "ORPHANET:558")}))
    assert literature(world) == {"PMID:5": FILE}

"""A file of publications is read liberally, and what cannot be read is named."""

import gzip
import json
from pathlib import Path

import pytest

from cluster.contracts.related import LiteratureQuery, Publication
from cluster.errors import SourceUnreadable
from cluster.storage import literature
from cluster.storage.literature import FileSource, load_disease_names, read_publications

HEAD = "pmid\ttitle\tindividuals\tdisease_ids\tgenes\n"
QUERY = LiteratureQuery(case_id="c", disease_id="OMIM:1", genes=())


def written(folder: Path, text: str, name: str = "papers.tsv") -> Path:
    """Write a file of publications."""
    path = folder / name
    content = text.encode()
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


@pytest.mark.parametrize("name", ["papers.tsv", "papers.tsv.gz"])
@pytest.mark.parametrize(
    "head",
    [
        "pmid\ttitle\tn\tdisease_ids\tgenes",
        "\ufeffPubMed ID\tArticle Title\tn\tOMIM IDs\tGene Symbols",
        "PMID\tTitle\t\tMIM\tSymbol\r",
    ],
)
def test_columns_are_known_by_many_names(tmp_path: Path, head: str, name: str) -> None:
    """A12: in any case, with a mark at the front, packed or not; other columns are passed over."""
    text = f'{head}\nPMID:12\t"A  title"\t3\tOMIM:1;OMIM:2\tNF1; NF2\n'
    (one,), findings = read_publications(written(tmp_path, text, name))
    assert findings == []
    assert one == Publication(
        pmid="PMID:12", title="A title", diseases=("OMIM:1", "OMIM:2"), genes=("NF1", "NF2")
    )


@pytest.mark.parametrize("name", ["papers.jsonl", "papers.jsonl.gz"])
def test_objects_a_line_are_read_too(tmp_path: Path, name: str) -> None:
    """A12: lists or texts, numbers as PMIDs; an id beside a PMID is another one's."""
    rows = [
        {"pmid": 7, "title": "A", "diseases": ["OMIM:1", 5], "genes": "NF1|NF2"},
        {"PMID": "PMID:8", "id": "row-2", "title": "B", "omim": "100; MIM:200, orpha:3"},
    ]
    text = "\n".join(map(json.dumps, rows))
    first, second = read_publications(written(tmp_path, text, name))[0]
    assert (first.pmid, first.diseases, first.genes) == ("PMID:7", ("OMIM:1",), ("NF1", "NF2"))
    assert (second.pmid, second.diseases) == ("PMID:8", ("OMIM:100", "OMIM:200", "ORPHA:3"))


@pytest.mark.parametrize(
    ("cell", "pmid"),
    [
        ("PMID:17", "PMID:17"),
        (" pmid: 17 ", "PMID:17"),
        ("0017", "PMID:17"),
        ("https://pubmed.ncbi.nlm.nih.gov/17/", "PMID:17"),
        ("https://www.ncbi.nlm.nih.gov/pubmed/17", "PMID:17"),
        ("https://doi.org/10.1038/12345678", None),
        ("https://www.ncbi.nlm.nih.gov/gene/4763", None),
        ("https://example.org/pubmed.ncbi.nlm.nih.gov/17", None),
        ("0", None),
        ("PMC17", None),
        ("1234567890", None),
        ("", None),
        ("17; 18", None),
    ],
)
def test_a_pmid_is_a_number(tmp_path: Path, cell: str, pmid: str | None) -> None:
    """A12: in the forms in which people write it; anything else is a finding."""
    path = written(tmp_path, f"{HEAD}{cell}\tA\t\t\t\n1\tgood\t\t\t\n")
    kept, findings = read_publications(path)
    assert [one.pmid for one in kept] == ([pmid] if pmid else []) + ["PMID:1"]
    assert [(f.code, f.line) for f in findings] == ([] if pmid else [("pmid_invalid", 2)])


def test_bad_rows_are_findings_with_their_lines(tmp_path: Path) -> None:
    """A12: what is wrong is named by line and code; the rest is used."""
    path = tmp_path / "papers.tsv"
    rows = [b"PMID:1\tGood\t\t\t", b"none\tA", b"PMID:2", b"PMID:3\t \t", b"", b"PMID:4\t\xff"]
    rows += [b"PMID:1\tOther\t\tOMIM:1\t", b"PMID:1\tGood\t\t\t", b"PMID:5\tShort"]
    path.write_bytes(HEAD.encode() + b"\n".join(rows))
    kept, findings = read_publications(path)
    assert [one.pmid for one in kept] == ["PMID:1", "PMID:1", "PMID:1", "PMID:5"]
    assert [(f.line, f.code, f.level) for f in findings] == [
        (3, "pmid_invalid", "refused"),
        (4, "title_missing", "refused"),
        (5, "title_missing", "refused"),
        (7, "not_utf8", "refused"),
        (8, "title_differs", "warning"),
    ]
    (item,) = FileSource(path).find([QUERY], 9).found["c"]
    assert (item.item_id, item.title) == ("PMID:1", "Good")


def test_a_damaged_end_loses_only_itself(tmp_path: Path) -> None:
    """A12: a broken line or a cut archive leaves what stands before it."""
    path = written(tmp_path, '{"pmid": 1, "title": "A"}\n{"pmid": \n[]\n', "papers.jsonl")
    kept, findings = read_publications(path)
    assert [one.pmid for one in kept] == ["PMID:1"]
    assert [(f.line, f.code) for f in findings] == [(2, "not_json"), (3, "not_json")]
    text = HEAD + "".join(f"PMID:{n}\tTitle {n * n % 9973}\t\t\t\n" for n in range(1, 5000))
    cut = written(tmp_path, text, "cut.tsv.gz")
    cut.write_bytes(cut.read_bytes()[:-4000])
    kept, findings = read_publications(cut)
    assert len(kept) > 100
    assert [finding.code for finding in findings] == ["file_damaged"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("papers.csv", "pmid,title\n1,A\n", "is not a file of publications"),
        ("papers.tsv", "a\tb\n1\tA\n", r"no publication could be read \(header\)"),
        ("papers.tsv", HEAD, r"no publication could be read \(nothing found\)"),
        ("papers.tsv", "", r"no publication could be read \(file_empty\)"),
        ("papers.jsonl", "no\n", r"no publication could be read \(not_json\)"),
    ],
)
def test_a_file_without_publications_is_no_source(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    """A12: said once with its reason; no case counts as answered."""
    path = written(tmp_path, text, name)
    with pytest.raises(SourceUnreadable, match=said):
        read_publications(path)
    answer = FileSource(path).find([QUERY], 5)
    assert answer.found == {} and answer.reason
    assert "there is no file" in FileSource(tmp_path / "none.tsv").find([QUERY], 5).reason


def test_many_findings_are_counted(tmp_path: Path) -> None:
    """A12: an answer carries the first ones and the number of the others."""
    path = written(tmp_path, HEAD + "x\ty\n" * 50 + "1\tA\t\t\t\n")
    findings = FileSource(path).find([QUERY], 5).findings
    assert len(findings) == literature.FINDINGS_MAX + 1
    assert findings[-1].message == "30 more places"


def test_titles_are_on_one_line_and_bounded(tmp_path: Path) -> None:
    """A12: what could steer a terminal is gone, and a title has an end."""
    row = json.dumps({"pmid": 1, "title": "a\x1b[2J\n\tb " + "c" * 9999})
    (one,), _ = read_publications(written(tmp_path, row, "papers.jsonl"))
    assert one.title.startswith("a [2J b ccc")
    assert len(one.title) == literature.TITLE_MAX


def test_the_published_publications_are_read_whole(shared_data: Path) -> None:
    """A12: 1,601 publications of 777 diseases, without a finding."""
    kept, findings = read_publications(shared_data / "literature" / "literature.tsv")
    assert (len({one.pmid for one in kept}), findings) == (1601, [])
    assert len({disease for one in kept for disease in one.diseases}) == 777


def test_names_of_diseases_come_from_the_annotations(tmp_path: Path) -> None:
    """A12: by OMIM id; written once, and read from there the next time."""
    names = load_disease_names(tmp_path)
    assert names["OMIM:163950"] == "Noonan syndrome 1"
    (tmp_path / literature.NAMES).write_text('{"OMIM:1": "One"}')
    assert load_disease_names(tmp_path) == {"OMIM:1": "One"}


@pytest.mark.parametrize("name", ["papers.tsv", "papers.jsonl"])
@pytest.mark.parametrize("columns", ["pmid pubmed_id", "pmid id", "id pmid"])
def test_of_two_columns_the_first_counts_and_the_other_is_named(
    tmp_path: Path, name: str, columns: str
) -> None:
    """A12: one PMID in every kind of file; a column that may be any id gives way."""
    names = [*columns.split(), "title", "Article title", "disease_id", "disease", "gene", "symbol"]
    numbers = ["12", "99"] if columns[0] == "p" else ["99", "12"]
    row = [*numbers, "A", "B", "OMIM:1", "Marfan; OMIM:2", "NF1", "FBN1"]
    if name == "papers.tsv":
        text = "\n".join("\t".join(one) for one in (names, row, row))
    else:
        text = "\n".join([json.dumps(dict(zip(names, row, strict=True)))] * 2)
    (one, _), findings = read_publications(written(tmp_path, text, name))
    assert one == Publication(
        pmid="PMID:12", title="A", diseases=("OMIM:1", "OMIM:2"), genes=("NF1", "FBN1")
    )
    passed = "pubmed_id" if "pubmed_id" in columns else "id"
    assert {(f.code, f.line) for f in findings} == {("column_repeated", 1)}
    assert {passed in f.message or "Article title" in f.message for f in findings} == {True}
    assert len(findings) == 2


def test_a_name_twice_in_an_object_is_a_repeated_column(tmp_path: Path) -> None:
    """A12: the first value counts, as in a table."""
    text = '{"pmid": 12, "pmid": 99, "title": "A", "genes": {"a": 1}}'
    (one,), findings = read_publications(written(tmp_path, text, "papers.jsonl"))
    assert (one.pmid, one.genes) == ("PMID:12", ())
    assert [finding.code for finding in findings] == ["column_repeated"]


@pytest.mark.parametrize(
    ("cell", "diseases"),
    [
        ("Marfan", ()),
        ("OMIM:Marfan; WARD:7", ()),
        ("154700", ("OMIM:154700",)),
        ("Orphanet:558; ORPHA: 558 | ORPHANET:558", ("ORPHA:558",)),
    ],
)
def test_a_disease_is_a_code(tmp_path: Path, cell: str, diseases: tuple[str, ...]) -> None:
    """A12: words are none, and one disease has one id."""
    (one,), _ = read_publications(written(tmp_path, f"{HEAD}1\tA\t\t{cell}\t\n"))
    assert one.diseases == diseases


@pytest.mark.parametrize("asked", ["Orphanet:558", "ORPHA:558", "ORPHANET:558"])
def test_a_disease_of_orphanet_is_found_under_each_prefix(tmp_path: Path, asked: str) -> None:
    """A12: the same disease, however case and file write it."""
    source = FileSource(written(tmp_path, f"{HEAD}1\tA\t\tOrphanet:558\t\n"))
    (item,) = source.find([QUERY.model_copy(update={"disease_id": asked})], 5).found["c"]
    assert item.score == 2.0

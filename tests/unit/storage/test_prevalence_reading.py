"""Published rates are read in the forms in which they come, and what is wrong is named."""

from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from cluster.contracts.result import RatesFile
from cluster.errors import SourceUnreadable
from cluster.screening.prevalence import INCIDENCE, PublishedRates
from cluster.storage.prevalence import FINDINGS_MAX, load_rates

HEAD = """<?xml version="1.0" encoding="{encoding}"?>
<JDBOR date="2025-12-09 07:11:27" version="1.3.42" copyright="Orphanet (c) 2025" dbserver="x">
  <Availability><Licence><FullName lang="en">CC-BY-4.0</FullName></Licence></Availability>
  <DisorderList count="{count}">"""
RARITY_HEAD = (
    "omim_id,mondo_name,orpha_code,orpha_name,mapping,class,low_per_100k,high_per_100k,"
    "type,geographic,dataset,records_considered"
)
PREVALENCE_HEAD = (
    "orpha_code,name,omim_exact,omim_other,type,class,low_per_100k,high_per_100k,geographic,"
    "validation_status,qualification,source,dataset"
)


def named(tag: str, name: str) -> str:
    return f'<{tag} id="1"><Name lang="en">{escape(name)}</Name></{tag}>' if name else f"<{tag}/>"


def a_prevalence(
    number: int = 1,
    kind: str = "Annual incidence",
    band: str = "1-9 / 100 000",
    value: str = "0.0",
    region: str = "Europe",
) -> str:
    """Return one record in the original form."""
    return (
        f'<Prevalence id="{number}"><Source>11389160[PMID]</Source>'
        + named("PrevalenceType", kind)
        + named("PrevalenceQualification", "Value and class")
        + named("PrevalenceClass", band)
        + f"<ValMoy>{value}</ValMoy>"
        + named("PrevalenceGeographic", region)
        + named("PrevalenceValidationStatus", "Validated")
        + "</Prevalence>"
    )


def a_disorder(code: str, *records: str, name: str = "A disorder") -> str:
    """Return one disorder in the original form."""
    return (
        f'<Disorder id="17601"><OrphaCode>{code}</OrphaCode>'
        f'<ExpertLink lang="en">http://www.orpha.net/</ExpertLink><Name lang="en">{name}</Name>'
        + named("DisorderType", "Disease")
        + named("DisorderGroup", "Disorder")
        + f'<PrevalenceList count="{len(records)}">{"".join(records)}</PrevalenceList></Disorder>'
    )


def an_xml(folder: Path, *disorders: str, encoding: str = "ISO-8859-1") -> Path:
    """Write a product 9 of these disorders."""
    path = folder / "en_product9_prev.xml"
    head = HEAD.format(encoding=encoding, count=len(disorders))
    text = head + "\n".join(disorders) + "</DisorderList></JDBOR>"
    path.write_bytes(text.encode(encoding))
    return path


def a_table(folder: Path, head: str, *lines: str) -> Path:
    """Write a table."""
    path = folder / "rates.csv"
    path.write_text("\n".join((head, *lines)) + "\n", encoding="utf-8")
    return path


def told(read: tuple[PublishedRates, RatesFile]) -> tuple[dict[str, float], dict[str, str]]:
    """Return prior means and shown texts by class."""
    priors, rarities = (t.to_pylist() for t in (read[0].priors, read[0].rarities))
    return (
        {row["class_id"]: round(row["mean"], 6) for row in priors},
        {row["class_id"]: row["published"] for row in rarities},
    )


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "UTF-8"])
def test_the_original_form_is_read(tmp_path: Path, encoding: str) -> None:
    """A2 B1: type, band, value, region and status of every record; ORPHA codes are the classes."""
    path = an_xml(
        tmp_path,
        a_disorder("5", a_prevalence(1), a_prevalence(2, "Point prevalence", region="Worldwide")),
        a_disorder("6", a_prevalence(3, band="<1 / 1 000 000"), name="Maladie héréditaire"),
        a_disorder("7", a_prevalence(4, "Prevalence at birth", "6-9 / 10 000", "70.5")),
        a_disorder("8"),
        encoding=encoding,
    )
    priors, shown = told(read := load_rates(path))
    assert priors == {"ORPHA:5": 3.0, "ORPHA:6": 0.03}
    assert shown == {
        "ORPHA:5": "point prevalence 1-9 / 100 000, Worldwide, ORPHA:5 (exact, validated)",
        "ORPHA:6": "annual incidence <1 / 1 000 000, Europe, ORPHA:6 (exact, validated)",
        "ORPHA:7": "birth prevalence 6-9 / 10 000, Europe, ORPHA:7 (exact, validated)",
    }
    assert (read[1].records, read[1].without_rate, read[1].priors) == (4, 0, 2)
    assert len(read[1].sha256) == 64 and read[1].by_code == {}


def test_a_published_value_is_nearer_than_its_band(tmp_path: Path) -> None:
    """A2: the mean value counts where it is given and lies in the band; 0.0 means not given."""
    path = an_xml(
        tmp_path,
        a_disorder("1", a_prevalence(value="7.5")),
        a_disorder("2", a_prevalence(value="9.6")),  # bands leave a gap from 9 to 10
        a_disorder("3", a_prevalence(value="0.0")),
        a_disorder("4", a_prevalence(77, value="750")),
    )
    priors, _ = told(read := load_rates(path))
    assert priors == {"ORPHA:1": 7.5, "ORPHA:2": 9.6, "ORPHA:3": 3.0, "ORPHA:4": 3.0}
    (finding,) = read[1].findings
    assert (finding.code, finding.message.partition(":")[0]) == ("value_outside_band", "ORPHA")
    assert "ORPHA:4 Prevalence 77" in finding.message


def test_what_is_no_rate_is_counted_and_not_used(tmp_path: Path) -> None:
    """A2: unknown, empty, and a number of cases or families are neither zero nor a rate."""
    path = an_xml(
        tmp_path,
        a_disorder(
            "1",
            a_prevalence(1, band="Unknown"),
            a_prevalence(2, band=""),
            a_prevalence(3, "Cases/families", "1-9 / 100 000", "12.0"),
        ),
        a_disorder("2", a_prevalence(4)),
    )
    priors, shown = told(read := load_rates(path))
    assert priors.keys() == shown.keys() == {"ORPHA:2"}
    assert (read[1].records, read[1].without_rate, read[1].by_code) == (4, 3, {})


def test_the_mark_of_an_entity_counts_without_a_rate(tmp_path: Path) -> None:
    """A2: a class that Orphanet marks as not rare is so where no rate of it is known."""
    mark = "NON RARE IN EUROPE: a disorder"
    path = an_xml(
        tmp_path,
        a_disorder("1", a_prevalence(1, "Point prevalence", "Unknown"), name=mark),
        a_disorder("2", a_prevalence(2, "Cases/families", "", "12.0"), name=mark),
        a_disorder("3", a_prevalence(3, "Point prevalence", "Unknown")),
        a_disorder("4", a_prevalence(4)),
    )
    rates, read = load_rates(path)
    common = {r["class_id"] for r in rates.rarities.to_pylist() if r["is_common"]}
    assert common == {"ORPHA:1", "ORPHA:2"}
    assert rates.priors["class_id"].to_pylist() == ["ORPHA:4"]
    assert (read.records, read.without_rate) == (4, 3)


def test_a_band_that_ends_at_zero_is_named(tmp_path: Path) -> None:
    """A2 B1: two records of a rate of 0 are two findings, not the end of the screening."""
    zero = [a_prevalence(n, band="<0 / 1000") for n in (1, 2)]
    priors, _ = told(read := load_rates(an_xml(tmp_path, a_disorder("1", *zero, a_prevalence(3)))))
    assert priors == {"ORPHA:1": 3.0}
    assert read[1].by_code == {"rate_unreadable": 2}


def test_bad_records_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    """B1: each with its code and its place; a bad record stops nothing."""
    path = an_xml(
        tmp_path,
        a_disorder("x1", a_prevalence(1)),
        a_disorder("", a_prevalence(2)),
        a_disorder("3", a_prevalence(3, "Fortnightly incidence"), a_prevalence(4, band="many")),
        a_disorder("4", a_prevalence(5, value="some"), a_prevalence(6)),
    )
    priors, _ = told(read := load_rates(path))
    assert priors == {"ORPHA:4": 3.0}
    assert [(f.code, f.message.rpartition(":")[0]) for f in read[1].findings] == [
        ("code_unreadable", "ORPHA:x1 Prevalence 1"),
        ("code_unreadable", "ORPHA: Prevalence 2"),
        ("rate_type_unknown", "ORPHA:3 Prevalence 3"),
        ("rate_unreadable", "ORPHA:3 Prevalence 4"),
        ("rate_unreadable", "ORPHA:4 Prevalence 5"),
    ]
    assert read[1].by_code == {"code_unreadable": 2, "rate_type_unknown": 1, "rate_unreadable": 2}


def test_findings_are_all_counted_and_not_all_kept(tmp_path: Path) -> None:
    """B1: a file of nothing but bad records does not fill the ledger."""
    bad = [a_disorder("x", a_prevalence(n)) for n in range(2 * FINDINGS_MAX)]
    _, read = load_rates(an_xml(tmp_path, *bad, a_disorder("1", a_prevalence())))
    assert len(read.findings) == FINDINGS_MAX
    assert read.by_code == {"code_unreadable": 2 * FINDINGS_MAX}


def test_the_table_by_omim_disease_is_read(tmp_path: Path) -> None:
    """A2: mapping codes say how the entity stands to the disease; the line of a bad one is told."""
    path = a_table(
        tmp_path,
        RARITY_HEAD,
        'OMIM:100100,"belly, prune",ORPHA:2970,Prune belly,E,1-9 / 100 000,1,9,'
        "Annual incidence,Canada,orphadata-2025,4",
        "OMIM:100050,A,ORPHA:915,B,BTNT,1-9 / 1 000 000,0.1,0.9,Annual incidence,Europe,o,1",
        "OMIM:100051,A,ORPHA:916,B,NTBT,1-9 / 1 000 000,0.1,0.9,Annual incidence,Europe,o,1",
        "OMIM:100052,A,ORPHA:917,NON RARE IN EUROPE: B,ND,1-5 / 10 000,,,Point prevalence,,o,1",
        "OMIM:100053,A,ORPHA:918,B,E,often,,,Point prevalence,Europe,o,1",
    )
    priors, shown = told(read := load_rates(path))
    assert {i: mean for i, mean in priors.items() if i.startswith("OMIM")} == {
        "OMIM:100100": 3.0,
        "OMIM:100050": 0.3,
    }
    assert shown["OMIM:100050"].endswith("Europe, ORPHA:915 (broader entity)")
    assert shown["OMIM:100051"].endswith("Europe, ORPHA:916 (narrower entity)")
    assert shown["OMIM:100052"].endswith("no region, ORPHA:917 (broader or narrower entity)")
    common = {r["class_id"] for r in read[0].rarities.to_pylist() if r["is_common"]}
    assert common == {"ORPHA:917"}
    assert [(f.code, f.line) for f in read[1].findings] == [("rate_unreadable", 6)]


def test_the_table_of_all_records_is_read(tmp_path: Path) -> None:
    """A2: exact OMIM ids are exact, the others unclear; several ids stand apart by semicolons."""
    path = a_table(
        tmp_path,
        PREVALENCE_HEAD,
        "5,A,609016;609017,210200,Annual incidence,1-9 / 100 000,1,9,Europe,Validated,,x,o",
        "5,A,609016;609017,210200,Point prevalence,Unknown,,,Worldwide,,,,o",
    )
    priors, shown = told(read := load_rates(path))
    assert priors == dict.fromkeys(("ORPHA:5", "OMIM:609016", "OMIM:609017"), 3.0)
    assert "broader or narrower entity" in shown["OMIM:210200"]
    assert (read[1].records, read[1].without_rate) == (2, 1)


def test_the_same_record_for_two_diseases_counts_once_for_its_own_class(tmp_path: Path) -> None:
    """A2: a table that repeats an entity for each disease does not make it two records."""
    line = "A,ORPHA:915,B,BTNT,1-9 / 1 000 000,0.1,0.9,Annual incidence,Europe,o,1"
    path = a_table(tmp_path, RARITY_HEAD, f"OMIM:100050,{line}", f"OMIM:100051,{line}")
    assert "mean of" not in told(load_rates(path))[1]["ORPHA:915"]


ENTITY = '<!DOCTYPE JDBOR [<!ENTITY a "aaaa">]><JDBOR>&a;</JDBOR>'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cut.xml", '<?xml version="1.0"?><JDBOR><DisorderList>'),
        ("entity.xml", ENTITY),
        ("other.xml", "<Report/>"),
        ("empty.xml", ""),
        ("other.csv", "a,b\n1,2\n"),
        ("empty.csv", ""),
        ("bare.csv", RARITY_HEAD + "\n"),
        ("binary.csv", "\udcff\udcfe"),
    ],
)
def test_a_file_that_is_something_else_is_refused(tmp_path: Path, name: str, content: str) -> None:
    """B1: a damaged, hostile or foreign file is one clear error with a remedy."""
    path = tmp_path / name
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(SourceUnreadable) as caught:
        load_rates(path)
    assert caught.value.remedy
    with pytest.raises(SourceUnreadable, match="FileNotFoundError"):
        load_rates(tmp_path / "nowhere.csv")


def test_published_tables_are_read_whole(shared_data: Path) -> None:
    """A2: every record of the two published tables is read, and none is complained of."""
    for name, records in (("omim_rarity.csv", 4_730), ("prevalence.csv", 12_861)):
        path = shared_data / "prevalence" / name
        if not path.is_file():
            pytest.skip("no published rates here")
        rates, read = load_rates(path)
        assert (read.records, read.by_code) == (records, {})
        assert rates.priors.num_rows > 100
        assert all(INCIDENCE in text for text in rates.priors["source"].to_pylist())

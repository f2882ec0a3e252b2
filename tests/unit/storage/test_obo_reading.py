"""An ontology given as a file: the same table as the embedded one, or a clear refusal."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from cluster.errors import SourceUnreadable
from cluster.ontology import TABLE, Ontology
from cluster.storage.obo import parse_obo
from cluster.storage.ontology import load_ontology

HEADER = "format-version: 1.2\ndata-version: hp/releases/2031-05-04\nontology: hp.obo\n"
ROOT = "[Term]\nid: HP:0000001\nname: All\n"
ABNORMALITY = "[Term]\nid: HP:0000118\nname: Phenotypic abnormality\nis_a: HP:0000001 ! All\n"
NERVES = "[Term]\nid: HP:0000707\nname: Nervous system\nis_a: HP:0000118\n"
SEIZURE = """[Term]
id: HP:0001250
name: Seizure
alt_id: HP:0001275
alt_id: HP:0009002
def: "An \\"electric\\" storm; brief!" [ORCID:1, PMID:2]
synonym: "Epilepsy" RELATED layperson []
synonym: "Fit, größer" EXACT []
is_a: HP:0000707 {source="ORCID:1"} ! Nervous system
is_a: UPHENO:0000001 ! elsewhere
relationship: has_modifier HP:0012823
"""
TONIC = "[Term]\nid: HP:0002069\nname: Tonic-clonic seizure\nis_a: HP:0001250\n"
MODIFIER = "[Term]\nid: HP:0012823\nname: Clinical modifier\nis_a: HP:0000001\n"
OLD = """[Term]
id: HP:0009000
name: obsolete Fit
is_obsolete: true
replaced_by: HP:0009001
"""
OLDER = """[Term]
id: HP:0009001
name: obsolete Attack
is_obsolete: true
replaced_by: HP:0001250
"""
OTHER = "[Term]\nid: HP:0009002\nname: obsolete Storm\nis_obsolete: true\nconsider: HP:0000707\n"
GONE = "[Term]\nid: HP:0009003\nname: obsolete Humours\nis_obsolete: true\n"
FOREIGN = "[Term]\nid: UPHENO:0000001\nname: elsewhere\n"
STANZAS = (ROOT, ABNORMALITY, NERVES, SEIZURE, TONIC, MODIFIER, OLD, OLDER, OTHER, GONE, FOREIGN)


def text_of(*stanzas: str) -> bytes:
    return "\n".join((HEADER, *stanzas)).encode()


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Ontology:
    folder = tmp_path_factory.mktemp("obo")
    path = folder / "hp.obo"
    path.write_bytes(text_of(*STANZAS))
    return load_ontology(folder, str(path))


def test_a_file_becomes_the_same_kind_of_table(opened: Ontology) -> None:
    """B2: terms, hierarchy, names, synonyms and definitions come from the file."""
    assert opened.table.schema.equals(TABLE)
    assert opened.version.startswith("HPO 2031-05-04 (hp.obo ")
    row = opened.row_of("HP:0001250")
    assert opened.names[row] == "Seizure"
    assert opened.synonyms(row) == ("Epilepsy", "Fit, größer")
    assert opened.definition(row) == 'An "electric" storm; brief!'
    above = [int(opened.numbers[place]) for place in opened.ancestors(row)]
    assert above == [1, 118, 707, 1250]
    assert opened.category([row]) == "Nervous system"
    assert not opened.is_phenotypic(opened.row_of("HP:0012823"))
    assert opened.synonyms(opened.row_of("HP:0000707")) == ()
    assert opened.definition(opened.row_of("HP:0000707")) == ""


def test_old_and_other_ids_lead_to_the_term_of_today(opened: Ontology) -> None:
    """B2: replaced_by, chains of it and alt_id all lead to a living term; a dead end is unknown."""
    given = ["HP:0009000", "HP:0009001", "HP:0009002", "HP:0001275", "HP:0009003", "HP:0000002"]
    terms = opened.resolve(given)
    assert terms.rows == (opened.row_of("HP:0001250"),)
    assert terms.replaced == tuple((name, "HP:0001250") for name in given[:4])
    assert terms.unknown == ("HP:0009003", "HP:0000002")
    assert opened.label("HP:0001275") == "Seizure"


def test_information_comes_from_the_embedded_annotations(opened: Ontology) -> None:
    """A4: diseases of the embedded release are placed in the given hierarchy, which is kept."""
    found = [
        float(opened.information[opened.row_of(name)])
        for name in ("HP:0000707", "HP:0001250", "HP:0002069")
    ]
    assert 0 < found[0] <= found[1] < found[2]
    assert np.isfinite(opened.information).all()


def test_packed_and_plain_are_one_source(tmp_path: Path) -> None:
    """B2: .obo and .obo.gz of one release have one version and share one table."""
    plain, packed = tmp_path / "hp.obo", tmp_path / "hp.obo.gz"
    plain.write_bytes(text_of(*STANZAS))
    packed.write_bytes(gzip.compress(text_of(*STANZAS)))
    versions = [load_ontology(tmp_path, str(path)).version for path in (plain, packed)]
    assert versions[0] == versions[1]
    assert len(list(tmp_path.glob("*.arrow"))) == 1


def test_a_changed_file_is_another_ontology(tmp_path: Path) -> None:
    """B2: what the path holds now is in force, and what it held before is found again."""
    path = tmp_path / "hp.obo"
    path.write_bytes(text_of(*STANZAS))
    first = load_ontology(tmp_path, str(path))
    path.write_bytes(text_of(ROOT, ABNORMALITY, NERVES))
    second = load_ontology(tmp_path, str(path))
    assert (len(first.numbers), len(second.numbers)) == (11, 3)
    assert first.version != second.version
    path.write_bytes(text_of(*STANZAS))
    assert load_ontology(tmp_path, str(path)).table.equals(first.table)


LOOP = "[Term]\nid: HP:0000707\nname: Nervous system\nis_a: HP:0002069\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not OBO"),
        (b"PK\x03\x04 rubbish", "not OBO"),
        (b'{"graphs": []}', "not OBO"),
        (b"\xff\xfe[Term]\nid: HP:0000001", "not OBO"),
        (text_of("[Term]\nno tag here"), "not OBO"),
        (text_of("[Term]\nname: without an id"), "not OBO"),
        (text_of(FOREIGN), "no term HP:"),
        (text_of(ROOT), "no HP:0000118"),
        (text_of(ROOT, NERVES.replace("0000118", "0000001")), "no HP:0000118"),
        (text_of(ROOT, ABNORMALITY + "is_obsolete: true\n"), "no HP:0000118"),
        (text_of(ROOT, ABNORMALITY, SEIZURE), "HP:0000707 is named as a parent and has no name"),
        (text_of(ROOT, ABNORMALITY, LOOP, SEIZURE, TONIC, MODIFIER), "is above itself"),
        (gzip.compress(text_of(*STANZAS))[:-20], "cannot be read (EOFError)"),
        (gzip.compress(text_of(*STANZAS))[:40] + b"\0" * 99, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    """B2: what is wrong, where it is and what to give instead; and no table is left behind."""
    path = tmp_path / "hp.obo"
    path.write_bytes(content)
    with pytest.raises(SourceUnreadable) as caught:
        load_ontology(tmp_path, str(path))
    assert reason in caught.value.what
    assert caught.value.where == str(path)
    assert "hpo_path" in caught.value.remedy
    assert not list(tmp_path.glob("*.arrow"))


def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    """B2: a missing file and a folder are named."""
    for path in (tmp_path / "none.obo", tmp_path):
        with pytest.raises(SourceUnreadable) as caught:
            load_ontology(tmp_path, str(path))
        assert caught.value.where == str(path)


@pytest.mark.data
def test_the_whole_release_is_read(shared_data: Path) -> None:
    """B2: 19,810 living terms, and each of the seven ids that it made obsolete has a successor."""
    (path,) = (shared_data / "hpo").glob("hp-*.obo.gz")
    release, terms = parse_obo(gzip.decompress(path.read_bytes()), path)
    by_number = {term.number: term for term in terms}
    assert release == "2026-06-06"
    assert len(by_number) == len(terms)
    assert sum(not term.obsolete for term in terms) == 19_810
    for number in (3347, 410177, 40126, 9232, 30635, 410394, 5587):
        successor = by_number[number].replaced_by
        assert successor is not None and not by_number[successor].obsolete
    assert sum(bool(term.definition) for term in terms) > 15_000
    assert "Epilepsy" in by_number[1250].synonyms

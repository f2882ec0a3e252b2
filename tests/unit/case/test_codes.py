"""Only codes leave in the place of codes: hostile texts in every field, and all published cases."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from builders import labels

from cluster.case.case import read_case
from cluster.case.codes import code_of, is_gene_id, is_symbol, is_variant
from cluster.case.redaction import redact
from cluster.contracts.ingest import Source
from cluster.errors import CaseInvalid
from cluster.storage.sources import read_records
from tests.unit.case.test_redaction import FULL, TERM

HOSTILE = ["MRN:12345678/Doe,Jane/1984-04-12", "MRN:12345678-Doe", "HP:19840412", "OMIM:19840412"]
Path = tuple[str | int, ...]


def places(content: object, at: Path = ()) -> Iterator[Path]:
    """Yield the way to each text."""
    inner = content.items() if isinstance(content, dict) else enumerate(content)  # type: ignore
    for name, value in inner:
        if isinstance(value, str):
            yield (*at, name)
        elif isinstance(value, dict | list):
            yield from places(value, (*at, name))


def full_packet() -> dict[str, Any]:
    """Return a case with something in every field that is understood."""
    packet: dict[str, Any] = json.loads(json.dumps(FULL))
    for owner, name in (
        (packet["subject"], "timeAtLastEncounter"),
        (packet["phenotypicFeatures"][0], "onset"),
        (packet["diseases"][0], "onset"),
    ):
        owner[name] = {"ontologyClass": dict(TERM)}
    return packet


def planted(place: Path, text: str) -> dict[str, Any]:
    """Return the full case with a text in one place."""
    packet = owner = full_packet()
    for name in place[:-1]:
        owner = owner[name]  # type: ignore[index]
    owner[place[-1]] = text  # type: ignore[index]
    return packet


def shown(packet: object) -> str:
    """Return what leaves of a case, as JSON."""
    return json.dumps(redact(read_case(json.dumps(packet)), "north.abc", "north", labels))


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("place", list(places(full_packet())), ids=str)
def test_a_hostile_text_leaves_from_no_field(place: Path, text: str) -> None:
    """B9: a record number, a name with a date, or a date behind a real prefix, wherever it is."""
    try:
        left = shown(planted(place, text))
    except CaseInvalid:  # refused at the door: nothing is kept, so nothing leaves
        return
    assert text not in left
    assert "HP:0001250" in left


def test_a_hostile_text_in_all_fields_at_once_leaves_nothing_of_itself() -> None:
    """B9: nor where the whole record is one."""
    packet = full_packet()
    for place in places(packet):
        owner: Any = packet
        for name in place[:-1]:
            owner = owner[name]
        owner[place[-1]] = HOSTILE[1]
    assert not any(part in shown(packet) for part in ("MRN", "12345678", "Doe"))


@pytest.mark.parametrize("age", [{"weeks": 19840412}, {"weeks": 30, "days": 19840412}])
def test_a_gestational_age_that_is_none_stays(age: dict[str, int]) -> None:
    """B9: a date in the place of weeks is no age."""
    packet = full_packet()
    packet["subject"]["timeAtLastEncounter"] = {"gestationalAge": age}
    packet["phenotypicFeatures"][0]["onset"] = {"gestationalAge": age}
    left = json.loads(shown(packet))
    assert "timeAtLastEncounter" not in left["subject"]
    assert "onset" not in left["phenotypicFeatures"][0]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Orphanet:558", "ORPHA:558"),
        ("ORPHANET:558", "ORPHA:558"),
        ("ORPHA:558", "ORPHA:558"),
        ("MIM:154700", "OMIM:154700"),
        ("MONDO:0007947", "MONDO:0007947"),
        ("ICD10:Q87.4", "ICD10:Q87.4"),
        ("NCIT:C34807", "NCIT:C34807"),
        ("UMLS:C0024796", "UMLS:C0024796"),
        ("MESH:D008382", "MESH:D008382"),
        ("SNOMEDCT:19346006", "SNOMEDCT:19346006"),
        ("OMIM:Marfan", ""),
        ("MONDO:19840412", ""),
        ("WARD7:4711", ""),
        ("Marfan", ""),
        ("OMIM:154700\n", ""),
    ],
)
def test_a_code_has_the_form_of_its_vocabulary(text: str, code: str) -> None:
    """A11 B9: each known vocabulary has one prefix and one form."""
    assert code_of(text) == code


def test_genes_variants_and_names_have_forms_too() -> None:
    """A11 B9: what is written as one is kept, and a sentence or a number is not."""
    assert all(map(is_symbol, ("FBN1", "RNU4-2", "C9orf72", "HLA-DRB1", "LINC00467")))
    assert not any(map(is_symbol, ("Jane", "DOE-1984-04-12", "FBN1 of Doe", "D12345678")))
    assert is_gene_id("HGNC:3603") and not is_gene_id("MRN:12345678")
    for syntax, text in (
        ("hgvs.c", "NM_000138.5:c.1453C>T"),
        ("hgvs.p", "NP_000129.3:p.(Arg485Cys)"),
        ("iscn", "46,XX,t(9;22)(q34;q11.2)"),
        ("gnomad", "15-48505034-G-A"),
        ("spdi", "NC_000015.10:48505033:G:A"),
    ):
        assert is_variant(syntax, text)
        assert not is_variant(syntax, f"{text} Jane Doe")
    assert not is_variant("hgvs.c", "c.Jane")
    assert not is_variant("iscn", "46" + ",cxidemcx" * 20 + "!")


def said(packet: dict[str, Any], wanted: Callable[[str], bool]) -> list[object]:
    """Return the values of some fields, in order, wherever they stand."""
    found: list[object] = []

    def walk(content: object) -> None:
        if isinstance(content, dict):
            found.extend(content[name] for name in sorted(content) if wanted(name))
            content = list(content.values())
        for one in content if isinstance(content, list) else ():
            walk(one)

    walk(packet)
    return found


@pytest.mark.parametrize("part", range(8))
def test_no_published_case_loses_anything(shared_data: Any, part: int) -> None:
    """A11: all 7,953 leave with every term, disease, onset, allelic state, gene and PubMed id."""
    path = shared_data / "phenopackets" / f"part-{part}.jsonl.gz"
    for record in read_records(Source(files=(str(path),))):
        case = read_case(record.content)  # type: ignore[union-attr]  # no finding in these files
        left = redact(case, "north.abc", "north", labels)
        arrived = read_case(json.dumps(left))
        assert (arrived.observed, arrived.excluded) == (case.observed, case.excluded)
        assert [one.id for one in arrived.diseases] == [one.id for one in case.diseases]
        assert arrived.genes == case.genes
        assert arrived.publication == (case.publication[0], "")
        packet = json.loads(case.document)
        for parts in ("phenotypicFeatures", "diseases", "interpretations", "subject"):
            for name in ("ontologyClass", "allelicState", "gestationalAge", "valueId"):
                before = said({"x": packet.get(parts)}, name.__eq__)
                after = said({"x": left.get(parts)}, name.__eq__)
                assert [_key(one) for one in before] == [_key(one) for one in after]


def _key(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return value.get("id") or value.get("weeks")

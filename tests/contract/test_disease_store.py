"""The store of the disease database: whole or absent, and the last good version serves."""

import gzip
import json
import shutil
from pathlib import Path

import pytest

from cluster.contracts.disease import DiseaseCard
from cluster.diseases.codes import code_of
from cluster.diseases.names import folded
from cluster.errors import IntegrityError, SourceUnreadable, StoreUnavailable
from cluster.flow.diseases import DiseaseDatabase
from cluster.storage import diseases
from cluster.storage.diseases import DiseaseShelf, read_diseases, read_file
from tests.unit.diseases.disease_lines import PNEUMONIA, a_card, bytes_below, packed


def served(shelf: DiseaseShelf, content: bytes) -> DiseaseCard:
    card = shelf.build(content, a_card(content, loaded_at=1.0))
    shelf.serve(card)
    return card


def test_a_version_serves_once_it_is_served(tmp_path: Path) -> None:
    """C8: built is not yet serving; before the first one the demo table answers."""
    shelf, content = DiseaseShelf(tmp_path), packed(*PNEUMONIA)
    assert DiseaseDatabase.of(tmp_path).card.demo
    card = shelf.build(content, a_card(content))
    assert shelf.has(card)
    assert shelf.serving() is None and DiseaseDatabase.of(tmp_path).card.demo
    shelf.serve(card)
    database = DiseaseDatabase.of(tmp_path)
    assert database.card == card and not card.demo
    answer = database.answer("bacterial_pneumonia")
    assert answer is not None
    assert [one.name for one in answer.from_parent] == ["pneumonia"]


def test_words_find_what_no_name_does(tmp_path: Path) -> None:
    """C8: in names and definitions, a word of a name first; and never where it is not wanted."""
    served(DiseaseShelf(tmp_path), packed(*PNEUMONIA))
    database = DiseaseDatabase.of(tmp_path)
    found = database.find("bacteria in the lung")
    assert {one.disease_id for one in found} == {"DOID:874", "DOID:850"}
    assert all(one.how == "words" and one.score > 0 for one in found)
    assert [one.disease_id for one in database.find("SJOGREN")] == ["ORPHA:5"]
    assert len(database.find("pneumonia by bacteria", 1)) == 1
    assert database.find("bacteria in the lung", words=False) == []
    assert database.answer("normal") is None
    assert database.find("DAZZLE:lung") == [] != database.find("dazzle lung x")
    for odd in ("", "the of", "'\" OR 1=1 --", "a:b^2 ~*?", "\x00", "(" * 500):
        assert database.find(odd) == []


def test_the_same_file_changes_nothing(tmp_path: Path) -> None:
    """C8: building and serving again leaves every byte as it was."""
    shelf, content = DiseaseShelf(tmp_path), packed(*PNEUMONIA)
    served(shelf, content)
    before = bytes_below(tmp_path)
    served(shelf, content)
    assert bytes_below(tmp_path) == before


def damaged_files() -> dict[str, tuple[bytes, str]]:
    good = packed(*PNEUMONIA)
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 0xFF
    return {
        "cut off": (good[: len(good) // 2], "damaged or cut off"),
        "without its end": (good[:-4], "damaged or cut off"),
        "flipped": (bytes(flipped), "damaged or cut off|disease records"),
        "no gzip behind the mark": (b"\x1f\x8bnothing", "damaged or cut off"),
        "empty": (b"", "0 disease records"),
        "empty gzip": (gzip.compress(b""), "0 disease records"),
        "another format": (b"id\tname\nORPHA:5\tx\n", "0 disease records"),
        "mostly no records": (packed(PNEUMONIA[0], b"{", b"["), "1 disease records and 2 other"),
        "bomb": (gzip.compress(b"\n" * (20 << 20)), "unpacks to more than"),
        "bomb in one line": (gzip.compress(b" " * (8 << 20)), "more than 1,048,576 bytes"),
    }


@pytest.mark.parametrize("kind", damaged_files())
def test_a_damaged_file_leaves_the_last_good_one(tmp_path: Path, kind: str) -> None:
    """C8: a clear error, nothing of it stays, and what served before still serves."""
    content, said = damaged_files()[kind]
    shelf = DiseaseShelf(tmp_path)
    card = served(shelf, packed(*PNEUMONIA))
    before = bytes_below(tmp_path)
    with pytest.raises(SourceUnreadable, match=said) as caught:
        shelf.build(content, a_card(content))
    assert caught.value.remedy and caught.value.where == "d.jsonl.gz"
    assert bytes_below(tmp_path) == before
    assert DiseaseDatabase.of(tmp_path).card == card


def test_a_build_that_dies_leaves_nothing_that_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C8: a version is complete or absent, and the next try makes it whole."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    shelf, content = DiseaseShelf(tmp_path), packed(*PNEUMONIA)
    with monkeypatch.context() as patched:
        patched.setattr(diseases, "write_words", full)
        with pytest.raises(OSError, match="No space"):
            shelf.build(content, a_card(content))
    assert not shelf.has(a_card(content)) and bytes_below(tmp_path) == {}
    served(shelf, content)
    assert DiseaseDatabase.of(tmp_path).find("ORPHA:5")


def test_a_version_appears_with_one_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """C8: absent before, and whole after; who opens the folder never sees a part of it."""
    shelf, content = DiseaseShelf(tmp_path), packed(*PNEUMONIA)
    seen = []
    rename = Path.rename

    def watched(path: Path, target: Path) -> Path:
        before = shelf.has(a_card(content))
        renamed = rename(path, target)
        seen.append((before, sorted(one.name for one in target.iterdir())))
        return renamed

    monkeypatch.setattr(Path, "rename", watched)
    shelf.build(content, a_card(content))
    assert seen == [(False, ["keys.arrow", "records.arrow", "words"])]


def test_the_one_before_is_kept_and_older_ones_go(tmp_path: Path) -> None:
    """C8 C11: who has the version before open can still read it."""
    shelf = DiseaseShelf(tmp_path)
    cards = [served(shelf, packed(*PNEUMONIA[:n])) for n in (1, 2)]
    older = DiseaseDatabase.of(tmp_path)
    cards.append(served(shelf, packed(*PNEUMONIA)))
    assert [shelf.has(card) for card in cards] == [False, True, True]
    assert older.find("pneumonia") and older.find("of the lung")


def test_missing_and_damaged_tables_are_told_apart(tmp_path: Path) -> None:
    """C8 B9: neither is taken for an empty database or for the demo."""
    shelf, content = DiseaseShelf(tmp_path), packed(*PNEUMONIA)
    served(shelf, content)
    (folder,) = [path for path in (tmp_path / "diseases").iterdir() if path.is_dir()]
    records = folder / "records.arrow"
    whole = records.read_bytes()
    for part in (whole[: len(whole) // 2], b"", (folder / "keys.arrow").read_bytes()):
        records.write_bytes(part)
        with pytest.raises(IntegrityError) as damaged:
            DiseaseDatabase.of(tmp_path)
        assert "load_diseases" in damaged.value.remedy
    shutil.rmtree(folder)
    with pytest.raises(StoreUnavailable, match="missing"):
        DiseaseDatabase.of(tmp_path)
    (tmp_path / "diseases" / "serving.json").write_text("{")
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        DiseaseDatabase.of(tmp_path)
    served(shelf, content)
    assert DiseaseDatabase.of(tmp_path).find("ORPHA:5")


def test_a_file_must_have_a_known_name_and_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C8: what cannot be a file of records is not read."""
    path = tmp_path / "d.jsonl.gz"
    with pytest.raises(SourceUnreadable, match="FileNotFoundError"):
        read_file(path)
    path.write_bytes(b"12345")
    assert read_file(path) == b"12345"
    monkeypatch.setattr(diseases, "PACKED_MAX", 4)
    with pytest.raises(SourceUnreadable, match="5 bytes"):
        read_file(path)
    with pytest.raises(SourceUnreadable, match="is not a file of disease records"):
        read_file(tmp_path / "d.csv")


@pytest.mark.data
def test_every_code_and_name_of_the_real_file_finds_its_record(shared_data: Path) -> None:
    """C8: 19,387 records; every cross-reference, spelt as the file spells it, name and synonym."""
    content = (shared_data / "diseases" / "diseases.jsonl.gz").read_bytes()
    table, _, card = read_diseases(content, a_card(content))
    assert (card.records, card.refused) == (19_387, 0)
    assert card.by_code == {"code_invalid": 7, "parent_unknown": 4}
    keys = zip(table.keys["key"].to_pylist(), table.keys["row"].to_pylist(), strict=True)
    ids = table.records["id"].to_pylist()
    rows_of: dict[str, set[str]] = {}
    for key, row in keys:
        rows_of.setdefault(key, set()).add(ids[row])
    lacking = []
    for line in map(json.loads, gzip.decompress(content).splitlines()):
        references = [
            f"{vocabulary}:{one['id'] if isinstance(one, dict) else one.removeprefix('DOID:')}"
            for vocabulary, values in line.get("xrefs", {}).items()
            for one in values
            if isinstance(one, dict) or not one.startswith("MONDO:")
        ]
        lacking += [
            text
            for text in (line["id"], *references)
            if line["id"] not in rows_of.get(code_of(text), ())
        ]
        for text in (line["name"], *line.get("synonyms", ())):
            assert line["id"] in rows_of[folded(text)]
    assert len(lacking) == card.by_code["code_invalid"], lacking
    for row in range(0, len(ids), 200):
        (found,) = [one for one in table.find(ids[row]) if one.disease_id == ids[row]]
        assert found.relation == "exact"


@pytest.mark.data
def test_the_image_classes_reach_a_treatment(tmp_path: Path, shared_data: Path) -> None:
    """C8: both pneumonias climb to pneumonia; the most general diseases are never climbed to."""
    content = (shared_data / "diseases" / "diseases.jsonl.gz").read_bytes()
    served(DiseaseShelf(tmp_path), content)
    database = DiseaseDatabase.of(tmp_path)
    for label in ("bacterial_pneumonia", "viral_pneumonia"):
        answer = database.answer(label, words=False)
        assert answer is not None and answer.definitions and answer.treatment_texts
        assert [one.disease_id for one in answer.from_parent] == ["DOID:552"]
    assert database.answer("normal", words=False) is None
    table = DiseaseShelf(tmp_path).open()[0]
    ids = table.records["id"].to_pylist()
    tops = {way[-1].name for one in ids[::7] if (way := table.treated_above(one))}
    assert len(tops) > 100
    assert not tops & {"disease", "syndrome", "cancer", "genetic disease"}

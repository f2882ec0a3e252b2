"""A trend model in a folder of its own."""

from pathlib import Path

import pytest

from cluster.errors import IntegrityError, SourceUnreadable
from cluster.ids import sha256
from cluster.storage import trend_models
from cluster.storage.trend_models import CARD, WEIGHTS, read_card, read_model, write_model
from tests.unit.report.trend_cards import a_trend_card

CONTENT = b"weights"
THE_CARD = a_trend_card(version=sha256(CONTENT))


def test_a_model_comes_back_with_its_card(tmp_path: Path) -> None:
    """A6: bytes and card are as they were, from the folder; the bytes also from their file."""
    folder = tmp_path / "deep" / "model"
    write_model(folder, CONTENT, THE_CARD)
    assert read_card(folder) == THE_CARD
    assert read_model(folder) == read_model(folder / WEIGHTS) == CONTENT
    assert sorted(path.name for path in folder.iterdir()) == [CARD, WEIGHTS]


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    """A7: a missing folder, file or model is the caller's fault, with the path and a remedy."""
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "no", tmp_path / "empty", tmp_path / "empty" / WEIGHTS):
        with pytest.raises(SourceUnreadable) as caught:
            read_model(path)
        remedies = ("make it again", "Give the folder")
        assert caught.value.where == str(path)
        assert any(words in caught.value.remedy for words in remedies)
    with pytest.raises(SourceUnreadable, match="no such folder"):
        read_card(tmp_path / "no")


@pytest.mark.parametrize("step", [1, 2])
def test_a_crash_leaves_a_model_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """A6: whichever file the disk refuses, no card stands beside weights that are not its own."""
    write_model(tmp_path, b"older", a_trend_card(version=sha256("older")))
    written = trend_models.write_durably
    calls = []

    def refuse(path: Path, content: bytes) -> None:
        calls.append(path)
        if len(calls) == step:
            raise OSError(28, "No space left on device")
        written(path, content)

    monkeypatch.setattr(trend_models, "write_durably", refuse)
    with pytest.raises(OSError, match="No space"):
        write_model(tmp_path, CONTENT, THE_CARD)
    with pytest.raises(SourceUnreadable, match="no finished model"):
        read_model(tmp_path)
    monkeypatch.undo()
    write_model(tmp_path, CONTENT, THE_CARD)
    assert read_model(tmp_path) == CONTENT


def test_damage_is_found(tmp_path: Path) -> None:
    """A6: a changed or cut file, or a card of another model, is never taken for the model."""
    write_model(tmp_path, CONTENT, THE_CARD)
    for content in (b"", CONTENT[:-1], CONTENT + b"x"):
        (tmp_path / WEIGHTS).write_bytes(content)
        with pytest.raises(IntegrityError, match="is damaged, or is not the model of"):
            read_model(tmp_path)
    for text in ("", "{}", THE_CARD.model_dump_json()[:-5]):
        (tmp_path / CARD).write_text(text)
        with pytest.raises(IntegrityError, match="damaged or of another version"):
            read_model(tmp_path)


def test_a_file_too_large_for_a_model_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A7: another file, named by mistake, does not fill the memory."""
    monkeypatch.setattr(trend_models, "WEIGHTS_BYTES_MAX", 6)
    (tmp_path / WEIGHTS).write_bytes(CONTENT)
    with pytest.raises(SourceUnreadable, match="no trend model"):
        read_model(tmp_path / WEIGHTS)

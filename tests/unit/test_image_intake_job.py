"""What jobs say of a set of images before the work begins (C1, C2)."""

from collections.abc import Callable
from pathlib import Path

import pytest
from image_builders import a_set, write, zip_bytes

from cluster.errors import ImageSetRefused, InputError, WeightsInvalid
from cluster.settings import load_settings
from jobs import fit_inception, tune_inception
from jobs.image_intake import check_given, check_set, refusal, stored_set

NO_WEIGHTS = "/no.safetensors"


@pytest.mark.parametrize(
    ("files", "code", "place"),
    [
        (a_set() | {"class-0/more.zip": b"PK"}, "archive_nested", "class-0/more.zip"),
        (a_set() | {"rare/1.jpg": a_set()["class-0/0.jpg"]}, "class_too_small", "rare"),
    ],
)
def test_a_refusal_names_the_place(
    tmp_path: Path, files: dict[str, bytes], code: str, place: str
) -> None:
    """C1: the file inside the zip, or the class with the number of its images."""
    path, settings = write(tmp_path / "set.zip", zip_bytes(files)), load_settings({})
    card, _ = check_set(path, tmp_path / "out", "", None, settings)
    found = refusal(card)
    assert isinstance(found, ImageSetRefused) and found.where == code
    assert found.what.startswith(f"{place}: ")
    assert code != "class_too_small" or " usable images" in found.what


def test_a_table_with_rows_without_a_person_is_told_where_the_set_is_taken_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """C1: who trains at once reads it too, not only who opens the report."""
    table = "file,patient\n" + "".join(f"class-0/{n}.jpg,{n % 2 or ''}\n" for n in range(6))
    files = a_set() | {"persons.csv": table.encode()}
    path = write(tmp_path / "set.zip", zip_bytes(files))
    settings = load_settings({"data_dir": str(tmp_path / "data")})
    stored_set(str(path), tmp_path / "out", "cells", None, settings)
    told = capsys.readouterr().out
    assert "persons.csv: 3 rows name no person; the first is row 2" in told


def test_a_set_that_is_nowhere_is_told_with_the_folder_that_was_looked_in(tmp_path: Path) -> None:
    """C2: who stored it in another data folder sees why it is not found."""
    settings = load_settings({"data_dir": str(tmp_path)})
    with pytest.raises(InputError, match=f"Stored in {tmp_path} are: none"):
        check_given("cells", None, settings)


@pytest.mark.parametrize("main", [fit_inception.main, tune_inception.main])
def test_the_set_is_looked_for_before_the_weights_and_both_before_anything_begins(
    tmp_path: Path, main: Callable[..., None]
) -> None:
    """C2: a wrong path to the images is the likelier mistake; neither costs the start of Ray."""
    out, place = tmp_path / "out", [f"data_dir={tmp_path / 'data'}"]
    words = {"name": "cells", "out": out, "weights": NO_WEIGHTS, "settings": place}
    with pytest.raises(InputError, match=r"'/no\.zip' is no zip"):
        main(dataset="/no.zip", **words)
    path = write(tmp_path / "set.zip", zip_bytes(a_set()))
    with pytest.raises(InputError, match="no-table"):
        main(dataset=str(path), persons=tmp_path / "no-table.csv", **words)
    with pytest.raises(WeightsInvalid, match="there is no file"):
        main(dataset=str(path), **words)
    assert not out.exists() and not (tmp_path / "data").exists()

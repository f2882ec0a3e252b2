"""A folder of images recognised by a job."""

import csv
from pathlib import Path

import pytest
from device_builders import COLOURS, LABELS, WHITE, a_bundle, a_picture_of, listed, png
from device_builders import write_public as write

from cluster.settings import load_settings
from jobs import recognise, shell


@pytest.fixture
def data(tmp_path: Path) -> Path:
    bundle, files = a_bundle()
    write(tmp_path / "data" / "public", [listed(bundle)], files)
    for name, colour in {**COLOURS, "white": WHITE}.items():
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True)
        for n in range(3):
            (folder / f"{n}.png").write_bytes(png(a_picture_of(colour, n)))
    return tmp_path


def run(data: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    images, out = str(data / "images"), str(data / "p.csv")
    given = ["recognise", "--model", "colours", "--images", images, "--out", out]
    given += ["--set", f"data_dir={data / 'data'}", *words]
    monkeypatch.setattr("sys.argv", given)
    try:
        shell.run_job(recognise.main)
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def rows_of(data: Path) -> list[dict[str, str]]:
    with (data / "p.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_each_image_has_a_row(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """C7 C10: path, true, pred, prob, one column a class, distance_ratio; sorted by path."""
    assert run(data, monkeypatch) == 0
    rows = rows_of(data)
    columns = ["path", "true", "pred", "prob", *(f"p:{one}" for one in LABELS), "distance_ratio"]
    assert list(rows[0]) == columns and len(rows) == 12
    assert [row["path"] for row in rows] == sorted(row["path"] for row in rows)
    for row in rows:
        assert row["true"] == row["path"].split("/")[0]
        assert row["pred"] == ("unknown" if row["true"] == "white" else row["true"])
        shares = [float(row[f"p:{one}"]) for one in LABELS]
        assert float(row["prob"]) == max(shares) and sum(shares) == pytest.approx(1, abs=1e-5)
        assert (float(row["distance_ratio"]) > 1) == (row["true"] == "white")
    told = capsys.readouterr().out
    assert "12 images, 3 outside of what the model knows" in told
    assert "accuracy 9 of 9, 100 % (70–100)" in told and "not a diagnosis" in told


def test_images_without_folders_have_no_truth(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """C7: of a flat folder nothing is known, so no accuracy is told."""
    flat = str(data / "images" / "red")
    assert run(data, monkeypatch, "--images", flat, "--variant", "fp32") == 0
    assert [(row["path"], row["true"], row["pred"]) for row in rows_of(data)] == [
        (f"{n}.png", "", "red") for n in range(3)
    ]
    assert "accuracy" not in capsys.readouterr().out


def test_what_cannot_be_read_is_left_out(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """C7: a damaged image is named with the reason where errors go, has no row and costs the exit
    code, as on a device; other files are passed over, and other images have their rows.
    """
    (data / "images" / "red" / "bad[bold].jpg").write_bytes(b"no image")
    (data / "images" / "README.md").write_text("readme")
    (data / "images" / "red" / "._0.png").write_bytes(b"of an archiver")
    for n in range(shell.PROBLEMS_SHOWN):
        (data / "images" / "green" / f"bad{n}.jpg").write_bytes(b"no image")
    assert run(data, monkeypatch) == shell.EXIT_INPUT
    assert len(rows_of(data)) == 12
    out, err = capsys.readouterr()
    assert "12 images" in out and "left out" not in out
    assert err.count("left out: ") == 1 + shell.PROBLEMS_SHOWN
    assert "left out: red/bad[bold].jpg: the picture is not taken" in err


def test_models_are_kept_where_the_device_keeps_them(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C5: one variable names the cache for job and device; else it is in the data folder."""
    monkeypatch.setenv("DAZZLE_DEVICE_CACHE", str(data / "kept"))
    assert run(data, monkeypatch) == 0
    assert list((data / "kept").rglob("*")) and not (data / "data" / "device").exists()
    monkeypatch.delenv("DAZZLE_DEVICE_CACHE")
    assert run(data, monkeypatch) == 0
    assert list((data / "data" / "device").rglob("*"))


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--images", "BAD"], 2, "none of 1 image can be read"),
        (["--images", "EMPTY"], 2, "has no images"),
        (["--images", "NONE"], 2, "is no folder"),
        (["--variant", "fp16"], 2, "int8 or fp32"),
        (["--out", "EMPTY"], 2, "is a folder"),
        (["--model", "other"], 1, "no model of the list"),
        (["--model", "colours@7"], 1, "Published are: 1."),
        (["--server", "NONE"], 1, "no list can be read"),
    ],
)
def test_errors_are_one_line(
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    told: str,
) -> None:
    """C7: an error says what to do, and leaves no file."""
    (data / "BAD").mkdir()
    (data / "BAD" / "1.jpg").write_bytes(b"no image")
    (data / "EMPTY").mkdir()
    places = {"BAD", "EMPTY", "NONE"}
    given = [str(data / word) if word in places else word for word in words]
    assert run(data, monkeypatch, *given) == code
    lines = capsys.readouterr().err.strip().splitlines()
    assert told in lines[-1] and len(lines) == 1 + ("BAD" in words)
    assert not (data / "p.csv").exists()


def test_a_device_of_the_same_machine_does_not_stop_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """C5: the variables that a device reads are no unknown settings of a job."""
    for name in ("SERVER", "SERVER_TOKEN", "DEVICE_CACHE"):
        monkeypatch.setenv(f"DAZZLE_{name}", "x")
    assert load_settings().data_dir.name

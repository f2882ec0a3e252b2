"""What a user types and reads."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from device_builders import COLOURS, DISEASE, a_bundle, a_picture_of, listed
from device_builders import write_public as write
from image_builders import an_image, encoded
from rich.console import Console

from cluster.contracts.image_models import Recognition
from cluster.device.show import models_table
from cluster.imaging.metrics import wilson
from cluster.models.bundle import bundle_bytes, version_of

ROOT = Path(__file__).resolve().parents[3]
Run = Callable[..., tuple[int, str, str]]
HEAVY = ("ray", "torch", "lancedb", "pyarrow", "sqlalchemy", "sklearn", "scipy", "jinja2", "onnx")


def test_from_the_list_to_the_answer(run: Run, public: Path, pictures: dict[str, Path]) -> None:
    """C4 C5 C7 C8: list, recognition, where the model came from, and Y with its sources."""
    code, out, _ = run("models", "--disease", "redness", "--server", public)
    assert code == 0
    assert all(word in out for word in ("colours", "red, green", "0.900", "int8", "test"))
    code, out, _ = run("recognise", pictures["red"], "--model", "colours")
    assert code == 0 and "colours 1 (int8): downloaded" in out
    assert "red.png: red, probability 0." in out
    for text in (
        f"{DISEASE}  redness",
        "[Book, 2020]",
        "this is of the disease above it: MONDO:0000001 colour",
        "cooling, treats [PMID:1, 2021-02-03]",
        "Read: https://pubmed.ncbi.nlm.nih.gov/1/",
        "Reference material.",
        "It is not a diagnosis; a physician decides.",
    ):
        assert text in out
    assert "\x1b" not in out and "[bold]red" in out
    assert "colours 1 (int8): cached" in run("recognise", pictures["red"], "--model", "colours")[1]


@pytest.mark.parametrize("width", [80, 100, 160])
def test_names_in_the_list_are_not_folded(width: int) -> None:
    """C4: words stay whole where they fit, and the longest are folded, not cut, where not."""
    classes = ("basophil", "eosinophil", "erythroblast", "lymphocyte", "monocyte", "neutrophil")
    sizes = {"fp32": 83 << 20, "int8": 21 << 20}
    made = {"made_by": "jobs.fit_inception", "sizes": sizes, "accuracy_interval": wilson(54, 60)}
    model = listed(a_bundle("blood")[0], labels=classes, **made)

    def shown(name: str) -> list[str]:
        screen = Console(file=io.StringIO(), width=width)
        with screen.capture() as captured:
            screen.print(models_table([model.model_copy(update={"name": name})], [], width))
        return captured.get().splitlines()

    out = shown("blood")
    words = (
        *classes,
        "jobs.fit_inception",
        "60,",
        "(80–95)",
        "made by",
        "fp32 83.0,",
        "int8 21.0",
    )
    assert [word for word in words if not any(word in line for line in out)] == []
    folded = shown("x" * 99)
    assert sum(line.split("  ")[0].count("x") for line in folded) == 99
    assert max(map(len, folded)) <= width and any("60," in line for line in folded)


def test_a_model_that_never_says_unknown_is_told_at_each_use(
    run: Run, tmp_path: Path, pictures: Any
) -> None:
    """C10: without a distance every picture gets a class; the list and each recognition say so."""
    bundle, files = a_bundle()
    bare = [one.model_copy(update={"outside_above": None}) for one in bundle.variants]
    golden = [one.model_copy(update={"distance": None}) for one in bundle.golden]
    bundle = bundle.model_copy(update={"variants": tuple(bare), "golden": tuple(golden)})
    files |= {version_of(bundle): bundle_bytes(bundle)}
    one = listed(bundle, tells_outside=False)
    folder = write(tmp_path / "bare", [one], files)
    assert "always one of these" in run("models", "--server", folder)[1]
    for _ in range(2):
        out = run("recognise", pictures["white"], "--model", "colours", "--server", folder)[1]
        assert out.count("cannot tell that an image is outside") == 1


def test_the_list_has_the_images_of_an_accuracy(run: Run, tmp_path: Path) -> None:
    """C4: a share stands with what it is of."""
    bundle, files = a_bundle()
    measured = listed(bundle, accuracy=2 / 3, accuracy_interval=wilson(4, 6))
    out = run("models", "--server", write(tmp_path / "few", [measured], files))[1]
    assert "4 of 6, 67 % (30–90)" in out and "always" not in out


def test_a_prepared_picture_says_what_was_done(
    run: Run, tmp_path: Path, pictures: dict[str, Path]
) -> None:
    """C6: also where nothing had to be taken out, the file is another one."""
    out = run("prepare", pictures["red"], "--out", tmp_path / "out.png")[1]
    assert "encoded anew as PNG" in out and "nothing" not in out


def test_outside_and_normal_have_no_answer(run: Run, public: Path, pictures: Any) -> None:
    """C8 C10: what is outside is said to be so; a class that is no disease has no Y."""
    files = (pictures["white"], pictures["normal"])
    code, out, _ = run("recognise", *files, "--model", "colours", "--server", public)
    assert code == 0 and "white.png: outside what this model knows; distance 1." in out
    assert "normal is no disease of the database" in out and "MONDO" not in out
    assert "not a diagnosis" in out


def test_results_for_programs(run: Run, public: Path, pictures: dict[str, Path]) -> None:
    """C7: with --json one R a line, null for what cannot be read, and nothing else."""
    bad = pictures["red"].with_name("bad.jpg")
    bad.write_bytes(b"no picture")
    files = (pictures["red"], bad, pictures["white"])
    words = ("recognise", *files, "--model", "colours", "--json", "--server", public)
    code, out, err = run(*words)
    first, second, third = out.splitlines()
    assert Recognition.model_validate_json(first).label == "red" and second == "null"
    assert Recognition.model_validate_json(third).outside
    assert code == 2 and "bad.jpg" in err and "bad.jpg" not in out and "red.png" not in out
    _, out, _ = run("answer", "Redness", "--json")
    assert json.loads(out)["disease_id"] == DISEASE


def test_offline_is_said(run: Run, public: Path, pictures: dict[str, Path]) -> None:
    """C5 C8: without the server all goes on, with the age of the list and of the answer."""
    run("recognise", pictures["red"], "--model", "colours", "--server", public)
    public.rename(public.with_name("away"))
    code, out, _ = run("recognise", pictures["red"], "--model", "colours")
    assert code == 0 and "Offline: no list can be read" in out and "The list is of 20" in out
    assert "Offline: this answer is of 20" in out and "cooling" in out


def test_the_cache_is_managed(run: Run, public: Path, tmp_path: Path) -> None:
    """C5: what lies there, its limit, pins, and what is dropped or withdrawn."""
    bundle, _ = a_bundle()
    assert run("fetch", "colours", "--server", public)[0] == 0
    assert "pinned" in run("pin", "colours")[1]
    _, out, _ = run("cache", "--limit-mib", "64")
    assert "of 64 MiB" in out and "int8" in out and "yes" in out
    assert "no longer pinned" in run("unpin", version_of(bundle)[:12])[1]
    assert "removed" in run("drop", "colours")[1]
    code, _, err = run("drop", "colours")
    assert code == 1 and "is not in the cache" in err
    run("fetch", "colours")
    write(public, [listed(bundle, state="retired", serving=False, reason="wrong")], made_at=1.0)
    assert "Withdrawn by the list, and dropped here: colours" in run("models")[1]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["models"], 2, "no server is named"),
        (["models", "--server", "http://example.org"], 2, "without encryption"),
        (["models", "--server", "/nowhere"], 1, "no list can be read"),
        (["fetch", "colours", "--variant", "fp16"], 2, "int8 or fp32"),
        (["prepare", "/nowhere.jpg", "--out", "x.jpg"], 2, "cannot be read"),
        (["answer", "redness", "--server", "PUBLIC/answers"], 1, "no list"),
        (
            ["recognise", "x.png", "--model", "none", "--server", "PUBLIC"],
            1,
            "no model of the list",
        ),
    ],
)
def test_errors_are_one_line(
    run: Run, public: Path, words: list[str], code: int, told: str
) -> None:
    """C5: what went wrong and what to do, with an exit code and without a stack."""
    ended, out, err = run(*(word.replace("PUBLIC", str(public)) for word in words))
    assert ended == code and told in err and len(err.strip().splitlines()) == 1
    assert out == ""


def test_a_picture_is_prepared(run: Run, tmp_path: Path) -> None:
    """C6: the file that is written is the picture and nothing else."""
    given, out = tmp_path / "in.jpg", tmp_path / "out.jpg"
    given.write_bytes(an_image(1, exif=b"Exif\x00\x00CANARY"))
    code, told, _ = run("prepare", given, "--out", out, "--crop", "0,0,1,0.9")
    assert code == 0 and "80 x 65 pixels" in told and "exif" in told
    assert b"CANARY" not in out.read_bytes()


def test_a_device_needs_no_cluster(tmp_path: Path, public: Path) -> None:
    """C7 B3: recognition from the list to Y runs where none of the heavy packages can be loaded."""
    picture = tmp_path / "red.jpg"
    picture.write_bytes(encoded(a_picture_of(COLOURS["red"])))
    code = (
        f"import sys\nfor name in {HEAVY!r}: sys.modules[name] = None\n"
        "from cluster.device.__main__ import main\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "recognise", str(picture), "--model", "colours"],
        env=os.environ | {"PYTHONPATH": str(ROOT), "DAZZLE_SERVER": str(public)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "red.jpg: red" in done.stdout and "cooling" in done.stdout

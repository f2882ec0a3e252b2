"""A set of images from upload to store, with real decoder processes."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from image_builders import (
    LIMITS,
    a_set,
    an_image,
    encoded,
    pixels,
    png_of,
    understated,
    with_zip64_extra,
    write,
    zip_bytes,
)
from PIL import Image

from cluster.contracts.images import DataSetCard
from cluster.errors import InputError, NotFound
from cluster.flow.image_check import CheckedSet, Checking, open_check
from cluster.ids import sha256
from cluster.images.decode import Picture, Refusal
from cluster.images.limits import Limits
from cluster.report.image_set import render_page
from cluster.storage.blobs import BlobStore
from cluster.storage.decoders import Decoders
from cluster.storage.image_sets import ImageSets

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("TEST_DATA_DIR", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders(LIMITS, 2) as pool:
        yield pool


@contextmanager
def checked(
    path: Path, decoders: Decoders, tables: dict[str, bytes] | None = None, limits: Limits = LIMITS
) -> Iterator[CheckedSet]:
    needs = Checking(limits, decoders, path.parent, tables or {}, lambda *_: None)
    with open_check(path, needs) as found:
        yield found


def card_of(files: dict[str, bytes], folder: Path, decoders: Decoders) -> DataSetCard:
    with checked(write(folder / "set.zip", zip_bytes(files)), decoders) as found:
        return found.card


def store(folder: Path) -> ImageSets:
    return ImageSets(folder / "image_sets", BlobStore(str(folder / "blobs")))


def put(name: str, found: CheckedSet, sets: ImageSets, at: float = 0.0) -> str:
    assert found.manifest is not None
    return sets.put(name, found.card, found.manifest, found.contents(), at).digest


def test_a_good_set_is_accepted_divided_and_stored(tmp_path: Path, decoders: Decoders) -> None:
    """C1: a zip and its folder give one digest; the store gives the clean images back."""
    files = a_set(3, 12) | {"README.md": b"CC BY 4.0\x1b[2J", "persons.csv": b"file,patient\n"}
    files["persons.csv"] += b"".join(
        f"{name},P{n // 2}\n".encode() for n, name in enumerate(a_set(3, 12))
    )
    for name, content in files.items():
        write(tmp_path / "set" / name, content)
    sets = store(tmp_path)
    with checked(write(tmp_path / "set.zip", zip_bytes(files)), decoders) as found:
        card = found.card
        digest = put("cells", found, sets, at=1.0)
        stored = {path: path.stat().st_mtime_ns for path in sets._folder.rglob("*.json")}
        assert put("cells", found, sets, at=2.0) == digest
    with checked(tmp_path / "set", decoders) as again:
        assert again.card == card
        put("cells", again, sets, at=3.0)
    assert {path: path.stat().st_mtime_ns for path in sets._folder.rglob("*.json")} == stored
    assert card.accepted and card.kept == 36 and card.persons == 18
    assert card.texts == {"README.md": "CC BY 4.0 [2J"}
    (version,) = sets.versions("cells")
    assert (version.stored_at, version.card.findings, sets.names()) == (1.0, (), ["cells"])
    manifest = sets.manifest("cells")
    assert {sha256(sets.image(image)) for image in manifest.images} == {
        image.digest for image in manifest.images
    }
    groups: dict[int, set[str]] = {}
    for image in manifest.images:
        groups.setdefault(image.group, set()).add(image.split)
    assert len(groups) == 18 and all(len(splits) == 1 for splits in groups.values())
    text = "".join(path.read_text() for path in sets._folder.rglob("*.json"))
    assert "P1" not in text and ".jpg" not in text and ".jpg" not in manifest.model_dump_json()


HOSTILE_FILES = {
    "image_unreadable": ("a.jpg", b"not an image at all"),
    "file_empty": ("b.jpg", b""),
    "image_moving": (
        "c.webp",
        encoded(pixels(1), "WEBP", save_all=True, append_images=[pixels(2)]),
    ),
    "format_not_allowed": ("d.jpg", an_image(3, "GIF")),
    "image_too_many_pixels": ("e.png", png_of(9000, 9000, 9)),
    "image_polyglot": ("f.jpg", an_image(4) + zip_bytes({"x": b"x"})),
    "image_too_small": ("g.png", encoded(pixels(5, 60, 60), "PNG")),
    "image_too_large": ("h.jpg", os.urandom(LIMITS.image_bytes + 1)),
    "archive_nested": ("i.jpg", zip_bytes({"x": b"x"})),
}


def test_hostile_images_are_left_out_and_the_rest_is_taken(
    tmp_path: Path, decoders: Decoders
) -> None:
    """C1: each bad file is named with its code; the good ones make a set."""
    files = a_set() | {f"class-0/{n}": content for n, content in HOSTILE_FILES.values()}
    card = card_of(files, tmp_path, decoders)
    assert card.accepted and card.kept == 12
    told = {one.code: one.place for one in card.findings if one.level == "left_out"}
    assert told == {code: f"class-0/{name}" for code, (name, _) in HOSTILE_FILES.items()}
    assert [path.name for path in tmp_path.iterdir()] == ["set.zip"]


def test_what_is_false_deep_inside_refuses_the_set(tmp_path: Path, decoders: Decoders) -> None:
    """C1: a member that is longer than stated refuses the set when it is reached; nothing of the
    members before it is left.
    """
    path = write(tmp_path / "set.zip", understated())
    with checked(path, decoders) as found:
        assert not found.card.accepted and found.card.codes == {"zip_size_false": 1}
        assert "a/1.jpg" in found.card.findings[0].message
        assert found.manifest is None
    path.write_bytes(with_zip64_extra(zip_bytes({"a/1.jpg": b"x"}), b"\x01\x00\x08\x00" + b"9" * 8))
    with checked(path, decoders) as found:
        assert found.card.codes == {"zip64_false": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_a_set_of_mixed_levels_is_refused_unread(tmp_path: Path, decoders: Decoders) -> None:
    """C1: where the classes are not clear, no image is decoded."""
    files = a_set() | {"0.jpg": an_image(7)}
    with checked(write(tmp_path / "set.zip", zip_bytes(files)), decoders) as found:
        assert found.card.codes == {"levels_mixed": 1} and not found.card.accepted
        assert (found.manifest, found.images) == (None, ())


def test_duplicates_are_reported_and_settled(tmp_path: Path, decoders: Decoders) -> None:
    """C1: equal pixels in a class count once, in two classes not at all; near ones are named
    across classes and stay in one split.
    """
    files = a_set()
    files["class-0/again.jpg"] = files["class-0/0.jpg"]
    files["class-0/other-comment.jpg"] = an_image(1, comment=b"same pixels, other bytes")
    files["class-1/conflict.jpg"] = files["class-0/2.jpg"]
    files["class-1/near.jpg"] = an_image(3, quality=40)
    with checked(write(tmp_path / "set.zip", zip_bytes(files)), decoders) as found:
        card, manifest = found.card, found.manifest
        page = render_page(card, found.images, found.kept, found.pairs, found.spool.thumbnail)
    told = {(one.code, one.place): one.others for one in card.findings}
    assert told["duplicate", "class-0/0.jpg"] == ("class-0/again.jpg",)
    assert told["duplicate", "class-0/1.jpg"] == ("class-0/other-comment.jpg",)
    assert told["duplicate_conflict", "class-0/2.jpg"] == ("class-1/conflict.jpg",)
    assert told["near_duplicate_classes", "class-0/3.jpg"] == ("class-1/near.jpg",)
    assert card.kept == 12 and manifest is not None
    near = [one for one in manifest.images if one.group == manifest.images[0].group]
    assert len({one.split for one in near}) == 1
    assert card.groups == 11
    assert page.count("data:image/jpeg;base64,") >= 20 and "<script" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_page_escapes_what_the_set_says(tmp_path: Path, decoders: Decoders) -> None:
    """C1: names and texts of a set are text in the report, whatever they look like."""
    files = {name.replace("class-0", "<b>"): content for name, content in a_set().items()}
    files["README"] = b"<script>alert(1)</script>"
    with checked(write(tmp_path / "set.zip", zip_bytes(files)), decoders) as found:
        page = render_page(found.card, found.images, found.kept, found.pairs, found.spool.thumbnail)
    assert "<b>" not in page and "<script" not in page and "&lt;script&gt;" in page


def test_a_decoder_that_dies_costs_one_file(tmp_path: Path) -> None:
    """C1: a crash, a bomb of memory or of time in a decoder refuses that file; the next is read."""
    content = an_image(1)
    with Decoders(LIMITS, 1) as pool:
        (pid,) = pool.pids()
        assert isinstance(pool.decode(content), Picture)
        os.kill(pid, signal.SIGKILL)
        died = pool.decode(content)
        assert isinstance(died, Refusal) and died.code == "decoder_died"
        assert isinstance(pool.decode(content), Picture)
        (second,) = pool.pids()
        assert second != pid
        os.kill(second, signal.SIGSTOP)
    assert not Path(f"/proc/{second}").exists()
    with Decoders(LIMITS, 1) as pool:
        os.kill(pool.pids()[0], signal.SIGXCPU)
        slow = pool.decode(content)
    assert isinstance(slow, Refusal) and slow.code == "image_too_costly"
    with Decoders(replace(LIMITS, decoder_wall_s=0.0), 1) as pool:
        late = pool.decode(content)
    assert isinstance(late, Refusal) and late.code == "decoder_died"


def test_a_decoder_is_confined() -> None:
    """C1: a decoder has bounded memory, no further handle, no core and no secret, and writes no
    file.
    """
    os.environ["DAZZLE_CANARY"] = "secret"
    try:
        with Decoders(LIMITS, 1) as pool:
            (pid,) = pool.pids()
            assert isinstance(pool.decode(an_image(1)), Picture)
            limits = Path(f"/proc/{pid}/limits").read_text()
            environment = Path(f"/proc/{pid}/environ").read_bytes()
    finally:
        del os.environ["DAZZLE_CANARY"]
    found = {line[:26].strip(): line[26:].split()[:2] for line in limits.splitlines()}
    assert found["Max address space"] == [str(LIMITS.decoder_bytes)] * 2
    assert found["Max core file size"] == found["Max file size"] == ["0", "0"]
    assert found["Max open files"] == ["0", "0"]
    assert found["Max cpu time"][0] != "unlimited"
    assert b"CANARY" not in environment


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK", "I;16"])
def test_the_largest_images_fit_into_a_decoder(mode: str, decoders: Decoders) -> None:
    """C1: an image of just the allowed number of pixels is read in every mode."""
    image = Image.new("L", (7071, 7071))
    image.paste(255, (0, 0, 3000, 3000))
    if mode == "I;16":
        image = Image.new("I;16", image.size, 9)
        image.paste(60_000, (0, 0, 3000, 3000))
    image = image if mode in {"L", "I;16"} else image.convert(mode)
    form = "JPEG" if mode in {"RGB", "CMYK"} else "PNG"
    options = {} if form == "JPEG" else {"compress_level": 1}
    found = decoders.decode(encoded(image, form, **options))
    assert isinstance(found, Picture), found
    assert found.width == found.height == 1024


def test_a_bomb_of_memory_is_refused_by_the_process() -> None:
    """C1: an image that needs more memory than the process has is refused, and only it."""
    content = encoded(pixels(1, 6000, 6000), "PNG", compress_level=1)

    with Decoders(replace(LIMITS, decoder_bytes=400 << 20), 1) as pool:
        (pid,) = pool.pids()
        found = [pool.decode(content), pool.decode(an_image(1))]
        assert pool.pids() == [pid]
    assert isinstance(found[0], Refusal) and found[0].code == "image_too_costly"
    assert isinstance(found[1], Picture)


def test_a_decoder_runs_out_of_time() -> None:
    """C1: the system ends a decoder that takes more processor time than one image may."""
    code = (
        "from cluster.storage.decoder_process import allow_seconds\n"
        "allow_seconds(0)\n"
        "while True: pass\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=100, check=False)
    assert done.returncode == -signal.SIGXCPU


def test_two_uploads_of_one_name_are_two_versions(tmp_path: Path, decoders: Decoders) -> None:
    """C1: uploads at the same time leave whole versions, never a mix."""
    sets = store(tmp_path)
    paths = [
        write(
            tmp_path / f"{n}.zip", zip_bytes({k: v for k, v in a_set(2, 8).items() if k[-5] != n})
        )
        for n in "67"
    ]

    def upload(path: Path) -> None:
        with checked(path, decoders) as found:
            put("cells", found, sets)

    threads = [threading.Thread(target=upload, args=(path,)) for path in paths * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    versions = sets.versions("cells")
    assert len(versions) == 2
    for version in versions:
        manifest = sets.manifest("cells", version.digest)
        assert len(manifest.images) == 14
        assert all(sets.image(image) for image in manifest.images)


def test_refused_and_unknown_sets(tmp_path: Path, decoders: Decoders) -> None:
    """C1: a refused set is not stored, a bad name is refused, an unknown one is not found."""
    sets = store(tmp_path)
    with checked(write(tmp_path / "set.zip", zip_bytes(a_set(1))), decoders) as found:
        assert found.card.codes["classes_too_few"] == 1
        with pytest.raises(InputError, match="set_refused"):
            put("cells", found, sets)
        for name in ("", "../x", "A", "-a", "a" * 64):
            with pytest.raises(InputError, match="not allowed"):
                put(name, found, sets)
    with pytest.raises(NotFound):
        sets.manifest("cells")
    assert [path.name for path in tmp_path.iterdir()] == ["set.zip"]


def job(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jobs.check_images", *words],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if not k.startswith("DAZZLE_")},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_the_job_reports_and_exits_as_jobs_do(tmp_path: Path) -> None:
    """C1: 0 and a stored set for a good zip; 2, a report and no set for a hostile one."""
    good = write(tmp_path / "good.zip", zip_bytes(a_set(2, 6)))
    bad = write(tmp_path / "bad.zip", zip_bytes(a_set() | {"../evil.jpg": b"x"}))
    data = ("--set", f"data_dir={tmp_path / 'data'}", "--name", "cells")
    done = job("--dataset", str(good), "--out", str(tmp_path / "good"), *data)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ACCEPTED: 12 images" in done.stdout and "stored as cells" in done.stdout
    card = json.loads((tmp_path / "good/dataset.json").read_bytes())
    assert (tmp_path / f"data/image_sets/cells/{card['digest']}.json").is_file()
    done = job("--dataset", str(bad), "--out", str(tmp_path / "bad"), *data[:3], "evil")
    assert done.returncode == 2
    assert "image_set_refused" in done.stderr and "name_unsafe" in done.stderr
    assert sorted(path.name for path in (tmp_path / "bad").iterdir()) == [
        "dataset.json",
        "report.html",
    ]
    assert not (tmp_path / "data/image_sets/evil").exists()
    assert job("--dataset", str(tmp_path / "no"), "--out", str(tmp_path / "o")).returncode == 2


def test_a_job_that_is_killed_lists_nothing(tmp_path: Path) -> None:
    """C1: killed before the list is written, an upload leaves no set, no temporary image, and no
    decoder; the next try succeeds.
    """
    path = write(tmp_path / "set.zip", zip_bytes(a_set(2, 6)))
    code = (
        "import os, signal, sys\n"
        "import cluster.storage.image_sets as sets\n"
        "from jobs.check_images import main\n"
        "sets.write_durably = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "from pathlib import Path\n"
        f"main(Path({str(path)!r}), Path({str(tmp_path / 'out')!r}), 'cells', None,"
        f" ['data_dir={tmp_path / 'data'}'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    sets = ImageSets(tmp_path / "data/image_sets", BlobStore(str(tmp_path / "data/blobs")))
    assert sets.names() == []
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == [
        "dataset.json",
        "report.html",
    ]
    again = job(
        *("--dataset", str(path), "--out", str(tmp_path / "out"), "--name", "cells"),
        *("--set", f"data_dir={tmp_path / 'data'}"),
    )
    assert again.returncode == 0 and sets.names() == ["cells"]


@pytest.mark.data
@pytest.mark.parametrize(("name", "labels"), [("blood-pbc", 8), ("chest-xray", 3)])
def test_published_sets_pass(name: str, labels: int, tmp_path: Path, decoders: Decoders) -> None:
    """C1: a sample of a published set is accepted whole; persons come from its table."""
    folder = SHARED / "images" / name
    if not folder.is_dir():
        pytest.skip("no published images here; set TEST_DATA_DIR to their folder")
    for label in sorted(folder.iterdir()):
        for image in sorted(label.iterdir())[:20]:
            write(tmp_path / "set" / label.name / image.name, image.read_bytes())
    table = {"manifest.csv": (SHARED / "images" / "manifest.csv").read_bytes()}
    with checked(tmp_path / "set", decoders, table) as found:
        card = found.card
    assert card.accepted and len(card.classes) == labels and card.kept == 20 * labels
    assert card.persons == (60 if name == "chest-xray" else 0)
    assert not {code for code in card.codes if "duplicate" in code}

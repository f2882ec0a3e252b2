"""A trained model is handed over, judged, accepted, and used by a device."""

import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx_builders import LABELS, SIZE, a_model, external, saved
from PIL import Image

from actors.registry import RegistryService
from cluster.clock import SystemClock
from cluster.contracts.images import (
    ClassCounts,
    DataSetCard,
    ImageSetManifest,
    Split,
    StoredImage,
)
from cluster.device.cache import Cache
from cluster.device.client import Device
from cluster.device.source import open_source
from cluster.errors import InputError, ModelRefused
from cluster.flow.model_upload import Upload, bundle_upload, judging_images
from cluster.ids import sha256
from cluster.images.examine import manifest_bytes
from cluster.images.resize import model_pixels
from cluster.settings import Settings
from cluster.storage.image_sets import ImageSets
from cluster.storage.model_checker import Claim, ModelLimits
from jobs import upload_model

ROOT = Path(__file__).parents[2]
EACH = 6
WRONG = {"green": 1}
"""Images of a class that have the colour of the next one."""


def coloured(colour: int, seed: int) -> bytes:
    """A picture of 80 x 64 pixels that is mostly of one colour."""
    pixels = np.random.default_rng(seed).integers(0, 90, (64, 80, 3), np.uint8)
    pixels[..., colour] += 120
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def store_colours(sets: ImageSets, name: str = "colours", labels: tuple[str, ...] = LABELS) -> str:
    images, contents = [], []
    splits: tuple[Split, ...] = ("training", "test")
    for label in labels:
        k = LABELS.index(label)
        for n in range(2 * EACH):
            colour = (k + 1) % 3 if 0 < n <= 2 * WRONG.get(label, 0) else k
            contents.append(coloured(colour, 100 * k + n))
            images.append(
                StoredImage(
                    digest=sha256(contents[-1]), label=label, split=splits[n % 2], group=n,
                    width=80, height=64, media_type="image/png", size=len(contents[-1]),
                )
            )  # fmt: skip
    manifest = ImageSetManifest(encoding="test", labels=labels, images=tuple(images))
    digest = sha256(manifest_bytes(manifest))
    counts = [
        ClassCounts(name=n, files=EACH, training=EACH, validation=0, test=EACH) for n in labels
    ]
    card = DataSetCard(accepted=True, digest=digest, classes=tuple(counts))
    return sets.put(name, card, manifest, contents, 1.0).digest


def an_upload(path: Path, labels: tuple[str, ...] = LABELS) -> Upload:
    return Upload(
        path, Claim(labels, SIZE), dict.fromkeys(labels, ("", "")), "colours", "Ann",
        "Apache-2.0", "Teaching.", "Tells colours apart.", "First.",
    )  # fmt: skip


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def run(data_dir: Path, job: str, *words: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DAZZLE_", "RAY_"))}
    return subprocess.run(
        [sys.executable, "-m", f"jobs.{job}", *words],
        cwd=ROOT, env=kept | {"DAZZLE_DATA_DIR": str(data_dir)},
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip


def test_the_bundle_says_what_is_known_and_what_is_not(tmp_path: Path) -> None:
    """C9: figures on a stored set with the same classes, golden vectors that its own file keeps,
    and a card with who, what from, and what it cannot do.
    """
    settings = Settings(data_dir=tmp_path / "data")
    sets, limits = ImageSets.of(settings), ModelLimits.of(settings)
    digest = store_colours(sets, labels=LABELS[::-1])  # the order of a set is its own
    store_colours(sets, "others", ("red", "green"))
    path = tmp_path / "model"
    path.write_bytes(saved(a_model()))
    before = files_of(settings.data_dir)
    bundle, files = bundle_upload(an_upload(path), sets, limits, 5.0)
    assert files_of(settings.data_dir) == before
    metrics = bundle.card.metrics
    assert metrics is not None and metrics.images == len(judging_images(sets, LABELS).images) == 18
    assert metrics.confusion == ((6, 0, 0), (0, 5, 1), (0, 0, 6))
    assert metrics.accuracy.hits == 17 and bundle.variants[0].accuracy == 17 / 18
    assert digest in bundle.card.limits[-1] and "trained elsewhere" in bundle.card.limits[0]
    assert bundle.card.made_by == "Ann" and bundle.card.temperature is None
    assert bundle.card.weights.sha256 == sha256(path.read_bytes())
    assert bundle.variants[0].outside_above is None and "no image is said to be outside" in (
        bundle.card.rejection
    )
    graph = onnxruntime.InferenceSession(files["model-fp32.onnx"])

    for golden in bundle.golden:
        pixels = model_pixels(Image.open(BytesIO(files[golden.file])), SIZE)
        assert sha256(pixels.tobytes()) == golden.tensor_sha256
        image = pixels.transpose(2, 0, 1)[None].astype(np.float32)
        np.testing.assert_allclose(graph.run(None, {"image": image})[0][0], golden.probabilities)
    without, _ = bundle_upload(an_upload(path), ImageSets.of(Settings(data_dir=tmp_path / "no")),
                               limits, 5.0)  # fmt: skip
    assert without.card.metrics is None and "not judged" in without.card.limits[-1]


def test_words_that_are_missing_are_named(tmp_path: Path) -> None:
    """C9: an upload without an intended use or with a class called unknown makes no bundle."""
    path = tmp_path / "model"
    path.write_bytes(saved(a_model()))
    settings = Settings(data_dir=tmp_path / "data")
    upload = an_upload(path, ("red", "green", "unknown"))
    with pytest.raises(ModelRefused, match="stands for an image outside"):
        bundle_upload(upload, ImageSets.of(settings), ModelLimits.of(settings), 5.0)


def test_from_the_upload_to_a_device(tmp_path: Path) -> None:
    """C9: it waits, an operator accepts it, and a device recognises with it."""
    data = tmp_path / "data"
    (tmp_path / "model").write_bytes(saved(a_model()))
    (tmp_path / "labels.txt").write_text("\ufeffred\ngreen\nblue\n\n", encoding="utf-8")
    upload_model.main(
        file=tmp_path / "model", labels=tmp_path / "labels.txt", name="colours", by="Ann",
        licence="Apache-2.0", intended_use="Teaching.", summary="Colours.", changelog="First.",
        size=SIZE, settings=[f"data_dir={data}"],
    )  # fmt: skip
    service = RegistryService(Settings(data_dir=data))
    try:
        (listed,) = service.model_list(states=("pending", "published")).models
        assert (listed.state, listed.serving, listed.made_by) == ("pending", False, "Ann")
        assert not files_of(data / "public" / "files")
        assert service.accept_image("colours", "1", "Bo").serving
    finally:
        service.close()
    clock = SystemClock()
    source = open_source(str(data / "public"))
    device = Device(Cache(tmp_path / "cache", clock), source, clock, lambda *_: None)
    device.listing()
    with device.model("colours", "fp32") as fetched:
        recogniser = device.recogniser(fetched)
    pictures = [Image.open(BytesIO(coloured(k, k))) for k in range(len(LABELS))]
    found = recogniser.recognise([recogniser.pixels(one) for one in pictures])
    assert tuple(one.label for one in found) == LABELS
    assert saved(a_model()) not in [path.read_bytes() for path in files_of(data)]


def test_a_refused_upload_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    """C9: exit code 2 with the code of the reason; no blob, no row, no file."""
    data = tmp_path / "data"
    (tmp_path / "hostile").write_bytes(external("../../etc/passwd"))
    (tmp_path / "labels.txt").write_text("red\ngreen\nblue", encoding="utf-8")
    words = [
        "--file", str(tmp_path / "hostile"), "--labels", str(tmp_path / "labels.txt"),
        "--name", "colours", "--by", "Ann", "--licence", "Apache-2.0", "--size", str(SIZE),
        "--intended-use", "Teaching.", "--summary", "Colours.", "--changelog", "First.",
    ]  # fmt: skip
    refused = run(data, "upload_model", *words)
    assert refused.returncode == 2 and "(external_data)" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    left = {path.relative_to(data).parts[0] for path in files_of(data)}
    assert left <= {"diseases"}  # the demo table, in which the classes were looked up


def test_what_is_typed_is_checked_first(tmp_path: Path) -> None:
    """C9: labels, range and bindings that cannot be meant are refused before a process starts."""
    path = tmp_path / "labels.txt"
    for text in ("", "one", "a\n\nb", "a\nb\na", "a\nA", "a\nunknown", "a\nb/c"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InputError):
            upload_model.labels_of(path)
    for range_text in ("0-2", "-1", "ImageNet"):
        with pytest.raises(InputError, match="no range"):
            upload_model.range_of(range_text)
    assert upload_model.range_of("") is None and upload_model.range_of("-1-1") == "-1-1"

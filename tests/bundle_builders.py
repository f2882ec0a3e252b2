"""Small bundles of image models: right in every respect but that their files are arbitrary."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np

from actors.image_registry import ImageRegistry
from cluster.contracts.image_models import (
    Bundle,
    BundleFile,
    ClassFigures,
    Golden,
    ImageMetrics,
    ImageModelCard,
    Interval,
    LabelCard,
    ModelList,
    Preprocessing,
    StartingWeights,
    State,
    Variant,
)
from cluster.ids import sha256
from cluster.imaging.metrics import wilson
from cluster.models.bundle import bundle_bytes, read_bundle
from cluster.models.image_list import public_part
from cluster.settings import Settings
from cluster.storage import tables
from cluster.storage.blobs import BlobStore
from cluster.storage.ledger import Ledger
from cluster.storage.public_list import ANSWERS, FILES, FOLDER, MODELS, answer_name

HALF = Interval(share=0.5, low=0.2, high=0.8, hits=2, of=4)


def some_metrics(labels: tuple[str, ...], each: int = 20, right: int = 18) -> ImageMetrics:
    """Return figures on a number of images of each class, of which some are recognised."""
    classes = tuple(
        ClassFigures(label=one, sensitivity=HALF, specificity=HALF, auroc=None) for one in labels
    )
    n = len(labels)
    wrong_KK = np.roll(np.eye(n, dtype=int), 1, axis=1) * (each - right)
    confusion_KK = np.eye(n, dtype=int) * right + wrong_KK
    return ImageMetrics(
        images=n * each, accuracy=wilson(n * right, n * each), macro_auroc=0.75, ece=0.1, nll=0.3,
        kept=HALF, classes=classes, confusion=tuple(map(tuple, confusion_KK.tolist())),
    )  # fmt: skip


def a_bundle(
    name: str = "lungs", text: str = "1", diseases: Mapping[str, str] | None = None, **card: Any
) -> tuple[Bundle, dict[str, bytes]]:
    """Return a bundle of two labels and its files; other texts make other model files."""
    contents = {
        "model-fp32.onnx": f"fp32 {name} {text}".encode(),
        "model-int8.onnx": f"int8 {name} {text}".encode(),
        "golden-1.png": b"an image",  # the same in every bundle, so versions share a file
    }
    bound = diseases or {}
    labels = ("normal", "pneumonia")
    about = {
        "name": name, "made_at": 1.0, "made_by": "fit_inception", "intended_use": "Teaching.",
        "licence": "Apache-2.0", "changelog": f"version {text}", "backbone": "inception_v3",
        "weights": StartingWeights(name="none", origin="random numbers"), "temperature": 1.5,
        "data_set": "chest", "data_set_digest": sha256("chest"), "config": '{"epochs":3}',
        "seed": 0, "metrics": some_metrics(labels), "summary": "Pneumonia or not.",
    }  # fmt: skip
    fp32, int8, image = (sha256(content) for content in contents.values())
    sizes = {one: len(content) for one, content in contents.items()}
    bundle = Bundle(
        name=name,
        labels=tuple(LabelCard(label=one, disease_id=bound.get(one, "")) for one in labels),
        preprocessing=Preprocessing(size=299),
        variants=(
            Variant(name="fp32", sha256=fp32, size=sizes["model-fp32.onnx"], outside_above=3.5),
            Variant(name="int8", sha256=int8, size=sizes["model-int8.onnx"], outside_above=3.6),
        ),
        golden=(
            Golden(
                file="golden-1.png", sha256=image, tensor_sha256=sha256("pixels"),
                probabilities=(0.25, 0.75), distance=1.0,
            ),
        ),
        files=tuple(
            BundleFile(name=one, sha256=sha256(content), size=len(content))
            for one, content in contents.items()
        ),
        card=ImageModelCard(**(about | card)),
    )  # fmt: skip
    return bundle, contents


def stored(blobs: BlobStore, *args: Any, **changes: Any) -> bytes:
    """Put the files of a bundle into a store, and return its ``bundle.json``."""
    bundle, contents = a_bundle(*args, **changes)
    for content in contents.values():
        blobs.put(content)
    return bundle_bytes(bundle)


def seen_by_a_client(data_dir: Path) -> dict[str, list[int]]:
    """Read the public folder as a client does; returns the numbers it can use, by name.

    Raises:
        AssertionError: something that the list offers is missing or not what its digest says.
    """
    public = data_dir / FOLDER
    usable: dict[str, list[int]] = {}
    models = ModelList.model_validate_json((public / MODELS).read_bytes())
    for one in (one for one in models.models if one.state == "published"):
        content = (public / FILES / one.version).read_bytes()
        assert sha256(content) == one.version
        for file in read_bundle(content).files:
            assert sha256((public / FILES / file.sha256).read_bytes()) == file.sha256
        usable.setdefault(one.name, []).append(one.number)
    return usable


def check_folder(service: ImageRegistry, data_dir: Path) -> None:
    """Check that the public folder is what the ledger says: its list, its files, no others."""
    models, public = service.model_list(states=get_args(State)), data_dir / FOLDER
    listed = ModelList.model_validate_json((public / MODELS).read_bytes())
    assert listed == public_part(models)
    published = [one for one in models.models if one.state == "published"]
    files = {one.version for one in published}
    for one in published:
        bundle = read_bundle((public / FILES / one.version).read_bytes())
        files |= {file.sha256 for file in bundle.files}
    assert {path.name for path in (public / FILES).glob("*")} == files
    answers = {answer_name(one) for model in published for one in model.diseases}
    assert {path.name for path in (public / ANSWERS).glob("*")} == answers
    assert {path.name for path in public.iterdir()} <= {MODELS, FILES, ANSWERS}
    seen_by_a_client(data_dir)


def opened(data_dir: Path) -> ImageRegistry:
    """Open the registry's part for image models, as its start does, in this process."""
    settings = Settings(data_dir=data_dir)
    ledger = Ledger(data_dir / "ledger.sqlite", tables.REGISTRY, tables.REGISTRY_MIGRATIONS)
    service = ImageRegistry(settings, ledger, BlobStore.of(settings))
    service.repair_images()
    return service

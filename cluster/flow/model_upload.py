"""The steps by which a model that was trained elsewhere becomes a bundle that waits (C9).

It is checked in a process of its own; where a stored set of images has exactly its classes, it is
judged on the test part of that set. Only what this product wrote goes on: the graph written anew
and drawn golden pictures. What nobody here can know is said in the card.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import ceil
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cluster.contracts.image_models import (
    Bundle,
    BundleFile,
    ImageMetrics,
    ImageModelCard,
    LabelCard,
    Preprocessing,
    StartingWeights,
    Variant,
)
from cluster.contracts.images import StoredImage
from cluster.ids import canonical_json, sha256
from cluster.images.resize import model_pixels
from cluster.imaging.golden import drawn_pictures, golden_vectors
from cluster.models.bundle import check_bundle, refuse
from cluster.models.decision import best_classes
from cluster.storage.image_sets import ImageSets
from cluster.storage.model_checker import CheckedModel, Claim, ModelLimits, check_upload

Pixels = NDArray[np.uint8]
FILE: Final = "model-fp32.onnx"
JUDGED_MAX: Final = 200
"""Images of a stored set that an upload is judged on."""
REJECTION: Final = "None: it measures no distance, so no image is said to be outside."
LIMITS: Final = (
    "It was trained elsewhere; what it learned from is not known here.",
    "It cannot tell that an image is outside of what it knows: each gets one of its classes.",
    "Its probabilities were not calibrated here.",
)
NOT_JUDGED: Final = "It was not judged: no stored set of images has exactly its classes."


@dataclass(frozen=True)
class Upload:
    """A model as somebody hands it over."""

    path: Path
    claim: Claim
    bound: Mapping[str, tuple[str, str]]
    """Id and name of the disease of each label; both empty where it is none."""
    name: str
    by: str
    licence: str
    intended_use: str
    summary: str
    changelog: str


@dataclass(frozen=True)
class Judging:
    """Images whose classes are known."""

    data_set: str = ""
    """Name and version of the set; empty where none has the classes."""
    images: tuple[StoredImage, ...] = ()


def bundle_upload(
    upload: Upload, sets: ImageSets, limits: ModelLimits, at: float
) -> tuple[Bundle, dict[str, bytes]]:
    """Check a model and return its bundle, with its files by name (C9).

    Args:
        upload: what is handed over.
        sets: stored sets of images.
        limits: what the check may cost.
        at: seconds since 1970 UTC.

    Raises:
        ModelRefused: it is not taken.
    """
    claim = upload.claim
    pictures = drawn_pictures(claim.size)
    probes = [*(model_pixels(one, claim.size) for one in pictures), *extremes(claim.size)]
    judging = judging_images(sets, claim.labels)
    stored = (_pixels(sets.image(one), claim.size) for one in judging.images)
    found = check_upload(upload.path, claim, len(probes), chain(probes, stored), limits)
    golden, files = golden_vectors(claim.size, found.p_NK)
    files[FILE] = found.content
    metrics = _metrics(found.p_NK[len(probes) :], judging, claim.labels)
    bundle = Bundle(
        name=upload.name,
        labels=tuple(_label(one, upload.bound) for one in claim.labels),
        preprocessing=Preprocessing(size=claim.size),
        variants=(
            Variant(
                name="fp32",
                sha256=sha256(found.content),
                size=len(found.content),
                accuracy=metrics.accuracy.share if metrics else None,
            ),
        ),
        golden=golden,
        files=tuple(
            BundleFile(name=name, sha256=sha256(content), size=len(content))
            for name, content in sorted(files.items())
        ),
        card=_card(upload, found, judging, metrics, at),
    )
    refuse(check_bundle(bundle, files))
    return bundle, files


def extremes(size: int) -> Iterator[Pixels]:
    """Give pixels that are at the ends of what there is: black, white, noise and stripes."""
    shape = (size, size, 3)
    yield np.zeros(shape, np.uint8)
    yield np.full(shape, 255, np.uint8)
    yield np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    stripes_S = np.where(np.arange(size) % 8 < 4, 0, 255).astype(np.uint8)
    yield np.broadcast_to(stripes_S[:, None, None], shape).copy()


def judging_images(sets: ImageSets, labels: Sequence[str]) -> Judging:
    """Return test images of the newest set with exactly these labels, as many of each class."""
    newest = [sets.versions(name)[-1] for name in sets.names()]
    fitting = [one for one in newest if {c.name for c in one.card.classes} == set(labels)]
    if not fitting:
        return Judging()
    chosen = max(fitting, key=lambda one: (one.stored_at, one.name))
    manifest = sets.manifest(chosen.name, chosen.digest)
    tested = [one for one in manifest.images if one.split == "test"]
    each = ceil(JUDGED_MAX / len(labels))
    images = [[one for one in tested if one.label == label][:each] for label in labels]
    return Judging(f"{chosen.name} {chosen.digest}", tuple(chain.from_iterable(images)))


def _pixels(content: bytes, size: int) -> Pixels:
    """Return the pixels of a stored image, which this product has encoded."""
    with Image.open(io.BytesIO(content)) as image:
        return model_pixels(image.convert("RGB"), size)


def _metrics(
    p_NK: NDArray[np.float32], judging: Judging, labels: tuple[str, ...]
) -> ImageMetrics | None:
    if not judging.images:
        return None
    from cluster.imaging.metrics import examine

    truth_N = np.array([labels.index(one.label) for one in judging.images])
    decided_N = best_classes(p_NK, np.ones(len(labels)))
    return examine(p_NK, truth_N, labels, decided_N, np.zeros(len(p_NK), np.bool_))


def _label(label: str, bound: Mapping[str, tuple[str, str]]) -> LabelCard:
    disease_id, disease_name = bound[label]
    return LabelCard(label=label, disease_id=disease_id, disease_name=disease_name)


def _card(
    upload: Upload,
    found: CheckedModel,
    judging: Judging,
    metrics: ImageMetrics | None,
    at: float,
) -> ImageModelCard:
    head = found.head
    judged = NOT_JUDGED
    if metrics:
        judged = (
            f"Its figures are of {metrics.images} test images of {judging.data_set}; whether it "
            "was trained on some of them is not known."
        )
    return ImageModelCard(
        name=upload.name,
        made_at=at,
        made_by=upload.by,
        summary=upload.summary,
        intended_use=upload.intended_use,
        licence=upload.licence,
        changelog=upload.changelog,
        backbone="inception_v3" if head.form == "safetensors" else "a graph of its own",
        weights=StartingWeights(
            name=f"uploaded {head.form} file",
            sha256=found.uploaded_sha256,
            licence=upload.licence,
            origin=f"Trained elsewhere and uploaded by {upload.by}.",
        ),
        config=canonical_json({"input_range": head.range, "softmax_added": head.softmax}),
        metrics=metrics,
        rejection=REJECTION,
        limits=(*LIMITS, judged),
    )

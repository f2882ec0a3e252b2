"""Makes a bundle of a trained network, and lets no file into it that answers differently (C3, C4).

The fp32 file must say what the network says, on real images; else nothing is delivered. The int8
file must say what the fp32 file says, or it is left out and the card says why. Both have their own
threshold for the outside, because int8 measures slightly other distances.

Shapes: N images, S pixels of a side, K classes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from cluster.contracts.image_models import (
    NOT_A_DIAGNOSIS,
    RANGE,
    RESIZE,
    Bundle,
    BundleFile,
    ImageModelCard,
    LabelCard,
    Preprocessing,
    Variant,
    VariantName,
)
from cluster.errors import InputError
from cluster.ids import canonical_json, sha256
from cluster.images.resize import model_pixels
from cluster.imaging.compile import CompiledNetwork, check_parity, export_graph
from cluster.imaging.golden import drawn_pictures, golden_vectors
from cluster.imaging.graph import Answers, Floats, Graph, Pixels
from cluster.imaging.network import ImageNetwork
from cluster.imaging.quantise import quantise
from cluster.imaging.rejection import Rejection
from cluster.models.decision import best_classes

AGREEMENT_MIN: Final[Mapping[str, float]] = {"inception_v3": 0.98, "efficientnet_lite0": 0.96}
"""Share of same answers that int8 needs; filters of one channel each lose more in 8 bits."""
LOSS_MAX: Final = 0.01
"""Accuracy that int8 may lose."""
PARITY_IMAGES: Final = 64
ROUNDING: Final = 1e-9

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TrainedModel:
    """What goes into the graph."""

    network: ImageNetwork
    temperature: float
    rejection: Rejection | None
    size: int
    """Pixels of a side."""


@dataclass(frozen=True)
class Examples:
    """The images by which a bundle is made and judged."""

    calibration_NSS3: Pixels
    """Training images, about ``quantise.CALIBRATION_IMAGES`` of all classes."""
    validation_NSS3: Pixels
    truth_N: Ints
    """Classes of the validation images."""


class Assembled(NamedTuple):
    """A bundle and its files by name, without ``bundle.json``."""

    bundle: Bundle
    files: dict[str, bytes]
    distance_N: Floats | None
    """Of the validation images, by the fp32 file."""


class _Judge:
    """Compares a file of a model with its fp32 file, on validation images and golden pictures."""

    def __init__(
        self,
        labels: Sequence[LabelCard],
        examples: Examples,
        outside_above: Callable[[Floats], float],
        reference: Graph,
    ) -> None:
        self._weight_K = [one.weight for one in labels]
        self._truth_N = examples.truth_N
        self._outside_above = outside_above
        size = examples.validation_NSS3.shape[1]
        golden = [model_pixels(picture, size) for picture in drawn_pictures(size)]
        self._pixels = np.concatenate([examples.validation_NSS3, np.stack(golden)])
        self.reference = reference.answers(self._pixels)

    def reference_variant(self, content: bytes) -> Variant:
        """Measure the fp32 file itself."""
        return self._variant("fp32", content, self.reference)

    def golden_answers(self) -> tuple[Floats, Floats | None]:
        """Return what the fp32 file says of the golden pictures."""
        n, far_N = len(self._truth_N), self.reference.distance_N
        return self.reference.p_NK[n:], None if far_N is None else far_N[n:]

    def validation_distances(self) -> Floats | None:
        """Return the distances of the validation images, by the fp32 file."""
        far_N = self.reference.distance_N
        return None if far_N is None else far_N[: len(self._truth_N)]

    def int8_variant(self, content: bytes) -> Variant:
        """Measure an int8 file."""
        return self._variant("int8", content, Graph(content).answers(self._pixels))

    def _variant(self, name: VariantName, content: bytes, said: Answers) -> Variant:
        n = len(self._truth_N)
        decided_N, expected_N = (
            best_classes(one.p_NK[:n], self._weight_K) for one in (said, self.reference)
        )
        threshold = None if said.distance_N is None else self._outside_above(said.distance_N[:n])
        return Variant(
            name=name,
            sha256=sha256(content),
            size=len(content),
            outside_above=threshold,
            agreement=float(np.mean(decided_N == expected_N)),
            accuracy=float(np.mean(decided_N == self._truth_N)),
            probability_change_max=float(np.abs(said.p_NK - self.reference.p_NK).max()),
        )


def assemble(
    trained: TrainedModel,
    labels: Sequence[LabelCard],
    examples: Examples,
    card: ImageModelCard,
    outside_above: Callable[[Floats], float],
    say: Callable[[str], None] = lambda line: None,
) -> Assembled:
    """Return the bundle of a trained network: fp32, int8 where it is good enough, golden vectors.

    Args:
        trained: the network and what was fitted behind it.
        labels: in the order of its outputs.
        examples: images of the size of the graph, to calibrate, judge and check by.
        card: ``limits`` gains a sentence where int8 is left out.
        outside_above: gives the threshold for distances of validation images.
        say: is told of each step.

    Raises:
        InputError: there are no validation images.
        Fault: the fp32 file does not say what the network says.
    """
    if not len(examples.truth_N):
        what = "there are no validation images to judge the files by"
        raise InputError(what, card.name, "Add images to the set.")
    say("compilation to ONNX")
    fp32 = export_graph(
        trained.network,
        trained.temperature,
        trained.rejection,
        trained.size,
        _metadata(trained, labels, card),
    )
    graph = Graph(fp32)
    say(f"check of the fp32 file on {len(examples.truth_N):,} validation images")
    judge = _Judge(labels, examples, outside_above, graph)
    _check_on_images(trained, examples.validation_NSS3, judge.reference)
    first = judge.reference_variant(fp32)
    golden, pictures = golden_vectors(trained.size, *judge.golden_answers())
    variants, files = [first], {"model-fp32.onnx": fp32, **pictures}
    say(f"quantisation to int8 by {len(examples.calibration_NSS3):,} images")
    int8 = quantise(fp32, examples.calibration_NSS3)
    say("check of the int8 file")
    second = judge.int8_variant(int8)
    reason = unfit(first, second, AGREEMENT_MIN.get(card.backbone, max(AGREEMENT_MIN.values())))
    if reason:
        card = card.model_copy(update={"limits": (*card.limits, reason)})
    else:
        variants.append(second)
        files["model-int8.onnx"] = int8
    bundle = Bundle(
        name=card.name,
        labels=tuple(labels),
        preprocessing=Preprocessing(size=trained.size),
        variants=tuple(variants),
        golden=golden,
        files=_listed(files),
        card=card,
    )
    return Assembled(bundle, files, judge.validation_distances())


def _listed(files: Mapping[str, bytes]) -> tuple[BundleFile, ...]:
    return tuple(
        BundleFile(name=name, sha256=sha256(content), size=len(content))
        for name, content in files.items()
    )


def _check_on_images(trained: TrainedModel, pixels_NSS3: Pixels, reference: Answers) -> None:
    """Compare the fp32 file with the network on real images, some of every part of the set."""
    network = CompiledNetwork(trained.network, trained.temperature, trained.rejection)
    rows = np.unique(np.linspace(0, len(pixels_NSS3) - 1, PARITY_IMAGES).astype(np.int64))
    distance_N = reference.distance_N
    some = Answers(reference.p_NK[rows], None if distance_N is None else distance_N[rows])
    check_parity(network.answers(pixels_NSS3[rows]), some)


def unfit(fp32: Variant, int8: Variant, agreement_min: float) -> str:
    """Return why an int8 file is left out, in a sentence; empty where it is good enough (C3)."""
    loss = (fp32.accuracy or 0.0) - (int8.accuracy or 0.0)
    reasons = []
    if not int8.agreement >= agreement_min - ROUNDING:
        reasons.append(
            f"it gives the answer of the fp32 file on {int8.agreement:.1%} of the validation "
            f"images, where {agreement_min:.0%} are asked for"
        )
    if not loss <= LOSS_MAX + ROUNDING:  # nan is no small loss
        reasons.append(
            f"it loses {100 * loss:.1f} points of accuracy there, "
            f"where {100 * LOSS_MAX:.0f} is allowed"
        )
    return f"There is no int8 file: {'; '.join(reasons)}." if reasons else ""


def _metadata(
    trained: TrainedModel, labels: Sequence[LabelCard], card: ImageModelCard
) -> dict[str, str]:
    """Return what a file says of itself where it is met without its bundle."""
    return {
        "name": card.name,
        "labels": canonical_json([one.label for one in labels]),
        "size": str(trained.size),
        "resize": RESIZE,
        "range": RANGE,
        "temperature": repr(float(trained.temperature)),
        "data_set_digest": card.data_set_digest,
        "licence": card.licence,
        "notice": NOT_A_DIAGNOSIS,
    }

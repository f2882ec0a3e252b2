"""What is known of an image model, the bundle that carries it, and the list L (C2–C5, C9–C11).

A bundle is a set of files named by their SHA-256 and one ``bundle.json`` that lists them; the
digest of that file is the version. So a device fetches what it needs, one file at a time, and what
it has it can check.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

Backbone = Literal["inception_v3", "efficientnet_lite0"]
VariantName = Literal["fp32", "int8"]
State = Literal["pending", "published", "retired", "refused"]
RESIZE: Final = "centre-square-pillow-bilinear-v1"
"""The longer side is cut to the middle square; Pillow's BILINEAR, whose support grows with the
ratio, makes it size x size; grey levels are rounded between the passes."""
RANGE: Final = "rgb-0-255-float32-nchw"
"""What the graph takes: the normalisation is inside of it."""
UNKNOWN: Final = "unknown"
"""What stands for the class of an image that is outside of what a model knows."""
LABEL_CHARS_MAX: Final = 64
UNSAFE_IN_LABELS: Final = frozenset("/\\:")
NOT_A_DIAGNOSIS: Final = (
    "This is what a model recognises in one image. It is not a diagnosis; a physician decides."
)
BUNDLE_FILE: Final = "bundle.json"
NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9-]{0,62}$"
DIGEST_PATTERN: Final = r"^[0-9a-f]{64}$"


class LabelFault(NamedTuple):
    """What is wrong with the name of a class."""

    at: int
    """Its place among the labels."""
    code: Literal["label", "label_repeated"]
    reason: str
    """Goes on from "the label"."""


def label_faults(labels: Sequence[str]) -> Iterator[LabelFault]:
    """Say what is wrong with the names of classes: one rule at intake, in training and in the list.

    The same names are looked at before hours of training as after them (C1, C4, C9).
    """
    seen: dict[str, int] = {}
    for at, label in enumerate(labels):
        reasons = {
            f"has not 1 to {LABEL_CHARS_MAX} characters": not 1 <= len(label) <= LABEL_CHARS_MAX,
            "is not in composed form (NFC)": unicodedata.normalize("NFC", label) != label,
            "has characters that cannot be shown": not label.isprintable(),
            "has a slash, backslash or colon": bool(UNSAFE_IN_LABELS & set(label)),
            "begins or ends in a blank": label != label.strip(),
            "stands for an image outside of the model": label.casefold() == UNKNOWN,
        }
        for reason, is_so in reasons.items():
            if is_so:
                yield LabelFault(at, "label", reason)
        first = seen.setdefault(unicodedata.normalize("NFC", label.casefold()), at)
        if first != at:
            reason = f"is that of labels[{first}], but for upper and lower case"
            yield LabelFault(at, "label_repeated", reason)


class Part(BaseModel):
    """A part of a bundle or list; fields that a later release adds are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Interval(Part):
    """A share with its 95 % interval by Wilson."""

    share: float
    low: float
    high: float
    hits: int
    of: int

    @property
    def told(self) -> str:
        """The share with what it is of, as ``4 of 6, 67 % (30–90)``; of nothing, ``of none``."""
        if not self.of:
            return "of none"
        ends = f"{100 * self.low:.0f}–{100 * self.high:.0f}"
        return f"{self.hits:,} of {self.of:,}, {100 * self.share:.0f} % ({ends})"


class ClassFigures(Part):
    """How one class was recognised on images kept apart from training."""

    label: str
    sensitivity: Interval
    specificity: Interval
    auroc: float | None
    """One against the rest; None where a side is empty."""


class ImageMetrics(Part):
    """Figures on images that the model never learned from."""

    part: Literal["validation", "test"] = "test"
    """Of the set. The validation part, taken where there is no other, also chose temperature,
    thresholds and the best pass, so its figures flatter."""
    images: int
    accuracy: Interval
    """By the decision of the bundle, rejection left out."""
    macro_auroc: float | None
    ece: float
    """Expected calibration error over 15 equal bins of the highest probability (Guo 2017)."""
    nll: float
    kept: Interval
    """Images that are not said to be outside."""
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Rows are the true class, columns the decided one, both in the order of the labels."""


class StartingWeights(Part):
    """Where training started from."""

    name: str
    """Name of the file or of the weights; ``none`` where it started from random numbers."""
    sha256: str = ""
    licence: str = ""
    origin: str
    """In a sentence: who made them, from what."""
    pads_counted: bool = True
    """Whether average pooling counts the padding, as torchvision does and Keras does not."""


class Epoch(Part):
    """One pass over the training images."""

    stage: Literal["head", "fine-tuning"]
    training_loss: float
    validation_loss: float
    validation_accuracy: float
    seconds: float


class LabelCard(Part):
    """One class of a model."""

    label: str
    disease_id: str = ""
    """Record of the disease database, such as ``MONDO:0005249``; empty where it is no disease."""
    disease_name: str = ""
    images: int = 0
    """Images it was trained on."""
    weight: float = Field(1.0, gt=0)
    """The operating point: the class with the highest weight x probability is decided for."""


class Preprocessing(Part):
    """From a decoded upright RGB image to what the graph takes."""

    size: int = Field(ge=32, le=1024)
    resize: Literal["centre-square-pillow-bilinear-v1"] = RESIZE
    range: Literal["rgb-0-255-float32-nchw"] = RANGE


class Variant(Part):
    """One file of the model: the same graph in another number format.

    Input ``image`` float32 [batch, 3, size, size]; outputs ``prob`` float32 [batch, labels], whose
    rows sum to 1 (temperature inside), and, where ``outside_above`` is given, ``distance`` float32
    [batch].
    """

    name: VariantName
    sha256: str = Field(pattern=DIGEST_PATTERN)
    size: int = Field(gt=0)
    """Bytes."""
    outside_above: float | None = None
    """A larger ``distance`` means that the image is outside of what the model knows."""
    agreement: float = 1.0
    """Share of validation images with the answer of the fp32 file."""
    accuracy: float | None = None
    """On validation images; None where there were none to judge by."""
    probability_change_max: float = 0.0
    """Largest change of a probability from the fp32 file, on validation and golden images."""


class Golden(Part):
    """An image with what it must give, so that every client can check itself."""

    file: str
    sha256: str = Field(pattern=DIGEST_PATTERN)
    tensor_sha256: str = Field(pattern=DIGEST_PATTERN)
    """Of the uint8 [size, size, 3] pixels after the resize."""
    probabilities: tuple[float, ...]
    """Of the fp32 file."""
    distance: float | None = None


class BundleFile(Part):
    """One file of a bundle."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$")
    sha256: str = Field(pattern=DIGEST_PATTERN)
    size: int = Field(ge=0)


class ImageModelCard(Part):
    """What a person should know before using a model."""

    name: str = Field(pattern=NAME_PATTERN)
    made_at: float
    """Seconds since 1970 UTC."""
    made_by: str
    """The job, or the uploader of a model that was trained elsewhere."""
    summary: str = ""
    intended_use: str
    licence: str
    attribution: str = ""
    """Of the training images."""
    changelog: str
    """What is new in this version, in a line."""
    backbone: str
    weights: StartingWeights
    data_set: str = ""
    data_set_digest: str = ""
    split_by: str = ""
    seed: int | None = None
    config: str = ""
    """JSON of how it was trained."""
    temperature: float | None = None
    """None where none could be fitted, or where nobody here tried."""
    metrics: ImageMetrics | None = None
    """None of an uploaded model whose classes no stored set has."""
    rejection: str = ""
    """How the outside is told, and how that was measured."""
    limits: tuple[str, ...] = ()
    """What it does not do, in sentences."""
    epochs: tuple[Epoch, ...] = ()


class Bundle(Part):
    """``bundle.json``: everything that a client needs to recognise and to explain."""

    form: Literal[1] = 1
    name: str = Field(pattern=NAME_PATTERN)
    labels: tuple[LabelCard, ...] = Field(min_length=2)
    preprocessing: Preprocessing
    variants: tuple[Variant, ...] = Field(min_length=1)
    golden: tuple[Golden, ...] = ()
    files: tuple[BundleFile, ...]
    card: ImageModelCard

    @property
    def label_names(self) -> tuple[str, ...]:
        """The classes in the order of the graph's output."""
        return tuple(one.label for one in self.labels)

    def variant(self, name: VariantName) -> Variant | None:
        """Return a variant, None where the bundle has none of that name."""
        return next((one for one in self.variants if one.name == name), None)


class ListedModel(Part):
    """One version of a model in the list L."""

    name: str
    version: str = Field(pattern=DIGEST_PATTERN)
    """SHA-256 of its ``bundle.json``."""
    number: int = Field(ge=1)
    """1 for the first version of the name, counted up; for people."""
    state: State
    serving: bool
    """Whether it is the version that a client gets which asks for the name."""
    listed_at: float
    """Seconds since 1970 UTC."""
    labels: tuple[str, ...]
    diseases: tuple[str, ...]
    """Ids of the diseases that it tells apart."""
    disease_names: tuple[str, ...] = ()
    backbone: str
    sizes: dict[str, int]
    """Bytes of each variant."""
    made_by: str
    accuracy: float | None = None
    accuracy_interval: Interval | None = None
    """The same with its images; None where nobody measured it, or an earlier release listed it."""
    macro_auroc: float | None = None
    tells_outside: bool | None = None
    """Whether it says of an image that it is outside of what it knows; None where an earlier
    release listed it."""
    summary: str = ""
    parent: str = ""
    """Version that it follows."""
    reason: str = ""
    """Why it waits, was retired or was refused."""

    @property
    def accuracy_told(self) -> str:
        """Its accuracy with what it is of, as far as that is known; empty where nothing is."""
        if self.accuracy_interval is not None:
            return self.accuracy_interval.told
        return "" if self.accuracy is None else f"{self.accuracy:.3f}"


class ModelList(Part):
    """L: what a client may fetch, oldest first; retired versions are named, so caches drop them."""

    form: Literal[1] = 1
    made_at: float
    models: tuple[ListedModel, ...]


class Recognition(Part):
    """R: all that leaves a device. No pixel, file name, place or time of capture is in it."""

    model: str
    version: str = Field(pattern=DIGEST_PATTERN)
    variant: VariantName
    label: str
    """The decided class, or ``unknown``."""
    disease_id: str = ""
    probability: float = Field(ge=0, le=1)
    """Of the decided class, or the highest one where the image is outside."""
    outside: bool
    distance_ratio: float | None = None
    """Distance over the threshold of the variant; above 1 is outside."""
    probabilities: dict[str, float] = {}

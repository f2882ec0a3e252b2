"""Decides whether a bundle is whole and true to itself, as a public model zoo does (C4, C9).

What is checked here needs no model to run: the form, the names, every file by digest and size, and
that card, labels, variants and golden vectors speak of the same thing.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from pydantic import ValidationError

from cluster.contracts.image_models import (
    BUNDLE_FILE,
    Bundle,
    BundleFile,
    Golden,
    ImageMetrics,
    Interval,
    label_faults,
)
from cluster.errors import ModelRefused
from cluster.ids import canonical_json, sha256

BUNDLE_BYTES_MAX: Final = 4 << 20
"""Of ``bundle.json``."""
SUM_TOLERANCE: Final = 1e-3
"""By which the probabilities of a golden vector may miss 1: they are float32, some rounded."""
DISEASE_ID: Final = re.compile(r"[A-Za-z][A-Za-z0-9.-]{0,31}:[A-Za-z0-9_.-]{1,64}")
"""Its file in the public folder has an underscore for the colon, so the vocabulary has none."""
SHOWN_MAX: Final = 5
"""Problems that an error names; all are in the list."""


class Problem(NamedTuple):
    """One thing that is wrong with a bundle."""

    code: str
    place: str
    """Field or file, such as ``golden-1.png`` or ``labels[2]``."""
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message} ({self.code})"


def bundle_bytes(bundle: Bundle) -> bytes:
    """Return ``bundle.json``: the same bundle gives the same bytes, so the same version.

    Raises:
        ValueError: a number of it is not finite.
    """
    return canonical_json(bundle.model_dump(mode="json")).encode()


def version_of(bundle: Bundle) -> str:
    """Return the version of a bundle: SHA-256 of its ``bundle.json``."""
    return sha256(bundle_bytes(bundle))


def read_bundle(content: bytes) -> Bundle:
    """Read ``bundle.json``.

    Raises:
        ModelRefused: it is too large, no JSON, of another form, or not in canonical form.
    """
    if len(content) > BUNDLE_BYTES_MAX:
        message = f"it has {len(content):,} bytes; {BUNDLE_BYTES_MAX:,} are read at the most"
        refuse([Problem("too_large", BUNDLE_FILE, message)])
    read = _json(content)
    bundle = _bundle(read)
    refuse(_number_problems(bundle))
    if not _is_canonical(read, content):
        message = "its keys are not sorted, or it has white space or a number without end"
        refuse([Problem("not_canonical", BUNDLE_FILE, message)])
    return bundle


def _is_canonical(read: object, content: bytes) -> bool:
    try:
        return canonical_json(read).encode() == content
    except ValueError:  # not finite, or half of a pair of surrogates
        return False


def _json(content: bytes) -> object:
    try:
        read: object = json.loads(content)
    except (ValueError, RecursionError):  # no JSON, no UTF-8, or too deep
        raise refusal([Problem("not_json", BUNDLE_FILE, "it cannot be read as JSON")]) from None
    return read


def _bundle(read: object) -> Bundle:
    try:
        return Bundle.model_validate(read)
    except ValidationError as error:
        raise refusal(
            Problem("form", ".".join(map(str, one["loc"])) or BUNDLE_FILE, one["msg"])
            for one in error.errors(include_url=False, include_input=False)
        ) from None


def check_bundle(bundle: Bundle, contents: Mapping[str, bytes]) -> list[Problem]:
    """Return everything that is wrong with a bundle and its files; empty where all is right.

    Args:
        bundle: what ``bundle.json`` says.
        contents: bytes by file name, without ``bundle.json``.
    """
    problems = document_problems(bundle)
    for file in bundle.files:
        problems += file_problems(file, contents.get(file.name))
    listed = {file.name for file in bundle.files}
    problems += [
        Problem("file_not_listed", name, "the bundle does not list this file")
        for name in sorted(set(contents) - listed - {BUNDLE_FILE})
    ]
    return problems


def refuse(problems: Iterable[Problem]) -> None:
    """Raise where there are problems.

    Raises:
        ModelRefused: there is at least one.
    """
    found = list(problems)
    if found:
        raise refusal(found)


def refusal(problems: Iterable[Problem]) -> ModelRefused:
    """Return the error that names the first problems; ``where`` is the place of the first."""
    found = list(problems)
    more = f"; and {len(found) - SHOWN_MAX} more" if len(found) > SHOWN_MAX else ""
    what = "; ".join(map(str, found[:SHOWN_MAX])) + more
    return ModelRefused(what, found[0].place, "Mend what is named, and hand it over again.")


def file_problems(file: BundleFile, content: bytes | None) -> list[Problem]:
    """Return what is wrong with the bytes of a listed file; None stands for a missing one."""
    if content is None:
        return [Problem("file_missing", file.name, "the file is missing")]
    if len(content) != file.size:
        message = f"it has {len(content):,} bytes, {file.size:,} are listed"
        return [Problem("file_size", file.name, message)]
    if sha256(content) != file.sha256:
        return [Problem("file_digest", file.name, "its bytes have another SHA-256 than is listed")]
    return []


def document_problems(bundle: Bundle) -> list[Problem]:
    """Return what is wrong with a bundle as far as ``bundle.json`` alone tells."""
    return [
        *_number_problems(bundle),
        *_label_problems(bundle),
        *_file_list_problems(bundle),
        *_variant_problems(bundle),
        *_golden_problems(bundle),
        *_card_problems(bundle),
    ]


def _number_problems(bundle: Bundle) -> list[Problem]:
    """Every number is finite, wherever it stands; JSON has no other, and no client expects one."""
    return [
        Problem("not_finite", place, f"{number} is not a finite number")
        for place, number in _numbers(bundle.model_dump(mode="python"), "")
        if not math.isfinite(number)
    ]


def _numbers(part: object, place: str) -> Iterator[tuple[str, float]]:
    if isinstance(part, float):
        yield place, part
    elif isinstance(part, Mapping):
        for name, inner in part.items():
            yield from _numbers(inner, f"{place}.{name}".lstrip("."))
    elif isinstance(part, list | tuple):
        for n, inner in enumerate(part):
            yield from _numbers(inner, f"{place}[{n}]")


def _label_problems(bundle: Bundle) -> Iterator[Problem]:
    for fault in label_faults(bundle.label_names):
        yield Problem(fault.code, f"labels[{fault.at}]", f"the label {fault.reason}")
    for n, one in enumerate(bundle.labels):
        place = f"labels[{n}]"
        if one.disease_id and not DISEASE_ID.fullmatch(one.disease_id):
            yield Problem("disease_id", place, "the disease id is not one such as MONDO:0005249")
        if one.disease_name and not one.disease_id:
            yield Problem("disease_id", place, "it names a disease without its id")


def _file_list_problems(bundle: Bundle) -> Iterator[Problem]:
    for name, times in Counter(file.name for file in bundle.files).items():
        if times > 1:
            yield Problem("file_repeated", name, f"the file is listed {times} times")
        if name == BUNDLE_FILE:
            yield Problem("file_name", name, "the name is that of the list itself")


def _variant_problems(bundle: Bundle) -> Iterator[Problem]:
    files = {(file.sha256, file.size) for file in bundle.files}
    for name, times in Counter(one.name for one in bundle.variants).items():
        if times > 1:
            yield Problem("variant_repeated", name, f"there are {times} variants of this name")
    if bundle.variant("fp32") is None:
        yield Problem("variant_missing", "fp32", "the reference is missing")
    for one in bundle.variants:
        if (one.sha256, one.size) not in files:
            message = "no listed file has its SHA-256 and size"
            yield Problem("variant_file", one.name, message)
        if one.outside_above is not None and one.outside_above <= 0:
            yield Problem("threshold", one.name, "outside_above is not above 0")
        if not 0 <= one.agreement <= 1:
            yield Problem("share", one.name, "agreement is not a share from 0 to 1")
    if len({one.outside_above is None for one in bundle.variants}) > 1:
        yield Problem("threshold", "variants", "some have outside_above and some have none")


def _golden_problems(bundle: Bundle) -> Iterator[Problem]:
    digests = {file.name: file.sha256 for file in bundle.files}
    for name, times in Counter(one.file for one in bundle.golden).items():
        if times > 1:
            yield Problem("golden_repeated", name, f"{times} golden vectors are of this image")
    for one in bundle.golden:
        if digests.get(one.file) != one.sha256:
            yield Problem("golden_file", one.file, "no listed file has its name and SHA-256")
        yield from _vector_problems(one, bundle)


def _vector_problems(golden: Golden, bundle: Bundle) -> Iterator[Problem]:
    n, k, total = len(golden.probabilities), len(bundle.labels), sum(golden.probabilities)
    if n != k:
        yield Problem("golden_length", golden.file, f"{n} probabilities for {k} labels")
    if any(not 0 <= p <= 1 for p in golden.probabilities):
        yield Problem("golden_range", golden.file, "a probability is not within 0 to 1")
    elif abs(total - 1) > SUM_TOLERANCE:
        yield Problem("golden_sum", golden.file, f"its probabilities sum to {total:.4f}, not 1")
    reference = bundle.variant("fp32")
    if reference and (golden.distance is None) != (reference.outside_above is None):
        message = "a distance is given, and no threshold, or the other way round"
        yield Problem("golden_distance", golden.file, message)


def _card_problems(bundle: Bundle) -> Iterator[Problem]:
    card = bundle.card
    texts = {
        "licence": card.licence,
        "changelog": card.changelog,
        "intended_use": card.intended_use,
        "made_by": card.made_by,
        "backbone": card.backbone,
        "weights.origin": card.weights.origin,
    }
    for name, text in texts.items():
        if not text.strip():
            yield Problem("text_missing", f"card.{name}", "it is empty")
    if card.name != bundle.name:
        yield Problem("name", "card.name", "it is not the name of the bundle")
    if card.temperature is not None and card.temperature <= 0:
        yield Problem("temperature", "card.temperature", "it is not above 0")
    if card.config and not _is_json(card.config):
        yield Problem("config", "card.config", "it is not JSON")
    if card.metrics:
        yield from _metric_problems(card.metrics, bundle.label_names)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _metric_problems(metrics: ImageMetrics, labels: tuple[str, ...]) -> Iterator[Problem]:
    place, k = "card.metrics", len(labels)
    if tuple(one.label for one in metrics.classes) != labels:
        yield Problem("metrics", place, "its classes are not the labels in their order")
    if [len(row) for row in metrics.confusion] != [k] * k:
        yield Problem("metrics", place, f"its confusion is not {k} rows of {k} columns")
    figures = [metrics.accuracy, metrics.kept]
    figures += [one for each in metrics.classes for one in (each.sensitivity, each.specificity)]
    if not all(map(_is_share, figures)):
        yield Problem("metrics", place, "a share is not within its interval, or not hits of all")


def _is_share(one: Interval) -> bool:
    return 0 <= one.low <= one.share <= one.high <= 1 and 0 <= one.hits <= one.of

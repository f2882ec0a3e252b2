"""Decides from the readable images of a set what is kept, where, and what the report says."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cluster.contracts.images import (
    SPLITS,
    ClassCounts,
    DataSetCard,
    ImageFinding,
    ImageSetManifest,
    Split,
    StoredImage,
    by_code,
)
from cluster.ids import canonical_json, sha256
from cluster.images.decode import ENCODING, Picture
from cluster.images.duplicates import Ints, Near, near_duplicates, repeated
from cluster.images.names import shown
from cluster.images.rules import judge
from cluster.images.splits import Parts, assign

LISTED_MAX: Final = 200
"""Findings of one code that are listed one by one; all of them are counted."""


@dataclass(frozen=True)
class Image:
    """A readable image; its pixels lie elsewhere."""

    name: str
    """In the set, the folders around it included."""
    label: str
    file_digest: str
    """SHA-256 of the file as it came."""
    clean_digest: str
    size: int
    """Bytes of the clean image."""
    picture: Picture
    """Without content and thumbnail."""


@dataclass(frozen=True)
class Upload:
    """What was read, in order of names."""

    images: Sequence[Image]
    labels: Sequence[str]
    """All classes, also those without a readable image."""
    files_by_label: Mapping[str, int]
    persons: Mapping[str, tuple[str, ...]]
    texts: Mapping[str, str]
    findings: Sequence[ImageFinding]
    bytes_read: int


@dataclass(frozen=True)
class Pair:
    """Two images that the report shows side by side."""

    kind: str
    first: str
    second: str
    """Names in the set."""
    bits: int


@dataclass(frozen=True)
class Verdict:
    """What becomes of a set."""

    card: DataSetCard
    manifest: ImageSetManifest
    kept: tuple[Image, ...]
    pairs: tuple[Pair, ...]


def examine(upload: Upload) -> Verdict:
    """Clean a set, divide it, and judge it."""
    findings, pairs = list(upload.findings), list[Pair]()
    kept = _distinct(upload.images, findings, pairs)
    near = _near(kept)
    parts = assign(
        [one.file_digest for one in kept],
        [upload.persons.get(one.name, ()) for one in kept],
        near.group_N,
    )
    _tell_near(kept, near, findings, pairs)
    _tell_images(kept, findings)
    classes = _counts(upload, kept, parts.splits)
    findings += judge(classes)
    if kept and not upload.persons:
        message = "no table names the persons, so images of one may lie in several splits"
        remedy = "Put a table with the columns file and patient beside the folders of classes."
        findings.append(_finding("note", "person_unknown", "", message, remedy=remedy))
    if kept and not upload.texts:
        message = "no README or LICENSE tells where the images come from and who may use them"
        findings.append(_finding("note", "licence_missing", "", message))
    manifest = _manifest(upload.labels, kept, parts)
    card = _card(upload, kept, classes, findings, manifest)
    numbers = {"near_duplicate_classes": near.n_across, "near_duplicate": near.n_within}
    codes = card.codes | {code: n for code, n in numbers.items() if n}
    card = card.model_copy(update={"codes": dict(sorted(codes.items()))})
    return Verdict(card, manifest, tuple(kept), tuple(pairs))


def _distinct(
    images: Sequence[Image], findings: list[ImageFinding], pairs: list[Pair]
) -> list[Image]:
    """Leave out what stands in the set twice."""
    left_out: set[int] = set()
    groups = repeated([one.picture.pixels for one in images], [one.label for one in images])
    for group in groups:
        left_out.update(group.left_out)
        names = [images[place].name for place in group.left_out]
        first = names[0] if group.kept is None else images[group.kept].name
        is_conflict = group.kept is None
        code = "duplicate_conflict" if is_conflict else "duplicate"
        others = names[1:] if is_conflict else names
        message = (
            "the same image stands in several classes, so none of them is kept"
            if is_conflict
            else f"{len(others)} more files have the same pixels; this one is kept"
        )
        remedy = "Find out which class is right, and take the others out." if is_conflict else ""
        findings += [
            _finding("left_out", code, first, message, tuple(others[:LISTED_MAX]), remedy=remedy)
        ]
        pairs += [Pair(code, first, other, 0) for other in others[:1]]
    return [one for place, one in enumerate(images) if place not in left_out]


def _near(kept: Sequence[Image]) -> Near:
    if not kept:
        empty: Ints = np.empty(0, np.int64)
        return Near(empty, empty.reshape(0, 2), empty, 0, 0)
    return near_duplicates([one.picture.hash for one in kept], [one.label for one in kept])


def _tell_near(
    kept: Sequence[Image], near: Near, findings: list[ImageFinding], pairs: list[Pair]
) -> None:
    for (a, b), bits in zip(near.pairs_P2.tolist(), near.bits_P.tolist(), strict=True):
        first, second = kept[a], kept[b]
        is_across = first.label != second.label
        code = "near_duplicate_classes" if is_across else "near_duplicate"
        message = f"nearly the same image ({bits} of 256 bits differ); both are kept in one split"
        remedy = "Check both labels." if is_across else ""
        level = "warning" if is_across else "note"
        findings.append(_finding(level, code, first.name, message, (second.name,), remedy=remedy))
        pairs.append(Pair(code, first.name, second.name, bits))


def _tell_images(kept: Sequence[Image], findings: list[ImageFinding]) -> None:
    for one in kept:
        suffix = one.name.rsplit(".", 1)[-1].lower()
        is_png, is_webp = suffix == "png", suffix == "webp"
        named = "PNG" if is_png else "WEBP" if is_webp else "JPEG"
        if named != one.picture.form:
            message = f"the suffix says {named}, the content is {one.picture.form}, which counts"
            findings.append(_finding("note", "suffix_differs", one.name, message))
        if one.picture.is_dark:
            message = "16-bit values that use at most 12 bits become nearly black in 8"
            remedy = "Scale them to the whole range before the upload."
            findings.append(_finding("warning", "depth_unused", one.name, message, remedy=remedy))


def _counts(upload: Upload, kept: Sequence[Image], splits: Sequence[Split]) -> list[ClassCounts]:
    numbers = Counter((one.label, split) for one, split in zip(kept, splits, strict=True))
    return [
        ClassCounts(
            name=label,
            files=upload.files_by_label.get(label, 0),
            **{split: numbers[label, split] for split in SPLITS},
        )
        for label in upload.labels
    ]


def _manifest(labels: Sequence[str], kept: Sequence[Image], parts: Parts) -> ImageSetManifest:
    """List the images by class and digest, with groups numbered in that order."""
    order = sorted(range(len(kept)), key=lambda n: (kept[n].label, kept[n].clean_digest))
    numbers: dict[int, int] = {}
    groups = parts.group_N.tolist()
    images = tuple(
        StoredImage(
            digest=kept[n].clean_digest,
            label=kept[n].label,
            split=parts.splits[n],
            group=numbers.setdefault(groups[n], len(numbers)),
            width=kept[n].picture.width,
            height=kept[n].picture.height,
            media_type="image/png" if kept[n].picture.form == "PNG" else "image/jpeg",
            size=kept[n].size,
        )
        for n in order
    )
    return ImageSetManifest(encoding=ENCODING, labels=tuple(sorted(labels)), images=images)


def manifest_bytes(manifest: ImageSetManifest) -> bytes:
    """Write a manifest in the one form of which the digest is taken."""
    return canonical_json(manifest.model_dump(mode="json")).encode()


def _card(
    upload: Upload,
    kept: Sequence[Image],
    classes: Sequence[ClassCounts],
    findings: list[ImageFinding],
    manifest: ImageSetManifest,
) -> DataSetCard:
    pictures = [one.picture for one in upload.images]
    accepted = not any(finding.level == "refused" for finding in findings)
    people = {name for one in kept for name in upload.persons.get(one.name, ())}
    return DataSetCard(
        accepted=accepted,
        digest=sha256(manifest_bytes(manifest)) if accepted else "",
        classes=tuple(classes),
        files=sum(upload.files_by_label.values()),
        bytes_read=upload.bytes_read,
        bytes_kept=sum(one.size for one in kept),
        formats=_sorted(Counter(one.form for one in pictures)),
        sides=_sorted(Counter(f"{one.width_given} x {one.height_given}" for one in pictures)),
        cleaned=_sorted(Counter(what for one in kept for what in one.picture.cleaned)),
        split_by="person" if people else "near-duplicates",
        persons=len(people),
        groups=len({one.group for one in manifest.images}),
        texts=dict(upload.texts),
        encoding=ENCODING,
        findings=listed(findings),
        codes=by_code(findings),
    )


def listed(findings: Sequence[ImageFinding]) -> tuple[ImageFinding, ...]:
    """Return the findings, the gravest first, at most ``LISTED_MAX`` of a code."""
    gravity = {"refused": 0, "left_out": 1, "warning": 2, "note": 3}
    ordered = sorted(findings, key=lambda one: (gravity[one.level], one.code, one.place))
    seen, shown_ones = Counter[str](), []
    for finding in ordered:
        seen[finding.code] += 1
        if seen[finding.code] <= LISTED_MAX:
            shown_ones.append(finding)
    return tuple(shown_ones)


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _finding(
    level: str,
    code: str,
    name: str,
    message: str,
    others: Sequence[str] = (),
    *,
    remedy: str = "",
) -> ImageFinding:
    return ImageFinding(
        level=level,
        code=code,
        place=shown(name),
        message=message,
        remedy=remedy,
        others=tuple(map(shown, others)),
    )

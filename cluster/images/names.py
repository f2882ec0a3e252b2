r"""Decides which names inside an upload are safe, and which class each file belongs to.

A name that would leave the folder, that a system reads as something else than a file, or that
cannot be shown as it is makes the upload suspect as a whole; nothing is renamed.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from cluster.contracts.image_models import label_faults
from cluster.contracts.images import ImageFinding
from cluster.images.limits import Limits

IMAGE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp"})
OTHER_IMAGES: Final = frozenset(
    [
        ".gif",
        ".bmp",
        ".tif",
        ".tiff",
        ".heic",
        ".heif",
        ".avif",
        ".svg",
        ".ico",
        ".psd",
        ".dcm",
        ".jp2",
        ".raw",
        ".dng",
        ".nii",
    ]
)
ARCHIVES: Final = frozenset(
    [
        ".zip",
        ".gz",
        ".tgz",
        ".tar",
        ".bz2",
        ".tbz",
        ".xz",
        ".txz",
        ".7z",
        ".rar",
        ".zst",
        ".lz4",
        ".lzma",
        ".cab",
        ".iso",
        ".jar",
        ".arj",
        ".z",
    ]
)
IGNORED_NAMES: Final = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
DEVICES: Final = re.compile(
    r"(con|prn|aux|nul|clock\$|conin\$|conout\$|(com|lpt)[0-9¹²³])(\..*)?", re.IGNORECASE
)
DRIVE: Final = re.compile(r"[A-Za-z]:")
SHOWN_LENGTH_MAX: Final = 120
PACK_AGAIN: Final = "Rename it, and pack the folder again."


def shown(name: str) -> str:
    """Return a name that is safe to print: escapes for what cannot be seen, cut if long."""
    text = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in name
    )
    if len(text) <= SHOWN_LENGTH_MAX:
        return text
    half = SHOWN_LENGTH_MAX // 2
    return f"{text[: half - 1]}…{text[-half:]}"


def composed(name: str) -> str:
    """Return a name in Unicode's composed form (NFC), as one system packs it and another reads."""
    return unicodedata.normalize("NFC", name)


def folded(name: str) -> str:
    """Return what is equal for two names that one file system could take for the same."""
    return composed(composed(name).casefold())


def unsafe_name(name: str, limits: Limits) -> tuple[str, str] | None:
    """Return code and reason where a name is not safe, else None."""
    parts = name.removesuffix("/").split("/")
    reasons = {
        "has characters that cannot be shown": not name or not name.isprintable(),
        "has a backslash": "\\" in name,
        "is absolute": name.startswith("/") or bool(DRIVE.match(name)),
        "leaves the folder or has an empty part": any(part in {"", ".", ".."} for part in parts),
        "has a colon": ":" in name,
        "is the name of a device": any(DEVICES.fullmatch(part.rstrip(" .")) for part in parts),
        "has a part that ends in a dot or begins or ends in a blank": any(
            part != part.strip() or part.endswith(".") for part in parts
        ),
    }
    reason = next((reason for reason, is_so in reasons.items() if is_so), "")
    if reason:
        return "name_unsafe", reason
    if len(name.encode()) > limits.name_bytes:
        return "name_too_long", f"has more than {limits.name_bytes} bytes"
    if len(parts) > limits.depth:
        return "name_too_deep", f"lies more than {limits.depth} levels deep"
    return None


def name_findings(names: Iterable[str], limits: Limits) -> list[ImageFinding]:
    """Refuse a set for names that are unsafe, or that are one name on another system."""
    findings, seen = [], dict[str, str]()
    for name in names:
        unsafe = unsafe_name(name, limits)
        if unsafe:
            findings.append(_refused(unsafe[0], name, f"the name {unsafe[1]}"))
            continue
        key = folded(name.removesuffix("/"))
        first = seen.setdefault(key, name)
        if first is not name:
            findings.append(_refused("name_repeated", name, "two entries have this name", first))
        if is_archive(name):
            message = "an archive inside the set is not opened"
            findings.append(_refused("archive_nested", name, message))
    return findings


def _refused(code: str, name: str, message: str, *others: str) -> ImageFinding:
    return ImageFinding(
        level="refused",
        code=code,
        place=shown(name),
        message=message,
        remedy="Take it out of the set." if code == "archive_nested" else PACK_AGAIN,
        others=tuple(map(shown, others)),
    )


def is_archive(name: str) -> bool:
    """Say whether a name, of a file that counts, has the suffix of an archive."""
    return suffix(name) in ARCHIVES and not is_ignored(name)


def suffix(name: str) -> str:
    """Return the suffix of a name in lower case."""
    return PurePosixPath(name).suffix.lower()


def is_ignored(name: str) -> bool:
    """Say whether a system or its archiver has put a file there for itself."""
    parts = name.split("/")
    last = parts[-1].lower()
    return "__MACOSX" in parts or last in IGNORED_NAMES or last.startswith("._")


@dataclass
class Layout:
    """What each file of a set is for."""

    images: dict[str, str] = field(default_factory=dict)
    """Class by name, sorted by name."""
    tables: list[str] = field(default_factory=list)
    """Files .csv or .tsv beside the folders of classes."""
    texts: list[str] = field(default_factory=list)
    wrapper: str = ""
    """Folders around the set, with a slash at the end."""
    labels: list[str] = field(default_factory=list)
    """Classes, also of folders without images."""
    findings: list[ImageFinding] = field(default_factory=list)


TEXT_STEMS: Final = ("readme", "license", "licence", "copying", "attribution", "notice", "citation")
TEXT_SUFFIXES: Final = frozenset({"", ".txt", ".md", ".rst", ".cff"})


def lay_out(names: Sequence[str], folders: Sequence[str] = ()) -> Layout:
    """Read a folder per class out of safe names; folders around the whole set count for nothing.

    Args:
        names: of files, without those of folders.
        folders: also of empty ones, without a slash at the end.
    """
    counted = sorted(name for name in names if not is_ignored(name))
    pictures = [name for name in counted if suffix(name) in IMAGE_SUFFIXES | OTHER_IMAGES]
    wrapper = _common([name.split("/")[:-1] for name in pictures])
    found = Layout(wrapper="".join(f"{part}/" for part in wrapper))
    for name in counted:
        _place(name, name.removeprefix(found.wrapper), found)
    inner = [one.removeprefix(found.wrapper) for one in folders if one.startswith(found.wrapper)]
    empty = {composed(one) for one in inner if one and "/" not in one and not is_ignored(one)}
    found.labels = sorted(set(found.images.values()) | empty)
    found.findings += _class_findings(counted, found)
    return found


def _common(folders: list[list[str]]) -> list[str]:
    """Return the folders around all classes: the common beginning, the class itself apart."""
    if not folders:
        return []
    first, last = min(folders), max(folders)
    shared = [one for one, other in zip(first, last, strict=False) if one == other]
    length = next(
        (n for n, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]),
        len(shared),
    )
    if all(folder == first for folder in folders):
        length = len(first) - 1 if first else 0
    return first[:length]


def _place(name: str, inner: str, found: Layout) -> None:
    parts, kind = inner.split("/"), suffix(name)
    is_top = len(parts) == 1 or not name.startswith(found.wrapper)
    if kind in IMAGE_SUFFIXES:
        if len(parts) == 2 and not is_top:
            found.images[name] = composed(parts[0])
        else:
            found.findings.append(_misplaced(name))
    elif kind in OTHER_IMAGES:
        message = f"{kind} is not read"
        found.findings.append(_left_out("format_not_allowed", name, message))
    elif is_top and kind in {".csv", ".tsv"}:
        found.tables.append(name)
    elif is_top and kind in TEXT_SUFFIXES and parts[-1].lower().startswith(TEXT_STEMS):
        found.texts.append(name)
    else:
        found.findings.append(_left_out("file_not_image", name, "not an image"))


def _misplaced(name: str) -> ImageFinding:
    return ImageFinding(
        level="refused",
        code="levels_mixed",
        place=shown(name),
        message="this image does not lie in the folder of a class, as others do",
        remedy="Put every image into a folder that is named for its class, without folders inside.",
    )


def _left_out(code: str, name: str, message: str) -> ImageFinding:
    return ImageFinding(
        level="left_out",
        code=code,
        place=shown(name),
        message=message,
        remedy="Give images as JPEG, PNG or WebP.",
    )


def _class_findings(names: Sequence[str], found: Layout) -> list[ImageFinding]:
    """Check that classes have names that a model may have, different in more than case or form."""
    raw = {n.removeprefix(found.wrapper).split("/")[0] for n in names if n in found.images}
    findings, seen = [], dict[str, str]()
    for name in sorted(raw | set(found.labels) - set(map(composed, raw))):
        for fault in label_faults([composed(name)]):
            message = f"as the name of a class it {fault.reason}"
            findings.append(_refused("class_name", name, message))
        first = seen.setdefault(folded(name), name)
        if first != name:
            message = "two classes differ only in case or form of letters"
            findings.append(_refused("class_names_collide", name, message, first))
    return findings

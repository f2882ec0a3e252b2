"""Decides from its directory whether a zip is read at all.

The directory of a zip only claims: every claim is compared with the header in front of the member,
and the members must fill the file without gap and without overlap. A zip that fails in one point is
refused as a whole, for nothing of it can be relied on.
"""

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cluster.contracts.images import ImageFinding
from cluster.images.limits import Limits
from cluster.images.names import name_findings, shown

STORED: Final = 0
DEFLATED: Final = 8
ENCRYPTED: Final = 1 | 1 << 6 | 1 << 13
DESCRIBED_LATER: Final = 1 << 3
"""Sizes stand behind the content, in a descriptor."""
DESCRIPTOR_BYTES: Final = frozenset({12, 16, 20, 24})
REMEDY: Final = "Pack the folder again with an ordinary zip program."


@dataclass(frozen=True)
class Entry:
    """One member as the directory and the header in front of it describe it."""

    name: str
    """Folders end in a slash."""
    size: int
    packed: int
    crc: int
    method: int
    flags: int
    attributes: int
    """Of the system that packed it; Unix mode in the upper 16 bits."""
    start: int
    """Offset of the header in front of the content."""
    content: int
    """Offset of the content."""
    differs: str = ""
    """Where the header in front says something else than the directory."""

    @property
    def is_folder(self) -> bool:
        """Whether the entry only names a folder."""
        return self.name.endswith("/")

    @property
    def end(self) -> int:
        """Offset behind the content."""
        return self.content + self.packed


def archive_findings(
    entries: Sequence[Entry], directory_start: int, limits: Limits
) -> list[ImageFinding]:
    """Return what speaks against a zip, all of it."""
    findings = name_findings([entry.name for entry in entries], limits)
    for entry in entries:
        findings += [_refused(code, entry.name, text) for code, text in _faults(entry, limits)]
    findings += _placement(entries, directory_start)
    total, packed = sum(e.size for e in entries), sum(e.packed for e in entries)
    if total > limits.unpacked_bytes:
        message = f"unpacked it has {total:,} bytes, over {limits.unpacked_bytes:,}"
        findings.append(_refused("set_too_large", "", message, "Divide the set."))
    if total > limits.total_ratio * packed:
        message = f"it expands over {limits.total_ratio} times"
        findings.append(_refused("zip_ratio", "", message))
    return findings


def _faults(entry: Entry, limits: Limits) -> list[tuple[str, str]]:
    kind = stat.S_IFMT(entry.attributes >> 16)
    checks = {
        ("link", "it is a link"): kind == stat.S_IFLNK,
        ("special_file", "it is neither a file nor a folder"): kind
        not in {0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK},
        ("zip_encrypted", "it is encrypted"): bool(entry.flags & ENCRYPTED),
        ("zip_method", f"its compression method {entry.method} is not read"): entry.method
        not in {STORED, DEFLATED},
        ("zip_size_false", "a stored member has two different sizes"): entry.method == STORED
        and entry.size != entry.packed,
        ("zip_size_false", "a folder has content"): entry.is_folder and entry.size > 0,
        ("zip_ratio", f"it expands over {limits.entry_ratio} times"): entry.size
        > limits.entry_ratio * entry.packed,
        ("zip_header_differs", f"header and directory differ in {entry.differs}"): bool(
            entry.differs
        ),
    }
    return [fault for fault, is_so in checks.items() if is_so]


def _placement(entries: Sequence[Entry], directory_start: int) -> list[ImageFinding]:
    """Check that the members lie one behind the other, from the first byte to the directory."""
    findings, position = [], 0
    described = False
    for entry in sorted(entries, key=lambda entry: (entry.start, entry.end)):
        findings += _gap(position, entry.start, entry.name, described=described)
        position = max(position, entry.end)
        described = bool(entry.flags & DESCRIBED_LATER)
    return findings + _gap(position, directory_start, "", described=described)


def _gap(position: int, start: int, name: str, *, described: bool) -> list[ImageFinding]:
    if start < position:
        return [_refused("zip_overlap", name, "it overlaps what stands before it")]
    allowed = DESCRIPTOR_BYTES if described else {0}
    if start - position not in allowed:
        message = f"{start - position:,} bytes before it belong to no member"
        return [_refused("zip_gap", name, message)]
    return []


def _refused(code: str, name: str, message: str, remedy: str = REMEDY) -> ImageFinding:
    return ImageFinding(
        level="refused", code=code, place=shown(name), message=message, remedy=remedy
    )

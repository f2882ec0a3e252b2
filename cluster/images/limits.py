"""Decides how much of an upload is read: sizes, numbers, pixels, and what a decoder may use."""

from dataclasses import dataclass
from typing import Final

from cluster.settings import Settings

MIB: Final = 1 << 20


@dataclass(frozen=True)
class Limits:
    """The largest values that are still taken."""

    zip_bytes: int = 512 * MIB
    entries: int = 20_000
    unpacked_bytes: int = 2048 * MIB
    image_bytes: int = 20 * MIB
    text_bytes: int = 8 * MIB
    """Of a table of persons, and of all texts."""
    entry_ratio: int = 100
    """Bytes of a member over its compressed bytes."""
    total_ratio: int = 50
    name_bytes: int = 255
    depth: int = 8
    """Folders and file name."""
    pixels: int = 50_000_000
    side_min: int = 64
    """Pixels of the shorter side."""
    side_max: int = 1024
    """Pixels of the longer side as it is stored; larger images are made smaller."""
    decoder_cpu_s: int = 20
    """Processor time for one image."""
    decoder_wall_s: float = 120.0
    """Time for one image on a machine that has other work too."""

    decoder_bytes: int = 2304 * MIB
    """Address space of a decoder: libraries, the file, and six copies of the pixels."""

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """Take over what an operator has set."""
        return cls(
            zip_bytes=settings.image_set_mib_max * MIB,
            entries=settings.image_set_files_max,
            unpacked_bytes=settings.image_set_unpacked_mib_max * MIB,
            image_bytes=settings.image_mib_max * MIB,
            pixels=settings.image_megapixels_max * 1_000_000,
            decoder_bytes=(1024 + 2 * settings.image_mib_max) * MIB
            + 24_000_000 * settings.image_megapixels_max,
        )

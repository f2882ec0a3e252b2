"""Takes one picture with a camera of the device (C6)."""

import io
from typing import Final

import numpy as np
from PIL import Image

from cluster.errors import InputError, SourceUnreadable

WARM_UP: Final = 10
"""Frames that are passed over, in which a camera finds light and focus."""
EXTRA: Final = "python -m pip install 'dazzle[camera]'"


def photograph(source: str) -> bytes:
    """Return one frame as PNG, without anything about the device.

    Args:
        source: number of a camera, 0 for the first; or a file of moving pictures, of which a frame
            near the beginning is taken.

    Raises:
        InputError: no library for cameras is installed.
        SourceUnreadable: there is no such camera, or it gives no picture.
    """
    try:
        import cv2
    except ImportError:
        what = "no library for cameras is installed"
        raise InputError(what, "--camera", f"Install it: {EXTRA}") from None
    camera = cv2.VideoCapture(int(source) if source.isdecimal() else source)
    try:
        frame = None
        for _ in range(1 + WARM_UP):
            is_there, found = camera.read()
            frame = found if is_there else frame
    finally:
        camera.release()
    if frame is None:
        what = f"camera {source[:80]!r} gives no picture"
        raise SourceUnreadable(what, "--camera", "Is it plugged in, and used by nothing else?")
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(frame[:, :, ::-1])).save(stream, "PNG")
    return stream.getvalue()

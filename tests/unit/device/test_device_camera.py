"""C6: one picture is taken with a camera; here recorded ones stand for it."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cluster.device.camera import WARM_UP, photograph
from cluster.errors import SourceUnreadable

cv2 = pytest.importorskip("cv2")


def a_recording(path: Path, frames: int) -> Path:
    """Frames that turn from black to red."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (160, 120))
    for n in range(frames):
        frame = np.zeros((120, 160, 3), np.uint8)
        frame[:, :, 2] = 255 * min(n, WARM_UP) // WARM_UP
        writer.write(frame)
    writer.release()
    return path


def test_a_camera_may_warm_up_and_colours_are_right(tmp_path: Path) -> None:
    """C6: a later frame is taken, upright, its red is red, and nothing else is in the file."""
    content = photograph(str(a_recording(tmp_path / "a.avi", 30)))
    with Image.open(io.BytesIO(content)) as image:
        red, green, blue = np.asarray(image.convert("RGB"), np.int64).mean((0, 1))
        assert image.size == (160, 120)
        assert not image.info
    assert red > 230
    assert max(green, blue) < 30


def test_what_ends_early_gives_its_last_frame(tmp_path: Path) -> None:
    """C6: a camera that stops after a few frames still gives a picture."""
    assert photograph(str(a_recording(tmp_path / "b.avi", 3))).startswith(b"\x89PNG")


@pytest.mark.parametrize("source", ["99", "no-such-file.avi"])
def test_a_camera_that_is_not_there_is_told(source: str) -> None:
    """C6: without a picture there is one clear error."""
    with pytest.raises(SourceUnreadable, match="gives no picture"):
        photograph(source)

"""Runs a model on pictures, on this device and nowhere else, and checks that it runs right (C7).

The file that is run has the digest that the list names. Golden images come with it: their pixels
after the resize must be the very ones of the place where the model was made, and the probabilities
those within a tolerance; else the model is not used, rather than used wrongly.
"""

import hashlib
import io
from collections.abc import Sequence
from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from cluster.contracts.image_models import Bundle, Golden, Recognition, Variant
from cluster.errors import Fault, IntegrityError
from cluster.images.resize import model_pixels
from cluster.models.decision import decide

INPUT: Final = "image"
PROBABILITIES: Final = "prob"
DISTANCE: Final = "distance"
FLOATS: Final = "tensor(float)"
BATCH: Final = 8
TOLERANCE: Final = 1e-3
"""Of a probability: processors add float32 numbers in another order."""
INT8_TOLERANCE: Final = 0.1
"""Added for int8, whose sums some processors round or saturate otherwise."""
DISTANCE_TOLERANCE: Final = 0.01
"""Of the distance by the fp32 file, as a share of it."""
QUIET: Final = 3
"""onnxruntime reports errors only."""
Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]


class Recogniser:
    """One variant of a model, ready to run."""

    def __init__(
        self, bundle: Bundle, version: str, variant: Variant, content: bytes, threads: int = 0
    ) -> None:
        """Open the file.

        Args:
            bundle: for labels, weights and size.
            version: digest of the bundle, for R.
            variant: which of its files this is.
            content: the file, its digest checked.
            threads: of onnxruntime; 0 for as many as there are cores.

        Raises:
            IntegrityError: it is no model of that bundle.
        """
        self.bundle, self.version, self.variant = bundle, version, variant
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = QUIET
        try:
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime has a class of its own for each problem
            what = (
                f"the {variant.name} file of {bundle.name} cannot be run ({type(error).__name__})"
            )
            raise IntegrityError(what, remedy="Tell who runs the server.") from None
        self._outputs = self._checked_outputs()

    def _checked_outputs(self) -> list[str]:
        size = self.bundle.preprocessing.size
        inputs = [(one.name, one.type, tuple(one.shape[1:])) for one in self._session.get_inputs()]
        outputs = {one.name for one in self._session.get_outputs() if one.type == FLOATS}
        needed = [PROBABILITIES] + [DISTANCE] * (self.variant.outside_above is not None)
        if inputs != [(INPUT, FLOATS, (3, size, size))] or not set(needed) <= outputs:
            what = f"the {self.variant.name} file of {self.bundle.name} is not what its bundle says"
            raise IntegrityError(what, remedy="Tell who runs the server.")
        return needed

    def pixels(self, image: Image.Image) -> Pixels:
        """Return what the model sees of an upright RGB picture, [size, size, 3]."""
        return model_pixels(image, self.bundle.preprocessing.size)

    def run(self, images: Sequence[Pixels]) -> tuple[Floats, Floats | None]:
        """Return the probabilities [images, labels], and the distances [images] if it has any.

        Raises:
            Fault: the model cannot run on them.
        """
        parts = []
        for start in range(0, len(images), BATCH):
            batch_NHWC = np.stack(images[start : start + BATCH])
            batch_NCHW = np.ascontiguousarray(batch_NHWC.transpose(0, 3, 1, 2), dtype=np.float32)
            try:
                parts.append(self._session.run(self._outputs, {INPUT: batch_NCHW}))
            except Exception as error:  # as above
                what = f"the model {self.bundle.name} fails ({type(error).__name__})"
                raise Fault(what) from None
        columns = [np.concatenate(one).astype(np.float64) for one in zip(*parts, strict=True)]
        return columns[0], columns[1] if len(columns) > 1 else None

    def recognise(self, images: Sequence[Pixels]) -> list[Recognition]:
        """Return R for each picture (C7).

        Args:
            images: as ``pixels`` gives them; at least one.

        Raises:
            Fault: the model cannot run on them, or gives no probabilities.
        """
        p_NK, distance_N = self.run(images)
        return [
            self._recognition(p_K, None if distance_N is None else float(distance_N[n]))
            for n, p_K in enumerate(p_NK)
        ]

    def _recognition(self, p_K: Floats, distance: float | None) -> Recognition:
        found = decide(p_K, distance, self.bundle, self.variant)
        return Recognition(
            model=self.bundle.name,
            version=self.version,
            variant=self.variant.name,
            label=found.label,
            disease_id=found.disease_id,
            probability=found.probability,
            outside=found.outside,
            distance_ratio=found.distance_ratio,
            probabilities=dict(zip(self.bundle.label_names, p_K.tolist(), strict=True)),
        )

    def check_golden(self, golden: Golden, content: bytes) -> None:
        """Check that this device gives for an image what it should (C3).

        Args:
            golden: what it should give.
            content: the image, its digest checked.

        Raises:
            IntegrityError: it gives something else, so the model is not to be used here.
        """
        try:
            with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
                pixels = self.pixels(image.convert("RGB"))
        except (OSError, SyntaxError, ValueError):  # what Pillow says of a damaged file
            raise self._differs(golden, "pixels") from None
        if hashlib.sha256(pixels.tobytes()).hexdigest() != golden.tensor_sha256:
            raise self._differs(golden, "pixels after the resize")
        p_NK, distance_N = self.run([pixels])
        fp32 = self.variant.name == "fp32"
        allowed = TOLERANCE if fp32 else self.variant.probability_change_max + INT8_TOLERANCE
        expected_K = np.asarray(golden.probabilities)
        if expected_K.shape != p_NK[0].shape or not np.abs(p_NK[0] - expected_K).max() <= allowed:
            raise self._differs(golden, "probabilities")
        if fp32 and distance_N is not None and golden.distance is not None:
            change = abs(float(distance_N[0]) - golden.distance)
            if not change <= DISTANCE_TOLERANCE * max(abs(golden.distance), 1.0):
                raise self._differs(golden, "distance")

    def _differs(self, golden: Golden, what: str) -> IntegrityError:
        message = f"{golden.file} does not get the {what} that it should on this device"
        remedy = "Update Dazzle and Pillow, or take the other variant."
        return IntegrityError(message, f"{self.bundle.name}, {self.variant.name}", remedy)

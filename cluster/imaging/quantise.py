"""Makes the int8 file of a compiled model: a quarter of the bytes, twice as fast (C3).

Static, as pairs of quantise and dequantise (QDQ; Jacob 2018): activations in 8 bits without sign,
weights in 8 bits with a scale for each channel, ranges from the least to the largest value on
calibration images. What was chosen by measurement on a fine-tuned InceptionV3:

- The first two convolutions stay in float. They see the pixels themselves; in int8 they make two
  fifths of the whole error, and in float they cost a twentieth of the time.
- Everything behind the trunk stays in float: head, temperature, softmax, and the distance with its
  projection. So these are exact functions of the features.
- The least and largest value, not percentiles or a moving average: those err more.
"""

import tempfile
from pathlib import Path
from typing import Final

import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from cluster.errors import InputError
from cluster.imaging.graph import INPUT, Floats, Pixels, batches

CALIBRATION_IMAGES: Final = 96
"""That are worth giving; twice as many gave no other answers."""
TRUNK: Final = ("Conv", "Relu", "Clip", "MaxPool", "AveragePool", "Concat", "Add")
"""A Relu left out would waste half of a range on values that it cuts off."""
IN_FLOAT: Final = 2
"""First convolutions."""
PREPARED: Final = {"onnx.quant.pre_process": "onnxruntime.quant"}
"""Tells the library that shapes are known and constants folded, as torch exports it."""
NOTES: Final = {*PREPARED, "onnx.infer"}
"""Of the library, taken out again."""


class _Images(CalibrationDataReader):  # type: ignore[misc]  # the library has no types
    """Gives calibration images, a few at once."""

    def __init__(self, pixels_NSS3: Pixels) -> None:
        self._batches = iter(batches(pixels_NSS3))

    def get_next(self) -> dict[str, Floats] | None:
        """Return the next batch, None after the last."""
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}


def quantise(fp32: bytes, calibration_NSS3: Pixels) -> bytes:
    """Return the int8 file of an fp32 one: same input, outputs and metadata (C3).

    Args:
        fp32: what ``export_graph`` returned.
        calibration_NSS3: training images, about ``CALIBRATION_IMAGES`` of all classes.

    Raises:
        InputError: there are no images.
    """
    if not len(calibration_NSS3):
        what = "there are no images to calibrate by"
        raise InputError(what, "int8", "Give some of the training images.")
    model = onnx.load_from_string(fp32)
    convolutions = [node.name for node in model.graph.node if node.op_type == "Conv"]
    onnx.helper.set_model_props(model, {**_facts(model), **PREPARED})
    with tempfile.TemporaryDirectory() as scratch:  # the library writes its result to a file
        path = Path(scratch) / "int8.onnx"
        quantize_static(
            model,
            path,
            _Images(calibration_NSS3),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(TRUNK),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=convolutions[:IN_FLOAT],
            calibrate_method=CalibrationMethod.MinMax,
        )
        quantised = onnx.load_from_string(path.read_bytes())
    facts = {name: value for name, value in _facts(quantised).items() if name not in NOTES}
    onnx.helper.set_model_props(quantised, facts)
    del quantised.graph.value_info[:]
    onnx.checker.check_model(quantised, full_check=True)
    content: bytes = quantised.SerializeToString(deterministic=True)
    return content


def _facts(model: onnx.ModelProto) -> dict[str, str]:
    return {one.key: one.value for one in model.metadata_props}

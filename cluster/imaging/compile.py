"""Makes one ONNX file of a trained network: pixels in, probabilities and distance out (C3, C10).

Everything between the pixels and the answer is in the graph: normalisation, temperature, and how
far an image lies from what was learned. So no client can get one of them wrong. The same weights
give the same bytes with the same version of torch: what the exporter notes about files and lines
of this machine is taken out.

Shapes: B images of a batch, N images, S pixels of a side, K classes, F features, D directions.
"""

import copy
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from cluster.errors import Fault
from cluster.imaging.graph import (
    DISTANCE,
    INPUT,
    PROBABILITY,
    Answers,
    Graph,
    Pixels,
    batches,
    joined,
)
from cluster.imaging.network import ImageNetwork
from cluster.imaging.rejection import Rejection

OPSET: Final = 18
PARITY_MAX: Final = 1e-3
"""By which a probability of the file may differ from the network's, and a distance in parts."""
PROBES: Final = 3
"""Drawn images by which every export is compared with its network; a batch unlike the exported."""
EXPORTED_BATCH: Final = 2


class CompiledNetwork(nn.Module):
    """A copy of a trained network with its temperature and its distance, as it is exported."""

    mean_F: Tensor
    weight_DF: Tensor
    class_means_KD: Tensor

    def __init__(
        self, network: ImageNetwork, temperature: float, rejection: Rejection | None
    ) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).cpu().float()
        self.network = self.network.to(memory_format=torch.contiguous_format)
        self.temperature = temperature
        self.measures = rejection is not None
        if rejection is not None:
            for name in ("mean_F", "weight_DF", "class_means_KD"):
                array = np.asarray(getattr(rejection, name), np.float32)
                self.register_buffer(name, torch.from_numpy(array.copy()))
        self.eval()

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return probabilities [B, K] and, where it is measured, the distance [B]."""
        said = self.network(image)
        p_BK = torch.softmax(said.logits / self.temperature, 1)
        if not self.measures:
            return (p_BK,)
        place_BD = functional.linear(said.features - self.mean_F, self.weight_DF)
        away_BKD = place_BD[:, None] - self.class_means_KD
        return p_BK, away_BKD.square().sum(2).amin(1).sqrt()

    def answers(self, pixels_NSS3: Pixels) -> Answers:
        """Answer with torch."""
        parts = []
        with torch.inference_mode():
            for image in batches(pixels_NSS3):
                said = [one.numpy() for one in self(torch.from_numpy(image))]
                parts.append(Answers(said[0], said[1] if self.measures else None))
        return joined(parts)


def export_graph(
    network: ImageNetwork,
    temperature: float,
    rejection: Rejection | None,
    size: int,
    metadata: Mapping[str, str],
) -> bytes:
    """Return the fp32 file of a trained network, checked against it on drawn images (C3).

    Input ``image`` float32 [batch, 3, size, size], RGB 0..255; outputs ``prob`` [batch, K], whose
    rows sum to 1, and with ``rejection`` ``distance`` [batch]. All weights are inside.

    Args:
        network: is left as it is.
        temperature: what logits are divided by (Guo 2017).
        rejection: None for a model that measures no distance.
        size: pixels of a side.
        metadata: facts that the file carries beside the graph.

    Raises:
        Fault: the file does not say what the network says.
    """
    compiled = CompiledNetwork(network, temperature, rejection)
    outputs = [PROBABILITY, DISTANCE][: 1 + compiled.measures]
    with _quiet():
        program = torch.onnx.export(
            compiled,
            (torch.zeros(EXPORTED_BATCH, 3, size, size),),
            dynamo=True,
            opset_version=OPSET,
            external_data=False,
            input_names=[INPUT],
            output_names=outputs,
            dynamic_shapes={INPUT: {0: torch.export.Dim("batch")}},
            verbose=False,
        )
    if program is None:
        what = "torch exported nothing"
        raise Fault(what)
    content = _bare(program.model_proto, metadata)
    shape = (PROBES, size, size, 3)
    drawn = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    check_parity(compiled.answers(drawn), Graph(content).answers(drawn))
    return content


def check_parity(network: Answers, graph: Answers) -> float:
    """Return the largest change of a probability from the network to its file (C3).

    Raises:
        Fault: a probability, or a distance in parts, differs by over ``PARITY_MAX``.
    """
    changes = [float(np.abs(network.p_NK - graph.p_NK).max())]
    if network.distance_N is not None and graph.distance_N is not None:
        scale_N = np.maximum(network.distance_N, 1.0)
        changes.append(float((np.abs(network.distance_N - graph.distance_N) / scale_N).max()))
    if not all(change <= PARITY_MAX for change in changes):  # nan is no small change
        largest = float(np.max(changes))
        what = f"the file differs from the network by {largest:.2g}; {PARITY_MAX} is allowed"
        raise Fault(what, "compiled image model")
    return changes[0]


def _bare(model: onnx.ModelProto, metadata: Mapping[str, str]) -> bytes:
    """Leave the graph and the given facts, nothing of where and how it was traced."""
    del model.graph.value_info[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del model.graph.metadata_props[:]
    onnx.helper.set_model_props(model, dict(sorted(metadata.items())))
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's progress and advice out of a job's output."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)

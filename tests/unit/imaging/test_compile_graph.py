"""A trained network as one ONNX file."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx.external_data_helper import uses_external_data
from small_network import SIDE, coloured, trained_model

from cluster.contracts.image_models import UNKNOWN
from cluster.errors import Fault
from cluster.imaging.compile import CompiledNetwork, check_parity, export_graph
from cluster.imaging.graph import Answers, Graph, batches
from cluster.imaging.network import InceptionNetwork
from cluster.imaging.rejection import Rejection
from cluster.learning.chance import reproducible

FACTS = {"labels": json.dumps(["red", UNKNOWN]), "size": str(SIDE)}
ROOT = Path(__file__).parents[3]


@cache
def exported() -> bytes:
    trained = trained_model()
    return export_graph(trained.network, 0.7, trained.rejection, SIDE, FACTS)


def test_the_file_says_what_the_network_says() -> None:
    """C3: probabilities and distances of real batches are those of torch, within 1e-3."""
    pixels, truth = coloured(21, 5)
    with reproducible(0):  # on one thread, as the file is run
        trained = trained_model()
        network = CompiledNetwork(trained.network, 0.7, trained.rejection).answers(pixels)
    graph = Graph(exported()).answers(pixels)
    assert check_parity(network, graph) < 1e-5
    assert (graph.p_NK.argmax(1) == truth).mean() > 0.9
    assert np.abs(graph.p_NK.sum(1) - 1).max() < 1e-5


def test_the_temperature_is_inside() -> None:
    """C10: the file gives softmax(logits / T), with no step left to a client."""
    trained = trained_model()
    pixels, _ = coloured(8, 6)
    with torch.no_grad():
        logits = trained.network(torch.from_numpy(batches(pixels)[0])).logits
    warm, cold = (torch.softmax(logits / t, 1).numpy() for t in (0.7, 1.0))
    found = Graph(exported()).answers(pixels).p_NK
    assert np.abs(found - warm).max() < 1e-5
    assert np.abs(found - cold).max() > 0.02


def test_the_distance_is_that_of_the_rejection() -> None:
    """C10: the second output is the distance to the nearest class, as numpy computes it."""
    trained = trained_model()
    assert trained.rejection is not None
    pixels, _ = coloured(8, 7)
    with torch.no_grad():
        features = trained.network(torch.from_numpy(batches(pixels)[0])).features.numpy()
    found = Graph(exported()).answers(pixels).distance_N
    assert found is not None
    assert np.allclose(found, trained.rejection.distance(features), rtol=1e-4)


def test_batches_of_any_size_give_the_same() -> None:
    """C3: an image is answered for alone as among others; twenty at once pass too."""
    pixels, _ = coloured(20, 8)
    graph = Graph(exported())
    whole = graph.run(batches(pixels, 20)[0])
    alone = [graph.run(one) for one in batches(pixels, 1)]
    assert whole.p_NK.shape == (20, 3)
    assert np.abs(whole.p_NK - np.concatenate([one.p_NK for one in alone])).max() < 1e-5


def test_the_file_is_whole_and_tells_nothing_of_this_machine() -> None:
    """C3: weights inside, the given facts, the named input and outputs, no path of a source."""
    model = onnx.load_from_string(exported())
    assert {one.key: one.value for one in model.metadata_props} == FACTS
    assert not any(uses_external_data(one) for one in model.graph.initializer)
    assert [one.name for one in model.graph.input] == ["image"]
    assert [one.name for one in model.graph.output] == ["prob", "distance"]
    shape = model.graph.input[0].type.tensor_type.shape.dim
    assert shape[0].dim_param == "batch"
    assert [one.dim_value for one in shape[1:]] == [3, SIDE, SIDE]
    assert model.opset_import[0].version == 18
    assert {one.domain for one in model.opset_import} == {""}
    for trace in (str(ROOT), "small_network", ".py", "torchvision"):
        assert trace.encode() not in exported()


def test_the_same_weights_give_the_same_bytes() -> None:
    """C3: exporting again changes no digest, and leaves the network as it was."""
    trained = trained_model()
    trained.network.train()
    again = export_graph(trained.network, 0.7, trained.rejection, SIDE, FACTS)
    assert again == exported()
    assert trained.network.training


def test_a_model_without_rejection_has_one_output() -> None:
    """C3: a model that measures no distance has no such output."""
    content = export_graph(trained_model().network, 1.0, None, SIDE, {})
    said = Graph(content).answers(coloured(3, 9)[0])
    assert said.distance_N is None and said.p_NK.shape == (3, 3)


@pytest.mark.parametrize("change", [2e-3, np.nan])
def test_a_file_that_says_something_else_is_a_fault(change: float) -> None:
    """C3: a probability or a distance that differs by over 1e-3 stops the delivery."""
    said = Graph(exported()).answers(coloured(4, 1)[0])
    assert said.distance_N is not None
    with pytest.raises(Fault, match="differs from the network"):
        check_parity(said, replace(said, p_NK=said.p_NK + change))
    with pytest.raises(Fault, match="differs from the network"):
        check_parity(said, Answers(said.p_NK, said.distance_N * (1 + change)))


def test_inception_is_compiled() -> None:
    """C3: InceptionV3 with Keras's averages at borders, at 75 pixels, dropout and head inside."""
    torch.manual_seed(0)
    network = InceptionNetwork(4, pads_counted=False, aux=False)
    random = np.random.default_rng(0)
    arrays = (random.normal(size=shape).astype(np.float32) for shape in ((768,), (5, 768), (4, 5)))
    rejection = Rejection(*arrays)
    content = export_graph(network, 1.5, rejection, 75, {})
    pixels = random.integers(0, 256, (3, 75, 75, 3), np.uint8)
    network_says = CompiledNetwork(network, 1.5, rejection).answers(pixels)
    assert check_parity(network_says, Graph(content).answers(pixels)) < 1e-4
    nodes = onnx.load_from_string(content).graph.node
    assert sum(node.op_type == "Conv" for node in nodes) == 94
    assert not [node for node in nodes if node.op_type in {"BatchNormalization", "Dropout"}]

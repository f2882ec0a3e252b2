"""Tensors into networks: all fit or nothing is changed."""

import io
import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import inception_v3

from cluster.errors import WeightsInvalid
from cluster.imaging.weights import Tensors, load_into, read_checkpoint


class Small(nn.Module):
    """Named as InceptionV3 is: a body, a head, and an auxiliary part where it has one."""

    def __init__(self, *, aux: bool = False, classes: int = 2) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 4, 1)
        self.norm = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, classes)
        self.AuxLogits: nn.ModuleDict | None = None
        if aux:
            self.AuxLogits = nn.ModuleDict({"conv": nn.Conv2d(4, 5, 1), "fc": nn.Linear(5, 2)})


def tensors_of(network: nn.Module) -> Tensors:
    return {
        name: np.full(tuple(tensor.shape), 7.0 + place, np.float32)
        for place, (name, tensor) in enumerate(network.state_dict().items())
        if tensor.is_floating_point()
    }


def values(network: nn.Module) -> dict[str, list[float]]:
    return {name: tensor.flatten().tolist() for name, tensor in network.state_dict().items()}


def is_set(network: nn.Module, tensors: Tensors, name: str) -> bool:
    return np.array_equal(network.state_dict()[name].numpy(), tensors[name])


def test_the_body_is_set_and_the_head_is_left() -> None:
    """C2: everything but the head is set, whatever number of classes the file has."""
    tensors = tensors_of(Small(classes=1000))
    network = Small()
    head = network.fc.weight.clone()
    load_into(network, tensors)
    for name in tensors:
        if not name.startswith("fc."):
            assert is_set(network, tensors, name), name
    assert torch.equal(network.fc.weight, head)


def test_tensors_that_cannot_be_written_are_taken() -> None:
    """C2: arrays out of shared memory are read-only, and are copied."""
    tensors = tensors_of(Small())
    for array in tensors.values():
        array.setflags(write=False)
    load_into(network := Small(), tensors)
    assert is_set(network, tensors, "body.weight")


@pytest.mark.parametrize(("own", "given"), [(True, True), (True, False), (False, True)])
def test_the_auxiliary_part_is_set_where_both_have_it(own: bool, given: bool) -> None:
    """C2: a file without the auxiliary part, and a network without it, are no errors."""
    tensors = tensors_of(Small(aux=given))
    network = Small(aux=own)
    before = values(network)
    load_into(network, tensors)
    assert is_set(network, tensors, "body.weight")
    if own and given:
        assert is_set(network, tensors, "AuxLogits.conv.weight")
    elif own:
        after = values(network)
        assert after["AuxLogits.conv.weight"] == before["AuxLogits.conv.weight"]
    if own:
        assert values(network)["AuxLogits.fc.weight"] == before["AuxLogits.fc.weight"]


def without_a_tensor(tensors: Tensors) -> str:
    del tensors["norm.running_var"]
    return "1 missing (norm.running_var)"


def with_a_foreign_one(tensors: Tensors) -> str:
    tensors["Mixed_9z.weight"] = np.zeros(2, np.float32)
    return "1 foreign (Mixed_9z.weight)"


def with_another_shape(tensors: Tensors) -> str:
    tensors["body.weight"] = np.zeros((4, 3, 3, 3), np.float32)
    return "1 of another shape (body.weight is 4x3x3x3, not 4x3x1x1)"


def with_half_an_auxiliary_part(tensors: Tensors) -> str:
    del tensors["AuxLogits.conv.bias"]
    return "1 missing (AuxLogits.conv.bias)"


def with_nothing(tensors: Tensors) -> str:
    tensors.clear()
    return "6 missing (body.bias, body.weight, norm.bias and 3 more)"


@pytest.mark.parametrize(
    "broken",
    [
        without_a_tensor,
        with_a_foreign_one,
        with_another_shape,
        with_half_an_auxiliary_part,
        with_nothing,
    ],
)
def test_what_does_not_fit_is_named_and_changes_nothing(broken: object) -> None:
    """C2: the error names tensors and shapes; the network is as it was."""
    tensors = tensors_of(Small(aux=True))
    told = broken(tensors)  # type: ignore[operator]  # one of the functions above
    network = Small(aux=True)
    before = values(network)
    with pytest.raises(WeightsInvalid) as caught:
        load_into(network, tensors, "w.safetensors")
    assert told in str(caught.value)
    assert "Small" in str(caught.value)
    assert caught.value.where == "w.safetensors"
    assert values(network) == before


def test_weights_in_the_layout_of_torchvision_fit_its_network() -> None:
    """C2: a file with 1,000 classes and auxiliary part sets an InceptionV3 with and without it."""
    tensors = tensors_of(network_of(1000, aux=True))
    for aux in (True, False):
        network = network_of(3, aux=aux)
        load_into(network, tensors)
        for name in network.state_dict():
            if name in tensors and not name.startswith(("fc.", "AuxLogits.fc.")):
                assert is_set(network, tensors, name), name


def network_of(classes: int, *, aux: bool) -> nn.Module:
    made: nn.Module = inception_v3(
        weights=None,
        num_classes=classes,
        aux_logits=aux,
        transform_input=False,
        init_weights=False,
    )
    return made


def test_a_checkpoint_is_read_as_float32_without_counts() -> None:
    """C2: a ``.pth`` gives float32 arrays; whole numbers are counts, which no network uses."""
    half = torch.ones(2, dtype=torch.float16)
    read = read_checkpoint(saved({"a": half, "bn.num_batches_tracked": torch.tensor(7)}))
    assert list(read) == ["a"]
    assert read["a"].dtype == np.float32


def saved(content: object) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("it was run",))


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(Bomb(), 2),
        b"",
        b"PK\x03\x04 cut",
        saved([1, 2]),
        saved({"a": 1}),
        pickle.dumps([1, 2], 2),
    ],
)
def test_a_checkpoint_that_is_none_is_refused(content: bytes) -> None:
    """C2: programs, damaged files and other things than tensors give an error and run nothing."""
    with pytest.raises(WeightsInvalid):
        read_checkpoint(content)

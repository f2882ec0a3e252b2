"""Torchvision's InceptionV3, with both ways to average at a border.

Keras leaves the padding out of an average, torchvision counts it. Weights that come from Keras are
only right with the first (they differ by up to 3.5 in a feature otherwise), so the blocks that
average are given anew here, with the parameters and names of torchvision's.
"""

from torch import Tensor, cat, nn
from torch.nn import functional
from torchvision.models.inception import (
    BasicConv2d,
    Inception3,
    InceptionA,
    InceptionAux,
    InceptionB,
    InceptionC,
    InceptionD,
    InceptionE,
)


def _average(x: Tensor) -> Tensor:
    return functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


class _BlockA(InceptionA):  # type: ignore[misc]  # torchvision is not typed
    def _forward(self, x: Tensor) -> list[Tensor]:
        return [
            self.branch1x1(x),
            self.branch5x5_2(self.branch5x5_1(x)),
            self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x))),
            self.branch_pool(_average(x)),
        ]


class _BlockC(InceptionC):  # type: ignore[misc]  # torchvision is not typed
    def _forward(self, x: Tensor) -> list[Tensor]:
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        return [
            self.branch1x1(x),
            self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x))),
            self.branch7x7dbl_5(self.branch7x7dbl_4(double)),
            self.branch_pool(_average(x)),
        ]


class _BlockE(InceptionE):  # type: ignore[misc]  # torchvision is not typed
    def _forward(self, x: Tensor) -> list[Tensor]:
        single = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        return [
            self.branch1x1(x),
            cat([self.branch3x3_2a(single), self.branch3x3_2b(single)], 1),
            cat([self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)], 1),
            self.branch_pool(_average(x)),
        ]


def inception_v3(n_classes: int, *, pads_counted: bool, aux: bool) -> Inception3:
    """Return the network with random weights (Szegedy 2016), for RGB in [-1, 1].

    Args:
        n_classes: outputs.
        pads_counted: torchvision's average at borders; else that of Keras.
        aux: with the auxiliary head, which needs images of at least 299 pixels.
    """
    blocks: list[type[nn.Module]] = [
        BasicConv2d,
        InceptionA if pads_counted else _BlockA,
        InceptionB,
        InceptionC if pads_counted else _BlockC,
        InceptionD,
        InceptionE if pads_counted else _BlockE,
        InceptionAux,
    ]
    return Inception3(
        num_classes=n_classes,
        aux_logits=aux,
        transform_input=False,
        inception_blocks=list(blocks),
        init_weights=False,
    )

"""One network for both backbones: pixels in, logits and the features of rejection out (C2, C10)."""

from collections.abc import Sequence
from typing import Final, NamedTuple, cast

from torch import Tensor, nn
from torchvision.models import Inception3

from cluster.contracts.image_models import Backbone
from cluster.imaging.efficientnet_lite import POOLED, STAGES, EfficientNetLite0
from cluster.imaging.inception import inception_v3

LOWER: Final = (
    "Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "maxpool1", "Conv2d_3b_1x1", "Conv2d_4a_3x3",
    "maxpool2", "Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b",
)  # fmt: skip
UPPER: Final = ("Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_7a", "Mixed_7b", "Mixed_7c")

LITE_FEATURES: Final = 4
"""Place of the stage whose means are the features; its maps have a sixteenth of the side."""


class Outputs(NamedTuple):
    """What the network says of a batch."""

    logits: Tensor
    """[B, K]."""
    features: Tensor
    """[B, F]: channel means of a layer in the middle, which tell other kinds of images apart."""
    aux: Tensor | None
    """Logits [B, K] of the auxiliary head, while training."""


class ImageNetwork(nn.Module):
    """A backbone with its normalisation; takes float32 [B, 3, S, S], RGB 0..255."""

    features_size: int
    pooled_size: int
    head_name = "net.fc"
    dropout_name = "net.dropout"
    heat_name: str
    """Of the module on whose maps it is shown where the network looks."""

    def pooled(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return what the head takes [B, P], the features [B, F], and the auxiliary logits."""
        raise NotImplementedError

    def lower(self) -> Sequence[nn.Module]:
        """Return the modules that keep their starting weights where the upper ones are trained."""
        raise NotImplementedError

    @property
    def head(self) -> nn.Linear:
        """The last layer."""
        return cast("nn.Linear", self.get_submodule(self.head_name))

    @property
    def dropout(self) -> nn.Module:
        """What is in front of the head."""
        return self.get_submodule(self.dropout_name)

    @property
    def heat_layer(self) -> nn.Module:
        """The module on whose maps it is shown where the network looks."""
        return self.get_submodule(self.heat_name)

    def forward(self, x: Tensor) -> Outputs:
        """Return logits, features and auxiliary logits."""
        pooled, features, aux = self.pooled(x)
        return Outputs(self.head(self.dropout(pooled)), features, aux)


class InceptionNetwork(ImageNetwork):
    """InceptionV3; its features are those behind ``Mixed_6b``."""

    features_size = 768
    pooled_size = 2048
    heat_name = "net.Mixed_6e"

    def __init__(self, n_classes: int, *, pads_counted: bool, aux: bool) -> None:
        super().__init__()
        self.net: Inception3 = inception_v3(n_classes, pads_counted=pads_counted, aux=aux)

    def pooled(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return what the head takes [B, 2048], the features [B, 768], and auxiliary logits."""
        x = x / 127.5 - 1.0
        for name in LOWER:
            x = self.net.get_submodule(name)(x)
        features = x.mean((2, 3))
        aux = None
        for name in UPPER:
            if name == "Mixed_7a" and self.training and self.net.AuxLogits is not None:
                aux = self.net.AuxLogits(x)
            x = self.net.get_submodule(name)(x)
        return x.mean((2, 3)), features, aux

    def lower(self) -> Sequence[nn.Module]:
        """Return the stem and the blocks up to the layer of the features."""
        return [self.net.get_submodule(name) for name in LOWER]


class LiteNetwork(ImageNetwork):
    """EfficientNet-Lite0; its features are the means behind its fifth stage."""

    features_size = STAGES[LITE_FEATURES].channels
    pooled_size = POOLED
    head_name = "net._fc"
    heat_name = "net.last_maps"

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.net = EfficientNetLite0(n_classes)

    def pooled(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return what the head takes [B, 1280], the features [B, F], and nothing."""
        maps = self.net.forward_blocks((x - 127.0) / 128.0)
        return maps[-1].mean((2, 3)), maps[LITE_FEATURES].mean((2, 3)), None

    def lower(self) -> Sequence[nn.Module]:
        """Return the stem and the stages up to that of the features."""
        return self.net.lower(LITE_FEATURES + 1)


def build(
    backbone: Backbone, n_classes: int, *, pads_counted: bool = True, aux: bool = False
) -> ImageNetwork:
    """Return a network with random weights.

    Args:
        backbone: which one.
        n_classes: outputs.
        pads_counted: how InceptionV3 averages at borders; as its starting weights want it.
        aux: InceptionV3 with its auxiliary head.
    """
    if backbone == "efficientnet_lite0":
        return LiteNetwork(n_classes)
    return InceptionNetwork(n_classes, pads_counted=pads_counted, aux=aux)

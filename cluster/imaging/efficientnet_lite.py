"""EfficientNet-Lite0, the backbone of the size of a telephone (Tan and Le 2019, Liu 2020; C2).

It has no squeeze-and-excitation, and ReLU6, so that its integer form stays close to it. Parameters
bear the names of the published ImageNet weights, which therefore load strictly. Those were trained
on images of 224 pixels, RGB as (x - 127) / 128, with the padding of TensorFlow: where a stride of 2
leaves an odd number of pixels to pad, the odd one goes to the right and to the bottom.

Shapes: B batch, C channels of a stage, H height, W width, K classes.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from torch import Tensor, nn
from torch.nn import functional

STEM_CHANNELS: Final = 32
POOLED: Final = 1280
"""Channels of the last maps, and values that the head takes."""
BN_MOMENTUM: Final = 0.01
BN_EPS: Final = 1e-3


class Stage(NamedTuple):
    """Blocks of one kind; only the first of them changes resolution and channels."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    """Channels inside of a block, over those that come in."""
    channels: int


STAGES: Final = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


class EfficientNetLite0(nn.Module):
    """Logits [B, K] of normalised images [B, 3, H, W]; its weights are random at first."""

    def __init__(self, n_classes: int, dropout: float = 0.2) -> None:
        """Make the network.

        Args:
            n_classes: K.
            dropout: share of the pooled values that training drops in front of the head.
        """
        super().__init__()
        self._conv_stem = _convolution(3, STEM_CHANNELS, kernel=3, stride=2)
        self._bn0 = _normalisation(STEM_CHANNELS)
        self._blocks = nn.ModuleList()
        channels = STEM_CHANNELS
        for stage in STAGES:
            for place in range(stage.blocks):
                self._blocks.append(_Block(channels, stage, stage.stride if place == 0 else 1))
                channels = stage.channels
        self._conv_head = _convolution(channels, POOLED, kernel=1)
        self._bn1 = _normalisation(POOLED)
        self.last_maps = nn.ReLU6()
        """Gives the last maps, [B, 1280, H / 32, W / 32]."""
        self.dropout = nn.Dropout(dropout)
        self._fc = nn.Linear(POOLED, n_classes)

    @property
    def fc(self) -> nn.Linear:
        """The head."""
        return self._fc

    def forward_blocks(self, x: Tensor) -> list[Tensor]:
        """Return the maps [B, C, H, W] behind each of the ``STAGES``, and the last maps."""
        x = functional.relu6(self._bn0(self._conv_stem(x)))
        found = []
        start = 0
        for stage in STAGES:
            for block in self._blocks[start : start + stage.blocks]:
                x = block(x)
            start += stage.blocks
            found.append(x)
        return [*found, self.last_maps(self._bn1(self._conv_head(x)))]

    def features(self, x: Tensor) -> Tensor:
        """Return what the head takes, [B, 1280]: the means of the last maps."""
        return self.forward_blocks(x)[-1].mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [B, K]."""
        return self._fc(self.dropout(self.features(x)))  # type: ignore[no-any-return]  # a Tensor

    def lower(self, n_stages: int) -> Sequence[nn.Module]:
        """Return the modules with weights up to and with a stage, the stem first."""
        n_blocks = sum(stage.blocks for stage in STAGES[:n_stages])
        return [self._conv_stem, self._bn0, *self._blocks[:n_blocks]]


class _Block(nn.Module):
    """An inverted residual: wider, one filter for each channel, narrow again (Sandler 2018)."""

    def __init__(self, channels: int, stage: Stage, stride: int) -> None:
        super().__init__()
        wide = channels * stage.expansion
        self._is_expanded = stage.expansion > 1
        if self._is_expanded:
            self._expand_conv = _convolution(channels, wide, kernel=1)
            self._bn0 = _normalisation(wide)
        self._depthwise_conv = _convolution(
            wide, wide, kernel=stage.kernel, stride=stride, groups=wide
        )
        self._bn1 = _normalisation(wide)
        self._project_conv = _convolution(wide, stage.channels, kernel=1)
        self._bn2 = _normalisation(stage.channels)
        self._is_residual = stride == 1 and channels == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the stage's channels."""
        wide = functional.relu6(self._bn0(self._expand_conv(x))) if self._is_expanded else x
        wide = functional.relu6(self._bn1(self._depthwise_conv(wide)))
        narrow: Tensor = self._bn2(self._project_conv(wide))
        return x + narrow if self._is_residual else narrow


class _HalvingConvolution(nn.Conv2d):
    """A convolution of stride 2 whose output has half of the height and width, rounded up."""

    def forward(self, x: Tensor) -> Tensor:
        """Pad as TensorFlow does, then convolve."""
        kernel = self.kernel_size[0]
        height, width = (max(kernel - (2 - size % 2), 0) for size in x.shape[-2:])
        sides = (width // 2, width - width // 2, height // 2, height - height // 2)
        return super().forward(functional.pad(x, sides))


def _convolution(
    entering: int, leaving: int, *, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Conv2d:
    if stride == 1:
        return nn.Conv2d(entering, leaving, kernel, padding=kernel // 2, groups=groups, bias=False)
    return _HalvingConvolution(entering, leaving, kernel, stride=2, groups=groups, bias=False)


def _normalisation(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, momentum=BN_MOMENTUM, eps=BN_EPS)

"""A small U-Net whose every output channel is a probability map over the picture plus "not in view"."""

import torch
from torch import Tensor, nn

from spinalis.localize.decode import CHANNELS


class _Block(nn.Sequential):
    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class LevelUNet(nn.Module):
    """(N, inputs, H, W) -> logits (N, channels, H/2, W/2); H and W multiples of 64.

    The coarsest maps cover the whole picture, so that levels can be counted from the sacrum.
    """

    def __init__(self, inputs: int = 2, widths: tuple[int, ...] = (16, 24, 40, 64, 96, 128)) -> None:
        super().__init__()
        self.down = nn.ModuleList([_Block(a, b, 2) for a, b in zip((inputs, *widths[:-1]), widths, strict=True)])
        self.context = nn.Sequential(_Block(widths[-1], widths[-1]), _Block(widths[-1], widths[-1]))
        self.up = nn.ModuleList([_Block(a + b, b) for a, b in zip(widths[:0:-1], widths[-2::-1], strict=True)])
        self.head = nn.Conv2d(widths[0], len(CHANNELS), 1)
        self.absent = nn.Parameter(torch.zeros(len(CHANNELS)))

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the maps."""
        skips = []
        features = images
        for block in self.down:
            features = block(features)
            skips.append(features)
        features = self.context(features)
        for block, skip in zip(self.up, skips[-2::-1], strict=True):
            features = nn.functional.interpolate(features, scale_factor=2.0, mode="nearest")
            features = block(torch.cat([features, skip], dim=1))
        logits: Tensor = self.head(features)
        return logits

    def log_probabilities(self, images: Tensor) -> Tensor:
        """(N, channels, H/2 * W/2 + 1): log-probability of each place; the last one is "not in view"."""
        logits = self(images).flatten(2)
        absent = self.absent.view(1, -1, 1).expand(logits.shape[0], -1, 1)
        return torch.log_softmax(torch.cat([logits, absent], dim=2), dim=2)


class LevelExport(nn.Module):
    """What goes into the pack: images -> maps (N, channels, H/2, W/2), each summing to 1 - P(not in view)."""

    def __init__(self, network: LevelUNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Probability maps."""
        probabilities = self.network.log_probabilities(images).exp()[:, :, :-1]
        return probabilities.view(-1, len(CHANNELS), images.shape[2] // 2, images.shape[3] // 2)

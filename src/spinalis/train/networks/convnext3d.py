"""Paper 5, stage 1a: a small 3-D ConvNeXt whose heads, one per target, name a slice and regress a point.

Depth is never pooled away: 32 slices stay 32 slices, so that a head can name one of them.

Source:
    Liu Z et al. A ConvNet for the 2020s. CVPR 2022 (block: depthwise convolution, layer norm, inverted bottleneck).
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

SLICES = 32
"""Slices of a volume. Source: paper 5, 2.1.1."""

KERNEL = (3, 5, 5)
PLANE = 4
"""In the plane, features are pooled to so many fields a side before a point is regressed."""

DEPTH_WIDTH = 16


class _Norm(nn.LayerNorm):
    """Layer norm over the channels of (N, C, D, H, W)."""

    def forward(self, features: Tensor) -> Tensor:
        return super().forward(features.movedim(1, -1)).movedim(-1, 1)


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv3d(width, width, KERNEL, padding="same", groups=width),
            _Norm(width),
            nn.Conv3d(width, 4 * width, 1),
            nn.GELU(),
            nn.Conv3d(4 * width, width, 1),
        )
        self.scale = nn.Parameter(torch.full((width, 1, 1, 1), 0.1))

    def forward(self, features: Tensor) -> Tensor:
        changed: Tensor = features + self.scale * self.body(features)
        return changed


class InstanceNumber(nn.Module):
    """(N, 1, 32, H, W) -> logits over the slices (N, T, 32), and points (N, T, 3) as x / W, y / H, z / 32.

    Args:
        targets: how many heads of each kind.
        widths: channels of the stages; each stage halves the plane, the first quarters it.
        depth: blocks per stage.
    """

    def __init__(self, targets: int, widths: Sequence[int] = (32, 64, 128), depth: int = 2) -> None:
        super().__init__()
        stages: list[nn.Module] = [nn.Conv3d(1, widths[0], (3, 4, 4), stride=(1, 4, 4), padding=(1, 0, 0))]
        stages += [_Block(widths[0]) for _ in range(depth)]
        for narrow, wide in pairwise(widths):
            stages += [_Norm(narrow), nn.Conv3d(narrow, wide, (1, 2, 2), stride=(1, 2, 2))]
            stages += [_Block(wide) for _ in range(depth)]
        self.encoder = nn.Sequential(*stages, _Norm(widths[-1]))
        self.narrow = nn.Conv3d(widths[-1], DEPTH_WIDTH, 1)
        features = DEPTH_WIDTH * (SLICES + PLANE**2)
        self.number = nn.ModuleList([nn.Linear(widths[-1] + features, SLICES) for _ in range(targets)])
        self.point = nn.ModuleList([nn.Linear(features, 3) for _ in range(targets)])
        self.along = nn.Conv1d(widths[-1], targets, 1)

    def forward(self, volumes: Tensor) -> tuple[Tensor, Tensor]:
        """Logits, points."""
        features = self.encoder(volumes)
        narrow = self.narrow(features)
        profile = narrow.mean(dim=(3, 4)).flatten(1)
        plane = nn.functional.adaptive_avg_pool2d(narrow.mean(dim=2), PLANE).flatten(1)
        places = torch.cat([profile, plane], dim=1)
        everything = torch.cat([features.mean(dim=(2, 3, 4)), places], dim=1)
        logits = torch.stack([head(everything) for head in self.number], dim=1)
        logits = logits + self.along(features.amax(dim=(3, 4)))
        return logits, torch.stack([head(places) for head in self.point], dim=1)

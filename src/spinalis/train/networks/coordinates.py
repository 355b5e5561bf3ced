"""Paper 5, stages 1b and 1c: a 2-D encoder that regresses a point per level or side; and the level, for 1c."""

from typing import Any

import timm
import torch
from torch import Tensor, nn

GRID = 4
"""The heads for points see the encoder's last map as a mean in each of so many by so many fields.

The paper does not say what its heads see. A mean over the whole picture, as a classifier takes it, has lost where
things are: an encoder without fetched weights then never answered more than the mean place of each level.
"""


class Coordinates(nn.Module):
    """(N, 3, H, W), a slice between its neighbours -> points (N, T, 2) as x / W and y / H, logits (N, K).

    Args:
        encoder: a name of timm's.
        targets: how many heads for points.
        classes: of the slice as a whole; 0 gives (N, 0).
        pretrained: fetch timm's ImageNet weights.
    """

    def __init__(self, encoder: str, *, targets: int, classes: int = 0, pretrained: bool = False) -> None:
        super().__init__()
        made: Any = timm.create_model(encoder, pretrained=pretrained, in_chans=3, num_classes=0, global_pool="")
        self.encoder = made
        self.fields = nn.Sequential(nn.AdaptiveAvgPool2d(GRID), nn.Flatten())
        self.point = nn.ModuleList([nn.Linear(made.head_hidden_size * GRID**2, 2) for _ in range(targets)])
        self.what = nn.Linear(made.head_hidden_size, classes) if classes else None

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Points, logits."""
        features = self.encoder(images)
        fields, mean = self.fields(features), features.mean(dim=(2, 3))
        points = torch.stack([0.5 + head(fields) for head in self.point], dim=1)
        logits = self.what(mean) if self.what is not None else mean[:, :0]
        return points, logits

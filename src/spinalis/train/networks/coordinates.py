"""Paper 5, stages 1b and 1c: a 2-D encoder that regresses a point per level or side; and the level, for 1c."""

from typing import Any

import timm
import torch
from torch import Tensor, nn


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
        made: Any = timm.create_model(encoder, pretrained=pretrained, in_chans=3, num_classes=0)
        self.encoder = made
        self.point = nn.ModuleList([nn.Linear(made.num_features, 2) for _ in range(targets)])
        self.what = nn.Linear(made.num_features, classes) if classes else None

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Points, logits."""
        features = self.encoder(images)
        points = torch.stack([0.5 + head(features) for head in self.point], dim=1)
        logits = self.what(features) if self.what is not None else features[:, :0]
        return points, logits

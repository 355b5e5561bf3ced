"""One trunk, five heads: what is this slice?"""

import timm
import torch
from torch import Tensor, nn


class TriageTrunk(nn.Module):
    """(N, 1, H, W) -> logits of every head, in the order of `heads`; H and W multiples of 32."""

    def __init__(self, heads: dict[str, int], backbone: str = "mobilenetv4_conv_small_050") -> None:
        super().__init__()
        self.trunk = timm.create_model(backbone, pretrained=False, in_chans=1, num_classes=0, drop_rate=0.2)
        with torch.inference_mode():
            width = self.trunk(torch.zeros(2, 1, 64, 64)).shape[1]
        self.heads = nn.ModuleDict({name: nn.Linear(width, classes) for name, classes in heads.items()})

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Logits, one tensor (N, classes) per head."""
        features = self.trunk(images)
        return tuple(head(features) for head in self.heads.values())

"""Papers 3 and 4: one ordinary image classifier per view, grades per condition and level from a whole slice."""

from collections.abc import Sequence
from typing import Any

import timm
import torch
from timm.utils.model import freeze
from torch import Tensor, nn

from spinalis.vocabulary import LEVELS


class PerView(nn.Module):
    """(N, 1, H, W), 0..1.3 -> logits (N, conditions, 5, outputs); H and W multiples of 32.

    The slice is repeated in three channels, as networks trained on photographs expect.

    Args:
        backbone: a name of timm's.
        conditions: how many conditions the view serves.
        outputs: 3 for grades, 1 for "moderate or severe".
        pretrained: fetch timm's ImageNet weights.
        frozen: early modules of the backbone that do not learn, statistics of BatchNorm included.
    """

    def __init__(
        self, backbone: str, *, conditions: int, outputs: int, pretrained: bool = False, frozen: Sequence[str] = ()
    ) -> None:
        super().__init__()
        made: Any = timm.create_model(backbone, pretrained=pretrained, num_classes=0)
        self.backbone = made
        self.shape = (conditions, len(LEVELS), outputs)
        self.head = nn.Linear(made.head_hidden_size, conditions * len(LEVELS) * outputs)
        for name in ("mean", "std"):
            values = torch.tensor(made.pretrained_cfg[name]).view(1, 3, 1, 1)
            self.register_buffer(name, values, persistent=False)
        self.mean: Tensor
        self.std: Tensor
        if frozen:
            freeze(made, list(frozen))  # type: ignore[no-untyped-call]

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        features = self.backbone((images.expand(-1, 3, -1, -1) - self.mean) / self.std)
        logits: Tensor = self.head(features).view(-1, *self.shape)
        return logits

"""One trunk, five heads: what is this slice? And how far is it from the slices of the training?"""

from typing import Any

import timm
import torch
from torch import Tensor, nn


class TriageTrunk(nn.Module):
    """(N, 1, H, W) -> logits of every head, in the order of `heads`; H and W multiples of 32."""

    trunk: Any
    """A model of timm."""

    def __init__(self, heads: dict[str, int], backbone: str = "mobilenetv4_conv_small_050") -> None:
        super().__init__()
        self.trunk = timm.create_model(backbone, pretrained=False, in_chans=1, num_classes=0, drop_rate=0.2)
        with torch.inference_mode():
            width = self.trunk(torch.zeros(2, 1, 64, 64)).shape[1]
        self.heads = nn.ModuleDict({name: nn.Linear(width, classes) for name, classes in heads.items()})

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Logits, one tensor (N, classes) per head."""
        features: Tensor = self.trunk(images)
        return self.answer(features)

    def answer(self, features: Tensor) -> tuple[Tensor, ...]:
        """Logits of every head from the pooled features."""
        return tuple(head(features) for head in self.heads.values())

    def look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Pooled features, and the textures (N, T): mean and spread over the picture of the maps of the inner stages.

        The maps of the last stage hold the classes and little else; those of the first tell little more than the next
        and are so large that they would double the time.
        """
        last, maps = self.trunk.forward_intermediates(images)
        means = [nn.functional.adaptive_avg_pool2d(found, 1) for found in maps[1:-1]]
        squares = [(found - mean).square() for found, mean in zip(maps[1:-1], means, strict=True)]
        spreads = [nn.functional.adaptive_avg_pool2d(found, 1).sqrt() for found in squares]
        return self.trunk.forward_head(last), torch.cat([*means, *spreads], dim=1).flatten(1)


class TriageExport(nn.Module):
    """What goes into the pack: images -> logits of every head, then `distance` (N,) from the slices of the training.

    The distance is that of Mahalanobis, squared and divided by the number of textures, so about 1 for the slices that
    it was fitted on; it needs `set_reference` first.

    Source:
        Lee et al., A simple unified framework for detecting out-of-distribution samples, NeurIPS 2018: a Gaussian of
        the features of every stage; here one Gaussian for all of them and all classes.
    """

    mean: Tensor
    whitening: Tensor

    def __init__(self, network: TriageTrunk) -> None:
        super().__init__()
        self.network = network
        with torch.inference_mode():
            width = network.look(torch.zeros(2, 1, 64, 64))[1].shape[1]
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("whitening", torch.eye(width))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Logits and distance."""
        features, textures = self.network.look(images)
        distance = ((textures - self.mean) @ self.whitening).square().mean(dim=1)
        return (*self.network.answer(features), distance)

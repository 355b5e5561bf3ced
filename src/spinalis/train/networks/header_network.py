"""What does the header say? Two perceptrons: one hears the tags alone, the other the geometry as well."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


class HeaderNetwork(nn.Module):
    """(N, features) -> logits of every head, in the order of `heads`, divided by its temperature.

    Heads named in `with_geometry` see all features, the others the first `tags` ones. In the simulator field and slices
    follow anatomy and contrast more strictly than in life, so a network that sees both believes the geometry too much.
    """

    def __init__(
        self, features: int, tags: int, heads: Mapping[str, int], with_geometry: Sequence[str], width: int
    ) -> None:
        super().__init__()
        self.tags, self.with_geometry = tags, tuple(with_geometry)
        self.said = nn.Sequential(nn.Linear(tags, width), nn.GELU(), nn.Dropout(0.1))
        self.placed = nn.Sequential(nn.Linear(features, width), nn.GELU(), nn.Dropout(0.1))
        self.heads = nn.ModuleDict({name: nn.Linear(width, classes) for name, classes in heads.items()})
        self.temperatures: Tensor
        self.register_buffer("temperatures", torch.ones(len(heads)))

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        """Calibrated logits, one tensor (N, classes) per head."""
        said, placed = self.said(features[:, : self.tags]), self.placed(features)
        return tuple(
            head(placed if name in self.with_geometry else said) / self.temperatures[place]
            for place, (name, head) in enumerate(self.heads.items())
        )

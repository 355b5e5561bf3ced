"""Paper 5, stage 2: an encoder for every crop, a Bi-LSTM over the crops, and two attentions.

Source:
    Paper 5, Listing 1: two layers, dropout 0.1, attention as tanh and a linear layer. Written anew.
"""

from typing import Any

import timm
import torch
from torch import Tensor, nn

from spinalis.vocabulary import SEVERITIES

HIDDEN = -1e4
"""Score of a crop that is not there: no attention after the softmax."""


class LstmMil(nn.Module):
    """Crops (N, I, 1, H, W) and mask (N, I) -> logits (N, 3), auxiliary scores (N, I), attention (N, I).

    Args:
        encoder: a name of timm's.
        bilstm: False leaves the recurrence out.
        shared_attention: True takes one attention for both uses.
        pretrained: fetch timm's ImageNet weights.
    """

    def __init__(
        self, encoder: str, *, bilstm: bool = True, shared_attention: bool = False, pretrained: bool = False
    ) -> None:
        super().__init__()
        made: Any = timm.create_model(encoder, pretrained=pretrained, in_chans=1, num_classes=0)
        self.encoder = made
        width = made.head_hidden_size
        self.lstm = (
            nn.LSTM(width, width // 2, num_layers=2, batch_first=True, dropout=0.1, bidirectional=True)
            if bilstm
            else None
        )
        self.attention = nn.Sequential(nn.Tanh(), nn.Linear(width, 1))
        self.auxiliary = self.attention if shared_attention else nn.Sequential(nn.Tanh(), nn.Linear(width, 1))
        self.head = nn.Linear(width, len(SEVERITIES))

    def forward(self, crops: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, auxiliary scores, attention."""
        features = self.encoder(crops.flatten(0, 1)).view(*crops.shape[:2], -1) * mask[:, :, None]
        if self.lstm is not None:
            features, _ = self.lstm(features)
        absent = mask < 0.5
        auxiliary = self.auxiliary(features).squeeze(-1).masked_fill(absent, HIDDEN)
        attention = torch.softmax(self.attention(features).squeeze(-1).masked_fill(absent, HIDDEN), dim=1)
        pooled = (features * attention[:, :, None]).sum(dim=1)
        return self.head(pooled), auxiliary, attention

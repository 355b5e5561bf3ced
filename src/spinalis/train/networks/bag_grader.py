"""Attention over a bag of crops: one encoder per view, one attention and one classifier per output."""

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from spinalis.grade.crops import SLOTS, VIEWS
from spinalis.grade.grade import VIEWS_OF, slots_of
from spinalis.vocabulary import SEVERITIES


class _Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.skip = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, images: Tensor) -> Tensor:
        return torch.relu(self.body(images) + self.skip(images))


def _encoder(channels: int, widths: tuple[int, ...]) -> nn.Sequential:
    stem = nn.Sequential(
        nn.Conv2d(channels, widths[0], 5, stride=2, padding=2, bias=False),
        nn.BatchNorm2d(widths[0]),
        nn.ReLU(inplace=True),
    )
    blocks = [_Residual(a, b) for a, b in pairwise(widths)]
    return nn.Sequential(stem, *blocks, nn.Conv2d(widths[-1], widths[-1], 3, padding=1), nn.ReLU(inplace=True))


class BagGrader(nn.Module):
    """Crops (N, slots, C, H, W) and mask (N, slots) -> per output logits (N, 3), then per output attention (N, slots).

    A masked crop gets no attention; an output whose crops are all masked answers from its bias alone and must not
    be used.
    """

    def __init__(self, channels: int = 1, widths: tuple[int, ...] = (16, 32, 64, 96)) -> None:
        super().__init__()
        self.widths = widths
        self.encoders = nn.ModuleDict({view.name: _encoder(channels, widths) for view in VIEWS})
        self.sizes = [len(view.offsets_mm) for view in VIEWS]
        width = 2 * widths[-1]
        self.slot = nn.Parameter(torch.zeros(len(SLOTS), width))
        self.gate = nn.ModuleDict(
            {name: nn.Sequential(nn.Linear(width, 48), nn.Tanh(), nn.Linear(48, 1)) for name in VIEWS_OF}
        )
        self.head = nn.ModuleDict(
            {name: nn.Sequential(nn.Dropout(0.2), nn.Linear(width, len(SEVERITIES))) for name in VIEWS_OF}
        )
        allowed = torch.zeros(len(VIEWS_OF), len(SLOTS))
        for row, name in enumerate(VIEWS_OF):
            allowed[row, slots_of(name)] = 1.0
        self.register_buffer("allowed", allowed)
        self.allowed: Tensor

    def forward(self, crops: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """Logits of every output, then their attention."""
        return self.attend(self.pooled(self.maps(crops)), mask)

    def classifier(self, name: str) -> nn.Linear:
        """The last layer of an output."""
        return cast(nn.Linear, cast(nn.Sequential, self.head[name])[-1])

    def maps(self, crops: Tensor) -> Tensor:
        """Feature maps (N, slots, F, h, w) of all crops."""
        parts = torch.split(crops, self.sizes, dim=1)
        found = [
            encoder(part.flatten(0, 1)).unflatten(0, (-1, size))
            for encoder, part, size in zip(self.encoders.values(), parts, self.sizes, strict=True)
        ]
        return torch.cat(found, dim=1)

    @staticmethod
    def pooled(maps: Tensor) -> Tensor:
        """Features (N, slots, 2 F) of all crops: mean and maximum of every map."""
        return torch.cat([maps.mean(dim=(3, 4)), maps.amax(dim=(3, 4))], dim=2)

    def attend(self, features: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """Logits of every output, then their attention, from the features of the crops."""
        features = features + self.slot
        logits, attentions = [], []
        for row, name in enumerate(VIEWS_OF):
            score = self.gate[name](features).squeeze(2)
            weight = torch.exp(score.clamp(-8.0, 8.0)) * mask * self.allowed[row]
            attention = weight / (weight.sum(dim=1, keepdim=True) + 1e-6)
            attentions.append(attention)
            logits.append(self.head[name]((features * attention.unsqueeze(2)).sum(dim=1)))
        return (*logits, *attentions)


class GraderExport(nn.Module):
    """A grader that explains itself: logits, attention, then a class-activation map (N, 3, slots, h, w) per output.

    A map says how much each place of each crop adds to the logit of each grade. Pooling by mean and by maximum and
    the classifier are linear in the features that they pick, so the shares are exact: summed over crops and places they
    are the logit without what belongs to no place, the bias and the place of a crop in the bag.

    Source: Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016, with attention as weight.
    """

    def __init__(self, network: BagGrader) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """Logits, attention and maps of every output."""
        maps = self.network.maps(crops)
        answers = self.network.attend(self.network.pooled(maps), mask)
        top = (maps == maps.amax(dim=(3, 4), keepdim=True)).to(maps.dtype)
        top = maps * top / top.sum(dim=(3, 4), keepdim=True)
        mean = maps / (maps.shape[3] * maps.shape[4])
        shares = []
        for name, attention in zip(VIEWS_OF, answers[len(VIEWS_OF) :], strict=True):
            for_mean, for_top = self.network.classifier(name).weight.chunk(2, dim=1)
            share = torch.einsum("nsfhw,kf->nkshw", mean, for_mean) + torch.einsum("nsfhw,kf->nkshw", top, for_top)
            shares.append(share * attention[:, None, :, None, None])
        return (*answers, *shares)

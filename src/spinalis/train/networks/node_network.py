"""One question, one network: any timm backbone with a classifier."""

from collections.abc import Mapping
from typing import Any

import timm
import torch
from torch import Tensor, nn

from spinalis.errors import RecipeError


def node_network(backbone: str, classes: int, size: int) -> nn.Module:
    """An untrained network (N, 1, size, size) -> (N, classes) logits.

    Raises:
        RecipeError: timm has no such backbone, or it does not take pictures of this size.
    """
    if not timm.is_model(backbone):
        raise RecipeError(f"Backbone: expected a model of timm, got {backbone}. List them with timm.list_models().")
    # Attention of a fixed window has to be told the size; convolutions take any.
    fixed: dict[str, Any] = {"img_size": size} if backbone.startswith("efficientvit_m") else {}
    network: nn.Module = timm.create_model(backbone, pretrained=False, in_chans=1, num_classes=classes, **fixed)
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, 1, size, size))
    except (RuntimeError, AssertionError) as error:
        raise RecipeError(
            f"Backbone {backbone}: expected a size that it takes, got {size}. Choose a multiple of 32."
        ) from error
    return network.train().to(memory_format=torch.channels_last)  # up to twice as fast on a CPU


def transfer(weights: Mapping[str, Tensor], network: nn.Module) -> int:
    """Take over all weights of the same name and shape, that is all but the classifier's; how many were taken.

    Raises:
        RecipeError: fewer than nine in ten parameters fit, so the weights are of another backbone or size.
    """
    own = network.state_dict()
    fitting = {name: value for name, value in weights.items() if name in own and own[name].shape == value.shape}
    share = sum(value.numel() for value in fitting.values()) / max(1, sum(value.numel() for value in own.values()))
    if share < 0.9:
        raise RecipeError(
            f"Transfer: expected the weights of the same backbone and size, got {100 * share:.0f} % that fit. "
            "Correct --set start."
        )
    network.load_state_dict(fitting, strict=False)
    return len(fitting)

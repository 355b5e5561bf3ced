"""Networks that see a whole series at once, from MONAI."""

from torch import nn

from spinalis.errors import RecipeError

NETWORKS = ("densenet121", "resnet18", "efficientnet-b0")
"""The paper's best first."""

SMALLEST = 32
"""Every side of a volume is a multiple of it: DenseNet-121 halves five times."""


def volume_network(name: str, classes: int, depth: int, size: int) -> nn.Module:
    """An untrained network (N, 1, depth, size, size) -> (N, classes) logits.

    Raises:
        RecipeError: there is no such network, or it does not take volumes of this shape.
    """
    # Takes seconds to import, and only volumes need it.
    from monai.networks.nets.densenet import DenseNet121  # noqa: PLC0415
    from monai.networks.nets.efficientnet import EfficientNetBN  # noqa: PLC0415
    from monai.networks.nets.resnet import resnet18  # noqa: PLC0415

    if name not in NETWORKS:
        raise RecipeError(f"Network: expected one of {', '.join(NETWORKS)}, got {name}. Correct --set network.")
    if depth % SMALLEST or size % SMALLEST or min(depth, size) < SMALLEST:
        raise RecipeError(
            f"Volume: expected multiples of {SMALLEST} as depth and size, got {depth} and {size}. Correct --set."
        )
    network: nn.Module
    if name == "densenet121":
        network = DenseNet121(spatial_dims=3, in_channels=1, out_channels=classes)
    elif name == "resnet18":
        network = resnet18(spatial_dims=3, n_input_channels=1, num_classes=classes)
    else:
        network = EfficientNetBN(name, pretrained=False, spatial_dims=3, in_channels=1, num_classes=classes)
    return network

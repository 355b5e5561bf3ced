"""From a pack back to a network that can be trained: the weights are read out of the ONNX graph."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from spinalis.errors import PackError
from spinalis.grade.crops import SLOTS, VIEWS
from spinalis.grade.grade import VIEWS_OF
from spinalis.models import Pack
from spinalis.train.export import GOLDEN_TOLERANCE
from spinalis.train.networks.bag_grader import BagGrader

WRAPPED = "network."
"""The exporter names weights after the module that it was given: a `GraderExport` holds the grader under this name."""

Weights = Mapping[str, NDArray[np.float32]]


def load_grader(pack: Pack) -> BagGrader:
    """The network of a `grade` pack, in evaluation mode.

    The exporter folds each batch norm into the convolution before it: it comes back as the identity with a bias, so its
    statistics must not be trained on, see `freeze_statistics`.

    Raises:
        PackError: the pack holds another network, or the network answers differently from the pack.
    """
    try:
        graph = onnx.load(pack.folder / "model.onnx").graph
        weights = _weights(graph)
        network = BagGrader(**_shape(weights)).eval()
        _fill(network, weights)
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise PackError(
            f"Pack {pack.manifest.name}: expected the weights of the grader of this version, got {type(error).__name__}"
            f" {error}. Adapt a pack that `spinalis export` made."
        ) from error
    difference = _difference(network, pack)
    if not difference <= GOLDEN_TOLERANCE:
        raise PackError(
            f"Pack {pack.manifest.name}: expected its network to answer as it does within {GOLDEN_TOLERANCE}, got "
            f"{difference:.2g}. Adapt a pack that `spinalis export` made."
        )
    return network


def freeze_statistics(network: nn.Module) -> nn.Module:
    """Set a network to training, but keep the statistics of its batch norms as they are."""
    network.train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    return network


def _weights(graph: Any) -> dict[str, NDArray[np.float32]]:
    """Arrays of the graph by name; a matrix that the exporter turned round is named after the bias that is added."""
    found = {item.name.removeprefix(WRAPPED): numpy_helper.to_array(item) for item in graph.initializer}
    product = {node.output[0]: node.input[1] for node in graph.node if node.op_type == "MatMul"}
    for node in graph.node:
        if node.op_type == "Add":
            for name, other in (tuple(node.input), tuple(node.input)[::-1]):
                if name.endswith(".bias") and other in product:
                    layer = name.removeprefix(WRAPPED).removesuffix("bias")
                    found[f"{layer}weight"] = found[product[other].removeprefix(WRAPPED)].T
    return found


def _shape(weights: Weights) -> dict[str, Any]:
    stem = weights[f"encoders.{VIEWS[0].name}.0.0.weight"]
    widths, block = [stem.shape[0]], 1
    while (name := f"encoders.{VIEWS[0].name}.{block}.body.0.weight") in weights:
        widths.append(weights[name].shape[0])
        block += 1
    return {"channels": stem.shape[1], "widths": tuple(widths)}


def _fill(network: BagGrader, weights: Weights) -> None:
    state = network.state_dict()
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            parent, _, place = name.rpartition(".")
            state[f"{name}.bias"] = _tensor(weights[f"{parent}.{int(place) - 1}.weight_bias"])
            state[f"{name}.weight"] = torch.ones_like(module.weight)
            state[f"{name}.running_mean"] = torch.zeros_like(module.weight)
            state[f"{name}.running_var"] = torch.full_like(module.weight, 1.0 - module.eps)
        elif isinstance(module, nn.Conv2d | nn.Linear):
            state[f"{name}.weight"] = _tensor(weights[f"{name}.weight"])
            if module.bias is not None:
                state[f"{name}.bias"] = _tensor(weights[f"{name}.bias"])
    state["slot"] = _tensor(weights["slot"])
    network.load_state_dict(state)


def _tensor(array: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.array(array))


def _difference(network: BagGrader, pack: Pack) -> float:
    """Largest difference of the logits on crops of noise, relative to the largest logit."""
    spec = pack.manifest.input("crops")
    rng = np.random.default_rng(0)
    crops = rng.random((2, len(SLOTS), len(spec.channels), spec.height, spec.width), np.float32)
    mask = np.ones((2, len(SLOTS)), np.float32)
    expected = pack.run(crops=crops, mask=mask)
    with torch.inference_mode():
        answers = network(torch.from_numpy(crops), torch.from_numpy(mask))
    return max(
        float(np.abs(found.numpy() - expected[name]).max() / max(1e-6, float(np.abs(expected[name]).max())))
        for name, found in zip(VIEWS_OF, answers, strict=False)
    )

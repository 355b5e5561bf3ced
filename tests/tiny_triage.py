"""A triage pack with a network of one convolution, for tests of what is done with packs."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from spinalis.models import Score
from spinalis.models.prepare import InputSpec
from spinalis.train.export import PackText, write_pack
from spinalis.train.triage import CLASSES

SPEC = InputSpec(height=32, width=32)
LABELS = {name: tuple("abcd"[:classes]) for name, classes in CLASSES.items()}


def tiny_network(file: Path) -> None:
    """Writes a convolution, its mean, and the five heads."""
    rng = np.random.default_rng(3)
    weights = {"kernel": rng.normal(size=(8, 1, 3, 3)), "offset": np.zeros(8)}
    nodes = [
        helper.make_node("Conv", ["images", "kernel", "offset"], ["maps"], "conv", strides=[2, 2]),
        helper.make_node("Relu", ["maps"], ["active"], "relu"),
        helper.make_node("GlobalAveragePool", ["active"], ["mean"], "mean"),
        helper.make_node("Flatten", ["mean"], ["features"], "flatten"),
    ]
    for name, classes in CLASSES.items():
        weights[f"{name}_weight"] = rng.normal(size=(8, classes))
        nodes.append(helper.make_node("Gemm", ["features", f"{name}_weight"], [name], f"{name}_head"))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 1, 32, 32])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", n]) for name, n in CLASSES.items()],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, file)


def triage_pack(folder: Path, task: str = "triage") -> Path:
    folder.mkdir()
    tiny_network(folder / "model.onnx")
    text = PackText(
        name="triage",
        task=task,
        version="0",
        inputs={"images": SPEC},
        labels=LABELS,
        settings={"temperature": {"region": 2.0}},
        training_data=("nothing",),
        scores=(Score(output="triage", on="real", figures="none"),),
        notes=(),
    )
    write_pack(folder, text)
    return folder

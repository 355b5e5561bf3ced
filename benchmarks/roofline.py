"""The least time that a network can take on one core: its arithmetic and its weights against what the core can do."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

SIDE = 1024
"""Rows and columns of the matrices that measure the peak of arithmetic."""

COPIED = 2**25
"""Numbers of 32 bit that are copied to measure the bandwidth: 128 MB, more than a core's cache."""

TRIALS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """What one core can do: operations per second in large products, bytes per second in large copies."""

    fp32: float
    int8: float
    bandwidth: float


def measure() -> Peak:
    """The best of several trials, each by CPU time, on the threads that torch is set to."""
    rng = np.random.default_rng(1)
    matrix = torch.from_numpy(rng.normal(size=(SIDE, SIDE)).astype(np.float32))
    product = integer_product(rng.integers(-127, 127, (SIDE, SIDE)).astype(np.int8))
    left = {"left": rng.integers(0, 255, (SIDE, SIDE)).astype(np.uint8)}
    source, target = np.ones(COPIED, np.float32), np.zeros(COPIED, np.float32)
    return Peak(
        fp32=2 * SIDE**3 / best(lambda: torch.mm(matrix, matrix)),
        int8=2 * SIDE**3 / best(lambda: product.run(None, left)),
        bandwidth=2 * source.nbytes / best(lambda: np.copyto(target, source)),
    )


def integer_product(right: np.ndarray) -> onnxruntime.InferenceSession:
    """A session, on one thread, that multiplies uint8 matrices by an int8 one."""
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["left", "right"], ["product"])],
        "product",
        [helper.make_tensor_value_info("left", TensorProto.UINT8, [None, right.shape[0]])],
        [helper.make_tensor_value_info("product", TensorProto.INT32, [None, right.shape[1]])],
        [numpy_helper.from_array(right, "right")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def best(task: Callable[[], object]) -> float:
    """The least CPU seconds of several trials."""
    seconds = []
    for _ in range(TRIALS):
        start = time.process_time()
        task()
        seconds.append(time.process_time() - start)
    return min(seconds)


def seconds(file: Path, rate: float, peak: Peak, batch: int) -> float:
    """The least seconds per slice: the larger of a model's operations at a rate and of its file read once per batch."""
    return max(operations(file) / rate, file.stat().st_size / batch / peak.bandwidth)


def operations(file: Path) -> int:
    """Multiplications and additions of the convolutions and products of a model in 32 bit, for one slice.

    Args:
        file: an ONNX model whose inputs have their batch size alone left open.
    """
    model = onnx.load(file)
    for item in model.graph.input:
        item.type.tensor_type.shape.dim[0].dim_value = 1
    del model.graph.value_info[:]
    model = onnx.shape_inference.infer_shapes(model, data_prop=True)
    shapes = {item.name: [d.dim_value for d in item.type.tensor_type.shape.dim] for item in model.graph.value_info}
    shapes |= {item.name: [d.dim_value or 1 for d in item.type.tensor_type.shape.dim] for item in model.graph.output}
    shapes |= {item.name: list(item.dims) for item in model.graph.initializer}
    return sum(_operations(node, shapes) for node in model.graph.node)


def _operations(node: onnx.NodeProto, shapes: dict[str, list[int]]) -> int:
    if node.op_type not in ("Conv", "Gemm", "MatMul"):
        return 0
    weight, answers = shapes[node.input[1]], int(np.prod(shapes[node.output[0]]))
    if node.op_type == "Conv":
        return 2 * answers * int(np.prod(weight[1:]))
    if node.op_type == "MatMul":
        return 2 * answers * weight[-2]
    return 2 * answers * int(np.prod(weight)) // shapes[node.output[0]][-1]

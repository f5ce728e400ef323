"""One-operator models beside ONNX Runtime: every operator the reader knows, random attributes, shapes and versions.

    python -m benchmarks.fuzz.operators [--seconds 3600] [--seed 0] [--only CASE]

Attributes are drawn from the standard's own schemas. The value of the network that is read equals the runtime's at
random points within float32's rounding, or reading ends in a `ModelError`; what the runtime refuses is refused.
"""

from __future__ import annotations

import sys

import numpy as np
import onnx
import onnxruntime
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from benchmarks.fuzz.harness import Case, fuzz
from verifier import VerifierError, load_network
from verifier.evidence.replay import Replay
from verifier.network.graph import Network
from verifier.readers.onnx.registry import supported_operators

LIMIT = 20.0
TOLERANCE = 2e-4
POINTS = 6
STEPS = {"Sign", "Floor", "Ceil", "Round", "ThresholdedRelu", "Shrink"}
"""Operators whose value jumps, so that a rounding before may move it: none happens before them here."""

CHOICES: dict[str, list] = {
    "auto_pad": ["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"],
    "mode": ["constant", "reflect", "edge", "wrap", "nearest", "linear", "cubic", "NEAREST", "DCR", "CRD"],
    "coordinate_transformation_mode": [
        "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize",
        "tf_half_pixel_for_nn",
    ],
    "nearest_mode": ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"],
    "keep_aspect_ratio_policy": ["stretch", "not_larger", "not_smaller"],
    "approximate": ["none", "tanh"],
    "reduction": ["none", "add", "mul", "max", "min"],
    "padding_mode": ["zeros", "border", "reflection"],
    "direction": ["forward", "forward", "reverse", "bidirectional"],
    "equation": [
        "...->...", "...i->...", "...ij->...ji", "i...,...->i...", "ij,jk->ik", "ij,ij->", "abcd->dcab", "ijk->",
    ],
}  # fmt: skip
WINDOWS = ("kernel_shape", "strides", "dilations")
VALUES = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 2.0, 3.0, -3.0, 6.0]


def attribute(name: str, kind: int, rank: int, rng: np.random.Generator):
    """A random value of the attribute, sensible more often than not."""
    spatial = max(1, rank - 2) + int(rng.choice([0, 0, 0, 0, 0, 0, 0, 0, 1, -1]))
    if name in CHOICES:
        return str(rng.choice(CHOICES[name]))
    if kind == AttributeProto.INT:
        flags = ("keepdims", "ceil_mode", "count_include_pad", "noop_with_empty_axes", "transA", "transB", "upper")
        if name in flags or rng.random() < 0.3:
            return int(rng.integers(0, 2))
        if name in ("hidden_size", "num_groups", "p", "size"):
            return 3 if name == "hidden_size" else int(rng.integers(1, 4))
        if name == "to":
            return int(rng.choice([1, 1, 11, 7, 6, 9, 10, 16]))
        return int(rng.integers(-rank - 1, rank + 2))
    if kind == AttributeProto.INTS:
        if name in WINDOWS:
            return rng.integers(1, 4, spatial).tolist()
        if name == "pads":
            return rng.integers(-1 if rng.random() < 0.1 else 0, 3, 2 * spatial).tolist()
        if name == "perm":
            return rng.permutation(rank).tolist()
        if name in ("output_padding", "output_shape"):
            return rng.integers(0, 6, spatial).tolist()
        if name in ("starts", "ends", "axes") or rng.random() < 0.5:
            return rng.integers(-rank, rank, int(rng.integers(1, rank + 1))).tolist()
        return rng.integers(-1, 5, int(rng.integers(0, rank + 1))).tolist()
    if kind == AttributeProto.FLOAT:
        return float(rng.choice([0.0, 0.5, 1.0, -1.0, 1e-5, 2.0, rng.normal()]))
    if kind == AttributeProto.FLOATS:
        return rng.normal(size=rank).tolist()
    return str(rng.choice(["", "none", "linear", "constant"])) if kind == AttributeProto.STRING else None


def operand(op: str, k: int, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """A constant operand of an operator whose first operand has that shape."""
    rank, channels = len(shape), shape[1] if len(shape) > 1 else shape[0]
    whole = {
        "Reshape", "Expand", "Tile", "Slice", "Split", "Squeeze", "Unsqueeze", "Gather", "GatherElements", "GatherND",
        "ScatterND", "ScatterElements", "Pad", "Resize", "Trilu", "CumSum", "ConstantOfShape", "OneHot", "TopK",
    }  # fmt: skip
    if op in HIDDEN and k in (1, 2, 3):
        return recurrent_weight(op, k, shape, rng)
    if op in ("QuantizeLinear", "DequantizeLinear"):
        count = () if rng.random() < 0.6 else (channels,)
        return rng.uniform(0.01, 0.2, count) if k == 1 else rng.integers(0, 256, count).astype(np.uint8)
    if op == "CumSum":
        return np.array(rng.integers(-rank - 1, rank + 1))
    if op == "ReverseSequence":
        return rng.integers(0, shape[0] + 1, channels).astype(np.int64)
    if op == "Compress":
        return rng.random(int(rng.integers(1, 5))) < 0.6
    if op == "GridSample":
        return rng.normal(size=(shape[0], *rng.integers(1, 4, max(rank - 2, 1)), max(rank - 2, 1)))
    if op.startswith("Reduce"):
        return rng.integers(-rank, rank, int(rng.integers(0, rank + 1))).astype(np.int64)
    if op in ("Conv", "ConvTranspose") and k == 1:
        kernel = tuple(rng.integers(1, 4, max(0, rank - 2)).tolist())
        return rng.normal(size=(channels if op == "ConvTranspose" else int(rng.integers(1, 4)), channels, *kernel))
    if op == "MatMul":
        return rng.normal(size=(shape[-1], 3))
    if op == "Gemm" and k == 1:
        return rng.normal(size=(shape[-1], int(rng.integers(1, 4))))
    if op == "Clip":
        return np.array(rng.choice([*VALUES, np.inf, -np.inf, 3.4e38]))
    if op == "Resize":
        if k == 1:
            return rng.random(0 if rng.random() < 0.8 else 2 * rank)
        if k == 2:
            return rng.choice([0.5, 1.0, 1.5, 2.0, 0.7], 0 if rng.random() < 0.2 else rank)
        return rng.integers(1, 7, rank).astype(np.int64)
    if op in ("ScatterND", "ScatterElements") and k == 2:
        return rng.normal(size=(2,) * rank)
    if op == "Pad" and k == 2:
        return np.array(rng.choice(VALUES))
    if op in ("GatherElements", "ScatterElements"):
        return rng.integers(-2, 3, (2,) * rank).astype(np.int64)
    if op == "Slice":
        return rng.choice([-3, -2, -1, 0, 1, 2, 3, 2**31 - 1, 2**63 - 1, -(2**63)], 1).astype(np.int64)
    if op == "Reshape":
        return rng.choice([-1, 0, 1, 2, 3, int(np.prod(shape))], int(rng.integers(1, 4))).astype(np.int64)
    if op in whole:
        count = 2 * rank if op == "Pad" and k == 1 else int(rng.choice([1, rank]))
        return rng.integers(-1 if rng.random() < 0.3 else 0, 4, count).astype(np.int64)
    if op == "Where" and k == 0:
        return rng.random(shape) < 0.5
    if op in ("BatchNormalization", "InstanceNormalization", "PRelu") or rng.random() < 0.2:
        values = rng.normal(size=channels)
        return np.abs(values) + 0.1 if k == 4 else values
    if op == "Pow":
        return np.array(rng.choice([0.0, 1.0, 2.0, 3.0, 0.5, -1.0]))
    return rng.choice(VALUES, shape if rng.random() < 0.6 else shape[-1:]) + (rng.normal() if rng.random() < 0.5 else 0)


NO_FLOAT = {
    "Cast", "Shape", "Size", "QuantizeLinear", "ArgMax", "ArgMin", "Equal", "Less", "LessOrEqual", "Greater",
    "GreaterOrEqual", "IsNaN", "IsInf",
}  # fmt: skip
"""Operators whose values are brought back to float."""
HIDDEN = {"RNN": 1, "GRU": 3, "LSTM": 4}
"""Gates of the recurrent operators."""


def recurrent_weight(op: str, k: int, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """W, R or B of one direction and three hidden entries."""
    gates, width = 3 * HIDDEN[op], shape[-1]
    return rng.normal(size=[(1, gates, width), (1, gates, 3), (1, 2 * gates)][k - 1])


def model(op: str, rng: np.random.Generator) -> onnx.ModelProto | None:
    """A random model of one node."""
    version = int(rng.integers(7 if rng.random() < 0.9 else 1, onnx.defs.onnx_opset_version() + 1))
    try:
        schema = onnx.defs.get_schema(op, version, "")
    except onnx.defs.SchemaError:
        return None
    rank = int(rng.choice([1, 2, 3, 4, 4, 4, 5]))
    shape = tuple(rng.integers(1, 6, rank).tolist())
    attributes = []
    for name, declared in schema.attributes.items():
        if declared.required or rng.random() < 0.45:
            value = attribute(name, int(declared.type.value), rank, rng)
            if value is not None:
                attributes.append(helper.make_attribute(name, value, attr_type=int(declared.type.value)))
    least = schema.min_input
    most = max(least, min(schema.max_input, 6))
    count = int(rng.integers(least, most + 1)) if rng.random() < 0.5 else min(max(least, 2), most)
    variable = 1 if op == "Where" else 0
    names, constants = [], []
    for k in range(count):
        again = op in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean", "Concat") and rng.random() < 0.3
        if k == variable or again:
            names.append("x")
        elif k >= least and schema.max_input <= 8 and rng.random() < 0.15:  # variadic ones crash the runtime
            names.append("")
        else:
            names.append(f"c{k}")
            array = np.asarray(operand(op, k, shape, rng))
            array = array.astype(np.float32) if array.dtype.kind == "f" else array
            constants.append(numpy_helper.from_array(array, names[-1]))
    outputs = [f"y{k}" for k in range(max(1, schema.min_output))]
    outputs += [f"y{k}" for k in range(1, int(rng.integers(1, 4)))] if op == "Split" else []
    node = helper.make_node(op, names, outputs)
    node.attribute.extend(attributes)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y0", TensorProto.FLOAT, None)
    node, extra = _float_output(op, node, attributes)
    graph = helper.make_graph([node, *extra], "fuzz", [x], [y], constants)
    built = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=10)
    return _with_sizes(built)


def _float_output(op: str, node: onnx.NodeProto, attributes: list) -> tuple[onnx.NodeProto, list[onnx.NodeProto]]:
    """Brings what is no float back to it."""
    if op not in NO_FLOAT:
        return node, []
    node.output[0] = "z"
    return node, [helper.make_node("Cast", ["z"], ["y0"], to=TensorProto.FLOAT)]


def _with_sizes(built: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its output's shape as ONNX infers it, where it can (of a strange GatherND it dies)."""
    if any(node.op_type == "GatherND" for node in built.graph.node):
        return built
    try:
        inferred = onnx.shape_inference.infer_shapes(built, strict_mode=True)
    except Exception:
        return built
    built.graph.output[0].CopyFrom(inferred.graph.output[0])
    return built


def session(data: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def work(case: Case) -> None:
    operators = supported_operators()
    built = None
    while built is None:
        op = str(case.rng.choice(operators))
        built = model(op, case.rng)
    path = case.folder / "net.onnx"
    path.write_bytes(built.SerializeToString())
    shape = [d.dim_value for d in built.graph.input[0].type.tensor_type.shape.dim]
    points = case.rng.normal(size=(POINTS, *shape)).astype(np.float32)
    points[0] = case.rng.choice(VALUES, shape)
    points[1] = np.abs(points[1])
    try:
        theirs = session(path.read_bytes())
        values = [theirs.run(["y0"], {"x": point})[0] for point in points]
        refusal = ""
    except Exception as error:
        refusal = str(error)
    try:
        network = load_network(path)
    except VerifierError as error:
        case.count(f"refused by both: {op}" if refusal else f"refused alone: {op}: {error.cause[:70]}")
        return
    if refusal:
        refused_late(case, network, refusal, op)
        return
    got = network.forward(points.reshape(len(points), -1).astype(np.float64))
    compare(case, got, values, op)


def refused_late(case: Case, network: Network, refusal: str, op: str) -> None:
    """The runtime refuses: reading should, or else the judge, without whom nothing is proved."""
    try:
        Replay(network).require_accepted()
    except VerifierError:
        case.count(f"refused only by the judge: {op}")
    except Exception as error:
        case.blame(f"traceback of the judge: {op}", str(error)[:300])
    else:
        case.blame(f"read what the runtime refuses: {op}", refusal[:300])


def compare(case: Case, got: np.ndarray, values: list[np.ndarray], op: str) -> None:
    """Sets values of some points, shape (N, outputs), beside the runtime's."""
    want = np.array([v.astype(np.float64).ravel() for v in values])
    if got.shape != want.shape:
        case.blame(f"another size: {op}", f"{got.shape}, the runtime {want.shape}")
        return
    finite = np.isfinite(want)
    if not finite.any():
        case.count(f"no finite value: {op}")
        return
    scale = 1.0 + np.abs(want[finite]).max()
    off = np.abs(got[finite] - want[finite]).max()
    if off <= TOLERANCE * scale:
        case.count(f"equal: {op}")
    else:
        case.blame(f"DIFFERENT: {op}", f"by {off:g} of {scale:g}")


if __name__ == "__main__":
    sys.exit(min(1, fuzz("operators", work, LIMIT, __doc__)))

"""Random small networks beside exact truth, half the thresholds at the extremum itself.

    python -m benchmarks.fuzz.networks [--seconds 3600] [--seed 0] [--only CASE]

Relu, clip, max, min, abs, leaky relu, max pooling, twins, skip connections, fixed inputs, equal ends, strict and other
rows, several disjuncts, boxes and balls; weights are small dyadic numbers, so that truth is found in fractions. Each
case asks `auto` and two other methods. Wrong is `unsat` of what is violated, and `sat` where no input violates, unless
the runtime itself rounds into the violation at that witness.
"""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks.fuzz import exact
from benchmarks.fuzz.exact import Form, Region, TooMany
from benchmarks.fuzz.harness import Case, fuzz
from verifier import Ball, Options, Verdict, VerifierError, load_network, load_property, verify
from verifier.checker.main import check
from verifier.deadline import Deadline
from verifier.methods import METHODS
from verifier.proofs.draft import GivenUp
from verifier.proofs.write import proof_of
from verifier.property.query import Box, Disjunct, LinearConstraint, Query

TIMEOUT, SHORT = 2.0, 1.0
LIMIT = 40.0
OTHERS = [name for name in METHODS if name != "auto"]


@dataclass
class Model:
    """A network under construction: ONNX nodes, and its regions with exact forms."""

    rng: np.random.Generator
    regions: list[Region]
    width: int
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    current: str = "x"
    used: list[str] = field(default_factory=list)

    def emit(self, op: str, *constants: np.ndarray, operands: tuple[str, ...] = (), **attributes: object) -> str:
        names = []
        for array in constants:
            names.append(f"c{len(self.constants)}")
            self.constants.append(numpy_helper.from_array(np.asarray(array), names[-1]))
        out = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, [*(operands or (self.current,)), *names], [out], **attributes))
        self.current = out
        return out

    def affine(self, weights: np.ndarray, bias: np.ndarray) -> None:
        """Y = weights @ x + bias, as Gemm or as MatMul and Add."""
        if self.rng.random() < 0.5:
            self.emit("Gemm", weights.T.astype(np.float32), bias.astype(np.float32))
        else:
            self.emit("MatMul", weights.T.astype(np.float32))
            self.emit("Add", bias.astype(np.float32))
        exactly = [
            ([Fraction(w) for w in row], Fraction(b)) for row, b in zip(weights.tolist(), bias.tolist(), strict=True)
        ]
        self.regions = [Region(r.points, tuple(exact.combine(r.forms, w, b) for w, b in exactly)) for r in self.regions]
        self.width = len(bias)

    def choose(self, options: list[list[tuple[int, Fraction, Fraction]]], sign: int = 1) -> None:
        """Entry k becomes the largest (sign 1) or smallest (-1) of factor * x[i] + constant over its options."""
        refined = []
        for region in self.regions:
            parts: list[tuple[tuple, tuple[Form, ...]]] = [(region.points, ())]
            for entry in options:
                forms = [exact.combine([region.forms[i]], [sign * f], sign * c) for i, f, c in entry]
                parts = [
                    (points, (*done, exact.combine([best], [Fraction(sign)])))
                    for part, done in parts
                    for points, best in exact.maximum(part, forms)
                ]
                if len(parts) > exact.MOST_REGIONS:
                    raise TooMany
            refined += [Region(points, done) for points, done in parts]
        if len(refined) > exact.MOST_REGIONS:
            raise TooMany
        self.regions, self.width = refined, len(options)


def dyadic(rng: np.random.Generator, shape: tuple[int, ...], bits: int = 2, largest: int = 6) -> np.ndarray:
    """Small dyadic numbers, some 0."""
    return rng.integers(-largest, largest + 1, shape) * 2.0 ** -rng.integers(0, bits + 1) * (rng.random(shape) < 0.85)


def each(model: Model, *terms: tuple[int | Fraction, int | Fraction]) -> list[list[tuple[int, Fraction, Fraction]]]:
    """The same options (factor, constant) of every entry."""
    return [[(k, Fraction(f), Fraction(c)) for f, c in terms] for k in range(model.width)]


def activate(model: Model) -> None:
    """One random piecewise-linear layer."""
    rng = model.rng
    kinds = ["relu", "clip", "relu6", "abs", "leaky", "floor", "ceiling", "by-hand"]
    kinds += ["max", "min", "pool"] if model.width >= 2 else []
    kind = str(rng.choice(kinds))
    model.used.append(kind)
    low, high = sorted(dyadic(rng, (2,)).tolist())
    if kind == "relu":
        model.emit("Relu")
        model.choose(each(model, (1, 0), (0, 0)))
    elif kind in ("clip", "relu6", "by-hand"):
        low, high = (0.0, 6.0) if kind == "relu6" else (low, high)
        if kind == "by-hand":
            model.emit("Max", np.float32(low))
            model.emit("Min", np.float32(high))
        else:
            model.emit("Clip", np.float32(low), np.float32(high))
        model.choose(each(model, (1, 0), (0, Fraction(low))))
        model.choose(each(model, (1, 0), (0, Fraction(high))), -1)
    elif kind == "abs":
        model.emit("Abs")
        model.choose(each(model, (1, 0), (-1, 0)))
    elif kind == "leaky":
        slope = float(rng.choice([0.5, 0.25, 0.125]))
        model.emit("LeakyRelu", alpha=slope)
        model.choose(each(model, (1, 0), (Fraction(slope), 0)))
    elif kind == "floor":
        model.emit("Max", np.float32(low))
        model.choose(each(model, (1, 0), (0, Fraction(low))))
    elif kind == "ceiling":
        model.emit("Min", np.float32(high))
        model.choose(each(model, (1, 0), (0, Fraction(high))), -1)
    elif kind in ("max", "min"):
        order = rng.permutation(model.width)
        operand = model.current
        model.emit("Gather", order.astype(np.int64), axis=1)
        model.emit("Max" if kind == "max" else "Min", operands=(model.current, operand))
        one = Fraction(1)
        pairs = [[(int(order[k]), one, Fraction(0)), (k, one, Fraction(0))] for k in range(model.width)]
        model.choose(pairs, 1 if kind == "max" else -1)
    else:
        kernel = int(rng.integers(2, model.width + 1))
        stride = int(rng.integers(1, kernel + 1))
        model.emit("Unsqueeze", np.array([1], np.int64))
        model.emit("MaxPool", kernel_shape=[kernel], strides=[stride])
        model.emit("Flatten")
        starts = range(0, model.width - kernel + 1, stride)
        model.choose([[(i, Fraction(1), Fraction(0)) for i in range(s, s + kernel)] for s in starts])


def skip(model: Model) -> None:
    """X + relu(A x); the forms of both are kept side by side until they are added."""
    start, width = model.current, model.width
    model.used.append("skip")
    weights = np.concatenate([np.eye(width), dyadic(model.rng, (width, width), 0, 2)])
    regions = model.regions
    model.affine(weights[width:], np.zeros(width))
    model.emit("Relu")
    model.regions = [Region(r.points, (*old.forms, *r.forms)) for old, r in zip(regions, model.regions, strict=True)]
    one, none = Fraction(1), Fraction(0)
    keep = [[(k, one, none)] for k in range(width)]
    model.choose([*keep, *([(width + k, one, none), (k, none, none)] for k in range(width))])
    model.emit("Add", operands=(start, model.current))
    model.regions = [
        Region(r.points, tuple(exact.combine([r.forms[k], r.forms[width + k]], [one, one]) for k in range(width)))
        for r in model.regions
    ]
    model.width = width


def hidden(model: Model, twin: bool) -> None:
    """The layers; a twin does the same twice, side by side, from shifted or swapped inputs, and compares."""
    rng = model.rng
    half = int(rng.integers(1, 3)) if twin else 0
    if twin:
        model.used.append("twin")
        first = dyadic(rng, (half, model.width))
        other = first if rng.random() < 0.4 else first[:, ::-1]
        bias = dyadic(rng, (half,))
        shift = bias + (dyadic(rng, (half,)) if rng.random() < 0.6 else 0)
        model.affine(np.concatenate([first, other]), np.concatenate([bias, shift]))
    else:
        count = int(rng.integers(1, 5))
        model.affine(dyadic(rng, (count, model.width)), dyadic(rng, (count,)))
    for _ in range(int(rng.integers(1, 4))):
        activate(model) if not twin else twin_activation(model)
        if not twin and rng.random() < 0.25 and model.width <= 3:
            skip(model)
        if rng.random() < 0.4 and not twin:
            count = int(rng.integers(1, 4))
            model.affine(dyadic(rng, (count, model.width), 1, 3), dyadic(rng, (count,)))
        elif twin:
            weights, bias = dyadic(rng, (half, half), 1, 3), dyadic(rng, (half,))
            nothing = np.zeros((half, half))
            model.affine(np.block([[weights, nothing], [nothing, weights]]), np.concatenate([bias, bias]))
    if twin:
        model.affine(np.concatenate([np.eye(half), -np.eye(half)], axis=1), np.zeros(half))
    elif rng.random() < 0.5:
        count = int(rng.integers(1, 4))
        model.affine(dyadic(rng, (count, model.width), 1, 3), dyadic(rng, (count,)))


def twin_activation(model: Model) -> None:
    """Entry by entry, so that both halves are treated alike."""
    if model.rng.random() < 0.5:
        model.emit("Relu")
        model.choose(each(model, (1, 0), (0, 0)))
    else:
        model.emit("Clip", np.float32(0), np.float32(4))
        model.choose(each(model, (1, 0), (0, 0)))
        model.choose(each(model, (1, 0), (0, 4)), -1)


@dataclass
class Inputs:
    """A set of inputs: a box, some inputs fixed, or a ball whose points are known exactly."""

    size: int
    lower: list[Fraction]
    upper: list[Fraction]
    ball: Ball | None
    corners: tuple[exact.Point, ...]


def inputs(rng: np.random.Generator) -> Inputs:
    size = int(rng.integers(1, 5))
    fixed = rng.random(size) < (0.5 if size > 2 else 0.15)
    if (~fixed).sum() > 3:
        fixed[:-3] = True
    centre = dyadic(rng, (size,), 3, 8)
    reach = np.where(fixed, 0.0, rng.integers(1, 9, size) * 2.0 ** -rng.integers(0, 4))
    lower = [Fraction(v) for v in (centre - reach).tolist()]
    upper = [Fraction(v) for v in (centre + reach).tolist()]
    if rng.random() < 0.15:
        radius = float(2.0 ** -rng.integers(0, 4))
        middle = [Fraction(c) for c in centre.tolist()]
        tips = [
            tuple(c + s * Fraction(radius) * (j == k) for j, c in enumerate(middle))
            for k in range(size)
            for s in (1, -1)
        ]
        r = Fraction(radius)
        return Inputs(size, [c - r for c in middle], [c + r for c in middle], Ball(centre, radius, 1), tuple(tips))
    corners = tuple({tuple(c) for c in itertools.product(*zip(lower, upper, strict=True))})
    return Inputs(size, lower, upper, None, corners)


def draw(case: Case) -> tuple[Model, Inputs]:
    while True:
        space = inputs(case.rng)
        none, one = Fraction(0), Fraction(1)
        forms = tuple((*(one if k == j else none for k in range(space.size)), none) for j in range(space.size))
        model = Model(case.rng, [Region(space.corners, forms)], space.size)
        try:
            hidden(model, twin=bool(case.rng.random() < 0.25))
            return model, space
        except TooMany:
            continue


def serialised(model: Model, size: int) -> onnx.ModelProto:
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, size])]
    outputs = [helper.make_tensor_value_info(model.current, TensorProto.FLOAT, [1, model.width])]
    graph = helper.make_graph(model.nodes, "fuzz", inputs, outputs, model.constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def rows_of(model: Model, rng: np.random.Generator) -> list[tuple[Form, bool]]:
    """One row or two on the outputs; the first threshold in half the cases exactly the extremum."""
    rows = []
    for k in range(1 if rng.random() < 0.75 else 2):
        weights = [Fraction(0)] * model.width
        weights[int(rng.integers(model.width))] = Fraction(int(rng.choice([1, -1])))
        if model.width > 1 and rng.random() < 0.3:
            weights = [Fraction(w) for w in dyadic(rng, (model.width,), 1, 2).tolist()]
        if not any(weights):
            weights[0] = Fraction(1)
        values = [exact.value(exact.combine(r.forms, weights), p) for r in model.regions for p in r.points]
        least, most = min(values), max(values)
        threshold = least
        if k or rng.random() < 0.5:
            step = (most - least) / 8 or Fraction(1, 4)
            threshold = Fraction(round(float(least + step * int(rng.integers(-3, 5))) * 1024), 1024)
        rows.append(((*weights, -threshold), bool(rng.random() < 0.5)))
    return rows


def decimal(number: Fraction) -> str:
    """The number in digits, or as a quotient: dyadic numbers end."""
    text = format(float(number), ".60f").rstrip("0").rstrip(".")
    return text if Fraction(text) == number else f"(/ {number.numerator}.0 {number.denominator}.0)"


def constraint(row: Form, strict: bool) -> LinearConstraint:
    outputs = tuple((k, w) for k, w in enumerate(row[:-1]) if w)
    return LinearConstraint((), outputs, -row[-1], strict)


def is_dyadic(number: Fraction) -> bool:
    return number.denominator & (number.denominator - 1) == 0 and Fraction(float(number)) == number


def written(space: Inputs, disjuncts: list[list[tuple[Form, bool]]], width: int) -> str:
    """The property as VNN-LIB 1.0."""
    lines = [f"(declare-const X_{k} Real)" for k in range(space.size)]
    lines += [f"(declare-const Y_{k} Real)" for k in range(width)]
    for k, (low, high) in enumerate(zip(space.lower, space.upper, strict=True)):
        lines += [f"(assert (>= X_{k} {signed(low)}))", f"(assert (<= X_{k} {signed(high)}))"]
    clauses = []
    for rows in disjuncts:
        atoms = []
        for row, strict in rows:
            terms = " ".join(f"(* {signed(w)} Y_{k})" for k, w in enumerate(row[:-1]) if w)
            atoms.append(f"({'<' if strict else '<='} (+ {terms} 0.0) {signed(-row[-1])})")
        clauses.append(f"(and {' '.join(atoms)})")
    return "\n".join([*lines, f"(assert (or {' '.join(clauses)}))"]) + "\n"


def signed(number: Fraction) -> str:
    return decimal(number) if number >= 0 else f"(- {decimal(-number)})"


def work(case: Case) -> None:
    model, space = draw(case)
    disjuncts = [rows_of(model, case.rng) for _ in range(1 if case.rng.random() < 0.7 else 2)]
    asked = [-row[-1] for rows in disjuncts for row, _ in rows]
    (case.folder / "net.onnx").write_bytes(serialised(model, space.size).SerializeToString())
    network = load_network(case.folder / "net.onnx")
    if all(map(is_dyadic, asked)) and space.ball is None:
        (case.folder / "prop.vnnlib").write_text(written(space, disjuncts, model.width))
        query = load_property(case.folder / "prop.vnnlib", network)
    else:
        lower, upper = (np.array([float(v) for v in side]) for side in (space.lower, space.upper))
        exactly = Box.exact(lower, upper)
        box = Box(lower, upper, exactly.inner_lower, exactly.inner_upper, space.ball)
        rows = [Disjunct(box, tuple(constraint(*row) for row in rows)) for rows in disjuncts]
        query = Query(tuple(rows), space.size, model.width)
    try:
        found = [exact.satisfiable(model.regions, rows) for rows in disjuncts]
    except TooMany:
        case.count("left out: too many points")
        return
    truth = "sat" if any(sat for sat, _ in found) else "unsat"
    attained = any(all(map(is_dyadic, point)) for _, points in found for point in points)
    case.count(f"truth {truth}" + ("" if attained or truth == "unsat" else ", perhaps at no float"))
    for method in ("auto", *case.rng.choice(OTHERS, 2, replace=False).tolist()):
        judge(case, network, query, method, truth, attained, model, disjuncts)
    if (case.folder / "prop.vnnlib").exists():
        prove(case, truth)


def prove(case: Case, truth: str) -> None:
    """Asks for a proof, which nobody can have of what is violated; one that there is is accepted both ways."""
    files = case.folder / "net.onnx", case.folder / "prop.vnnlib"
    try:
        (case.folder / "proof.npz").write_bytes(proof_of(*files, Deadline(SHORT)))
    except GivenUp as why:
        case.count(f"no proof of {truth}: {str(why)[:60]}")
        return
    for exactly in (False, True):
        said, why = check(*files, case.folder / "proof.npz", exactly)
        case.count(f"proof of {truth}: {said}{' exactly' if exactly else ''}")
        if (said == "accepted") != (truth == "unsat"):
            case.blame("WRONG proof", f"{said} of {truth} {why}, in rational numbers: {exactly}")


def judge(case: Case, network, query, method: str, truth: str, attained: bool, model: Model, disjuncts) -> None:
    """Asks one method and compares."""
    try:
        timeout = TIMEOUT if method == "auto" else SHORT
        verdict = verify(network, query, method, Options(timeout=timeout, threads=1, seed=case.number))
    except VerifierError as error:
        case.count(f"{method}: error {str(error)[:60]}")
        return
    said = verdict.status.value
    case.count(f"{method}: {said} of {truth}")
    used = ",".join(model.used)
    if said == "unsat" and truth == "sat":
        case.blame("WRONG unsat", f"{method} ({used}), attained by floats: {attained}, bound {verdict.bound}")
    elif said == "sat" and truth == "unsat" and not rounded_into_violation(verdict, query, network.model):
        case.blame("WRONG sat", f"{method} ({used}), witness {verdict.witness}")
    elif said == "sat" and truth == "unsat":
        case.count("sat by the runtime's own rounding")
    elif method == "auto" and said not in ("sat", "unsat"):
        at = "attained" if truth == "unsat" or attained else "at no known float"
        case.count(f"undecided by auto: {truth} {at}: {used}")
    if verdict.seconds > timeout + 2.0:
        case.blame("late", f"{method} took {verdict.seconds:.1f} s of {timeout:g}")


def rounded_into_violation(verdict: Verdict, query: Query, model: bytes) -> bool:
    """Whether the witness is an input of the query, and what the runtime gives there obeys the rows, exactly."""
    if verdict.witness is None:
        return False
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    y = session.run(None, {"x": verdict.witness.x[None]})[0].ravel()
    return query.violated(verdict.witness.x, y)


if __name__ == "__main__":
    sys.exit(min(1, fuzz("networks", work, LIMIT, __doc__)))

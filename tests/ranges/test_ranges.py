"""Ranges: exact beside enumeration, never left by any input, told from both sides at any time."""

from __future__ import annotations

import json
import pickle
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import pytest
from scipy.optimize import linprog

import verifier
from tests.cli.within import within
from tests.networks import random_dag, random_relu_network, samples
from tests.programs.patterns import exact_minimum
from verifier.evidence.replay import Replay
from verifier.network.graph import Affine, Input, Network
from verifier.network.linear_maps import Dense
from verifier.property.query import Box, Disjunct, LinearConstraint, Query
from verifier.questions import X, Y, ball, box

ROOT = Path(__file__).resolve().parents[2]
MOONS = ROOT / "vnnlib_specs/onnx/moons.onnx"
GAP = 1e-4


def _options(**others: object) -> verifier.RangeOptions:
    return verifier.RangeOptions(**{"gap": GAP, "timeout": 60.0, "threads": 1, **others})  # type: ignore[arg-type]


def _exact_ends(network: Network, lower: np.ndarray, upper: np.ndarray, output: int) -> tuple[float, float]:
    """The least and the largest value of an output, by enumeration of all patterns."""
    last = network.nodes[-1]
    assert isinstance(last, Affine)
    ends = []
    for sign in (1.0, -1.0):
        matrix = sign * last.maps[0].to_sparse().toarray()
        mirrored = Affine(last.operands, (Dense(matrix),), sign * np.asarray(last.bias))
        whole = Network((*network.nodes[:-1], mirrored))
        ends.append(sign * exact_minimum(whole, lower, upper, np.array([output]), np.zeros(1)))
    return ends[0], ends[1]


def _are_those(ranges: verifier.Ranges, k: int, exact: tuple[float, float]) -> None:
    width, rounding = exact[1] - exact[0], 1e-7 * (1 + abs(exact[0]) + abs(exact[1]))
    assert ranges.lower[k] <= exact[0] + rounding
    assert ranges.upper[k] >= exact[1] - rounding
    assert ranges.lower[k] >= exact[0] - 2 * GAP * width - rounding
    assert ranges.upper[k] <= exact[1] + 2 * GAP * width + rounding


@pytest.mark.parametrize("seed", range(6))
def test_ranges_are_those_of_enumeration_where_inputs_are_cut(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_relu_network(rng, (2, 4, 3, 2))
    lower = rng.normal(size=2)
    upper = lower + rng.uniform(0.1, 2.0, size=2)
    ranges = verifier.bounds(network, lower, upper, options=_options())
    assert ranges.exact
    assert (ranges.lower <= ranges.reached_lower).all()
    assert (ranges.reached_upper <= ranges.upper).all()
    for k in range(2):
        _are_those(ranges, k, _exact_ends(network, lower, upper, k))
        reached = (ranges.inputs_lower, ranges.reached_lower), (ranges.inputs_upper, ranges.reached_upper)
        for x, values in reached:
            assert ((x[k] >= lower) & (x[k] <= upper)).all()
            assert network.forward(x[k].astype(np.float64)[None])[0, k] == pytest.approx(values[k], rel=1e-9, abs=1e-9)


def _many_inputs(seed: int) -> Network:
    torch = pytest.importorskip("torch")
    torch.manual_seed(seed)
    parts = torch.nn.Linear(14, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)
    return verifier.from_torch(torch.nn.Sequential(*parts), torch.zeros(1, 14))


def test_ranges_are_those_of_enumeration_where_functions_are_cut() -> None:
    network = _many_inputs(0)
    ranges = verifier.bounds(network, -1.0, 1.0, forms=Y[0], options=_options())
    assert ranges.exact
    _are_those(ranges, 0, _exact_ends(network, np.full(14, -1.0), np.full(14, 1.0), 0))
    assert np.allclose(ranges.runtime_lower, ranges.reached_lower, atol=1e-5)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("seconds", [0.02, 0.3])
def test_no_value_leaves_a_range_at_any_time(seed: int, seconds: float) -> None:
    rng = np.random.default_rng(seed)
    network = random_dag(rng)
    lower = rng.normal(size=network.input_size)
    upper = lower + rng.uniform(0.0, 1.0, size=network.input_size)
    ranges = verifier.bounds(network, lower, upper, options=_options(timeout=seconds))
    values = network.forward(samples(rng, lower, upper, 500))
    rounding = 1e-9 * (1 + np.abs(values))
    assert (values >= ranges.lower - rounding).all()
    assert (values <= ranges.upper + rounding).all()
    assert not (ranges.reached_lower < ranges.lower).any()
    assert not (ranges.reached_upper > ranges.upper).any()


@pytest.mark.parametrize("seed", range(3))
def test_an_optimum_with_rows_is_that_of_a_program(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix, row, most = rng.normal(size=(2, 3)), rng.normal(size=3), 0.2
    network = Network((Input(3), Affine((0,), (Dense(matrix),), np.zeros(2))))
    form = _form_of(rng.normal(size=2))
    inputs = box([-1, -1, -1], 1) & (sum((float(c) * X[i] for i, c in enumerate(row)), 0 * X[0]) <= most)
    for sense, found in (
        (1, verifier.minimize(network, form[0], inputs, _options())),
        (-1, verifier.maximize(network, form[0], inputs, _options())),
    ):
        exact = sense * linprog(sense * (form[1] @ matrix), A_ub=row[None], b_ub=[most], bounds=[(-1, 1)] * 3).fun
        assert sense * found.bound <= sense * exact + 1e-9
        assert sense * found.reached >= sense * exact - 1e-9
        assert found.gap <= 0.01 * (1 + abs(exact))
        assert row @ found.x <= most


def _form_of(weights: np.ndarray) -> tuple[verifier.questions.Form, np.ndarray]:
    return float(weights[0]) * Y[0] + float(weights[1]) * Y[1], weights


def test_constants_balls_and_forms_of_inputs() -> None:
    network = verifier.load_network(MOONS)
    point = verifier.bounds(network, [0.5, 0.25], [0.5, 0.25])
    assert point.exact
    y = Replay(network).run(np.array([0.5, 0.25], np.float32))
    assert np.allclose(point.lower.reshape(-1), y, atol=1e-5)
    ranges = verifier.bounds(network, inputs=ball([0.0, 1.0], 0.1, norm=2), forms=["X_0 + X_1 + 1/3", "Y_0 - Y_1"])
    assert ranges.upper[0] == pytest.approx(1 + 0.1 * 2**0.5 + 1 / 3, rel=1e-3)
    assert ranges.upper[0] >= 1 + 0.1 * 2**0.5 + 1 / 3
    assert (ranges.reached_upper <= ranges.upper).all()


def test_the_union_of_boxes_is_an_input_set() -> None:
    network = verifier.load_network(MOONS)
    parts = [box([-0.1, 0.9], [0.1, 1.1]), box([0.9, -0.6], [1.1, -0.4])]
    one, other = (verifier.bounds(network, inputs=part) for part in parts)
    both = verifier.bounds(network, inputs=parts[0] | parts[1])
    assert np.allclose(both.lower, np.minimum(one.lower, other.lower), rtol=1e-2, atol=1e-2)
    assert np.allclose(both.upper, np.maximum(one.upper, other.upper), rtol=1e-2, atol=1e-2)


def test_hidden_tensors_have_ranges() -> None:
    model = onnx.load(MOONS)
    names = [name for node in model.graph.node for name in node.output]
    ranges = verifier.bounds(MOONS, [-0.2, 0.9], [0.2, 1.1], outputs=names[:2], options=_options(timeout=5.0, gap=0.01))
    assert ranges.names[0] == f"{names[0]}[0]"
    assert (ranges.lower <= ranges.reached_lower).all()
    assert np.allclose(ranges.runtime_lower, ranges.reached_lower, atol=1e-4)
    with pytest.raises(verifier.VerifierError, match=r"no tensor is called 'nothing'"):
        verifier.bounds(MOONS, 0, 1, outputs=["nothing"])


def test_ranges_can_be_read_kept_and_sent() -> None:
    ranges = verifier.bounds(MOONS, [-0.2, 0.9], [0.2, 1.1])
    assert repr(pickle.loads(pickle.dumps(ranges))) == repr(ranges)
    assert json.loads(json.dumps(ranges.to_dict(), allow_nan=False))["exact"]
    assert ranges._repr_html_().startswith("<table><caption>Ranges")
    least = verifier.minimize(MOONS, "Y_0", box([-0.2, 0.9], [0.2, 1.1]))
    assert least.bound <= least.reached == pytest.approx(float(Fraction(least.to_dict()["reached"])))
    assert "least Y_0" in repr(least)


def test_wrong_questions_are_told() -> None:
    wrong = [
        (lambda: verifier.bounds(MOONS), "no input set"),
        (lambda: verifier.bounds(MOONS, 0), "give lower and upper"),
        (lambda: verifier.bounds(MOONS, 0, 1, box(0, 1)), "two input sets"),
        (lambda: verifier.bounds(MOONS, inputs=3), "int is no input set"),  # type: ignore[arg-type]
        (lambda: verifier.bounds(MOONS, 0, 1, forms="Y_2"), "no output Y_2"),
        (lambda: verifier.bounds(MOONS, 0, 1, forms="1"), "no terms"),
        (lambda: verifier.bounds(MOONS, 1, 0), "empty"),
        (lambda: verifier.bounds(MOONS, 0, 1, options=3), "RangeOptions"),  # type: ignore[arg-type]
        (lambda: verifier.RangeOptions(gap=0), "gap"),
    ]
    for call, told in wrong:
        with pytest.raises(verifier.VerifierError, match=told):
            call()


def test_the_shell_tells_ranges(tmp_path: Path) -> None:
    np.savez(tmp_path / "box.npz", lower=[-0.2, 0.9], upper=[0.2, 1.1])
    (tmp_path / "box.csv").write_text("lower,upper\n-0.2,0.2\n0.9,1.1\n")
    files = [word for kind in ("json", "csv") for word in (f"--{kind}", tmp_path / f"out.{kind}")]
    done = within("bounds", MOONS, "--box", tmp_path / "box.npz", "--picture", tmp_path / "p.svg", *files)
    assert (done.exit_code, "2 of 2 ranges are known" in done.stdout) == (0, True), done.output
    record = json.loads((tmp_path / "out.json").read_text())
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 3
    assert (tmp_path / "p.svg").read_bytes().startswith(b"<?xml")
    again = within("bounds", MOONS, "--box", tmp_path / "box.csv", "--json", tmp_path / "again.json")
    other = json.loads((tmp_path / "again.json").read_text())
    assert [r["lower"] for r in other["ranges"]] == [r["lower"] for r in record["ranges"]], again.output
    (tmp_path / "x.csv").write_text("0,1\n")
    done = within("bounds", MOONS, "--around", tmp_path / "x.csv", "--epsilon", "0.1", "--form", "Y_0 - Y_1; Y_0")
    assert "Y_0 - Y_1" in done.stdout, done.output
    done = within("bounds", MOONS, ROOT / "vnnlib_specs/vnnlib/moons_upper.vnnlib", "--timeout", 0.01, "--gap", 1e-9)
    assert done.exit_code == 3, done.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "no input set"),
        (("--box", "nowhere.npz"), "no such file"),
        (("--box", "nowhere.npz", "--label", "1"), "--label"),
        (("--around", "x.csv"), "--epsilon"),
    ],
)
def test_the_shell_tells_what_is_wrong(words: tuple[str, ...], told: str) -> None:
    done = within("bounds", MOONS, *words)
    assert done.exit_code == 2
    assert told in str(done.exception)


def test_rows_that_products_of_outputs_are_in_leave_the_input_set_whole() -> None:
    """Only rows of inputs alone belong to it; products of inputs do."""
    network = random_relu_network(np.random.default_rng(4), (2, 5, 1))
    box_ = Box.exact(np.full(2, -1.0), np.full(2, 1.0))
    of_outputs = LinearConstraint((), (), Fraction(-1), products=(((-1, -1), Fraction(1)),))  # Y * Y <= -1
    of_inputs = LinearConstraint((), (), Fraction(1, 4), products=(((0, 0), Fraction(1)),))  # X_0 * X_0 <= 1/4
    whole = verifier.bounds(network, [-1.0, -1.0], [1.0, 1.0], options=_options())
    beside = verifier.bounds(network, inputs=Query((Disjunct(box_, (of_outputs,)),), 2, 1), options=_options())
    np.testing.assert_allclose(beside.lower, whole.lower, atol=1e-3)
    np.testing.assert_allclose(beside.reached_upper, whole.reached_upper, atol=1e-3)
    narrow = verifier.bounds(network, inputs=Query((Disjunct(box_, (of_inputs,)),), 2, 1), options=_options())
    assert (np.abs(narrow.inputs_lower[:, 0]) <= 0.5).all()


def test_inputs_that_are_equal_are_searched_as_such() -> None:
    network = random_relu_network(np.random.default_rng(2), (2, 6, 1))
    equal = (X[0] - X[1] <= 0) & (X[1] - X[0] <= 0)
    least = verifier.minimize(network, Y[0], box([-1.0, -1.0], [1.0, 1.0]) & equal, _options())
    along = np.repeat(np.linspace(-1.0, 1.0, 4001)[:, None], 2, axis=1)
    values = network.forward(along)[:, 0]
    assert least.bound <= values.min() + 1e-9
    assert least.bound >= values.min() - 1e-2 * (values.max() - values.min())

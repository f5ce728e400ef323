"""Upper bounds of Lipschitz constants from any multipliers of slope restrictions (LipSDP), rounding covered.

Fazlyab, Robey, Hassani, Morari, Pappas: Efficient and accurate estimation of Lipschitz constants for deep neural
networks, NeurIPS 2019 (arXiv 1906.04893), with one multiplier T_i a neuron (their coupling of neurons is not valid:
Pauli et al., IEEE Control Systems Letters 2022). For two inputs, let v = (dx, u) hold the difference of the inputs and
the scaled differences u_i = dq_i / unit_i of the neurons' values. A slope in [low, high] means

    c_i(v) = (dq_i - low dz_i) (high dz_i - dq_i) / unit_i^2 >= 0,

with dz_i = unit_i a_i v. For T, d >= 0 and N = F'F + sum_i T_i C_i, F the forms asked about,

    ||df||^2 <= v' N v = v' diag(d) v - v' S v,      S = diag(d) - N.

Nothing is assumed of T and d: the units are such that |v_i| <= t = ||dx||_p for every entry (constants of the neurons,
which products of norms give), so that a negative eigenvalue of S, the rest S - RR' of a factor R, and all rounding cost
t^2 times their size, entry by entry, as in `programs/squares.py`. With d = 0 on the neurons it is LipSDP.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verifier.deadline import NEVER, Deadline
from verifier.errors import UsageError
from verifier.lipschitz.constants import LipschitzConstants
from verifier.lipschitz.rounding import INF, root, times
from verifier.lipschitz.slopes import Values, slopes
from verifier.network.graph import Affine, Elementwise, Input, Network, Node
from verifier.tolerances import UNDERFLOW, UNIT_ROUNDOFF, gamma


@dataclass(frozen=True, eq=False)
class Rows:
    """Linear forms of v: coefficients and how far they may be off, shape (R, variables) each."""

    rows: np.ndarray
    error: np.ndarray

    def __getitem__(self, chosen: np.ndarray) -> Rows:
        return Rows(self.rows[chosen], self.error[chosen])


@dataclass(frozen=True, eq=False)
class QuadraticNetwork:
    """What two inputs' differences obey; m neurons, n inputs, variables n + m.

    Attributes:
        inputs: n.
        neurons: the forms a_i, shape (m, n + m).
        low, high: slopes, shape (m,).
        forms: F divided by `unit`, shape (R, n + m).
        unit: a power of two of about the size of the constant.
    """

    inputs: int
    neurons: Rows
    low: np.ndarray
    high: np.ndarray
    forms: Rows
    unit: float


def quadratic_network(
    network: Network,
    rows: np.ndarray,
    norm: float,
    values: Values | None,
    most_variables: int,
    deadline: Deadline = NEVER,
) -> QuadraticNetwork:
    """Writes a network of affine nodes and functions in v.

    Args:
        network: with NumPy weights.
        rows: of the outputs, shape (R, output_size).
        norm: p.
        values: see `LipschitzConstants`; everywhere if not given.
        most_variables: inputs and neurons with a choice of slopes, at most.
        deadline: by which to be done.

    Raises:
        OutOfTimeError: the time is up.
        UsageError: the network has products or unbounded slopes, or is too large.
    """
    values = values or [(np.full(n.size, -INF), np.full(n.size, INF)) for n in network.nodes]
    count = network.input_size + sum(_open(network, values, k).sum() for k in _functions(network))
    if count > most_variables:
        raise UsageError(f"LipSDP is for {most_variables} inputs and neurons, the network has {count}")
    # ||dx||_2 <= sqrt(n) ||dx||_inf: for p = inf, constants for p = 2 are often the smaller ones even so.
    share = 1.0 if norm == 2.0 else float(root(network.input_size))
    constants = [(LipschitzConstants(network, 2.0, values, deadline), share)]
    if norm == INF:
        constants.append((LipschitzConstants(network, norm, values, deadline), 1.0))
    writer = _Writer(network, values, constants, int(count))
    for k, node in enumerate(network.nodes):
        writer.add(k, node)
    return writer.finish(rows, norm)


def certified_constant(
    quadratic: QuadraticNetwork, norm: float, multipliers: np.ndarray, diagonal: np.ndarray
) -> float:
    """At least sup ||df||_2 / ||dx||_p, for norm p of 2 or inf; infinite where the multipliers prove nothing.

    Args:
        quadratic: the network.
        norm: p.
        multipliers: T, shape (m,); negative ones count as 0.
        diagonal: d, shape (n + m,), likewise.
    """
    t, d = np.maximum(multipliers, 0.0), np.maximum(diagonal, 0.0)
    if not (np.isfinite(t).all() and np.isfinite(d).all()):
        return INF
    with np.errstate(all="ignore"):
        form = quadratic_form(quadratic, t)
        if not np.isfinite(form).all():
            return INF
        square = (_square(quadratic.inputs, norm, form, d) + _slack(quadratic, t)) * (1 + gamma(2)) + UNDERFLOW
    return float(times(root(square), quadratic.unit)) if np.isfinite(square) else INF


def _square(n: int, norm: float, form: np.ndarray, d: np.ndarray) -> float:
    """At least the largest v' N v / t^2, as N is computed, over the first `n` variables' norm; infinite if unproved.

    d is raised evenly until S has no negative eigenvalue, as far as its eigenvalues are known.
    """
    try:
        values, vectors = np.linalg.eigh(np.diag(d) - form)
    except np.linalg.LinAlgError:
        return INF
    lift = max(0.0, -float(values[0])) * (1 + 1e-10)
    d, values, size = d + lift, values + lift, len(d)
    matrix = np.diag(d) - form
    factor = vectors * np.sqrt(np.maximum(values, 0.0))
    rest = np.abs(matrix - factor @ factor.T).sum()
    total = (d[:n].max(initial=0.0) if norm == 2.0 else d[:n].sum()) + d[n:].sum()
    rounding = gamma(size * size + 8)
    products = (np.abs(factor).sum(axis=0) ** 2).sum() + np.abs(np.diag(form)).sum()
    found = total + rest + rounding * (products + rest + d.sum() + total)
    return float(found * (1 + rounding)) if np.isfinite(found) else INF


def quadratic_form(quadratic: QuadraticNetwork, multipliers: np.ndarray) -> np.ndarray:
    """N, shape (n + m, n + m)."""
    a, n = quadratic.neurons.rows, quadratic.inputs
    own = n + np.arange(len(a))
    matrix = quadratic.forms.rows.T @ quadratic.forms.rows
    matrix -= (a.T * (multipliers * quadratic.low * quadratic.high)) @ a
    crossed = a * (multipliers * (quadratic.low + quadratic.high) / 2)[:, None]
    matrix[own] += crossed
    matrix[:, own] += crossed.T
    matrix[own, own] -= multipliers
    return matrix


def _slack(quadratic: QuadraticNetwork, multipliers: np.ndarray) -> float:
    """What errors of the forms, and the rounding of N, can move v' N v by, over t^2."""
    a, e = np.abs(quadratic.neurons.rows).sum(axis=1), quadratic.neurons.error.sum(axis=1)
    f, g = np.abs(quadratic.forms.rows).sum(axis=1), quadratic.forms.error.sum(axis=1)
    steep = np.maximum(np.abs(quadratic.low), np.abs(quadratic.high))
    of_errors = multipliers @ (steep**2 * e * (2 * a + e) + 2 * steep * e) + (g * (2 * f + g)).sum()
    sizes = multipliers @ (steep**2 * a * a + 2 * steep * a + 1) + (f * f).sum()
    rounding = gamma(2 * len(a) + len(f) + 8)
    return float((of_errors + 2 * rounding * sizes) * (1 + gamma(a.size * 4 + 2 * quadratic.neurons.rows.shape[1])))


class _Writer:
    """Adds node after node; `forms[k]` are the differences of node k's values."""

    def __init__(
        self, network: Network, values: Values, constants: list[tuple[LipschitzConstants, float]], count: int
    ) -> None:
        self.network, self.values, self.constants = network, values, constants
        self.count, self.used = count, 0
        self.forms: list[Rows] = []
        self.neurons: list[tuple[Rows, np.ndarray, np.ndarray]] = []

    def add(self, k: int, node: Node) -> None:
        none = np.zeros((node.size, self.count))
        if isinstance(node, Input):
            self.used = node.size
            self.forms.append(Rows(np.eye(node.size, self.count), none))
        elif isinstance(node, Affine):
            self.forms.append(self._affine(node))
        elif isinstance(node, Elementwise):
            self.forms.append(self._function(k, node))
        else:
            raise UsageError(f"LipSDP is not for networks with products (node {k})")

    def _affine(self, node: Affine) -> Rows:
        rows, error = np.zeros((2, node.size, self.count))
        rounding = gamma(sum(m.terms for m in node.maps) + len(node.maps))
        for i, linear_map in zip(node.operands, node.maps, strict=True):
            of = self.forms[i]
            rows = rows + linear_map.apply(of.rows.T).T
            carried = of.error + rounding * (np.abs(of.rows) + of.error)
            error = error + linear_map.magnitude.apply(carried.T).T * (1 + rounding)
        return Rows(rows, error * (1 + rounding) + UNDERFLOW)

    def _function(self, k: int, node: Elementwise) -> Rows:
        low, high = slopes(self.network, self.values, k)
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            raise UsageError(f"LipSDP needs bounded slopes; {node.function.name} (node {k}) has none here")
        before, opened = self.forms[node.operands[0]], np.flatnonzero(low < high)
        rows, error = low[:, None] * before.rows, np.abs(low)[:, None] * before.error
        error = (error + UNIT_ROUNDOFF * np.abs(rows)) * (1 + gamma(1)) + UNDERFLOW
        own = np.arange(self.used, self.used + len(opened))
        self.used += len(opened)
        reach = np.min([times(c.of_entries(k), factor) for c, factor in self.constants], axis=0)[opened]
        unit = np.ldexp(1.0, np.frexp(np.where((reach > 1e-140) & (reach < 1e140), reach, 1.0))[1])
        unit = np.where(reach <= unit, unit, INF)  # infinite units void the bound
        rows[opened], error[opened] = 0.0, 0.0
        rows[opened, own] = unit
        taken = before[opened]
        self.neurons.append((Rows(taken.rows / unit[:, None], taken.error / unit[:, None]), low[opened], high[opened]))
        return Rows(rows, error)

    def finish(self, rows: np.ndarray, norm: float) -> QuadraticNetwork:
        last, none = self.forms[-1], np.zeros((0, self.count))
        forms, rounding = rows @ last.rows, gamma(rows.shape[1])
        error = np.abs(rows) @ (last.error + rounding * (np.abs(last.rows) + last.error)) * (1 + rounding)
        neurons = Rows(*(np.concatenate([none, *(getattr(r, part) for r, _, _ in self.neurons)]) for part in _PARTS))
        low, high = (np.concatenate([np.zeros(0), *(n[side] for n in self.neurons)]) for side in (1, 2))
        unit = _typical(self.network.input_size, neurons.rows, (low + high) / 2, forms, norm)
        scaled = Rows(forms / unit, error / unit + UNDERFLOW)
        return QuadraticNetwork(self.network.input_size, neurons, low, high, scaled, unit)


def _typical(inputs: int, neurons: np.ndarray, slopes: np.ndarray, forms: np.ndarray, norm: float) -> float:
    """The constant with all slopes in the middle of their ranges, to a power of two: what numbers are scaled by."""
    weighted = slopes[:, None] * neurons
    with np.errstate(all="ignore"):
        try:
            through = np.linalg.solve(np.eye(len(neurons)) - weighted[:, inputs:], weighted[:, :inputs])
        except np.linalg.LinAlgError:  # only infinite numbers explain it
            return 1.0
        gradient = forms[:, :inputs] + forms[:, inputs:] @ through
        size = float(np.abs(gradient).sum(axis=1).max() if norm == INF else np.sqrt((gradient**2).sum()))
    return float(np.ldexp(1.0, np.frexp(size)[1])) if 1e-140 < size < 1e140 else 1.0


_PARTS = ("rows", "error")


def _functions(network: Network) -> list[int]:
    return [k for k, node in enumerate(network.nodes) if isinstance(node, Elementwise)]


def _open(network: Network, values: Values, k: int) -> np.ndarray:
    low, high = slopes(network, values, k)
    return low < high

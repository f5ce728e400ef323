"""Einsum as moves, sums and products of matrices (ONNX, "Einsum"; NumPy's notation)."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from verifier.network.linear_maps import Dense
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.lowerings.matrices import multiply_matrices
from verifier.readers.onnx.registry import lowers
from verifier.readers.onnx.tensors import Tensor


@dataclass(frozen=True, eq=False)
class Term:
    """A tensor with a letter, each different, for every axis."""

    tensor: Tensor
    letters: str

    def size(self, letter: str) -> int:
        return self.tensor.shape[self.letters.index(letter)] if letter in self.letters else 1


@lowers("Einsum", 12)
def einsum(call: Call) -> Tensor:
    """Operands are contracted from left to right; a letter is summed over as soon as nothing else has it."""
    inputs, output = _parsed(call, call.attribute("equation"), [t.shape for t in call.tensors()])
    terms = [_diagonal(call, t, letters) for t, letters in zip(call.tensors(), inputs, strict=True)]
    _check_sizes(call, terms)
    result = _summed(call, terms[0], set("".join(inputs[1:])) | set(output))
    for k, term in enumerate(terms[1:], start=1):
        later = set("".join(inputs[k + 1 :])) | set(output)
        result = _contracted(call, result, _summed(call, term, set(result.letters) | later), later)
    if missing := set(output) - set(result.letters):
        raise call.error(f"the output has '{sorted(missing)[0]}', which no operand has")
    order = [result.letters.index(letter) for letter in output]
    return call.graph.move([result.tensor], lambda a: a.transpose(order))


def _parsed(call: Call, equation: str, shapes: Sequence[tuple[int, ...]]) -> tuple[list[str], str]:
    """The letters of each operand and of the output, an ellipsis being as many letters of its own as it stands for."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(shapes):
        raise call.error(f"equation '{equation}' for {len(shapes)} operands")
    spare = [c for c in string.ascii_letters if c not in equation]
    spans = [len(shape) - len(term.replace("...", "")) for term, shape in zip(terms, shapes, strict=True)]
    widest = max((n for n, term in zip(spans, terms, strict=True) if "..." in term), default=0)
    if widest > len(spare) or any(n < 0 or (n and "..." not in t) for n, t in zip(spans, terms, strict=True)):
        raise call.error(f"equation '{equation}' for operands of shapes {[tuple(s) for s in shapes]}")
    hidden = "".join(spare[:widest])
    inputs = [t.replace("...", hidden[widest - n :]) for n, t in zip(spans, terms, strict=True)]
    if arrow:
        output = right.replace("...", hidden)
    else:
        every = "".join(inputs)
        output = hidden + "".join(sorted(c for c in set(every) - set(hidden) if every.count(c) == 1))
    if len(set(output)) < len(output) or not set("".join(inputs) + output) <= set(string.ascii_letters):
        raise call.error(f"equation '{equation}' is malformed")
    return inputs, output


def _diagonal(call: Call, tensor: Tensor, letters: str) -> Term:
    """The operand with an axis for each letter once: of a letter that comes twice, the diagonal."""
    once = "".join(dict.fromkeys(letters))
    if once == letters:
        return Term(tensor, once)
    return Term(call.graph.move([tensor], lambda a: np.einsum(f"{letters}->{once}", a)), once)


def _check_sizes(call: Call, terms: Sequence[Term]) -> None:
    for letter in {c for t in terms for c in t.letters}:
        sizes = {t.size(letter) for t in terms if letter in t.letters} - {1}
        if len(sizes) > 1:
            raise call.error(f"axes '{letter}' of {sorted(sizes)} entries")


def _summed(call: Call, term: Term, kept: set[str]) -> Term:
    """The sum over the letters that are not kept."""
    gone = [c for c in term.letters if c not in kept]
    if not gone:
        return term
    left = [c for c in term.letters if c in kept]
    order = [term.letters.index(c) for c in (*left, *gone)]
    moved = call.graph.move([term.tensor], lambda a: a.transpose(order))
    shape, count = moved.shape[: len(left)], math.prod(moved.shape[len(left) :])
    if isinstance(moved, np.ndarray):
        return Term(call.weights(moved).reshape(*shape, count).sum(axis=-1), "".join(left))
    total = call.graph.affine([(moved, Dense(np.ones((1, count)), math.prod(shape)))], shape)
    return Term(total, "".join(left))


def _contracted(call: Call, a: Term, b: Term, later: set[str]) -> Term:
    """The product of two terms, summed over the letters that both have and nothing later has."""
    shared = [c for c in a.letters if c in b.letters]
    inner = [c for c in shared if c not in later]
    batch = [c for c in shared if c in later]
    rows = [c for c in a.letters if c not in shared]
    columns = [c for c in b.letters if c not in shared]
    size = {c: max(a.size(c), b.size(c)) for c in (*a.letters, *b.letters)}
    left = _matrix(call, a, [batch, rows, inner], size)
    right = _matrix(call, b, [batch, inner, columns], size)
    product: Tensor
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        product = call.weights(left) @ call.weights(right)
    else:
        product = multiply_matrices(call, left, right)
    letters = [*batch, *rows, *columns]
    shape = tuple(size[c] for c in letters)
    return Term(call.graph.move([product], lambda t: t.reshape(shape)), "".join(letters))


def _matrix(call: Call, term: Term, groups: Sequence[Sequence[str]], size: dict[str, int]) -> Tensor:
    """The term as a stack of matrices: each group of letters is one axis; entries of an axis of 1 are repeated."""
    letters = [c for group in groups for c in group]
    order = [term.letters.index(c) for c in letters]
    wide = tuple(size[c] for c in letters)
    shape = tuple(math.prod(size[c] for c in group) for group in groups)
    return call.graph.move([term.tensor], lambda a: np.broadcast_to(a.transpose(order), wide).reshape(shape))

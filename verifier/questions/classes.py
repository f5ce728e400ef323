"""Conditions on classes, one output a class, and on single scores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verifier.arguments import whole
from verifier.errors import Argument, PropertyError, UsageError
from verifier.questions.conditions import Condition, Every
from verifier.questions.forms import Form

if TYPE_CHECKING:
    from verifier.network.graph import Network


def class_stays(label: int) -> Condition:
    """The output of `label` is larger than every other; a tie is a change, as in `robustness_query`."""
    return class_among([label])


def class_among(labels: Iterable[int]) -> Condition:
    """The output of one of the `labels` is larger than those of all other classes."""
    return Among(_labels(labels))


def class_may_be(label: int) -> Condition:
    """The output of `label` is at least every other: it is, or ties with, the network's class. A target to reach."""
    return Among(_labels([label]), strict=False)


def stays_within(form: Form, low: Any = None, high: Any = None) -> Condition:
    """Low <= form <= high; None leaves a side open."""
    return Every(
        (*(() if low is None else (Form.of(form) >= low,)), *(() if high is None else (Form.of(form) <= high,)))
    )


def _labels(labels: Iterable[int]) -> tuple[int, ...]:
    found = tuple(dict.fromkeys(whole(label, "label") for label in labels))
    if not found or min(found) < 0:
        raise UsageError(f"labels {found}", Argument("label"), "give at least one, from 0 on")
    return found


@dataclass(frozen=True, eq=False, repr=False)
class Among(Condition):
    """Some output of `labels` is above (at least, where not `strict`) all others; or not so, where `negated`."""

    labels: tuple[int, ...]
    strict: bool = True
    negated: bool = False

    def __invert__(self) -> Condition:
        return Among(self.labels, self.strict, not self.negated)

    def text(self, network: Network) -> str:
        count = network.output_size
        if count < 2:
            raise PropertyError("a network with a single output has no classes", network.name, "compare Y[0] itself")
        if max(self.labels) >= count:
            raise PropertyError(
                f"there is no class {max(self.labels)}", network.name, f"give one from 0 to {count - 1}"
            )
        others = [k for k in range(count) if k not in self.labels]
        if not others:
            return "false" if self.negated else "true"
        if self.negated:  # some other is at least all the labels': as many disjuncts as there are others
            relation = "<=" if self.strict else "<"
            return _some_of_all(others, self.labels, lambda other, own: f"({relation} Y_{own} Y_{other})")
        relation = ">" if self.strict else ">="
        return _some_of_all(self.labels, others, lambda own, other: f"({relation} Y_{own} Y_{other})")

    def __repr__(self) -> str:
        among = f"{'is' if len(self.labels) == 1 else 'is among'} {', '.join(map(str, self.labels))}"
        return f"{'not: ' if self.negated else ''}the class {among}{'' if self.strict else ', or ties'}"


def _some_of_all(some: Iterable[int], every: Iterable[int], atom: Any) -> str:
    every = list(every)
    parts = [[atom(one, other) for other in every] for one in some]
    words = [part[0] if len(part) == 1 else f"(and {' '.join(part)})" for part in parts]
    return words[0] if len(words) == 1 else f"(or {' '.join(words)})"

"""`verifier-vnnlib supports CAPABILITY`: what is supported, one answer a line, read off what the readers register."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from verifier.cli.output import say
from verifier.errors import UsageError


def _opsets() -> Sequence[str]:
    from verifier.readers.onnx.model import OLDEST_OPSET
    from verifier.readers.onnx.operators import newest_opset

    return [str(OLDEST_OPSET), str(newest_opset())]


def _operators() -> Sequence[str]:
    from verifier.readers.onnx.operators import all_operators

    return all_operators()


def _elements() -> Sequence[str]:
    from verifier.readers.vnnlib.theories import sound_elements

    return sound_elements()


def _theories(name: str) -> Callable[[], Sequence[str]]:
    def answer() -> Sequence[str]:
        from verifier.readers.vnnlib import theories

        found: Sequence[str] = getattr(theories, name)
        return found

    return answer


def _truth(value: bool) -> Callable[[], Sequence[str]]:
    return lambda: [str(value).lower()]


CAPABILITIES: Mapping[str, Callable[[], Sequence[str]]] = {
    "--onnx-opset-versions": _opsets,
    "--onnx-element-types": _elements,
    "--onnx-operators": _operators,
    "--vnnlib-versions": _theories("VERSIONS"),
    "--hidden-node-theories": _theories("HIDDEN_NODES"),
    "--multiple-input-output-theories": _theories("MULTIPLE_INPUTS_OUTPUTS"),
    "--multiple-network-theories": _theories("MULTIPLE_NETWORKS"),
    "--multiple-node-comparison-theories": _theories("NODE_COMPARISONS"),
    "--arithmetic-complexity-theories": _theories("ARITHMETIC"),
    "--optimised-disjunctive-reasoning": _truth(False),
    "--serialise-assignments": _truth(True),
    "--unsat-proofs": _truth(False),
}
"""Disjunctions are brought to normal form; proofs are in a format of their own, not the standard's."""


def supports(words: Sequence[str]) -> int:
    """Prints the answer; the exit status.

    Raises:
        UsageError: there is no such capability, or not just one was asked for.
    """
    known = ", ".join(CAPABILITIES)
    if list(words) in (["-h"], ["--help"]):
        say(f"Usage: verifier-vnnlib supports CAPABILITY\n\nCapabilities: {known}")
        return 0
    if len(words) != 1:
        raise UsageError(f"{len(words)} capabilities", "supports", f"give one of {known}")
    if words[0] not in CAPABILITIES:
        raise UsageError("there is no such capability", words[0], f"give one of {known}")
    for line in CAPABILITIES[words[0]]():
        say(line)
    return 0

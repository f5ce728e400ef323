"""The page of the line-up: a table of what each network is worth, and the pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence

from verifier.evaluation.summary import AtSize
from verifier.zoo.line_up import DATA, METHODS, SIGMA, SIZES, Entry
from verifier.zoo.one_pass import CONSTANTS

SHOWN = {2.0: 0.5, math.inf: 0.1}
"""The sizes that the table shows."""


def page(entries: Sequence[Entry], samples: int) -> str:
    """The page as Markdown; its pictures are beside it.

    Args:
        entries: of the networks.
        samples: on which robust accuracy was measured.
    """
    norms = "2-norm {:g} and sup norm {:g}".format(*(SHOWN[norm] for norm in SIZES))
    lines = [
        "# Networks made to be verified",
        "",
        f"All trained by `verifier zoo` on digits, measured on {samples} samples of `{DATA}`, evenly spread; accuracy",
        f"on all of them. Shares in percent at {norms}: not broken by an attack, certified by each method.",
        f"What smoothing certifies (sigma {SIGMA:g}) is the smoothed network, but for a chance of 0.001 each. `milp`",
        "and `auto` are complete where their time suffices.",
        "",
        "| network | accuracy | seconds | " + " | ".join(_headings()) + " |",
        "|---|---|---|" + "---|" * len(_headings()),
    ]
    for entry in entries:
        cells = [_share(entry, norm, column) for norm in SIZES for column in _columns(norm)]
        lines.append(f"| {entry.name} | {100 * entry.accuracy:.1f} | {entry.seconds:.0f} | {' | '.join(cells)} |")
    lines += _one_pass(entries)
    lines += [
        "",
        "## Certified accuracy against the size of perturbations",
        "",
        "The best certificate of each network that speaks of the network itself, a panel each, the other networks in",
        "grey. Dashed: the share of samples that",
        "lie farther than twice the size from the nearest sample of another class. The radii of two such samples add",
        "up to their distance at most, so that half of it is what a classifier that is right about both can give both.",
        "",
        "![Certified accuracy, 2-norm](zoo-2.png)",
        "",
        "![Certified accuracy, sup norm](zoo-inf.png)",
        "",
        "## What each method certifies of each network",
        "",
        "![By method, 2-norm](zoo-2-methods.png)",
        "",
        "![By method, sup norm](zoo-inf-methods.png)",
        "",
        "## Level curves",
        "",
        "The difference of the two outputs over sqrt(2), of a plain and of a 1-Lipschitz network on two moons. The",
        "second one's is a certified distance: its curves are no closer to the boundary than their level says.",
        "",
        "![Level curves of a plain and of a 1-Lipschitz network](zoo-levels.png)",
    ]
    return "\n".join(lines) + "\n"


def _one_pass(entries: Sequence[Entry]) -> list[str]:
    """The table of certificates of one forward pass."""
    lines = [
        "",
        "## What one forward pass certifies",
        "",
        f"2-norm, all samples of `{DATA}`: the margin over a global Lipschitz constant, that of all outputs by the",
        "product of norms, or that of each pair of classes. Medians; the radius of a sample in another class is 0.",
        "",
        "| network | constant of all outputs | median radius by it | median radius by pairs |",
        "|---|---|---|---|",
    ]
    for entry in entries:
        found = entry.one_pass
        radii = " | ".join(f"{found.medians[name]:.3f}" for name in CONSTANTS)
        lines.append(f"| {entry.name} | {found.constant:.8g} | {radii} |")
    return lines


def _columns(norm: float) -> list[str]:
    return ["attack", *METHODS[norm][1:]]


def _headings() -> list[str]:
    names = {2.0: "2-norm", math.inf: "sup norm"}
    return [f"{names[norm]}: {column}" for norm in SIZES for column in _columns(norm)]


def _share(entry: Entry, norm: float, column: str) -> str:
    size: AtSize = next(s for s in entry.robust[norm].summary.sizes if s.epsilon == SHOWN[norm])
    share = size.unbroken if column == "attack" else size.certified[column]
    return f"{100 * share.value:.0f}"

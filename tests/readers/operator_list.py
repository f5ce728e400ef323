"""The list of operators in docs/operators.md, made from the reader's registry and the standard.

python -m tests.readers.operator_list     # writes it anew
"""

from __future__ import annotations

import textwrap
from pathlib import Path

import onnx

from verifier.readers.onnx.control import HOLDERS
from verifier.readers.onnx.folding import RANDOM
from verifier.readers.onnx.operators import defined_operators
from verifier.readers.onnx.registry import supported_operators
from verifier.readers.onnx.standard import CLASSICAL, RUNTIME

PAGE = Path(__file__).resolve().parents[2] / "docs/operators.md"
START, END = "<!-- made by python -m tests.readers.operator_list -->", "<!-- end of what is made -->"

SEQUENCES = ("Sequence", "Optional", "SplitToSequence", "ConcatFromSequence")
TEXT = ("String", "RegexFullMatch", "TfIdfVectorizer")


def listing() -> str:
    """The lists, as Markdown."""
    read = set(supported_operators()) | HOLDERS
    standard = {s.name for s in onnx.defs.get_all_schemas() if s.domain == ""}
    left = standard - read
    defined = defined_operators(read)
    random = left & RANDOM
    sequences = {op for op in left if op.startswith(SEQUENCES)}
    text = {op for op in left if op.startswith(TEXT)}
    rest = left - defined - random - sequences - text
    return "\n\n".join(
        [
            _part(f"Read ({len(read)})", read),
            _part(f"Read by the standard's own definition ({len(defined)})", defined),
            _part("Read, of scikit-learn's converters (domain ai.onnx.ml)", set(supported_operators(CLASSICAL))),
            _part("Read, of ONNX Runtime's quantiser (domain com.microsoft)", set(supported_operators(RUNTIME))),
            _part("Not read: random", random),
            _part("Not read: sequences and optional values", sequences),
            _part("Not read: text", text),
            _part("Not read: others", rest),
        ]
    )


def _part(title: str, operators: set[str]) -> str:
    return f"## {title}\n\n" + textwrap.fill(", ".join(sorted(operators)) + ".", 120)


def page(text: str) -> str:
    """The page with the lists in their place."""
    before, rest = text.split(START)
    return f"{before}{START}\n\n{listing()}\n\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))

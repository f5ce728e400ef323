"""`verifier convert PROPERTY --to VERSION`: the same question in another version of VNN-LIB."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from verifier.cli.options import option, word
from verifier.cli.output import say


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """The property."""

    prop: Path = word(Path, "PROPERTY", "VNN-LIB property, .vnnlib or .vnnlib.gz.")
    to: str = option(str, "2.0", "1.0 or 2.0.", "VERSION")
    network: Path | None = option(Path, None, "The model, whose tensors are declared with their shapes.", "NET")
    out: Path | None = option(Path, None, "Write it to this file instead of standard output.")


def convert(conversion: Conversion) -> int:
    """Say a VNN-LIB property in another version of the standard.

    What is asked stays the same, to the last digit. Version 2.0 can say all of 1.0; the other way round several
    networks, hidden tensors, products and inputs without bounds cannot be said.

    Examples:

    verifier convert prop.vnnlib --to 2.0 --network net.onnx --out prop2.vnnlib

    verifier convert prop2.vnnlib --to 1.0
    """
    from verifier.evidence.result_files import check_writable, write_whole
    from verifier.readers.onnx import load_network
    from verifier.readers.vnnlib.conversion import converted
    from verifier.readers.vnnlib.source import Source

    if conversion.out is not None:
        check_writable(conversion.out, "--out")
    network = None if conversion.network is None else load_network(conversion.network)
    text = converted(Source.read(conversion.prop), conversion.to, network)
    if conversion.out is None:
        say(text.rstrip("\n"))
    else:
        write_whole(conversion.out, text)
    return 0

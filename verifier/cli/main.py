"""The `verifier` command: one function a subcommand, each in a file of its own."""

from __future__ import annotations

import os
import sys
import traceback

# Searches bring their own threads. Read by OpenBLAS when NumPy is imported; several of its threads on small matrices
# cost more than they gain, and wait for each other in loops where other processes want the cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import typer

from verifier.batch.watchdog import EXIT_DEFECT, EXIT_USAGE
from verifier.cli import (
    accuracy,
    bench,
    check_radii,
    compare,
    compare_runs,
    info,
    radius,
    report,
    solvers,
    train,
    verify,
    zoo,
)
from verifier.cli.output import bear_any_text, complain, say
from verifier.errors import VerifierError

app = typer.Typer(
    name="verifier",
    help="Decide properties of neural networks: proved, refuted by a concrete input, or not known.",
    epilog="Example: verifier verify net.onnx prop.vnnlib --timeout 60",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help takes half the time of a start
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("verify", no_args_is_help=True)(verify.verify)
app.command("bench", no_args_is_help=True)(bench.bench)
app.command("compare", no_args_is_help=True)(compare.compare)
app.command("compare-runs", no_args_is_help=True)(compare_runs.compare_runs)
app.command("radius", no_args_is_help=True)(radius.radius)
app.command("accuracy", no_args_is_help=True)(accuracy.accuracy)
app.command("check-radii", no_args_is_help=True)(check_radii.check_radii)
app.command("train", no_args_is_help=True)(train.train)
app.command("zoo")(zoo.zoo)
app.command("report", no_args_is_help=True)(report.report)
app.command("solvers")(solvers.solvers)
app.command("info", no_args_is_help=True)(info.info)


def main() -> None:
    """Runs the command line and exits: 0 unsat, 1 sat, 2 wrong input or usage, 3 undecided, 70 a defect of our own."""
    bear_any_text()
    try:
        app()
    except VerifierError as error:
        say("error")
        complain(f"verifier: {error}")
        sys.exit(EXIT_USAGE)
    except Exception:  # Python's own status for it would be 1, which says sat
        say("error")
        complain(traceback.format_exc())
        complain("verifier: this is a defect of verifier; please report it with the text above")
        sys.exit(EXIT_DEFECT)


if __name__ == "__main__":
    main()

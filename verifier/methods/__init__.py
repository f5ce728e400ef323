"""Methods that decide a query, and their registry."""

from verifier.methods.options import Options, example_array
from verifier.methods.registry import METHODS, Method, check_solver, decide, method_named, run
from verifier.methods.task import Task

__all__ = [
    "METHODS",
    "Method",
    "Options",
    "Task",
    "check_solver",
    "decide",
    "example_array",
    "method_named",
    "run",
]

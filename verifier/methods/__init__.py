"""Methods that decide a query, and their registry."""

from verifier.methods.registry import METHODS, Method, decide, method_named, run
from verifier.methods.task import Options, Task, example_array

__all__ = ["METHODS", "Method", "Options", "Task", "decide", "example_array", "method_named", "run"]

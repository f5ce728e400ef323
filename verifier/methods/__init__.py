"""Methods that decide a query, and their registry."""

from verifier.methods.registry import METHODS, Method, decide, method_named, run
from verifier.methods.task import Options, Task

__all__ = ["METHODS", "Method", "Options", "Task", "decide", "method_named", "run"]

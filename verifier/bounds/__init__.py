"""Sound bounds of what a network's nodes come to.

The library's call `verifier.bounds(...)` has this package's name: importing the package puts it in the place of the
function, so that it can be called itself.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Called(ModuleType):
    """The package, which is also the function `verifier.ranges.calls.bounds`."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return import_module("verifier.ranges.calls").bounds(*arguments, **named)


sys.modules[__name__].__class__ = _Called

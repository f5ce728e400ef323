"""Scalar functions of one real variable and the facts about them, one file a family, loaded when first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verifier.network.functions.base import Curvature, Piece, ScalarFunction
    from verifier.network.functions.clip import Clip
    from verifier.network.functions.elu import Elu, ScaledElu
    from verifier.network.functions.exponential import Exp, Log, Softplus
    from verifier.network.functions.gated import HardSwish, Swish
    from verifier.network.functions.gelu import Gelu
    from verifier.network.functions.hyperbolic import Cosh, Sinh
    from verifier.network.functions.inverse import Acos, Acosh, Asin, Asinh, Atan, Atanh
    from verifier.network.functions.near import Inside, Near
    from verifier.network.functions.periodic import Cos, Sin, Tan
    from verifier.network.functions.powers import Power, Reciprocal, ReciprocalOrOne, Sqrt
    from verifier.network.functions.relu import Relu
    from verifier.network.functions.sigmoidal import Erf, Sigmoid, Softsign, Tanh
    from verifier.network.functions.steps import Floor, Round, Sign, Step, StepFunction, Truncation

_HOMES = {
    "Curvature": "base",
    "Piece": "base",
    "ScalarFunction": "base",
    "Clip": "clip",
    "Elu": "elu",
    "ScaledElu": "elu",
    "Exp": "exponential",
    "Log": "exponential",
    "Softplus": "exponential",
    "HardSwish": "gated",
    "Swish": "gated",
    "Gelu": "gelu",
    "Cosh": "hyperbolic",
    "Sinh": "hyperbolic",
    "Acos": "inverse",
    "Acosh": "inverse",
    "Asin": "inverse",
    "Asinh": "inverse",
    "Atan": "inverse",
    "Atanh": "inverse",
    "Inside": "near",
    "Near": "near",
    "Cos": "periodic",
    "Sin": "periodic",
    "Tan": "periodic",
    "Power": "powers",
    "Reciprocal": "powers",
    "ReciprocalOrOne": "powers",
    "Sqrt": "powers",
    "Relu": "relu",
    "Erf": "sigmoidal",
    "Sigmoid": "sigmoidal",
    "Softsign": "sigmoidal",
    "Tanh": "sigmoidal",
    "Floor": "steps",
    "Round": "steps",
    "Sign": "steps",
    "Step": "steps",
    "StepFunction": "steps",
    "Truncation": "steps",
}

__all__ = [
    "Acos",
    "Acosh",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "Clip",
    "Cos",
    "Cosh",
    "Curvature",
    "Elu",
    "Erf",
    "Exp",
    "Floor",
    "Gelu",
    "HardSwish",
    "Inside",
    "Log",
    "Near",
    "Piece",
    "Power",
    "Reciprocal",
    "ReciprocalOrOne",
    "Relu",
    "Round",
    "ScalarFunction",
    "ScaledElu",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Step",
    "StepFunction",
    "Swish",
    "Tan",
    "Tanh",
    "Truncation",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value

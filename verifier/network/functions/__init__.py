"""Scalar functions of one real variable and the facts about them, one file a family."""

from verifier.network.functions.base import Curvature, Piece, ScalarFunction
from verifier.network.functions.clip import Clip
from verifier.network.functions.elu import Elu, ScaledElu
from verifier.network.functions.exponential import Exp, Log, Softplus
from verifier.network.functions.gelu import Gelu
from verifier.network.functions.periodic import Cos, Sin
from verifier.network.functions.powers import Power, Reciprocal, Sqrt
from verifier.network.functions.relu import Relu
from verifier.network.functions.sigmoidal import Erf, Sigmoid, Tanh
from verifier.network.functions.steps import Floor, Sign, StepFunction

__all__ = [
    "Clip",
    "Cos",
    "Curvature",
    "Elu",
    "Erf",
    "Exp",
    "Floor",
    "Gelu",
    "Log",
    "Piece",
    "Power",
    "Reciprocal",
    "Relu",
    "ScalarFunction",
    "ScaledElu",
    "Sigmoid",
    "Sign",
    "Sin",
    "Softplus",
    "Sqrt",
    "StepFunction",
    "Tanh",
]

"""The operators that are known, each read by the standard's definition."""

from verifier.checker.operators import arithmetic, functions, logic, moving, recurrent, vectors, windows
from verifier.checker.operators.call import Operator

OPERATORS: dict[str, Operator] = {
    **moving.OPERATORS,
    **arithmetic.OPERATORS,
    **windows.OPERATORS,
    **functions.OPERATORS,
    **vectors.OPERATORS,
    **logic.OPERATORS,
    **recurrent.OPERATORS,
}
"""By the names of the standard."""

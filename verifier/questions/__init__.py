"""Questions in Python: conditions on inputs and outputs, and the queries they make.

>>> import verifier
>>> from verifier.questions import Y, box
>>> network = verifier.load_network("vnnlib_specs/onnx/moons.onnx")
>>> query = verifier.always(network, box([-0.2, 0.9], [0.2, 1.1]), Y[0] > Y[1])
>>> verifier.verify(network, query).status.value
'unsat'
"""

from verifier.questions.classes import class_among, class_may_be, class_stays, stays_within
from verifier.questions.conditions import Condition, X, Y
from verifier.questions.forms import Form
from verifier.questions.inputs import ball, box

__all__ = [
    "Condition",
    "Form",
    "X",
    "Y",
    "ball",
    "box",
    "class_among",
    "class_may_be",
    "class_stays",
    "stays_within",
]

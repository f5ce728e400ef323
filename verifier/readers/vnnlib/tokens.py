"""The patterns of VNN-LIB 1.0 text.

`TOKEN` splits any text. The others each match a *run* of simple forms, whole or not at all: the bulk of every real file
is such runs, and a run that has matched can be taken apart with `str.replace` and `str.split`, which is twenty
times faster than token by token. All repetitions are possessive: a pattern never goes back over what it has
matched, so its cost is linear and a failed attempt costs no more than the form it failed on.
"""

from __future__ import annotations

import re

_S = r"[ \t\r\n]"
_NUMBER = r"[-+]?(?:[0-9]{1,1000}+(?:\.[0-9]{0,1000}+)?|\.[0-9]{1,1000}+)(?:[eE][-+]?[0-9]{1,4}+)?"
_VARIABLE = r"[XY]_(?:0|[1-9][0-9]{0,8}+)"
_ATOM = rf"\({_S}*+(?:<=|>=|<|>){_S}++{_VARIABLE}{_S}++(?:{_NUMBER}|{_VARIABLE}){_S}*+\){_S}*+"

TOKEN = re.compile(rf"{_S}*+([()]|[^()\s]++)")
"""One parenthesis or word, in group 1, after any space."""

SPACE = re.compile(rf"{_S}*+")
NUMBER = re.compile(_NUMBER)
VARIABLE = re.compile(_VARIABLE)

DECLARATIONS = re.compile(rf"(?:\({_S}*+declare-const{_S}++{_VARIABLE}{_S}++Real{_S}*+\){_S}*+)++")
ATOMS = re.compile(rf"(?:{_ATOM}){{1,200000}}+")
"""Atoms `(relation variable number)` or `(relation variable variable)`, one after the other."""

ASSERTIONS = re.compile(rf"(?:\({_S}*+assert{_S}*+{_ATOM}\){_S}*+){{1,200000}}+")
"""Assertions of one such atom each."""

CONJUNCTIONS = re.compile(rf"(?:\({_S}*+and{_S}*+(?:{_ATOM})++\){_S}*+){{1,1000}}+")
"""Conjunctions of such atoms. A run is cut at a thousand, to bound the memory that taking it apart needs."""

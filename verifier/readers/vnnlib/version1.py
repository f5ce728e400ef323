"""The reader of VNN-LIB 1.0: declarations and assertions in the syntax of SMT-LIB.

Inputs are the constants `X_0`, `X_1`, ..., outputs `Y_0`, `Y_1`, ... Simple forms come in runs, which are taken apart
in bulk (`runs`); anything else goes through a token parser that keeps its own stacks, so depth is no limit. A run
inside a connective is looked for again after every form, so one odd atom costs its neighbours nothing.
"""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise
from typing import NoReturn

from verifier.property.query import Query
from verifier.readers.vnnlib import tokens
from verifier.readers.vnnlib.boxes import Unbounded
from verifier.readers.vnnlib.formula import Formula, TooLarge
from verifier.readers.vnnlib.linear import Linear, NumberTooLarge, combine
from verifier.readers.vnnlib.normal_form import query_of
from verifier.readers.vnnlib.runs import Codes, Runs
from verifier.readers.vnnlib.source import Source
from verifier.readers.vnnlib.written import Written

_RELATIONS = ("<=", ">=", "<", ">", "=")
_OPERATORS = ("+", "-", "*", "/")


def read_version1(source: Source) -> Query:
    """The query of a VNN-LIB 1.0 text.

    Raises:
        PropertyError: the text is no such property, or one that is not supported.
    """
    reader = _Reader(source)
    reader.read()
    return reader.query()


def read_assertions(source: Source, into: Written) -> tuple[int, int]:
    """Tells `into` of the assertions of a VNN-LIB 1.0 text; the numbers of inputs and outputs declared.

    Raises:
        PropertyError: the text is no such property, or one that is not supported.
    """
    reader = _Reader(source, into)
    reader.read()
    return reader.sizes()


class _Reader:
    """Reads a text from front to back.

    `_at` is the position of what comes next, `_here` of the last token, `_form` of the top-level form being read.
    """

    def __init__(self, source: Source, formula: Formula | Written | None = None) -> None:
        self._source, self._text = source, source.text
        self._at = self._here = self._form = 0
        self._kept = Formula()
        self._formula: Formula | Written = self._kept if formula is None else formula
        self._codes = Codes()
        self._runs = Runs(self._formula, self._codes)
        self._declared: dict[str, None] = {}
        self._numbers: dict[str, Fraction] = {}

    def read(self) -> None:
        """Reads all commands."""
        self._skip_space()
        while self._at < len(self._text):
            self._form = self._here = self._at
            try:
                if not (self._declaration_run() or self._run(tokens.ASSERTIONS, "assert")):
                    self._command()
            except ValueError as fault:
                self._fail(str(fault))
            self._skip_space()

    def query(self) -> Query:
        """The query of what was read."""
        input_size, output_size = self.sizes()
        try:
            return query_of(self._kept, input_size, output_size, self._source.name)
        except TooLarge as fault:
            self._fail(str(fault), 0)
        except Unbounded as fault:
            name, side = f"X_{fault.variable}", "upper" if fault.upper else "lower"
            self._fail(
                f"input {name} has no {side} bound in some disjunct",
                self._find(name),
                "bound every input on both sides",
            )

    def sizes(self) -> tuple[int, int]:
        """How many inputs and outputs are declared; whatever is used must be."""
        found = self._count("X", "input"), self._count("Y", "output")
        for name in self._codes:
            if name not in self._declared:
                self._fail(f"{name} is used but not declared", self._find(name), f"add (declare-const {name} Real)")
        return found

    def _count(self, letter: str, kind: str) -> int:
        """How many inputs or outputs are declared; they must be numbered from 0 without a gap."""
        names = [name for name in self._declared if name[0] == letter]
        if not names:
            self._fail(f"no {kind}s are declared", 0, f"add (declare-const {letter}_0 Real)")
        last = max(names, key=lambda name: int(name[2:]))
        if len(names) <= int(last[2:]):
            missing = next(k for k in range(len(names)) if f"{letter}_{k}" not in self._declared)
            self._fail(f"{last} is declared but {letter}_{missing} is not", self._find(last), "declare every one")
        return len(names)

    def _declaration_run(self) -> bool:
        match = tokens.DECLARATIONS.match(self._text, self._at)
        if match:
            names = match.group().replace("(", " ").replace(")", " ").split()[1::3]
            before = len(self._declared)
            self._declared.update(dict.fromkeys(names))
            if len(self._declared) != before + len(names):
                self._fail_at_repeated_declaration()
            self._at = match.end()
        return bool(match)

    def _fail_at_repeated_declaration(self) -> NoReturn:
        seen: set[str] = set()
        for match in re.finditer(r"declare-const\s+(\S+)", self._text):
            if match.group(1) in seen:
                self._fail(f"{match.group(1)} is declared twice", match.start(), "remove one of the declarations")
            seen.add(match.group(1))
        raise AssertionError("no declaration is repeated")

    def _command(self) -> None:
        if self._token() != "(":
            self._fail("a command such as (assert ...) was expected", self._form)
        command = self._token()
        if command == "assert":
            self._read_formula()
            self._expect_end("(assert ...) takes one formula")
        elif command == "declare-const":
            name, sort = self._token(), self._token()
            if not tokens.VARIABLE.fullmatch(name):
                self._fail(
                    f"{name} is no name of an input or output", fix="inputs are X_0, X_1, ..., outputs Y_0, Y_1, ..."
                )
            self._fail(f"{name} is declared with sort {sort}", fix="only Real is supported")
        else:
            self._fail(f"the command {command} is not supported", fix="a property has declare-const and assert only")

    def _run(self, pattern: re.Pattern[str], keyword: str = "") -> int:
        """Reads a run of atoms if there is one here; how many."""
        match = pattern.match(self._text, self._at)
        if not match:
            return 0
        add = self._runs.add_conjunctions if keyword == "and" else self._runs.add_atoms
        try:
            count = add(match.group(), keyword)
        except NumberTooLarge as fault:
            self._fail(str(fault), self._text.find(fault.number, self._at))
        self._at = match.end()
        return count

    def _connective_run(self) -> int:
        """Reads a run of simple arguments of the innermost connective; how many."""
        self._skip_space()
        conjunctions = self._run(tokens.CONJUNCTIONS, "and") if self._formula.in_disjunction else 0
        return conjunctions or self._run(tokens.ATOMS)

    def _read_formula(self) -> None:
        """Reads one formula; `arguments` counts those of each open connective."""
        arguments: list[int] = []
        while True:
            if arguments and (count := self._connective_run()):
                arguments[-1] += count
                continue
            token = self._token()
            if token == "(" and self._opens(arguments):
                continue
            if token == ")":
                if not arguments or not arguments.pop():
                    self._fail("a formula is missing before this parenthesis")
                self._formula.close()
            elif token in ("true", "false"):
                self._formula.add_truth(token == "true")
            elif token != "(":
                self._fail(f"a formula was expected, not {token}")
            if not arguments:
                return
            arguments[-1] += 1

    def _opens(self, arguments: list[int]) -> bool:
        """Reads on after "(": opens a connective (True), or reads a whole comparison."""
        word = self._token()
        if word in ("and", "or"):
            self._formula.open(word == "and")
            arguments.append(0)
            return True
        if word not in _RELATIONS:
            self._fail(f"{word} is not supported in a formula", fix="use and, or, <=, >=, <, > and =")
        sides = self._read_terms()
        if len(sides) < 2:
            self._fail(f"({word} ...) compares fewer than two terms")
        chained = len(sides) > 2
        if chained:
            self._formula.open(conjunctive=True)
        for left, right in pairwise(sides):
            self._formula.add_comparison(left.minus(right), word)
        if chained:
            self._formula.close()
        return False

    def _read_terms(self) -> list[Linear]:
        """Reads terms up to the parenthesis that closes their comparison, and that parenthesis."""
        stack: list[tuple[str, list[Linear]]] = [("", [])]
        while True:
            token = self._token()
            if token == "(":
                operator = self._token()
                if operator not in _OPERATORS:
                    self._fail(f"{operator} is not supported in a term", fix="use +, -, * and / with constants")
                stack.append((operator, []))
            elif token != ")":
                stack[-1][1].append(self._leaf(token))
            else:
                operator, terms = stack.pop()
                if not stack:
                    return terms
                stack[-1][1].append(combine(operator, terms))

    def _leaf(self, token: str) -> Linear:
        """A variable or a number."""
        if tokens.VARIABLE.fullmatch(token):
            return Linear({self._codes[token]: Fraction(1)})
        if token not in self._numbers:
            if not tokens.NUMBER.fullmatch(token):
                self._fail_at_leaf(token)
            self._numbers[token] = Fraction(token)
        return Linear({}, self._numbers[token])

    def _fail_at_leaf(self, token: str) -> NoReturn:
        shown = token if len(token) <= 40 else f"{token[:37]}..."
        if token.lower().lstrip("+-") in ("nan", "inf", "infinity", "oo"):
            self._fail(f"the constant {shown} is not a finite number", fix="give a decimal number")
        if token[0] in "+-.0123456789":
            self._fail(f"{shown} is no number that can be read", fix="give a decimal such as -1.5 or 2e-3")
        self._fail(f"{shown} is no name of an input or output", fix="inputs are X_0, X_1, ..., outputs Y_0, Y_1, ...")

    def _token(self) -> str:
        """The next parenthesis or word."""
        match = tokens.TOKEN.match(self._text, self._at)
        if not match:
            self._fail_at_no_token()
        self._here, self._at = match.start(1), match.end()
        return match.group(1)

    def _fail_at_no_token(self) -> NoReturn:
        self._skip_space()
        if self._at < len(self._text):
            self._fail(f"unexpected character {self._text[self._at]!a}", self._at, "is this a VNN-LIB file?")
        self._fail("the parenthesis opened here is never closed", self._form, "is the file cut short?")

    def _expect_end(self, otherwise: str) -> None:
        if self._token() != ")":
            self._fail(otherwise)

    def _skip_space(self) -> None:
        space = tokens.SPACE.match(self._text, self._at)
        self._at = space.end() if space else self._at

    def _find(self, name: str) -> int:
        """Where a name first stands."""
        match = re.search(rf"(?<![^\s()]){re.escape(name)}(?![^\s()])", self._text)
        return match.start() if match else 0

    def _fail(self, cause: str, position: int | None = None, fix: str = "") -> NoReturn:
        """Raises; the place is that of the last token where no other is given."""
        raise self._source.error(cause, self._here if position is None else position, fix)

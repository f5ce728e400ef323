"""What to verify: instances of benchmarks, read from the lists that VNN-COMP's repositories keep them in.

A list is an ``instances.csv`` (network, property, timeout; optionally a known verdict in a fourth column, or columns
named in a first line) or JSON lines (``bench``, ``onnx``, ``vnnlib``, ``timeout``, ``truth``). Names of columns are
read in any case; others than those known are left aside, unless they hold what reads as a known verdict. Paths are
relative to the list, and a ``.gz`` may be there or not, in the list as on the disk. Where a property is about several
networks, a list of their names and files stands for the network (`batch.models`).
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

from verifier.batch.models import END, is_list, listed, named_models
from verifier.errors import UsageError

LIST = "instances.csv"
COLUMNS = ("network", "property", "timeout", "truth")
SYNONYMS = {
    **dict.fromkeys(("onnx", "onnx_path", "onnx_file", "model"), "network"),
    **dict.fromkeys(("vnnlib", "vnnlib_path", "vnnlib_file", "prop", "spec"), "property"),
    **dict.fromkeys(("bench", "category"), "benchmark"),
    **dict.fromkeys(("verdict", "expected", "ground_truth"), "truth"),
}
KNOWN = (*COLUMNS, "benchmark")
TRUTHS = ("sat", "unsat", "unknown", "")
TELLING_NAMES = re.compile(r"truth|verdict|expect|result|status|label|answer|sat\b|robust|safe|holds|timeout|limit")
"""In the name of a column that is not known: it may hold a known verdict or a timeout."""
TELLING_WORDS = re.compile(r"\b(un)?(sat|safe|satisfiable)\b|\b(holds|violated|verified|falsified|robust|proved)\b")
"""Likewise in a cell of such a column."""
ONLY_EXAMPLE = "match the names 'benchmark/network/property', e.g. --only 'acasxu*/*/prop_3'"


@dataclass(frozen=True)
class Instance:
    """One network with one property.

    Attributes:
        benchmark: the set it belongs to.
        network, prop: the files; the former may be a list of several.
        timeout: seconds, as its list says; None where it says nothing.
        truth: the known verdict, ``sat`` or ``unsat``; "" where none is known.
    """

    benchmark: str
    network: Path
    prop: Path
    timeout: float | None = None
    truth: str = ""

    @property
    def name(self) -> str:
        """``benchmark/network/property``, without folders and endings."""
        return f"{self.benchmark}/{stem(self.network)}/{stem(self.prop)}"


def stem(path: Path) -> str:
    """A file's name without ``.gz`` and without the ending before it."""
    return Path(path.name.removesuffix(".gz")).stem


def is_wrong(verdict: str | None, truth: str) -> bool:
    """Whether a verdict contradicts the known one, which is "" where none is known."""
    return verdict in ("sat", "unsat") and truth not in ("", verdict)


def read_instances(path: Path, only: str = "*") -> list[Instance]:
    """All instances that a list, a benchmark's folder or a folder of those names, each once, in their order.

    One that is listed again has the longest of its timeouts. Known verdicts are those of the chosen ones.

    Args:
        path: a list, or a folder in which there are lists at any depth.
        only: a pattern of names, with ``*``, ``?`` and ``[...]``.

    Raises:
        UsageError: there is no list, a list is malformed, a file is missing, known verdicts differ, or no name matches.
    """
    try:
        sources = _lists(path)
    except OSError as error:
        place = str(error.filename or path)
        raise UsageError(f"cannot be read ({error.strerror})", place, "give a list or a folder") from error
    found = [entry for source, benchmark in _benchmarks(sources, path).items() for entry in _of_list(source, benchmark)]
    chosen: dict[tuple[str, Path, Path], Instance] = {}
    for instance, place in found:
        if fnmatchcase(instance.name, only):
            instance = _with_existing_files(instance, place)
            key = instance.benchmark, instance.network, instance.prop
            chosen[key] = _joined(chosen[key], instance, place) if key in chosen else instance
    if not chosen:
        cause = f"none of the {len(found)} instances matches {only!r}" if found else "there are no instances in it"
        raise UsageError(cause, str(path), ONLY_EXAMPLE if found else "give a list that has some")
    return list(chosen.values())


def _lists(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.exists():
        raise UsageError("does not exist", str(path), f"give an {LIST}, a benchmark's folder or a folder of those")
    lists = sorted(_lists_below(path)) or sorted(path.glob("*.jsonl"))
    if not lists:
        raise UsageError(f"has no {LIST} in it, nor in its folders", str(path), "give a benchmark's folder")
    return lists


def _lists_below(folder: Path) -> Iterator[Path]:
    """The lists in a folder and at any depth below it, behind links too; each folder is entered once.

    Raises:
        OSError: a folder cannot be read.
    """

    def fail(error: OSError) -> None:
        raise error

    seen: set[str] = set()
    for here, folders, files in os.walk(folder, onerror=fail, followlinks=True):
        seen.add(os.path.realpath(here))
        folders[:] = [name for name in folders if os.path.realpath(os.path.join(here, name)) not in seen]
        if LIST in files:
            yield Path(here, LIST)


def _benchmarks(sources: Sequence[Path], path: Path) -> dict[Path, str]:
    """The benchmark of each list: its folder's name, with the folders above where several folders have that name."""
    folders = {source: Path(os.path.abspath(source)).parent for source in sources}
    count = Counter(folder.name for folder in set(folders.values()))
    root = Path(os.path.abspath(path))

    def name(folder: Path) -> str:
        if count[folder.name] == 1:
            return folder.name
        return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else str(folder)

    return {source: name(folder) for source, folder in folders.items()}


def _joined(first: Instance, again: Instance, place: str) -> Instance:
    """The one instance that is listed twice."""
    if first.truth != again.truth:
        raise UsageError(f"{again.name} again, with another known verdict", place, "say the same of it everywhere")
    told = [instance.timeout for instance in (first, again) if instance.timeout is not None]
    return replace(first, timeout=max(told, default=None))


def _of_list(source: Path, benchmark: str) -> Iterator[tuple[Instance, str]]:
    """The instances of a list with their places in it."""
    try:
        text = source.read_text(encoding="utf-8-sig")  # whatever ends its lines, they end in \n now
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot be read ({error})", str(source), "give a CSV or JSON lines") from error
    rows = _json_rows(text, source) if source.suffix in (".jsonl", ".json") else _csv_rows(text, source)
    for line, row in rows:
        place = f"{source}, line {line}"
        yield _instance(row, benchmark, source.parent, place), place


def _csv_rows(text: str, source: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.reader(io.StringIO(text), skipinitialspace=True, strict=True)
    columns = list(COLUMNS)
    try:
        for cells in reader:
            row = _with_list([cell.strip() for cell in cells])
            if not any(row) or row[0].startswith("#"):
                continue
            named = [_column(cell) for cell in row]
            if "network" in named and "property" in named:
                columns = _distinct(named, f"{source}, line {reader.line_num}")
            elif len(row) > len(columns):
                cause = f"{len(row)} cells, but only {len(columns)} columns ({', '.join(columns)})"
                raise UsageError(cause, f"{source}, line {reader.line_num}", "name all columns in the first line")
            else:
                yield reader.line_num, dict(zip(columns, row, strict=False))
    except csv.Error as error:
        raise UsageError(f"not CSV ({error})", f"{source}, line {reader.line_num}", "mend the line") from error


def _with_list(cells: list[str]) -> list[str]:
    """The cells, of which a list of models in the first is one, whatever commas are in it."""
    if cells and is_list(cells[0]):
        last = next((k for k, cell in enumerate(cells) if cell.endswith(END)), 0)
        return [",".join(cells[: last + 1]), *cells[last + 1 :]]
    return cells


def _column(name: str) -> str:
    """What a column, or a key, is called here."""
    plain = name.strip().lower().replace(" ", "_")
    return SYNONYMS.get(plain, plain)


def _distinct(columns: list[str], place: str) -> list[str]:
    twice = [name for name, count in Counter(columns).items() if count > 1 and name]
    if twice:
        raise UsageError(f"two columns say what the {twice[0]} is", place, "leave one of them out")
    telling = [name for name in columns if name not in KNOWN and TELLING_NAMES.search(name)]
    if telling:
        cause = f"the column {telling[0]!r} may be a known verdict or a timeout, but is not known here"
        raise UsageError(cause, place, "call it truth or timeout, or leave it out")
    return columns


def _json_rows(text: str, source: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for line, entry in enumerate(text.split("\n"), 1):
        if not entry.strip():
            continue
        place = f"{source}, line {line}"
        try:
            record = json.loads(entry, object_pairs_hook=partial(_record, place=place))
        except (ValueError, RecursionError) as error:
            raise UsageError(f"not JSON ({error})", place, "write one record a line") from error
        if not isinstance(record, dict):
            raise UsageError("not a record", place, 'write {"onnx": ..., "vnnlib": ...}')
        yield line, record


def _record(pairs: list[tuple[str, Any]], place: str) -> dict[str, Any]:
    """A JSON object by our names for its keys."""
    _distinct([_column(key) for key, _ in pairs], place)
    return {_column(key): value for key, value in pairs}


def _instance(row: Mapping[str, Any], benchmark: str, folder: Path, place: str) -> Instance:
    for column in ("network", "property"):
        if not isinstance(row.get(column), str) or not row[column]:
            raise UsageError(f"no {column}", place, "write network, property, timeout")
    for column, value in row.items():
        if column not in KNOWN and TELLING_WORDS.search(str(value).lower()):
            raise UsageError(f"the column {column!r} says {value!r}", place, "call it truth if it is the known verdict")
    models = [(name, folder / path) for name, path in named_models(row["network"])]
    network, prop = listed(models) if models else folder / row["network"], folder / row["property"]
    told = row.get("truth")
    truth = "" if told is None else str(told).strip().lower()
    if truth not in TRUTHS:
        raise UsageError(f"a known verdict of {told!r}", place, "write sat, unsat or unknown")
    name = _storable(str(row.get("benchmark") or benchmark), place)
    return Instance(name, network, prop, _timeout(row.get("timeout"), place), truth.replace("unknown", ""))


def _timeout(value: Any, place: str) -> float | None:
    if value in (None, ""):
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise UsageError(f"a timeout of {value!r}", place, "write a positive number of seconds")
    return seconds


def _with_existing_files(instance: Instance, place: str) -> Instance:
    models = [(name, _existing(path, place)) for name, path in named_models(instance.network)]
    network = listed(models) if models else _existing(instance.network, place)
    return replace(instance, network=network, prop=_existing(instance.prop, place))


def _existing(path: Path, place: str) -> Path:
    """The file, or the one that differs in its ``.gz``."""
    other = path.with_name(path.name.removesuffix(".gz") if path.name.endswith(".gz") else path.name + ".gz")
    for candidate in (path, other):
        if _is_file(candidate, place):
            return Path(_storable(os.path.abspath(candidate), place))  # links stay: data may lie beside them
    raise UsageError(f"{path} does not exist", place, "mend the path, or leave the line out with --only")


def _is_file(path: Path, place: str) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        raise UsageError(f"{path} cannot be a file ({error.strerror})", place, "mend the path") from error


def _storable(text: str, place: str) -> str:
    """The text, if it can be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{text!r} is no UTF-8", place, "rename it, or the folder or file") from error
    return text

"""What to verify: instances of benchmarks, read from the lists that VNN-COMP's repositories keep them in.

A list is an ``instances.csv`` (network, property, timeout; optionally a known verdict in a fourth column, or columns
named in a first line) or JSON lines (``bench``, ``onnx``, ``vnnlib``, ``timeout``, ``truth``). Paths are relative to
the list, and a ``.gz`` may be there or not, in the list as on the disk.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from verifier.errors import UsageError

LIST = "instances.csv"
COLUMNS = ("network", "property", "timeout", "truth")
SYNONYMS = {"onnx": "network", "vnnlib": "property", "bench": "benchmark", "category": "benchmark", "verdict": "truth"}
TRUTHS = ("sat", "unsat", "unknown", "")
ONLY_EXAMPLE = "match the names 'benchmark/network/property', e.g. --only 'acasxu*/*/prop_3'"


@dataclass(frozen=True)
class Instance:
    """One network with one property.

    Attributes:
        benchmark: the set it belongs to.
        network, prop: the files.
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


def read_instances(path: Path, only: str = "*") -> list[Instance]:
    """All instances that a list, a benchmark's folder or a folder of those names, each once, in their order.

    Args:
        path: a list, or a folder in which there are lists at any depth.
        only: a pattern of names, with ``*``, ``?`` and ``[...]``.

    Raises:
        UsageError: there is no list, a list is malformed, a file is missing, or no name matches.
    """
    found = [entry for source in _lists(path) for entry in _of_list(source)]
    chosen: dict[tuple[str, Path, Path], Instance] = {}
    for instance, place in found:
        if fnmatchcase(instance.name, only):
            instance = _with_existing_files(instance, place)
            first = chosen.setdefault((instance.benchmark, instance.network, instance.prop), instance)
            if first.truth != instance.truth:
                cause = f"{instance.name} again, with another known verdict"
                raise UsageError(cause, place, "say the same of it everywhere")
    if not chosen:
        cause = f"none of the {len(found)} instances matches {only!r}" if found else "there are no instances in it"
        raise UsageError(cause, str(path), ONLY_EXAMPLE if found else "give a list that has some")
    return list(chosen.values())


def _lists(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.exists():
        raise UsageError("does not exist", str(path), f"give an {LIST}, a benchmark's folder or a folder of those")
    if (path / LIST).is_file():
        return [path / LIST]
    lists = sorted(path.rglob(LIST)) or sorted(path.glob("*.jsonl"))
    if not lists:
        raise UsageError(f"has no {LIST} in it, nor in its folders", str(path), "give a benchmark's folder")
    return lists


def _of_list(source: Path) -> Iterator[tuple[Instance, str]]:
    """The instances of a list with their places in it."""
    benchmark = source.resolve().parent.name
    try:
        text = source.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot be read ({error})", str(source), "give a CSV or JSON lines") from error
    rows = _json_rows(text, source) if source.suffix in (".jsonl", ".json") else _csv_rows(text, source)
    for line, row in rows:
        place = f"{source}, line {line}"
        yield _instance(row, benchmark, source.parent, place), place


def _csv_rows(text: str, source: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.reader(text.splitlines(), skipinitialspace=True)
    columns = list(COLUMNS)
    try:
        for row in reader:
            if not row or row[0].startswith("#"):
                continue
            named = [SYNONYMS.get(cell.strip().lower(), cell.strip().lower()) for cell in row]
            if "network" in named and "property" in named:
                columns = named
            elif len(row) > len(columns):
                cause = f"{len(row)} cells, but only {len(columns)} columns ({', '.join(columns)})"
                raise UsageError(cause, f"{source}, line {reader.line_num}", "name all columns in the first line")
            else:
                yield reader.line_num, dict(zip(columns, (cell.strip() for cell in row), strict=False))
    except csv.Error as error:
        raise UsageError(f"not CSV ({error})", f"{source}, line {reader.line_num}", "mend the line") from error


def _json_rows(text: str, source: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for line, entry in enumerate(text.splitlines(), 1):
        if not entry.strip():
            continue
        try:
            record = json.loads(entry)
        except ValueError as error:
            raise UsageError(f"not JSON ({error})", f"{source}, line {line}", "write one record a line") from error
        if not isinstance(record, dict):
            raise UsageError("not a record", f"{source}, line {line}", 'write {"onnx": ..., "vnnlib": ...}')
        yield line, {SYNONYMS.get(str(key), str(key)): value for key, value in record.items()}


def _instance(row: Mapping[str, Any], benchmark: str, folder: Path, place: str) -> Instance:
    for column in ("network", "property"):
        if not isinstance(row.get(column), str) or not row[column]:
            raise UsageError(f"no {column}", place, "write network, property, timeout")
    network, prop = folder / row["network"], folder / row["property"]
    truth = row.get("truth") or ""
    if truth not in TRUTHS:
        raise UsageError(f"a known verdict of {truth!r}", place, "write sat, unsat or unknown")
    truth = truth if truth in ("sat", "unsat") else ""
    return Instance(str(row.get("benchmark") or benchmark), network, prop, _timeout(row.get("timeout"), place), truth)


def _timeout(value: Any, place: str) -> float | None:
    if value in (None, ""):
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise UsageError(f"a timeout of {value!r}", place, "write a positive number of seconds")
    return seconds


def _with_existing_files(instance: Instance, place: str) -> Instance:
    files = _existing(instance.network, place), _existing(instance.prop, place)
    return replace(instance, network=files[0], prop=files[1])


def _existing(path: Path, place: str) -> Path:
    """The file, or the one that differs in its ``.gz``."""
    other = path.with_name(path.name.removesuffix(".gz") if path.name.endswith(".gz") else path.name + ".gz")
    for candidate in (path, other):
        if candidate.is_file():
            return _storable(Path(os.path.abspath(candidate)), place)  # links stay: data may lie beside them
    raise UsageError(f"{path} does not exist", place, "mend the path, or leave the line out with --only")


def _storable(path: Path, place: str) -> Path:
    """The path, if it is text."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"the path {str(path)!r} is no UTF-8", place, "rename the folder or file") from error
    return path

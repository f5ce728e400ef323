"""Damage to files: bytes, protobuf fields, s-expressions, numbers, archives."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable

import numpy as np

NUMBERS = [
    "1e309", "-1e309", "1e-400", "nan", "inf", "-inf", "0x10", "1_000", "1e999999999", "9" * 400, "1/0", "(/ 1.0 0.0)",
    "+-1", "1e", ".", "1e300", "-0.0", "\u0661", "1,5", "18446744073709551616", "(* 1e200 1e200)",
]  # fmt: skip
ODD = [
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\x1b[31m",
    b"\xe2\x80\xae",
    b"\r",
    b"=cmd()",
    b'"',
    b"((((((((",
    b";",
    b"|",
]


def random_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """A few bytes flipped, cut out, doubled or put in."""
    changed = bytearray(data)
    for _ in range(int(rng.choice([1, 1, 2, 5, 20]))):
        if not changed:
            break
        at = int(rng.integers(len(changed)))
        span = int(rng.choice([1, 2, 8, 64]))
        kind = int(rng.integers(6))
        if kind == 0:
            changed[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            changed[at] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF]))
        elif kind == 2:
            del changed[at : at + span]
        elif kind == 3:
            changed[at:at] = changed[at : at + span]
        elif kind == 4:
            changed[at:at] = rng.bytes(span)
        else:
            changed[at : at + span] = b"\xff" * span
    return bytes(changed)


def cut_short(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(len(data) + 1))]


def protobuf(data: bytes, rng: np.random.Generator, depth: int = 0) -> bytes:
    """One field, at any depth, doubled, left out, moved to the end, set to another number, or emptied."""
    fields = _fields(data)
    if not fields:
        return random_bytes(data, rng)
    at = int(rng.integers(len(fields)))
    key, start, stop, inner = fields[at]
    whole = data[start:stop]
    if key & 7 == 2 and depth < 8 and rng.random() < 0.75:
        changed = protobuf(data[inner:stop], rng, depth + 1)
        whole = _varint(key) + _varint(len(changed)) + changed
        return data[:start] + whole + data[stop:]
    kind = int(rng.integers(6))
    if kind == 0:
        return data[:start] + whole + whole + data[stop:]
    if kind == 1:
        return data[:start] + data[stop:]
    if kind == 2:
        return data[:start] + data[stop:] + whole
    if kind == 3 and key & 7 == 0:
        number = int(rng.choice([0, 1, 2, 7, 127, 2**31 - 1, 2**31, 2**62])) if rng.random() < 0.7 else 2**64 - 1
        return data[:start] + _varint(key) + _varint(number) + data[stop:]
    if kind == 4 and key & 7 == 2:
        return data[:start] + _varint(key) + _varint(0) + data[stop:]
    return data[:inner] + random_bytes(data[inner:stop], rng) + data[stop:]


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _fields(data: bytes) -> list[tuple[int, int, int, int]]:
    """(key, start, stop, start of its contents) of each field; [] for what is no message."""
    found, at = [], 0
    try:
        while at < len(data):
            start = at
            key, at = _read(data, at)
            if key & 7 == 0:
                inner = at
                _, at = _read(data, at)
            elif key & 7 in (1, 5):
                inner, at = at, at + (8 if key & 7 == 1 else 4)
            elif key & 7 == 2:
                length, inner = _read(data, at)
                at = inner + length
            else:
                return []
            if at > len(data) or key >> 3 == 0:
                return []
            found.append((key, start, at, inner))
    except IndexError:
        return []
    return found


def _read(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at


def expression(data: bytes, rng: np.random.Generator) -> bytes:
    """S-expressions, names and numbers exchanged, doubled, nested, left out."""
    tokens = re.findall(r"[()]|[^\s()]+|\s+", data.decode("utf-8", "replace"))
    for _ in range(int(rng.choice([1, 1, 2, 4]))):
        at = int(rng.integers(len(tokens)))
        kind = int(rng.integers(9))
        if kind == 0:
            del tokens[at]
        elif kind == 1:
            tokens.insert(at, tokens[int(rng.integers(len(tokens)))])
        elif kind == 2:
            tokens.insert(
                at, str(rng.choice(["not", "or", "and", "<", ">", "=", "=>", "ite", "let", "+", "-", "*", "assert"]))
            )
        elif kind == 3:
            numbers = [k for k, token in enumerate(tokens) if re.fullmatch(r"[-+.\deE]*\d", token)] or [at]
            tokens[int(rng.choice(numbers))] = str(rng.choice(NUMBERS))
        elif kind == 4:
            start, stop = sorted(rng.integers(0, len(tokens) + 1, 2).tolist())
            tokens[at:at] = tokens[start : min(stop, start + 200)]
        elif kind == 5:
            depth = int(rng.choice([3, 50, 2000, 20000]))
            tokens[at] = "(" * depth + tokens[at] + ")" * depth
        elif kind == 6:
            tokens[at] = re.sub(r"\d+", lambda _: str(rng.choice([0, 1, 99, 10**12, 2**64])), tokens[at])
        elif kind == 7:
            depth = int(rng.choice([5, 100, 3000]))
            tokens[at] = f"({rng.choice(['and', 'or', '+', '-', '*', 'not'])} " * depth + tokens[at] + ")" * depth
        else:
            tokens[at] = rng.bytes(3).decode("latin-1")
        tokens = tokens or [" "]
    return "".join(tokens).encode("utf-8", "replace")


def encoding(data: bytes, rng: np.random.Generator) -> bytes:
    """Another encoding, or odd bytes at the beginning, at the end, or within."""
    kind = int(rng.integers(4))
    if kind == 0:
        name = str(rng.choice(["utf-16", "utf-8-sig", "utf-32", "cp037"]))
        return data.decode("latin-1").encode(name, "replace")
    odd = ODD[int(rng.integers(len(ODD)))]
    at = int(rng.choice([0, len(data), rng.integers(len(data) + 1)]))
    return data[:at] + odd + data[at:]


def zipped(data: bytes, rng: np.random.Generator) -> bytes:
    """A gzip file with a wrong length or checksum, several members, garbage behind, cut, or a bomb."""
    packed = gzip.compress(data)
    kind = int(rng.integers(8))
    if kind == 0:
        return packed[:-4] + rng.bytes(4)
    if kind == 1:
        return packed[:-8] + rng.bytes(4) + packed[-4:]
    if kind == 2:
        at = int(rng.integers(len(data) + 1))
        return gzip.compress(data[:at]) + gzip.compress(b"") * int(rng.choice([0, 1, 1000])) + gzip.compress(data[at:])
    if kind == 3:
        return packed + rng.bytes(int(rng.choice([1, 2, 100])))
    if kind == 4:
        return packed + b"\x00" * int(rng.choice([1, 100, 5000]))
    if kind == 5:
        return cut_short(packed, rng)
    if kind == 6:
        piece = gzip.compress(b"\x00" * (64 << 20) if rng.random() < 0.5 else b" " * (64 << 20))
        return packed + piece * int(rng.choice([1, 8, 60]))
    return random_bytes(packed, rng)


def twice_zipped(data: bytes, rng: np.random.Generator) -> bytes:
    return gzip.compress(zipped(data, rng)) if rng.random() < 0.5 else gzip.compress(gzip.compress(data))


Mutation = Callable[[bytes, np.random.Generator], bytes]
OF_MODELS: tuple[Mutation, ...] = (protobuf, protobuf, protobuf, random_bytes, cut_short)
OF_TEXTS: tuple[Mutation, ...] = (expression, expression, expression, random_bytes, cut_short, encoding)
OF_ARCHIVES: tuple[Mutation, ...] = (zipped, zipped, zipped, twice_zipped)

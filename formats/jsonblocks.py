"""Blocks of whole lines of a JSON file, and which of the lines are sound."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import pyarrow as pa

from ..core.errors import InputError
from .jsonarray import elements

_DEEP: Final = 512
_TOP_NULL: Final = re.compile(rb"\}\s*null")


@final
@dataclass(frozen=True)
class Block:
    """Whole sound lines, and what was wrong with the others: `bad` maps a row's position to the reason."""

    data: bytes
    rows: int
    longest: int
    bad: dict[int, str]


def blocks(path: Path, size: int) -> Iterator[tuple[bytes, int]]:
    """(whole lines, the 1-based number of the first); an array's elements count as its lines."""
    with pa.input_stream(str(path), compression="detect") as stream:
        head = stream.read(size).removeprefix(b"\xef\xbb\xbf")
        pieces = elements(head, stream, size, path) if head.lstrip()[:1] == b"[" else _lines(head, stream, size)
        line = 1
        for data in pieces:
            yield data, line
            line += data.count(b"\n") + (not data.endswith(b"\n"))


def _lines(head: bytes, stream: Any, size: int) -> Iterator[bytes]:
    rest: list[bytes] = []
    while head:
        cut = head.rfind(b"\n") + 1
        if cut:
            yield b"".join([*rest, head[:cut]])
            rest = []
        rest.append(head[cut:])
        head = stream.read(size)
    if tail := b"".join(rest):
        yield tail


def sound(data: bytes) -> Block | None:
    """The lines as they are when Arrow's parser may be trusted with them, else None.

    A top-level null, nesting past a few thousand and bad UTF-8 crash that parser or pass it unseen.
    """
    raw = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(raw == ord("\n")) + 1
    starts = np.concatenate([[0], ends, [] if data.endswith(b"\n") else [len(data)]]).astype(np.int64)
    lengths = np.diff(starts)
    filled = lengths > 1
    if not (raw[starts[:-1][filled]] == ord("{")).all() or _TOP_NULL.search(data) or not _is_utf8(data):
        return None
    opened = np.flatnonzero((raw == ord("{")) | (raw == ord("[")))
    per_line = np.diff(np.searchsorted(opened, starts))
    for index in np.flatnonzero(per_line > _DEEP):
        if _fault(data[starts[index] : starts[index + 1]]):
            return None
    return Block(data, int(filled.sum()), int(lengths.max(initial=0)), {})


def _is_utf8(data: bytes) -> bool:
    offsets = pa.py_buffer(np.array([0, len(data)], np.int64))
    whole = pa.Array.from_buffers(pa.large_binary(), 1, [None, offsets, pa.py_buffer(data)])
    try:
        whole.cast(pa.large_string())
    except pa.ArrowInvalid:
        return False
    return True


def mended(data: bytes, line: int, path: Path, drop: bool) -> Block:
    """The good lines rewritten as plain JSON, the bad ones noted (or, unless `drop`, raised)."""
    kept: list[bytes] = []
    bad: dict[int, str] = {}
    for number, text in enumerate(data.split(b"\n"), line):
        if not text.strip():
            continue
        reason = _fault(text)
        if reason and not drop:
            hint = "mend the line, or keep its place and go on with bad_lines: drop"
            raise InputError(reason, place=f"{path}:{number}", hint=hint)
        if reason:
            bad[len(kept) + len(bad)] = reason.partition(":")[0]
        else:
            kept.append(json.dumps(json.loads(text), ensure_ascii=False).encode())
    return Block(b"\n".join(kept), len(kept) + len(bad), max(map(len, kept), default=0), bad)


def _fault(text: bytes) -> str:
    """What is wrong with one line; empty when it is a JSON object."""
    try:
        value = json.loads(text.decode("utf-8"))
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        return "not UTF-8 text"
    except RecursionError:
        return "nested too deeply"
    except json.JSONDecodeError as error:
        return f"not valid JSON: {error.msg} at column {error.colno}"
    except ValueError as error:
        return f"not valid JSON: {error}"
    return "" if isinstance(value, dict) else "not a JSON object"

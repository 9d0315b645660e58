"""A file that holds one JSON array, element by element, as JSON lines."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ..core.errors import InputError

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_PARSE: Final = json.JSONDecoder().raw_decode


def elements(head: bytes, stream: Any, size: int, path: Path) -> Iterator[bytes]:
    """Blocks of lines, one element a line, about `size` bytes each; `head` is what was read already."""
    try:
        yield from _elements(head, stream, size)
    except RecursionError as error:
        raise InputError("nested too deeply", place=str(path)) from error
    except ValueError as error:
        raise InputError(f"not valid JSON: {error}", place=str(path)) from error


def _elements(head: bytes, stream: Any, size: int) -> Iterator[bytes]:
    decode = codecs.getincrementaldecoder("utf-8")()
    text, lines = decode.decode(head), list[str]()
    position = text.index("[") + 1
    while text[(position := _skip(text, position)) : position + 1] != "]":
        try:
            end, closed = _element(text, position)
        except ValueError:
            more = stream.read(max(size, len(text) - position))
            if not more:
                raise
            if lines:
                yield "\n".join(lines).encode() + b"\n"
            text, position, lines = text[position:] + decode.decode(more), 0, []
            continue
        lines.append(text[position:end].replace("\n", " ").replace("\r", " "))
        position = _after_comma(text, closed)
    if lines:
        yield "\n".join(lines).encode() + b"\n"
    if _skip(text, position + 1) != len(text) or stream.read(size).strip():
        raise ValueError("something follows the array")


def _element(text: str, position: int) -> tuple[int, int]:
    """Where the value at `position` ends, and where the comma or bracket after it stands."""
    _, end = _PARSE(text, position)
    closed = _skip(text, end)
    if closed == len(text):
        raise json.JSONDecodeError("the array does not end", text, closed)
    return end, closed


def _skip(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _after_comma(text: str, position: int) -> int:
    if text[position] == ",":
        return position + 1
    if text[position] == "]":
        return position
    raise json.JSONDecodeError("a comma or ] is missing", text, position)

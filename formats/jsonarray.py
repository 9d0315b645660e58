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


def elements(head: bytes, stream: Any, size: int, path: Path) -> Iterator[bytes]:
    """Blocks of lines, one element a line, about `size` bytes each; `head` is what was read already."""
    decode = codecs.getincrementaldecoder("utf-8")()
    parse = json.JSONDecoder().raw_decode
    try:
        text, position = decode.decode(head), head.decode("utf-8", "replace").index("[") + 1
        lines: list[str] = []
        while True:
            position = _skip(text, position)
            if text[position : position + 1] == "]":
                break
            try:
                _, end = parse(text, position)
                closed = _skip(text, end)
                if closed == len(text):
                    raise json.JSONDecodeError("the array does not end", text, closed)
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
    except RecursionError as error:
        raise InputError("nested too deeply", place=str(path)) from error
    except ValueError as error:
        raise InputError(f"not valid JSON: {error}", place=str(path)) from error
    if _skip(text, position + 1) != len(text) or stream.read(size).strip():
        raise InputError("something follows the JSON array", place=str(path))
    if lines:
        yield "\n".join(lines).encode() + b"\n"


def _skip(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _after_comma(text: str, position: int) -> int:
    if text[position] == ",":
        return position + 1
    if text[position] == "]":
        return position
    raise json.JSONDecodeError("a comma or ] is missing", text, position)

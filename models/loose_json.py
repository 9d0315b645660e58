"""JSON out of what a chat model says around it; repaired only when nothing else is there.

Repair never guesses a value: a number or text that was cut off goes, with its name.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any, Final

_FENCE: Final = re.compile(r"```[ \t]*(?:json[c5]?|JSON)?[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_WORDS: Final = {"True": "true", "False": "false", "None": "null", "true": "true", "false": "false", "null": "null"}
_WORD: Final = re.compile(r"[A-Za-z_$][\w$]*")
_NUMBER: Final = re.compile(r"[-+]?\d[\d_]*(?:\.\d+)?(?:[eE][-+]?\d+)?")
_PAIRS: Final = {"{": "}", "[": "]"}
_QUOTES: Final = {'"': '"', "'": "'", "“": "”", "‘": "’"}
_TRIED: Final = 64  # openings tried: bounds the work on a long text full of brackets
_decoder: Final = json.JSONDecoder(strict=False)


def loose_json(text: str, *, repair: bool = True) -> Any:
    """The object or list in `text`: alone, fenced, or the last whole one in prose. Raises ValueError.

    With `repair`, as a last resort: single and curly quotes, trailing commas, Python's constants, bare
    keys, comments, closing brackets that are missing.
    """
    stripped = text.strip()
    with suppress(ValueError, RecursionError):  # not JSON as a whole: some part of it may be
        value = _decoder.decode(stripped)
        if isinstance(value, (dict, list)):
            return value
    fenced = [part.strip() for part in _FENCE.findall(text)] if "```" in text else []
    for part in [*reversed(fenced), stripped]:
        found, value = _last_whole(part)
        if found:
            return value
    if repair:
        for part in [*reversed(fenced), stripped]:
            start = re.search(r"[\[{]", part)
            if start:
                return _repaired(part[start.start() :])
    raise ValueError("there is no JSON in it")


def _last_whole(text: str) -> tuple[bool, Any]:
    found, value, at = False, None, 0
    for _ in range(_TRIED):
        start = min((i for i in (text.find("{", at), text.find("[", at)) if i >= 0), default=-1)
        if start < 0:
            break
        try:
            candidate, at = _decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            at = start + 1
            continue
        # A bracketed remark ([1], []) after an object is no answer to a question for an object.
        if isinstance(candidate, dict) or not isinstance(value, dict):
            found, value = True, candidate
    return found, value


def _repaired(text: str) -> Any:
    pieces, open_now = _tokens(text)
    out: list[str] = []
    for kind, piece in pieces:
        if kind in ("close", "end"):
            while out and out[-1] == ",":
                out.pop()
        out.append(piece)
    joined = "".join(out) + "".join(reversed(open_now))
    try:
        return _decoder.decode(joined)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _tokens(text: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Pieces of JSON as (kind, text), and the brackets that are still open at the end."""
    pieces: list[tuple[str, str]] = []
    open_now: list[str] = []
    at = 0
    while at < len(text):
        kind, piece, at = _token(text, at)
        if kind == "cut":
            break
        if kind == "close" and (not open_now or open_now.pop() != piece):
            raise ValueError("its brackets do not match")
        if kind == "open":
            open_now.append(_PAIRS[piece])
        if kind != "skip":
            pieces.append((kind, piece))
        if kind == "close" and not open_now:
            return pieces, open_now
    return _without_cut(pieces), open_now


def _token(text: str, at: int) -> tuple[str, str, int]:
    char = text[at]
    if char.isspace():
        return "skip", "", at + 1
    if text.startswith("//", at) or char == "#":
        end = text.find("\n", at)
        return "skip", "", len(text) if end < 0 else end
    if char in "{[":
        return "open", char, at + 1
    if char in "}]":
        return "close", char, at + 1
    if char in ",:":
        return ("comma" if char == "," else "colon"), char, at + 1
    if char in _QUOTES:
        return _quoted(text, at)
    number = _NUMBER.match(text, at)
    if number:
        whole = number.end() < len(text)
        return (
            ("value" if whole else "cut"),
            repr(float(number[0])) if "." in number[0] or "e" in number[0].lower() else str(int(number[0])),
            number.end(),
        )
    word = _WORD.match(text, at)
    if word:
        return "value", _WORDS.get(word[0], json.dumps(word[0])), word.end()
    raise ValueError(f"{char!r} has no place in JSON")


def _quoted(text: str, at: int) -> tuple[str, str, int]:
    close, found = _QUOTES[text[at]], list[str]()
    i = at + 1
    while i < len(text):
        char = text[i]
        if char == "\\" and i + 1 < len(text):
            found.append("'" if text[i + 1] == "'" else text[i : i + 2])
            i += 2
            continue
        # A quote inside a text, as in 'it's': the one that ends it stands before , : } ] or the end.
        if char == close and re.match(r"\s*([,:}\]]|$)", text[i + 1 : i + 40]):
            inner = "".join(found).replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
            return "value", f'"{inner}"', i + 1
        found.append('\\"' if char == '"' else char)
        i += 1
    return "cut", "", len(text)


def _without_cut(pieces: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pieces up to the last one that is certainly whole: a name without its value goes."""
    while pieces and pieces[-1][0] in ("colon", "comma"):
        colon = pieces.pop()[0] == "colon"
        if colon and pieces:
            pieces.pop()
    if len(pieces) >= 2 and pieces[-1][0] == "value" and pieces[-2][0] in ("comma", "open") and _in_object(pieces):
        pieces.pop()
    return [*pieces, ("end", "")]


def _in_object(pieces: list[tuple[str, str]]) -> bool:
    depth: list[str] = []
    for kind, piece in pieces:
        if kind == "open":
            depth.append(piece)
        elif kind == "close":
            depth.pop()
    return bool(depth) and depth[-1] == "{"

"""What a worked answer comes to in the end, in a form that can be compared."""

from __future__ import annotations

import re
from typing import Final

_NESTED: Final = r"(?:[^{}]|\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})*"
_BOXED: Final = re.compile(rf"\\boxed\{{({_NESTED})\}}")
_TOLD: Final = re.compile(
    r"(?:####|(?i:\b(?:final answer|the answer|answer)\b)\s*(?:is|=|:)+)[\s*$:]*(.+?)(?:\.\s|[\s.*$]*$)", re.MULTILINE
)
_NUMBER: Final = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_EDGES: Final = " \t\n\"'`*_.,;:!?()[]$"


def final_answer(text: str) -> str:
    """The last `\\boxed{}`, else what follows `####` or `the answer is`, else the last number, else the last line.

    Case, white space, edges and the commas of numbers do not count; 3.0 is 3. Empty for an empty text.
    """
    marked = marked_answer(text)
    if marked is not None:
        return plain(marked)
    numbers = _NUMBER.findall(text)
    if numbers:
        return plain(numbers[-1])
    lines = [line for line in text.splitlines() if line.strip()]
    return plain(lines[-1]) if lines else ""


def marked_answer(text: str) -> str | None:
    """The last `\\boxed{}`, else what follows the last `####` or `the answer is`, as written; None without any."""
    for pattern in (_BOXED, _TOLD):
        found = pattern.findall(text)
        if found and plain(found[-1]):
            return str(found[-1])
    return None


def plain(text: str) -> str:
    """A short answer without what makes equal answers look different."""
    bare = " ".join(text.casefold().strip(_EDGES).split())
    number = bare.replace(",", "").removesuffix(".0")
    return f"{float(number):g}" if re.fullmatch(r"-?\d{1,15}(?:\.\d+)?", number) else bare

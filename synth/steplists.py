"""Ordered lists in a text: the numbers 1, 2, 3 ..., each with what it introduces."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, final

_LINE = re.compile(r"^[ \t]*(?:\*\*)?(?:Step )?([0-9]{1,2})[.):](?:\*\*)?[ \t]+(?=\S)", re.MULTILINE)
_INLINE = re.compile(r"(?:(?<=\s)|^)(?:Step )?\(?([0-9]{1,2})[.):][ \t]+(?=\S)")
_TAIL = re.compile(r"[ \t]*[.;,!]?(?:[ \t]+(?:and|then))?\s*\Z")
_AFTER_LINES: Final = re.compile(r"\n\s*\n|\n(?=\S)")
_AFTER_INLINE: Final = re.compile(r"\n\s*\n")


@final
@dataclass(frozen=True)
class StepList:
    """`head + Σ (marker + body + tail) + rest` is the text; the three sequences run in step."""

    head: str
    markers: tuple[str, ...]
    bodies: tuple[str, ...]
    tails: tuple[str, ...]
    rest: str


def find_steps(text: str) -> StepList | None:
    """The first ordered list of two steps or more in `text`, one a line or running on in a line."""
    chain = _chain(text)
    if not chain:
        return None
    ends = [marker.start() for marker in chain[1:]] + [len(text)]
    after = _AFTER_LINES if chain[0].re is _LINE else _AFTER_INLINE
    if closing := after.search(text, chain[-1].end()):
        ends[-1] = closing.start()
    bodies, tails = [], []
    for marker, end in zip(chain, ends, strict=True):
        content = text[marker.end() : end]
        tail = _TAIL.search(content)
        size = tail.start() if tail else len(content)
        bodies.append(content[:size])
        tails.append(content[size:])
    markers = tuple(marker.group() for marker in chain)
    return StepList(text[: chain[0].start()], markers, tuple(bodies), tuple(tails), text[ends[-1] :])


def marker_spans(text: str) -> list[tuple[int, int]]:
    """Where the numbers of the steps stand: half-open character ranges."""
    return [marker.span() for marker in _chain(text)]


def _chain(text: str) -> list[re.Match[str]]:
    for pattern in (_LINE, _INLINE):
        chain: list[re.Match[str]] = []
        for marker in pattern.finditer(text):
            if int(marker[1]) == len(chain) + 1:
                chain.append(marker)
        if len(chain) > 1:
            return chain
    return []

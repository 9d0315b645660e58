"""The lines of a rubric: read from a reply, checked for what must not stand in them, and shown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..core.stage import Row
from .listing import TEXT, listed, one_of, record
from .overlap import longest_run

KINDS: Final = ("hard_rule", "principle")
LINE: Final = record(kind=one_of(*KINDS), criterion=TEXT)
CONTRAST: Final = record(
    demands={"type": "array", "items": TEXT},
    differences={"type": "array", "items": TEXT, "minItems": 1},
    items={"type": "array", "items": LINE, "minItems": 1},
)
"""What explains a preference, in the order it is to be found: demands, differences, criteria."""
PROMPT_ONLY: Final = listed(LINE)
_NAMED: Final = re.compile(
    r"\b(?:preferred|chosen|rejected|better|worse|other|first|second|both|these two|(?:the|than) two)\s+"
    r"(?:answer|response|reply|output)s?\b|\b(?:answer|response|reply)\s+(?:[AB12]|one|two)\b",
    re.IGNORECASE,
)


def lines_of(reply: Mapping[str, Any], most: int) -> list[Row]:
    """The first `most` different criteria of a reply as a `rubric` value; every weight is null and counts 1."""
    found: dict[str, str] = {}
    for item in reply["items"]:
        criterion = " ".join(item["criterion"].split())
        if criterion:
            found.setdefault(criterion, item["kind"])
    return [
        {"id": f"{kind[0]}{number}", "criterion": criterion, "weight": None, "kind": kind}
        for number, (criterion, kind) in enumerate(list(found.items())[:most], 1)
    ]


def sound_lines(lines: Sequence[Row], prompt: str, answers: Sequence[str], most_run: int) -> list[Row]:
    """The criteria that neither point at an answer nor carry its words.

    A criterion points when it speaks of the better, the other or the second answer. It carries words when
    a run of more than `most_run` of them stands in an answer, quotations of the prompt aside.
    """
    return [
        line for line in lines if not _NAMED.search(line["criterion"]) and not _carries(line, prompt, answers, most_run)
    ]


def _carries(line: Row, prompt: str, answers: Sequence[str], most_run: int) -> bool:
    return any(longest_run(line["criterion"], answer, prompt) > most_run for answer in answers)


def told(lines: Sequence[Row]) -> list[tuple[int, str, bool]]:
    """The criteria as templates show them: number, text, whether it is a hard rule."""
    return [(number, line["criterion"], line["kind"] == KINDS[0]) for number, line in enumerate(lines, 1)]

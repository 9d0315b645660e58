"""`transform.mcq_to_open`: questions with options become questions without, their answers in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, final

import pyarrow as pa

from ..core.declared import Column
from ..core.registry import register
from ..core.stage import Context, Drop, Map, Row

_LINE: Final = re.compile(r"^[ \t]*\(?([A-Ja-j])[.):][ \t]*(\S.*?)[ \t]*$", re.MULTILINE)
_INLINE: Final = re.compile(r"\(([A-J])\)[ \t]*(.+?)(?=[,;]?[ \t]*\([A-J]\)|[.?]?[ \t]*$|\n)")
_HEADING: Final = re.compile(r"^[ \t]*(?:options|choices|answer choices)[ \t]*:?[ \t]*$", re.MULTILINE | re.IGNORECASE)
_ORDER: Final = re.compile(
    r"[^.?!\n]*\b(?:option|choice|letter|alternative)s?\b[^.?!\n]*\b(?:answer|choose|select|pick|reply|respond)\b"
    r"[^.?!\n]*[.?!]?"
    r"|[^.?!\n]*\b(?:answer|choose|select|pick|reply|respond)\b[^.?!\n]*\b(?:option|choice|letter|alternative)s?\b"
    r"[^.?!\n]*[.?!]?",
    re.IGNORECASE,
)
_NEEDS: Final = re.compile(
    r"\bwhich (?:one )?of (?:the|these) (?:following|options|choices|statements|below|above)\b"
    r"|\b(?:the following|these|above|below) (?:options|choices|statements|answers)\b|\bwhich (?:option|statement)\b"
    r"|\bof the following\b",
    re.IGNORECASE,
)
_BACK: Final = re.compile(
    r"\b(?:all|none|both|neither|either)\b.{0,12}\b(?:above|below|these|options|choices|[A-J] and [A-J])\b", re.I
)
_LETTER: Final = re.compile(r"\A\W*(?:option|answer|choice)?\W*([A-Ja-j])\W*\Z", re.IGNORECASE)


@final
@dataclass(frozen=True)
class Choice:
    """A question without its options, and the options in order from A."""

    stem: str
    options: tuple[str, ...]


@final
@register("transform.mcq_to_open")
class McqToOpen(Map):
    """Take the options away from a multiple-choice question and put the right one's words for its letter.

    With options a model may guess, or see the answer in them. What makes no sense without them ("which of
    the following", "all of the above") is dropped. The options are kept in a column of their own.
    """

    reads = ("prompt", "{reference}")
    writes = (
        Column("prompt", "the question without its options"),
        Column("{reference}", "the right answer in words", pa.string()),
        Column(
            "options", "the options that were taken away, from A; null for a question without", pa.list_(pa.string())
        ),
    )
    paper = "DatBench (multiple choice made open); the rules by which options are found: house"

    reference: str = "reference"
    """Column with the right answer: the letter, or the words of an option."""
    others: Literal["keep", "drop"] = "keep"
    """What becomes of questions without options."""

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        messages = row["prompt"] or []
        found = choice_of((messages[-1]["content"] or "") if messages else "")
        if found is None:
            if self.others == "drop":
                return Drop("no options")
            return [{"prompt": messages, self.reference: row[self.reference], "options": None}]
        if not found.stem or _NEEDS.search(found.stem) or any(_BACK.search(option) for option in found.options):
            return Drop("makes no sense without its options", {"options": len(found.options)})
        right = right_of(found.options, row[self.reference] or "")
        if right is None:
            return Drop("the reference is none of the options", {"options": len(found.options)})
        last = messages[-1] | {"content": found.stem, "parts": _parts(messages[-1]["parts"], found.stem)}
        return [{"prompt": [*messages[:-1], last], self.reference: right, "options": list(found.options)}]


def choice_of(text: str) -> Choice | None:
    """The stem and the options, at least two lettered from A on, one a line or in brackets in a line; else None."""
    for pattern in (_LINE, _INLINE):
        marks = list(pattern.finditer(text))
        letters = [mark[1].upper() for mark in marks]
        if len(marks) >= 2 and letters == [chr(ord("A") + k) for k in range(len(marks))]:
            between = (text[a.end() : b.start()] for a, b in pairwise(marks))
            if any(rest.strip(" ,;\n\t") for rest in between):
                return None
            stem = text[: marks[0].start()] + text[marks[-1].end() :].lstrip(" \t.,;")
            stem = _ORDER.sub("", _HEADING.sub("", stem))
            return Choice(re.sub(r"\s*\n\s*", "\n", stem).strip(), tuple(mark[2].strip() for mark in marks))
    return None


def right_of(options: Sequence[str], reference: str) -> str | None:
    """The words of the option that a letter, or the words themselves, name; None for anything else."""
    letter = _LETTER.match(reference)
    if letter:
        place = ord(letter[1].upper()) - ord("A")
        return options[place] if place < len(options) else None
    plain = {option.casefold().strip(" ."): option for option in options}
    words = re.sub(r"\A\W*[A-J][.):]\s*", "", reference).casefold().strip(" .")
    return plain.get(words)


def _parts(parts: Sequence[Row] | None, stem: str) -> list[Row] | None:
    """Typed parts of the message with its text replaced; pictures stay where they are."""
    if not parts:
        return None
    texts = [k for k, part in enumerate(parts) if part["type"] == "text"]
    kept = [part for k, part in enumerate(parts) if k not in texts[:-1]]
    return [part | {"text": stem} if part["type"] == "text" else part for part in kept]

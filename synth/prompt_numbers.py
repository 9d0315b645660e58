"""Counts in an image prompt: other counts, with noun and verb made to agree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

COUNTS: Final = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
} | {str(k): k for k in range(1, 11)}  # fmt: skip
"""Counts by the word or digit they are written as."""
_NAMES: Final = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_IRREGULAR: Final = {
    "man": "men", "woman": "women", "child": "children", "person": "people", "foot": "feet", "tooth": "teeth",
    "mouse": "mice", "goose": "geese", "leaf": "leaves", "knife": "knives", "wolf": "wolves", "shelf": "shelves",
    "loaf": "loaves", "sheep": "sheep", "fish": "fish", "deer": "deer", "ox": "oxen", "scarf": "scarves",
    "potato": "potatoes", "tomato": "tomatoes", "snowman": "snowmen", "fireman": "firemen", "policeman": "policemen",
    "bus": "buses", "gas": "gases", "lens": "lenses", "giraffe": "giraffes",
}  # fmt: skip
_SINGULAR: Final = {many: one for one, many in _IRREGULAR.items()}
# Where a noun phrase ends: what follows a noun but belongs to it no more.
_FOLLOWING: Final = (
    "in on at of with without and or under over above below behind beside near next to from by for into onto inside "
    "outside around against across through during while that which who is are was were has have wearing holding "
    "standing sitting lying running walking riding flying playing eating floating looking facing between"
)
ENDS: Final = frozenset(_FOLLOWING.split())
"""Words that end a noun phrase."""
_COUNT: Final = re.compile(rf"(?<![\w.,:/-])({'|'.join(sorted(COUNTS, key=len, reverse=True))})(?![\w.,:/-])", re.I)
_WORD: Final = re.compile(r"\s+([A-Za-z][A-Za-z'-]*)")
_VERBS: Final = {"is": "are", "has": "have", "was": "were"}
_FAR: Final = 4
"""Most words of a noun phrase after its count."""


def plural(noun: str) -> str:
    """The plural of an English noun, of whose words the last is inflected."""
    head, _, word = noun.rpartition(" ")
    lower = word.lower()
    if lower in _IRREGULAR:
        many = _IRREGULAR[lower]
    elif re.search(r"(s|x|z|ch|sh)$", lower):
        many = word + "es"
    elif re.search(r"[^aeiou]y$", lower):
        many = word[:-1] + "ies"
    else:
        many = word + "s"
    return f"{head} {many}".strip()


def singular(noun: str) -> str | None:
    """The singular of a plural English noun; None where the word does not look like one."""
    lower = noun.lower()
    if lower in _SINGULAR:
        return _SINGULAR[lower]
    if re.search(r"(ss|us|is)$", lower) or not lower.endswith("s"):
        return None
    if re.search(r"[^aeiou]ies$", lower):
        return noun[:-3] + "y"
    if re.search(r"(x|z|ch|sh|ss)es$", lower):
        return noun[:-2]
    return noun[:-1]


def recounted(prompt: str) -> Iterator[tuple[int, str, str, str]]:
    """(place, count before, count after, prompt) for every count whose noun can be told, one changed at a time."""
    for match in _COUNT.finditer(prompt):
        noun = _noun(prompt, match.end(), many=COUNTS[match[0].lower()] != 1)
        if noun is None:
            continue
        start, end = noun
        for value in range(1, 11):
            if value == COUNTS[match[0].lower()]:
                continue
            other = _like(match[0], value)
            rest = _agreeing(
                prompt[match.end() :], start - match.end(), end - match.end(), COUNTS[match[0].lower()], value
            )
            if rest is not None:
                yield match.start(), match[0], other, prompt[: match.start()] + other + rest


def _like(written: str, value: int) -> str:
    """A count written as another was: in digits or letters, with its capital."""
    if written.isdigit():
        return str(value)
    name = _NAMES[value - 1]
    return name.capitalize() if written[0].isupper() else name


def _noun(prompt: str, start: int, many: bool) -> tuple[int, int] | None:
    """Where the noun counted stands: after "two" the first plural, after "one" the last word of the phrase."""
    last: tuple[int, int] | None = None
    at = start
    for _ in range(_FAR):
        match = _WORD.match(prompt, at)
        if match is None or match[1].lower() in ENDS:
            return None if many else last
        if many and singular(match[1]) is not None:
            return match.span(1)
        last, at = match.span(1), match.end()
    return None


def _agreeing(rest: str, start: int, end: int, before: int, after: int) -> str | None:
    """The text after a count with its noun, and a verb right after it, made to agree."""
    if (before == 1) == (after == 1):
        return rest
    noun = plural(rest[start:end]) if before == 1 else singular(rest[start:end])
    if noun is None:
        return None
    tail = rest[end:]
    verb = _WORD.match(tail)
    turned = _VERBS if before == 1 else {many: one for one, many in _VERBS.items()}
    if verb is not None and verb[1].lower() in turned:
        tail = tail[: verb.start(1)] + turned[verb[1].lower()] + tail[verb.end() :]
    return rest[:start] + noun + tail

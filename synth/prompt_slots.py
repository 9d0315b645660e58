"""Slots of an image prompt (colours, counts, relations, attributes, places) and other values for them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, Literal, final

from .prompt_numbers import COUNTS, ENDS, plural, recounted

Slot = Literal["color", "count", "relation", "attribute", "background"]
SLOTS: Final[tuple[Slot, ...]] = ("color", "count", "relation", "attribute", "background")

# A tuple is one meaning: words in it are synonyms, and never put for one another.
Group = tuple[tuple[str, ...], ...]
COLORS: Final[Group] = (
    ("red", "scarlet", "crimson"), ("blue", "navy", "azure"), ("green", "emerald"), ("yellow",), ("orange",),
    ("purple", "violet"), ("pink",), ("brown",), ("black",), ("white",), ("gray", "grey"),
)  # fmt: skip
_OPPOSITES: Final[tuple[Group, ...]] = (
    (("small", "tiny", "miniature"), ("large", "big", "huge", "giant")),
    (("tall",), ("short",)), (("thin", "slim"), ("thick",)), (("wide",), ("narrow",)),
    (("young",), ("old", "elderly")), (("new",), ("old",)), (("happy", "smiling"), ("sad", "crying")),
    (("open",), ("closed",)), (("wet",), ("dry",)), (("clean",), ("dirty",)),
    (("smooth",), ("rough",)), (("round",), ("square",), ("triangular",)), (("bright",), ("dark",)),
    (("wooden",), ("metal", "metallic"), ("glass",), ("plastic",), ("stone",)),
    (("fluffy", "furry"), ("hairless",)), (("striped",), ("spotted", "dotted"), ("checkered",)),
)  # fmt: skip
_RELATIONS: Final[tuple[Group, ...]] = (
    (("to the left of", "on the left of", "left of"), ("to the right of", "on the right of", "right of")),
    (("above", "over"), ("below", "beneath", "underneath")), (("on top of",), ("under", "underneath")),
    (("in front of",), ("behind",)), (("inside", "inside of"), ("outside", "outside of")),
    (("facing",), ("facing away from",)), (("near", "next to", "beside"), ("far from", "far away from")),
)  # fmt: skip
BACKGROUNDS: Final[Group] = (
    ("on the beach", "on a beach"), ("in the forest", "in a forest", "in the woods"), ("in the jungle", "in a jungle"),
    ("in the snow",), ("in the desert", "in a desert"), ("in the city", "in a city"), ("on the moon",),
    ("in space", "in outer space"), ("in a kitchen", "in the kitchen"), ("in a garden", "in the garden"),
    ("in a field", "in the field"), ("on a mountain", "in the mountains"), ("under water",),
    ("on a street", "in the street", "on the street"), ("in a library", "in the library"),
)  # fmt: skip
_GROUPS: Final[Mapping[Slot, tuple[Group, ...]]] = {
    "color": (COLORS,), "relation": _RELATIONS, "attribute": _OPPOSITES, "background": (BACKGROUNDS,),
}  # fmt: skip
_BEFORE: Final = re.compile(r"\b(?:is|are|was|were|looks?|painted|colou?red)\s+$", re.IGNORECASE)
_AFTER: Final = re.compile(r"\s+([A-Za-z][\w-]*)")
_QUOTED: Final = re.compile(r"""\"[^\"]*\"|“[^”]*”|(?<!\w)'[^']*'(?!\w)""")
_ARTICLE: Final = re.compile(r"\b([Aa])n?(?=\s+$)")


@final
@dataclass(frozen=True)
class Swap:
    """A prompt with exactly one slot changed: which, from what to what."""

    prompt: str
    slot: Slot
    before: str
    after: str


def swaps(prompt: str, slot: Slot, rng: Random) -> list[Swap]:
    """Prompts that differ from this one in one slot of this kind, in the order of chance; no synonyms.

    Left alone are words in names (capitalised within the prompt) and in quotation marks, and counts
    whose noun cannot be told.
    """
    found = list(_recounted(prompt) if slot == "count" else _exchanged(prompt, slot))
    distinct = {swap.prompt: swap for swap in found if swap.prompt.lower() != prompt.lower()}
    others = sorted(distinct.values(), key=lambda swap: swap.prompt)
    rng.shuffle(others)
    return others


def with_article(before: str, word: str) -> str:
    """The text before a word with its `a` or `an` made to fit the word."""
    wanted = "an" if re.match(r"[aeio]|u(?!ni|se)", word, re.IGNORECASE) else "a"
    return _ARTICLE.sub(lambda found: wanted[0].upper() + wanted[1:] if found[1] == "A" else wanted, before)


def _exchanged(prompt: str, slot: Slot) -> Iterator[Swap]:
    closed = [span for *span, _ in _found(prompt, "background")] if slot == "relation" else []
    for start, end, group in _found(prompt, slot):
        word = prompt[start:end]
        within = any(low <= start and end <= high for low, high in closed)
        if within or _quoted(prompt, start) or (slot in ("color", "attribute") and not _describes(prompt, start, end)):
            continue
        own = next(meaning for meaning in group if word.lower() in meaning)
        # Relations are listed in parallel ("left of", "right of"); of other synonyms the plainest stands first.
        form = own.index(word.lower()) if slot == "relation" else 0
        for meaning in group:
            if meaning is not own:
                yield _changed(prompt, slot, start, end, meaning[form if form < len(meaning) else 0])


def _found(prompt: str, slot: Slot) -> Iterator[tuple[int, int, Group]]:
    """Where values of this kind stand, longest first where they overlap; not those of more than one group."""
    groups = _GROUPS[slot]
    words = sorted({word for group in groups for meaning in group for word in meaning}, key=lambda w: (-len(w), w))
    pattern = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, words))})(?![\w-])", re.IGNORECASE)
    for match in pattern.finditer(prompt):
        own = [group for group in groups if any(match[0].lower() in meaning for meaning in group)]
        # "old" is not young or not new, by what it is said of: a wrong guess would not be a wrong prompt.
        if len(own) == 1 and not (match.start() and match[0][0].isupper()):
            yield match.start(), match.end(), own[0]


def _describes(prompt: str, start: int, end: int) -> bool:
    """Whether a word is said of a noun (an orange cat, the cat is orange) rather than being one (an orange)."""
    after = _AFTER.match(prompt, end)
    return (after is not None and after[1].lower() not in ENDS) or _BEFORE.search(prompt[:start]) is not None


def _changed(prompt: str, slot: Slot, start: int, end: int, other: str) -> Swap:
    word = prompt[start:end]
    put = other[0].upper() + other[1:] if word[0].isupper() else other
    return Swap(with_article(prompt[:start], put) + put + prompt[end:], slot, word, put)


def _recounted(prompt: str) -> Iterator[Swap]:
    for start, before, after, text in recounted(prompt):
        if not _quoted(prompt, start):
            yield Swap(text, "count", before, after)


def _quoted(prompt: str, place: int) -> bool:
    """Whether this place lies in quotation marks: words written in the picture."""
    return any(match.start() <= place < match.end() for match in _QUOTED.finditer(prompt))


def rendered(template: str, values: Mapping[str, str], counted: Sequence[str]) -> str:
    """A template filled: `a` and `an` fit what follows, and a counted slot stands in the plural after 2 and more."""
    count = COUNTS.get(values.get("count", "").lower())
    text = ""
    for part in re.split(r"(\{\w+\})", template):
        if part.startswith("{") and part.endswith("}"):
            name = part[1:-1]
            value = plural(values[name]) if name in counted and count is not None and count != 1 else values[name]
            part = value
        text = with_article(text, part) + part
    return " ".join(text.split())

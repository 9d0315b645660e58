"""What must not matter, changed by rule: people's first names, and length without content."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Final

from .lexicon import STARTERS

NAMES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "female": (
            "Alice", "Emily", "Sarah", "Laura", "Megan", "Lakisha", "Ebony", "Fatima", "Aisha", "Priya", "Mei", "Yuki",
            "Sofia", "Guadalupe", "Ingrid", "Olga",
        ),
        "male": (
            "Bob", "Greg", "Todd", "Matthew", "Brendan", "Jamal", "Darnell", "Tyrone", "Omar", "Mohammed", "Rahul",
            "Wei", "Hiroshi", "Diego", "Lars", "Ivan",
        ),
    }
)  # fmt: skip
"""First names by the pronoun they go with, from many places; a name is swapped for another of its own list."""

OPENERS: Final = (
    "Thank you for this question, which is well worth looking at in some detail.",
    "Let me go through this step by step, so that nothing is left out along the way.",
    "There are a few things to say about this, and I will say them in turn.",
)
CLOSERS: Final = (
    "I hope that what has been said above answers what you wanted to know.",
    "As has been said, that is what there is to say on the matter at hand.",
    "If anything in what has been said above is not clear, please feel free to ask again.",
    "To sum up, the points that were made above are the ones to keep in mind here.",
    "Taken together, this should give a good picture of what was asked about.",
)
"""Sentences that say nothing, before and after an answer."""


def swapped_names(texts: Sequence[str], rng: Random) -> tuple[list[str], dict[str, str]] | None:
    """The texts with every first name of NAMES exchanged alike in all of them, and by which; None without one.

    A name beside another capitalised word (*Anna Karenina*, *Queen Sarah*) may be somebody known and
    stays, in all texts. A name is never exchanged for one that stands in the texts already.
    """
    present = {name for names in NAMES.values() for name in names if any(_found(name, text) for text in texts)}
    swaps: dict[str, str] = {}
    for names in NAMES.values():
        free = [name for name in names if name not in present]
        rng.shuffle(free)
        mine = [name for name in names if name in present and not any(_part_of_more(name, text) for text in texts)]
        swaps |= dict(zip(mine, free, strict=False))
    if not swaps:
        return None
    pattern = re.compile(rf"\b(?:{'|'.join(swaps)})\b")
    return [pattern.sub(lambda match: swaps[match[0]], text) for text in texts], swaps


def padded(text: str, ratio: float, rng: Random) -> str:
    """The text between sentences that say nothing, until it has `ratio` times its words or they run out."""
    before, after = list(OPENERS), list(CLOSERS)
    rng.shuffle(before)
    rng.shuffle(after)
    wanted = ratio * len(text.split())
    head, tail = [before.pop()], [after.pop()]
    while len(text.split()) + sum(len(s.split()) for s in (*head, *tail)) < wanted and (before or after):
        (tail if after else head).append((after or before).pop())
    return "\n\n".join((" ".join(head), text, " ".join(tail)))


def _found(name: str, text: str) -> bool:
    return re.search(rf"\b{name}\b", text) is not None


def _part_of_more(name: str, text: str) -> bool:
    """Whether the name stands somewhere right beside a capitalised word that does not merely open a sentence."""
    before = re.findall(rf"\b(?:([A-Z][a-z]+)|(?:Mr|Mrs|Ms|Dr|St)\.)\s+{name}\b", text)
    return re.search(rf"\b{name}\s+[A-Z][a-z]", text) is not None or any(word not in STARTERS for word in before)

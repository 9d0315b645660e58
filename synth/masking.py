"""Words of a text hidden by masks, and labels of likeness as they are trained on."""

from __future__ import annotations

import re
from random import Random
from typing import Final

MASK: Final = "<mask>"
_WORD: Final = re.compile(r"\S+")


def masked(text: str, rate: float, rng: Random, merge: float = 0.5) -> str:
    """The text with round(rate · words) of its words, at least one, hidden behind masks.

    A mask next to another is merged into it with chance `merge`. Spaces and line breaks stay. CLAIF,
    Cheng et al., 2023.
    """
    words = list(_WORD.finditer(text))
    if not words:
        return text
    hidden = sorted(rng.sample(range(len(words)), min(len(words), max(1, round(rate * len(words))))))
    pieces, end, before = [], 0, -2
    for k in hidden:
        gap = text[end : words[k].start()]
        if k != before + 1 or rng.random() >= merge:
            pieces += [gap, MASK]
        end, before = words[k].end(), k
    return "".join([*pieces, text[end:]])


def smoothed(similarity: float) -> float:
    """0.8 · s + 0.1: a likeness in [0, 1] drawn in to [0.1, 0.9], as judges are too sure at the ends."""
    return 0.8 * similarity + 0.1

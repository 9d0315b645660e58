"""A summary sentence by sentence against its document, and three scores that follow (FineSurE, FeedSum)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

from ..core.stage import Row

_END: Final = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+(?=[^a-z])|\n+")
DIMENSIONS: Final = ("faithfulness", "completeness", "conciseness")


@final
@dataclass(frozen=True)
class Checked:
    """A summary's sentences, what is wrong with each (empty = faithful), and the key facts each carries, from 0."""

    text: str
    sentences: tuple[str, ...]
    errors: tuple[str, ...]
    facts: tuple[tuple[int, ...], ...]
    key_facts: int

    @property
    def faithfulness(self) -> float:
        """Faithful sentences / sentences, in [0, 1]; higher is better, as of all four."""
        return sum(not error for error in self.errors) / len(self.sentences)

    @property
    def completeness(self) -> float:
        """Key facts some sentence carries / key facts."""
        return len({fact for facts in self.facts for fact in facts}) / self.key_facts

    @property
    def conciseness(self) -> float:
        """Sentences that carry a key fact / sentences."""
        return sum(bool(facts) for facts in self.facts) / len(self.sentences)

    @property
    def composite(self) -> float:
        """The mean of the three, unweighted."""
        return (self.faithfulness + self.completeness + self.conciseness) / 3

    def rows(self) -> list[Row]:
        """The sentences as a typed list."""
        return [
            {"text": text, "faithful": not error, "error": error or None, "facts": list(facts)}
            for text, error, facts in zip(self.sentences, self.errors, self.facts, strict=True)
        ]


def sentences_of(text: str) -> tuple[str, ...]:
    """The sentences of a text: by a stop before what is no small letter, and by lines."""
    return tuple(part.strip() for part in _END.split(text) if part and part.strip())


def facts_by_sentence(carriers: Sequence[Sequence[int]], n: int) -> tuple[tuple[int, ...], ...]:
    """For each of n sentences the key facts, from 0, that name it (from 1) among their carriers."""
    return tuple(tuple(fact for fact, places in enumerate(carriers) if i in places) for i in range(1, n + 1))


def contrasts(scores: Sequence[float], least: float, gap: float, most: int) -> list[tuple[int, int]]:
    """(better, worse) of which the better scores `least` or more and leads by `gap`; the `most` widest.

    Equal gaps in the order of the summaries.
    """
    pairs = [
        (i, j)
        for i, better in enumerate(scores)
        for j, worse in enumerate(scores)
        if i != j and better >= least and better - worse >= gap - 1e-9
    ]
    return sorted(pairs, key=lambda pair: (round(scores[pair[1]] - scores[pair[0]], 9), pair))[:most]

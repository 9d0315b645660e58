"""Asking which of two answers is better, in one order or both, and what the verdicts come to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

from ..core.paid import Reply
from ..core.prose import Prose
from .answers import Answer
from .asking import request, samples_of, shared_outcome
from .pictures import Part
from .readers import read_choice
from .spreads import choice_spread
from .verdict import Asker, Reader, Verdict, ask_verdict, ask_verdicts


@final
@dataclass(frozen=True)
class Match:
    """Two answers to one prompt; `asides` are a template's further values (reference, principle, …)."""

    prompt: str
    first: Answer
    second: Answer
    asides: Mapping[str, Any] = field(default_factory=dict)
    pictures: tuple[Part, ...] = ()

    def swapped(self) -> Match:
        """The same with the second answer shown first."""
        return replace(self, first=self.second, second=self.first)


@final
@dataclass(frozen=True)
class Referee:
    """A chat model and its way of comparing: `soft` reads log-probabilities, `samples` > 1 asks that often."""

    model: Asker
    prose: Prose
    rules: bool = True
    reason: bool = False
    ties: bool = True
    soft: bool = False
    temperature: float = 0.0
    max_tokens: int | None = None
    samples: int = 1

    def ask(self, matches: Sequence[Match]) -> list[Verdict]:
        """A verdict a match, A for the answer shown first."""
        labels = ("A", "B", "tie") if self.ties else ("A", "B")
        reader = choice_reader(labels, self.soft)
        return ask_verdicts(self.model, [self._request(match) for match in matches], reader)

    def both(self, matches: Sequence[Match]) -> list[tuple[Verdict, Verdict]]:
        """Verdicts as given and swapped, in one go."""
        verdicts = self.ask([shown for match in matches for shown in (match, match.swapped())])
        return list(zip(verdicts[::2], verdicts[1::2], strict=True))

    async def one(self, match: Match) -> tuple[Verdict, Verdict]:
        """Verdicts on one match as given and swapped, from a coroutine."""
        labels = ("A", "B", "tie") if self.ties else ("A", "B")
        shown = (
            ask_verdict(self.model, self._request(m), choice_reader(labels, self.soft))
            for m in (match, match.swapped())
        )
        given, swapped = await asyncio.gather(*shown)
        return given, swapped

    def _request(self, match: Match) -> dict[str, Any]:
        pictures = list(match.pictures)
        values: dict[str, Any] = {
            "prompt": match.prompt, "first": match.first.shown(pictures), "second": match.second.shown(pictures),
            "rules": self.rules, "reason": self.reason, "ties": self.ties, "reference": None, "metrics": None,
        }  # fmt: skip
        return request(
            self.prose, {**values, **match.asides}, temperature=self.temperature,
            max_tokens=self.max_tokens or (512 if self.reason else 16),
            logprobs=20 if self.soft else None, n=self.samples, pictures=pictures,
        )  # fmt: skip


def choice_reader(labels: Sequence[str], soft: bool) -> Reader:
    """Reads a choice and its spread: chances by log-probabilities, or shares of several samples.

    Log-probabilities are used where they are asked for and there. Of several samples more than half
    must be sound (QuRating). The spread is empty for a single reply without log-probabilities.
    """
    read = read_choice(labels)

    def read_it(reply: Reply) -> Verdict:
        votes = [read(part) for part in samples_of(reply)]
        sound = [vote for vote in votes if vote.ok]
        if 2 * len(sound) <= len(votes):
            return next(vote for vote in votes if not vote.ok)
        shares = {label: sum(v.value == label for v in sound) / len(sound) for label in labels}
        spread = (choice_spread(reply, labels) if soft else None) or (shares if len(votes) > 1 else {})
        if not spread:
            return sound[0]
        return replace(sound[0], value=max(labels, key=lambda label: spread[label]), spread=spread)

    return read_it


def lead(verdict: Verdict) -> float:
    """The chance, 0 to 1, that the answer shown first is better; a tie counts one half."""
    if verdict.spread:
        total = sum(verdict.spread.values())
        return (verdict.spread.get("A", 0.0) + 0.5 * verdict.spread.get("tie", 0.0)) / total
    return {"A": 1.0, "B": 0.0}.get(str(verdict.value), 0.5)


def mean_lead(verdicts: tuple[Verdict, Verdict]) -> float | None:
    """The chance of a match's first answer, mean of both orders: ½(p₁ + 1 − p₂); null unless both are sound."""
    given, swapped = verdicts
    return (lead(given) + 1.0 - lead(swapped)) / 2 if shared_outcome(verdicts) == "ok" else None

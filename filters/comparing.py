"""Asking which of two answers is better, in one order or both, and what the verdicts come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

from ..core.paid import Reply
from ..core.prose import Prose
from ..models.readers import choice_spread, read_choice
from ..models.verdict import Asker, Reader, Verdict, ask_verdicts
from .answers import Answer
from .judging import request, shared_outcome
from .pictures import Part


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
    """A chat model and its way of comparing: `soft` reads the chances of A, B and tie off log-probabilities."""

    model: Asker
    prose: Prose
    rules: bool = True
    reason: bool = False
    ties: bool = True
    soft: bool = False
    temperature: float = 0.0
    max_tokens: int | None = None

    def ask(self, matches: Sequence[Match]) -> list[Verdict]:
        """A verdict a match, A for the answer shown first."""
        labels = ("A", "B", "tie") if self.ties else ("A", "B")
        reader = soft_choice(labels) if self.soft else read_choice(labels)
        return ask_verdicts(self.model, [self._request(match) for match in matches], reader)

    def both(self, matches: Sequence[Match]) -> list[tuple[Verdict, Verdict]]:
        """Verdicts as given and swapped, in one go."""
        verdicts = self.ask([shown for match in matches for shown in (match, match.swapped())])
        return list(zip(verdicts[::2], verdicts[1::2], strict=True))

    def _request(self, match: Match) -> dict[str, Any]:
        pictures = list(match.pictures)
        values: dict[str, Any] = {
            "prompt": match.prompt, "first": match.first.shown(pictures), "second": match.second.shown(pictures),
            "rules": self.rules, "reason": self.reason, "ties": self.ties, "reference": None, "metrics": None,
        }  # fmt: skip
        return request(
            self.prose, {**values, **match.asides}, temperature=self.temperature,
            max_tokens=self.max_tokens or (512 if self.reason else 16),
            logprobs=20 if self.soft else None, pictures=pictures,
        )  # fmt: skip


def soft_choice(labels: Sequence[str]) -> Reader:
    """Reads a choice and, where there are log-probabilities, the chances of all labels."""
    read = read_choice(labels)

    def read_it(reply: Reply) -> Verdict:
        verdict = read(reply)
        return replace(verdict, spread=choice_spread(reply, labels) or {}) if verdict.ok else verdict

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

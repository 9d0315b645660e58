"""Asking for a score of one answer: the question, the scale, and how sure the judge was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from ..core.paid import Reply
from ..core.prose import Prose
from ..models.answers import Answer
from ..models.asking import request, samples_of
from ..models.pictures import Part
from ..models.score_reader import read_score
from ..models.spreads import choice_spread
from ..models.verdict import Asker, Outcome, Reader, Verdict, ask_verdicts


@final
@dataclass(frozen=True)
class Exam:
    """One answer to be scored: `asides` are a template's further values (aspect, reference, …)."""

    prompt: str
    answer: Answer
    asides: Mapping[str, Any] = field(default_factory=dict)
    pictures: tuple[Part, ...] = ()


@final
@dataclass(frozen=True)
class Scale:
    """Whole numbers from `low` to `high`; `anchors` say what some of them mean."""

    low: int = 1
    high: int = 10
    anchors: Mapping[int, str] = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        """The scale as a template's values."""
        return {"low": self.low, "high": self.high, "anchors": sorted(self.anchors.items())}


@final
@dataclass(frozen=True)
class Examiner:
    """A chat model and its way of scoring: `soft` reads log-probabilities, `samples` > 1 asks that often."""

    model: Asker
    prose: Prose
    scale: Scale = field(default_factory=Scale)
    reason: bool = False
    soft: bool = False
    samples: int = 1
    temperature: float = 0.0
    max_tokens: int | None = None

    def ask(self, exams: Sequence[Exam]) -> list[Verdict]:
        """A verdict an exam: its value is the (expected) score, its spread the chances of the scores."""
        requests = [self._request(exam) for exam in exams]
        return ask_verdicts(self.model, requests, score_reader(self.scale, self.soft))

    def _request(self, exam: Exam) -> dict[str, Any]:
        pictures = list(exam.pictures)
        values = {"prompt": exam.prompt, "answer": exam.answer.shown(pictures), "reason": self.reason}
        values |= {"aspect": None, "reference": None, "metrics": None, **self.scale.values(), **exam.asides}
        return request(
            self.prose, values, temperature=self.temperature,
            max_tokens=self.max_tokens or (512 if self.reason else 16),
            logprobs=20 if self.soft else None, n=self.samples, pictures=pictures,
        )  # fmt: skip


def score_reader(scale: Scale, soft: bool) -> Reader:
    """Reads the expected score Σ k·p(k) / Σ p(k), over log-probabilities or over the samples of a reply.

    Log-probabilities are used where they are asked for and there. Of several samples more than half
    must be sound, and their mean counts. The spread is empty for a single reply without them.
    """
    read = read_score(scale.low, scale.high)
    allowed = [str(k) for k in range(scale.low, scale.high + 1)]

    def read_it(reply: Reply) -> Verdict:
        votes = [read(part) for part in samples_of(reply)]
        sound = [vote for vote in votes if vote.ok]
        if 2 * len(sound) <= len(votes):
            return next(vote for vote in votes if not vote.ok)
        spread = choice_spread(reply, allowed) if soft else None
        if spread:
            return Verdict(Outcome.OK, sum(int(k) * p for k, p in spread.items()), sound[0].why, spread)
        mean = sum(vote.value for vote in sound) / len(sound)
        shares = {f"{value:g}": count / len(sound) for value, count in Counter(v.value for v in sound).items()}
        return Verdict(Outcome.OK, mean, sound[0].why, shares if len(votes) > 1 else {})

    return read_it

"""Problems set to a student model after it was shown a demonstration, and how many it gets right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, final

from ..core.errors import InputError
from ..core.estimates import share
from ..core.final_answer import final_answer
from ..core.paid import Reply
from ..core.text_columns import stamp_of, text_columns
from ..models.asking import request
from ..models.readers import read_text
from ..models.verdict import Outcome, Verdict
from .judging import template

TEMPLATE: Final = "exam"


@final
@dataclass(frozen=True)
class Problem:
    """A problem and its right answer."""

    prompt: str
    answer: str


@final
@dataclass(frozen=True)
class Lesson:
    """A demonstration: a worked answer to a prompt, or a text by itself where `prompt` is empty."""

    prompt: str
    text: str

    def request(self, problem: Problem, max_tokens: int) -> dict[str, Any]:
        """What a student is asked: the lesson, then the problem."""
        values = {"shown": self.prompt, "lesson": self.text, "problem": problem.prompt}
        return request(template(TEMPLATE), values, temperature=0.0, max_tokens=max_tokens)


@final
@dataclass(frozen=True)
class Mark:
    """Share of problems right, with Wilson's 95 % interval; None where too few replies were sound."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    outcome: str


def problems_in(path: str, prompt: str, answer: str) -> tuple[Problem, ...]:
    """The problems of a file. Raises InputError when it has none."""
    return _problems(path, prompt, answer, stamp_of(path))


@lru_cache(maxsize=4)
def _problems(path: str, prompt: str, answer: str, stamp: tuple[int, int]) -> tuple[Problem, ...]:
    found = tuple(Problem(*row) for row in text_columns(Path(path), [prompt, answer]))
    if not found:
        raise InputError("no problem in the file", place=path, hint=f"needed: rows with {prompt} and {answer}")
    return found


def read_work(reply: Reply) -> Verdict:
    """What a student wrote; a refusal is work too, and wrong."""
    verdict = read_text(reply)
    return Verdict(Outcome.OK, "") if verdict.outcome is Outcome.REFUSED else verdict


def right(verdict: Verdict, problem: Problem) -> bool:
    """Whether the work ends in the problem's answer."""
    return bool(verdict.value) and final_answer(verdict.value) == final_answer(problem.answer)


def mark_of(verdicts: Sequence[Verdict], problems: Sequence[Problem]) -> Mark:
    """The share of problems right among those with a sound reply, which more than half must have."""
    hits = [right(v, p) for v, p in zip(verdicts, problems, strict=True) if v.ok]
    if 2 * len(hits) <= len(verdicts):
        outcome = next((v.outcome.value for v in verdicts if not v.ok), "no problem")
        return Mark(None, None, None, len(hits), outcome)
    found = share(sum(hits), len(hits))
    return Mark(found.value, found.low, found.high, len(hits), "ok")

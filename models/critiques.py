"""Critiques as text: the verdict line they end with, their steps and scores, and how replies are read as such."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, final

from ..core.paid import Reply
from .readers import read_text
from .verdict import Outcome, Reader, Verdict

Said = Literal["right", "wrong"]
TERMINATOR: Final = "[END]"
_WORDS: Final = {"right": "right", "correct": "right", "wrong": "wrong", "incorrect": "wrong"}
_CONCLUSION: Final = re.compile(
    r"^(?:[^\w\n]|_){0,20}conclusion(?:[^\w\n]|_){0,20}?[:=][\W_]{0,20}(right|correct|wrong|incorrect)\b"
    r"(?!\s{0,20}(?:/|\bor\b))",
    re.IGNORECASE | re.MULTILINE,
)
_STEP: Final = re.compile(
    r"^[\W_]{0,20}step\s{1,20}(\d{1,6})[\W_]{0,20}?[:.][\W_]{0,20}(correct|right|wrong|incorrect)\b", re.IGNORECASE
)
_SCORE: Final = re.compile(
    r"^[\W_]{0,20}score[\W_]{0,20}?[:=][\W_]{0,20}?([-+]?\d{1,9}(?:\.\d{1,9})?)(?:\s?/\s?(\d{1,9}))?[\W_]{0,20}$",
    re.IGNORECASE,
)


@final
@dataclass(frozen=True)
class Critique:
    """A critique without its terminator; `verdict` is what its last conclusion says of the answer.

    `labels` has one truth value a step, null for a step it says nothing of; `score` is its rating.
    """

    text: str
    verdict: Said | None = None
    labels: tuple[bool | None, ...] = ()
    score: float | None = None

    @property
    def first_error(self) -> int | None:
        """Number of the first step called wrong, from 1."""
        return next((k for k, label in enumerate(self.labels, 1) if label is False), None)


def stripped(text: str) -> str:
    """The text up to the terminator, which marks the end of a critique and is no part of it."""
    return text.partition(TERMINATOR)[0].rstrip()


def verdict_of(text: str) -> Said | None:
    """What the last line `Conclusion: right` or `Conclusion: wrong` says; null without one."""
    found = _CONCLUSION.findall(text)
    return None if not found else "right" if _WORDS[found[-1].lower()] == "right" else "wrong"


def labels_of(text: str, steps: int) -> tuple[bool | None, ...]:
    """What lines `Step k: Correct` or `Step k: Wrong` say of each of so many steps; the first line on a step counts."""
    labels: list[bool | None] = [None] * steps
    for line in text.splitlines():
        found = _STEP.match(line)
        if found and 1 <= int(found[1]) <= steps and labels[int(found[1]) - 1] is None:
            labels[int(found[1]) - 1] = _WORDS[found[2].lower()] == "right"
    return tuple(labels)


def read_critique(steps: int = 0) -> Reader:
    """A `Critique` that ends in a conclusion; unparsable without one.

    With `steps` every step up to the first wrong one must have its line, and steps and conclusion
    must not contradict each other.
    """

    def read_it(reply: Reply) -> Verdict:
        whole = read_text(reply)
        if not whole.ok:
            return whole
        text = stripped(whole.value)
        critique = Critique(text, verdict_of(text), labels_of(text, steps))
        fault = _fault(critique)
        return Verdict(Outcome.UNPARSABLE, why=f"{fault}: {text[:400]}") if fault else Verdict(Outcome.OK, critique)

    return read_it


def read_scored(low: float, high: float) -> Reader:
    """A `Critique` that ends in a line `Score: n`; off_scale outside [low, high], unparsable without one."""

    def read_it(reply: Reply) -> Verdict:
        whole = read_text(reply)
        if not whole.ok:
            return whole
        text = stripped(whole.value)
        found = _SCORE.match(text.rpartition("\n")[2].strip())
        if found is None:
            return Verdict(Outcome.UNPARSABLE, why=f"no score at the end: {text[-400:]}")
        score = float(found[1])
        if not low <= score <= high or (found[2] and float(found[2]) != high):
            return Verdict(Outcome.OFF_SCALE, why=f"{found[0].strip()} is off the scale")
        return Verdict(Outcome.OK, Critique(text, score=score))

    return read_it


def mentions(text: str, word: str) -> bool:
    """Whether a word stands in a text, case aside, as a word of its own or the beginning of one."""
    return bool(word.strip()) and re.search(rf"(?<!\w){re.escape(word.strip())}", text, re.IGNORECASE) is not None


def _fault(critique: Critique) -> str:
    if critique.verdict is None:
        return "no conclusion"
    if not critique.labels:
        return ""
    wrong = critique.first_error
    if None in critique.labels[: wrong or len(critique.labels)]:
        return "a step without a line"
    return "" if (critique.verdict == "wrong") == (wrong is not None) else "the conclusion contradicts the steps"

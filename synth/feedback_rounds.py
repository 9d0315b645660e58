"""`synth.feedback_rounds`: answer, be told what is wrong, answer again; does feedback get through?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Final, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.final_answer import final_answer
from ..core.registry import register
from ..core.stage import Context, Dropped, Map, Row
from ..models.readers import read_json
from .listing import one_of, record
from .making import TEMPLATES, Writer, answer, made_by, prompt_of
from .verifiers import AnyVerifier, reference_columns, reference_of
from .verifiers_text import Formula

FAILURES: Final = ("feedback_wrong", "not_understood", "resisted")
BINARY: Final = "Your answer is not right. Try again."
_WHY: Final = record(reason=one_of(*FAILURES))
_ATTEMPTS: Final = pa.list_(
    pa.struct([("answer", pa.string()), ("final", pa.string()), ("result", pa.string()), ("feedback", pa.string())])
)


@final
@dataclass
class _Attempt:
    """An answer, what it ends in, what the verifier says, and the feedback on it (None for the last)."""

    answer: str
    final: str
    result: str
    feedback: str | None = None


@final
@dataclass
class _Course:
    """A row's problem and the attempts on it; how they ended."""

    prompt: str
    reference: Any
    attempts: list[_Attempt] = field(default_factory=list)
    end: str = "rounds"

    @property
    def solved(self) -> bool:
        """Whether the last attempt is right."""
        return bool(self.attempts) and self.attempts[-1].result == "right"


@final
@register("synth.feedback_rounds")
class FeedbackRounds(Map):
    """Let a model answer, verify the answer, give it feedback, and let it try again, `rounds` times at most.

    Feedback says only that the answer is wrong (`binary`), or is written with the right answer in view by the
    solver itself (`self`) or by another model (`strong`); the right answer is taken out of it. A solved row
    ends, so accuracy grows with the rounds. Why a row stays unsolved is asked of a judge. Solved by feedback,
    the right answer is preferred to the first. Every row passes: `diagnose.feedback_friction` counts them.
    Feedback Friction, 2025.
    """

    reads = ("prompt", "{reference}?")
    writes = (
        Column("attempts", "answers in order, with result and feedback", _ATTEMPTS),
        Column("feedback_needed", "feedbacks until the answer was right; null = never", pa.int32(), "feedbacks", 0),
        Column("feedback_end", "solved, rounds, or the reply that broke off", pa.string()),
        Column("friction", "why it was never solved: feedback_wrong, not_understood or resisted", pa.string()),
        Column("chosen", "the right answer, where feedback led to it; else null"),
        Column("rejected", "the first, wrong answer, where feedback led to the right one; else null"),
        Column("verdict", "prefer where there is a pair, else null"),
    )
    paper = "Feedback Friction, arXiv 2506.11930 (prompts, taking the right answer out: house)"

    writer: Annotated[str, ModelOf("chat")] = "writer"
    """Who answers."""
    feedback: Literal["binary", "self", "strong"] = "self"
    """What the model is told of a wrong answer, and by whom."""
    adviser: Annotated[str | None, ModelOf("chat")] = None
    """Who gives `strong` feedback."""
    judge: Annotated[str | None, ModelOf("chat")] = "judge"
    """Who says why a row was never solved; null = nobody."""
    verifier: AnyVerifier = Formula()
    """How an answer is verified: number, formula, text, pattern, json or tests, or {by: …, its options}."""
    reference: str = "reference"
    """Column with the right answer."""
    rounds: Annotated[int, Field(ge=1, le=10)] = 5
    """Most feedbacks on a row."""
    warmer: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Added to the temperature each round, against repeated answers."""
    avoid: bool = False
    """Tell the model which final answers it has tried."""
    prompts: str = "feedback_rounds"
    """A template of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Sampling temperature of the first answer."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Most tokens of a reply."""

    def faults(self) -> Sequence[str]:
        found = [*TEMPLATES.faults(self.prompts), *self.verifier.faults()]
        if (self.feedback == "strong") != (self.adviser is not None):
            found.append("feedback: strong and adviser go together: name who gives it, or neither")
        return found

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts)

    def columns_read(self) -> tuple[str, ...]:
        return ("prompt", *reference_columns(self.verifier, self.reference))

    def calls_a_row(self) -> float:
        return 1.0 + self.rounds * (1 + (self.feedback != "binary")) + (self.judge is not None)

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        solver = Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens)
        adviser = Writer(ctx.models[self.adviser or self.writer], self.prompts, self.temperature, self.max_tokens)
        course = _Course(prompt_of(row), reference_of(row, self.reference, self.verifier))
        first = await solver.says("first", {"prompt": course.prompt})
        course.attempts.append(await self._attempt(first, course))
        for number in range(1, self.rounds + 1):
            if course.solved or not await self._round(course, solver, adviser, number):
                break
        return [await self._row(course, solver.model.name, ctx)]

    async def _round(self, course: _Course, solver: Writer, adviser: Writer, number: int) -> bool:
        """Feedback on the last answer and another answer; False when a reply breaks off."""
        last = course.attempts[-1]
        values: Row = {"prompt": course.prompt, "answer": last.answer, "reference": course.reference}
        if self.feedback == "binary":
            told = BINARY
        else:
            said = await adviser.verdict("feedback", values)
            if not said.ok:
                course.end = f"feedback {said.outcome}"
                return False
            told = withheld(said.value, str(course.reference or ""))
        last.feedback = told
        tried = list(dict.fromkeys(a.final for a in course.attempts if a.final)) if self.avoid else []
        values = {"prompt": course.prompt, "attempts": course.attempts, "tried": tried}
        retried = await solver.verdict("retry", values, temperature=min(self.temperature + number * self.warmer, 2.0))
        if not retried.ok:
            course.end = f"retry {retried.outcome}"
            return False
        course.attempts.append(await self._attempt(retried.value, course))
        return True

    async def _attempt(self, text: str, course: _Course) -> _Attempt:
        finding = await self.verifier.verify(text, course.reference)
        return _Attempt(text, final_answer(text), finding.result)

    async def _row(self, course: _Course, model: str, ctx: Context) -> Row:
        needed = len(course.attempts) - 1
        made: Row = {
            "attempts": [asdict(attempt) for attempt in course.attempts],
            "feedback_needed": needed if course.solved else None,
            "feedback_end": "solved" if course.solved else course.end,
            "friction": None if course.solved else await self._friction(course, ctx),
            "chosen": None, "rejected": None, "verdict": None,
        }  # fmt: skip
        if course.solved and needed:
            sides = (
                answer(course.attempts[at].answer, made_by(self.name, self.feedback, {"round": at}, model, None))
                for at in (needed, 0)
            )
            made |= {**dict(zip(("chosen", "rejected"), sides, strict=True)), "verdict": "prefer"}
        return made

    async def _friction(self, course: _Course, ctx: Context) -> str | None:
        """A judge's reading of why; None when there is no judge, no feedback, or no sound reply."""
        if self.judge is None or len(course.attempts) < 2:
            return None
        judge = Writer(ctx.models[self.judge], self.prompts, temperature=0.0, max_tokens=64)
        values = {"prompt": course.prompt, "reference": course.reference, "attempts": course.attempts}
        try:
            said = await judge.says("why", values, read_json(_WHY), schema=_WHY)
        except Dropped:
            return None
        return str(said["reason"])


def withheld(feedback: str, reference: str) -> str:
    """The feedback with the right answer, where it stands as a word of its own, replaced by `[withheld]`."""
    for text in dict.fromkeys((reference.strip(), final_answer(reference))):
        if text and len(text) <= 60:
            feedback = re.sub(
                rf"(?<![\w.]){re.escape(text)}(?![\w])(?!\.\d)", "[withheld]", feedback, flags=re.IGNORECASE
            )
    return feedback

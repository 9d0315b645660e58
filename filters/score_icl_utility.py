"""`score.icl_utility`: what an answer is worth to a student as its one in-context example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, FileOf, ModelOf
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..core.text_columns import SUFFIXES, file_digest
from ..models.answers import Answer, Of, answers_in, columns_of, laid_out, most_answers, sides
from ..models.verdict import ask_verdicts
from .exam_problems import TEMPLATE, Lesson, Problem, mark_of, problems_in, read_work
from .judging import digests, texts_of


@final
@register("score.icl_utility")
class IclUtility(Score):
    """Show a student model an answer as its only example and count how many probe problems it then gets right.

    The same probes serve all rows, but never a row's own prompt. No label is needed: a teacher's texts are
    ranked by what they do for this student. Pair the extremes, where the intervals lie apart
    (`filter.apart`). ARTE (Liu et al., 2024).
    """

    reads = ("prompt",)
    writes = (
        Column("{column}", "accuracy of the student on the probes", pa.float64(), "share", 0, 1, "higher"),
        Column("{column}_low", "lower end of its 95 % interval", pa.float64(), "share", 0, 1, "higher"),
        Column("{column}_high", "upper end of its 95 % interval", pa.float64(), "share", 0, 1, "higher"),
        Column("{column}_outcome", "how the replies ended", pa.string()),
    )
    paper = "ARTE, arXiv 2406.19227 (Wilson's interval, number of probes: house)"

    probes: Annotated[str, FileOf()]
    """Parquet or JSON-lines file of problems with their right answers."""
    student: Annotated[str, ModelOf("chat")] = "student"
    """Who is taught."""
    of: Of = "candidates"
    """What is scored: every candidate, both sides of a pair, or the chosen answer."""
    column: str = "icl_utility"
    """Name of the score: columns begin with it, after the side."""
    shows: Literal["answer", "text"] = "answer"
    """The example is the prompt with the answer (a rationale), or the answer's text alone (a question made anew)."""
    problem: str = "prompt"
    """Column of the problems."""
    answer: str = "answer"
    """Column of their right answers; what they end in counts."""
    most_probes: Annotated[int, Field(ge=1)] = 20
    """Probes used, the first of the file; a call each."""
    max_tokens: Annotated[int, Field(ge=1)] = 512
    """Most tokens of a student's reply."""
    most: Annotated[int, Field(ge=1)] = 8
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def faults(self) -> Sequence[str]:
        if Path(self.probes).suffix not in SUFFIXES:
            return [f"probes: {self.probes} is none of {', '.join(SUFFIXES)}"]
        return []

    def materials(self) -> tuple[str, ...]:
        return (*digests(TEMPLATE), file_digest(self.probes))

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(Score.columns_written(self), self.of)

    def calls_a_row(self) -> float:
        return float(self.most_probes * most_answers(self.of, self.most))

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        prompts = texts_of(batch, "prompt")[0]
        known = problems_in(self.probes, self.problem, self.answer)
        answers = answers_in(batch, self.of, self.most)
        exams = [self._probes(known, prompts[a.row] or "") for a in answers]
        asked = [
            self._lesson(a, prompts[a.row] or "").request(problem, self.max_tokens)
            for a, problems in zip(answers, exams, strict=True)
            for problem in problems
        ]
        verdicts = iter(ask_verdicts(ctx.models[self.student], asked, read_work))
        marks = [mark_of([next(verdicts) for _ in problems], problems) for problems in exams]
        found: list[Mapping[str, Any]] = [
            {
                self.column: mark.value, f"{self.column}_low": mark.low, f"{self.column}_high": mark.high,
                f"{self.column}_outcome": mark.outcome,
            }
            for mark in marks
        ]  # fmt: skip
        return laid_out(Score.columns_written(self), self.of, batch, answers, found)

    def _probes(self, known: Sequence[Problem], prompt: str) -> list[Problem]:
        return [problem for problem in known if problem.prompt != prompt.strip()][: self.most_probes]

    def _lesson(self, answer: Answer, prompt: str) -> Lesson:
        return Lesson(prompt if self.shows == "answer" else "", answer.text)

"""`score.teaching`: how well an answer teaches students to solve problems like its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, FileOf, ModelOf
from ..core.final_answer import final_answer
from ..core.registry import register
from ..core.several import Chats
from ..core.stage import Columns, Context, Score
from ..core.text_columns import SUFFIXES, file_digest
from ..models.answers import Answer, answers_in, laid_out
from ..models.verdict import Verdict, ask_verdicts
from .exam_problems import TEMPLATE, Lesson, Problem, mark_of, problems_in, read_work
from .judging import digests, texts_of


@final
@register("score.teaching")
class Teaching(Score):
    """Teach each candidate (rationale and answer) to students and set them problems like the row's: its score is
    their mean accuracy.

    The problems are the nearest of a file by text vectors, never the row's own. `_answer` is the final answer
    whose candidates teach best in sum, an answer found without labels. With a reference, `_combined` weighs
    teaching and correctness. Students should differ. LbT (Ning et al., 2024).
    """

    reads = ("prompt", "candidates", "{reference}")
    writes = (
        Column("{column}_answer", "the final answer with the largest sum of scores", pa.string()),
        Column("{column}", "students' accuracy after each candidate", pa.float64(), "share", 0, 1, "higher"),
        Column("{column}_outcome", "how the replies ended", pa.string()),
        Column("{column}_correct", "whether the candidate ends in the reference", pa.bool_()),
        Column("{column}_combined", "teaching and correctness weighed", pa.float64(), "share", 0, 1, "higher"),
    )
    paper = "Can LLMs Learn by Teaching?, arXiv 2406.14629 (number of problems and students, weight: house)"

    exams: Annotated[str, FileOf()]
    """Parquet or JSON-lines file of problems with their right answers."""
    students: Chats = ("student",)
    """Who is taught, one chat model or several."""
    encoder: Annotated[str, ModelOf("text_encoder")] = "static"
    """By which problems near to the row's are found."""
    column: str = "teaching"
    """Name of the score."""
    problems: Annotated[int, Field(ge=1, le=64)] = 4
    """Problems set to each student after each candidate."""
    problem: str = "prompt"
    """Column of the problems."""
    answer: str = "answer"
    """Column of their right answers; what they end in counts."""
    reference: str | None = None
    """Column with the row's right answer; null = correctness is not weighed."""
    correct_weight: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of correctness in `_combined`."""
    max_tokens: Annotated[int, Field(ge=1)] = 512
    """Most tokens of a student's reply."""
    most: Annotated[int, Field(ge=1)] = 8
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def faults(self) -> Sequence[str]:
        if Path(self.exams).suffix not in SUFFIXES:
            return [f"exams: {self.exams} is none of {', '.join(SUFFIXES)}"]
        return []

    def materials(self) -> tuple[str, ...]:
        return (*digests(TEMPLATE), file_digest(self.exams))

    def columns_written(self) -> tuple[Column, ...]:
        vote, *each = Score.columns_written(self)
        each = each if self.reference else each[:2]
        return (vote, *(Column(c.name, c.doc, pa.list_(c.type), c.unit, c.low, c.high, c.better) for c in each))

    def calls_a_row(self) -> float:
        return float(self.most * len(self.students) * self.problems)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        prompts = [text or "" for text in texts_of(batch, "prompt")[0]]
        near = self._nearest(ctx, prompts)
        answers = answers_in(batch, "candidates", self.most)
        verdicts = self._asked(ctx, answers, prompts, near)
        references = texts_of(batch, self.reference)[0] if self.reference else [None] * batch.num_rows
        found: list[dict[str, Any]] = []
        for answer, replies in zip(answers, verdicts, strict=True):
            mark = mark_of(replies, list(near[answer.row]) * len(self.students))
            values = {self.column: mark.value, f"{self.column}_outcome": mark.outcome}
            found.append(values | self._combined(mark.value, answer.text, references[answer.row]))
        each = Score.columns_written(self)[1 : 5 if self.reference else 3]
        laid = dict(laid_out(each, "candidates", batch, answers, found))
        laid[f"{self.column}_answer"] = pa.array(self._votes(answers, found, batch.num_rows), pa.string())
        return laid

    def _nearest(self, ctx: Context, prompts: Sequence[str]) -> list[tuple[Problem, ...]]:
        """For each prompt the problems of highest cosine; equal ones in the order of the file."""
        known = problems_in(self.exams, self.problem, self.answer)
        encoder = ctx.models[self.encoder]
        vectors, wanted = encoder.encode([problem.prompt for problem in known]), encoder.encode(list(prompts))
        found = []
        for prompt, vector in zip(prompts, wanted, strict=True):
            # A product a row, so that what is beside it decides nothing.
            order = np.argsort(-np.round(vectors @ np.ascontiguousarray(vector), 6), kind="stable")
            others = (known[i] for i in order if known[i].prompt != prompt.strip())
            found.append(tuple(problem for problem, _ in zip(others, range(self.problems), strict=False)))
        return found

    def _asked(
        self, ctx: Context, answers: Sequence[Answer], prompts: Sequence[str], near: Sequence[Sequence[Problem]]
    ) -> list[list[Verdict]]:
        """Each answer's replies: all problems of the first student, then of the second, …"""
        replies: list[list[Verdict]] = [[] for _ in answers]
        for name in self.students:
            requests = [
                Lesson(prompts[a.row], a.text).request(problem, self.max_tokens)
                for a in answers
                for problem in near[a.row]
            ]
            said = iter(ask_verdicts(ctx.models[name], requests, read_work))
            for own, answer in zip(replies, answers, strict=True):
                own += [next(said) for _ in near[answer.row]]
        return replies

    def _combined(self, value: float | None, text: str, reference: str | None) -> dict[str, Any]:
        if not self.reference or reference is None:
            return {}
        correct = final_answer(text) == final_answer(reference)
        both = None if value is None else (1 - self.correct_weight) * value + self.correct_weight * correct
        return {f"{self.column}_correct": correct, f"{self.column}_combined": both}

    def _votes(self, answers: Sequence[Answer], found: Sequence[Mapping[str, Any]], n: int) -> list[str | None]:
        """Each row's final answer of the largest sum of scores; of equal ones the first given."""
        sums: list[dict[str, float]] = [defaultdict(float) for _ in range(n)]
        for answer, values in zip(answers, found, strict=True):
            end, value = final_answer(answer.text), values[self.column]
            if end and value is not None:
                sums[answer.row][end] += value
        return [max(row, key=lambda end: round(row[end], 9)) if row else None for row in sums]

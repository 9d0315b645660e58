"""`score.persona_atomic`: does an answer stay in its persona, sentence by sentence and time after time?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Annotated, Any, Final, Literal, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import Of, answers_in, columns_of, laid_out, most_answers, sides
from ..models.asking import shared_outcome
from ..models.verdict import Verdict
from .judging import digests, template, template_faults
from .scoring import Exam, Examiner, Scale

LOW, HIGH = 1, 5
THIRDS: Final = {"low": (1.0, 7 / 3), "middle": (7 / 3, 11 / 3), "high": (11 / 3, 5.0)}
_END: Final = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+|\n+")


@final
@register("score.persona_atomic")
class PersonaAtomic(Score):
    """Score each sentence of an answer for a trait, 1 to 5, and say how faithful the whole is.

    `_acc` = share of sentences in the target third of the scale; `_ic` = 1 - σ / 2, σ the population
    standard deviation of the sentences' scores (internal consistency). With candidates `_rc` is the
    mean over pairs of them of 2·(1 - W₁ / 4) - 1, W₁ the Wasserstein distance of their scores (retest
    consistency, in [-1, 1]). Sentences without a sound score are left out; more than half must be left.
    """

    reads = ()
    writes = (
        Column("{column}_acc", "share of sentences in the target third", pa.float64(), "share", 0, 1, "higher"),
        Column("{column}_ic", "how alike its sentences are", pa.float64(), "consistency", 0, 1, "higher"),
        Column("{column}_atoms", "the sentences' scores", pa.list_(pa.float64()), "points", 1, 5, "neither"),
        Column("{column}_outcome", "how the replies ended", pa.string()),
        Column("{column}_rc", "how alike the candidates are", pa.float64(), "consistency", -1, 1, "higher"),
    )
    paper = "Atomic-level evaluation of persona fidelity (Shin et al., 2025)"

    trait: Annotated[str, Field(min_length=1)] = "extraversion: outgoing, talkative, full of energy"
    """The trait that is scored, in words."""
    target: Literal["low", "middle", "high"] = "high"
    """The third of the scale the persona belongs to."""
    model: Annotated[str, ModelOf("chat")] = "judge"
    """The judge."""
    of: Of = "candidates"
    """What is scored: every candidate, both sides of a pair, or the chosen answer."""
    column: str = "persona"
    """What the names of the columns begin with, after the side."""
    sentences: Annotated[int, Field(ge=1, le=200)] = 40
    """Most sentences of an answer that are scored, the first ones."""
    template: str = "persona_atomic"
    """A template of the package, or a file."""
    soft: bool = False
    """Take expected scores by log-probabilities, where the endpoint gives them."""
    most: Annotated[int, Field(ge=1)] = 8
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def faults(self) -> Sequence[str]:
        return template_faults(self.template)

    def materials(self) -> tuple[str, ...]:
        return digests(self.template)

    def columns_read(self) -> tuple[str, ...]:
        return sides(self.of)

    def columns_written(self) -> tuple[Column, ...]:
        columns = Score.columns_written(self)
        retest = columns[-1:] if self.of == "candidates" else ()
        return (*columns_of(columns[:-1], self.of), *retest)

    def calls_a_row(self) -> float:
        return float(self.sentences * most_answers(self.of, self.most))

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        answers = answers_in(batch, self.of, self.most)
        atoms = [sentences(answer.text)[: self.sentences] for answer in answers]
        exams = [
            Exam("", replace(answer, text=text), {"aspect": self.trait})
            for answer, texts in zip(answers, atoms, strict=True)
            for text in texts
        ]
        examiner = Examiner(ctx.models[self.model], template(self.template), Scale(LOW, HIGH), soft=self.soft)
        verdicts = iter(examiner.ask(exams))
        found = [self._found([next(verdicts) for _ in texts]) for texts in atoms]
        columns = Score.columns_written(self)
        laid = dict(laid_out(columns[:-1], self.of, batch, answers, found))
        if self.of == "candidates":
            lists: list[list[Sequence[float]]] = [[] for _ in range(batch.num_rows)]
            for answer, values in zip(answers, found, strict=True):
                if f"{self.column}_atoms" in values:
                    lists[answer.row].append(values[f"{self.column}_atoms"])
            laid[f"{self.column}_rc"] = pa.array([retest_consistency(row) for row in lists], pa.float64())
        return laid

    def _found(self, verdicts: Sequence[Verdict]) -> dict[str, Any]:
        if not verdicts:
            return {}
        scores = [float(verdict.value) for verdict in verdicts if verdict.ok]
        if 2 * len(scores) <= len(verdicts):
            return {f"{self.column}_outcome": shared_outcome(verdicts)}
        return {
            f"{self.column}_acc": accuracy(scores, self.target), f"{self.column}_ic": internal_consistency(scores),
            f"{self.column}_atoms": scores, f"{self.column}_outcome": "ok",
        }  # fmt: skip


def sentences(text: str) -> list[str]:
    """The sentences of a text, by their ends and by lines."""
    return [part.strip() for part in _END.split(text) if part and part.strip()]


def accuracy(scores: Sequence[float], target: Literal["low", "middle", "high"]) -> float:
    """Share of the scores inside the target third of the scale."""
    low, high = THIRDS[target]
    return sum(low <= score <= high for score in scores) / len(scores)


def internal_consistency(scores: Sequence[float]) -> float:
    """1 - population standard deviation / half the scale's width, in [0, 1]."""
    return float(1 - np.std(scores) / ((HIGH - LOW) / 2))


def retest_consistency(lists: Sequence[Sequence[float]]) -> float | None:
    """Mean over pairs of score lists of 2·(1 - W₁ / width) - 1; None with fewer than two."""
    apart = [wasserstein(a, b) / (HIGH - LOW) for a, b in combinations(lists, 2)]
    return float(np.mean([2 * (1 - distance) - 1 for distance in apart])) if apart else None


def wasserstein(a: Sequence[float], b: Sequence[float]) -> float:
    """W₁ of two empirical distributions: the area between their cumulative shares."""
    points = np.unique(np.concatenate([a, b]))
    shares = [np.searchsorted(np.sort(x), points, side="right") / len(x) for x in (a, b)]
    return float((np.abs(shares[0] - shares[1])[:-1] * np.diff(points)).sum())

"""`judge.pointwise`: a chat model scores each answer by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import Answer, Of, answers_in, columns_of, laid_out, most_answers, sides
from ..models.asking import shared_outcome
from ..models.spreads import entropy
from ..models.verdict import Verdict
from .judging import asides, digests, pictures_of, template, template_faults, texts_of
from .scoring import Exam, Examiner, Scale

_ASIDES: Final = ("reference", "metrics")


@final
@register("judge.pointwise")
class JudgePointwise(Score):
    """Ask for a score of each answer alone, on a scale of whole numbers; higher is better.

    With `soft` the score is Σ k·p(k) / Σ p(k) over the chances of the scale's numbers, read off
    log-probabilities (G-Eval, Liu et al., 2023); without them it is the mean of the samples. With
    aspects each is asked for by itself and the score is their mean. `_entropy` is that of the chances
    in nats (mean over aspects), null for one sample without log-probabilities. Written as
    chosen_<column> and rejected_<column>, or as lists with one value a candidate.
    """

    reads = ("prompt", "{reference}?", "{metrics}?", "images?")
    writes = (
        Column("{column}", "the judge's score", pa.float64(), "points of the scale", None, None, "higher"),
        Column("{column}_entropy", "how unsure the judge was", pa.float64(), "nats", 0, None, "neither"),
        Column(
            "{column}_by_aspect",
            "the score of each aspect",
            pa.list_(pa.float64()),
            "points of the scale",
            None,
            None,
            "higher",
        ),  # noqa: E501
        Column("{column}_outcome", "how the replies ended", pa.string()),
    )
    paper = "G-Eval, arXiv 2303.16634; expected scores, arXiv 2503.03064"

    model: Annotated[str, ModelOf("chat")] = "judge"
    """The judge."""
    of: Of = "pair"
    """What is scored: both sides of a pair, every candidate, or the chosen answer."""
    column: str = "judge_score"
    """Name of the score: columns begin with it, after the side."""
    low: int = 1
    """Lowest score."""
    high: int = 10
    """Highest score, at most 100 above the lowest."""
    anchors: dict[int, str] = Field(default_factory=dict)
    """What some of the scores mean."""
    aspects: tuple[str, ...] = ()
    """Qualities to score one by one; empty = the answer as a whole."""
    soft: bool = False
    """Read the chances of the scores off the log-probabilities, where the endpoint gives them."""
    samples: Annotated[int, Field(ge=1, le=64)] = 1
    """Replies a question; more than half must be sound."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Sampling temperature; above 0 when there are several samples."""
    reason: bool = False
    """Let the judge write its reasons before the score."""
    reference: str | None = None
    """Column with a good answer to compare with (`judge.reference` makes one)."""
    metrics: str | None = None
    """Column with questions to ask of the answer (`judge.metrics` makes them)."""
    template: str = "pointwise"
    """A template of the package, or a file."""
    max_tokens: Annotated[int | None, Field(ge=1)] = None
    """Most tokens of a reply; null = 16, or 512 with reasons."""
    most: Annotated[int, Field(ge=1)] = 16
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def faults(self) -> Sequence[str]:
        found = template_faults(self.template)
        if not 0 < self.high - self.low <= 100:
            found.append(f"high ({self.high}) must be 1 to 100 above low ({self.low})")
        if off := [k for k in self.anchors if not self.low <= k <= self.high]:
            found.append(f"anchors off the scale: {', '.join(map(str, off))}")
        if self.samples > 1 and self.temperature == 0:
            found.append("several samples at temperature 0 are all alike: give a temperature such as 1")
        return found

    def materials(self) -> tuple[str, ...]:
        return digests(self.template)

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(self._columns(), self.of)

    def calls_a_row(self) -> float:
        answers = most_answers(self.of, self.most)
        return float(answers * max(1, len(self.aspects)))

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        answers = answers_in(batch, self.of, self.most)
        exams = self._exams(batch, answers)
        examiner = Examiner(
            ctx.models[self.model], template(self.template), Scale(self.low, self.high, self.anchors),
            self.reason, self.soft, self.samples, self.temperature, self.max_tokens,
        )  # fmt: skip
        verdicts = examiner.ask(exams)
        each = max(1, len(self.aspects))
        found = [self._found(verdicts[each * k : each * (k + 1)]) for k in range(len(answers))]
        return laid_out(self._columns(), self.of, batch, answers, found)

    def _columns(self) -> tuple[Column, ...]:
        columns = Score.columns_written(self)
        return columns if self.aspects else tuple(c for c in columns if not c.name.endswith("_by_aspect"))

    def _exams(self, batch: pa.Table, answers: Sequence[Answer]) -> list[Exam]:
        prompts, pictures = texts_of(batch, "prompt")[0], pictures_of(batch)
        helps = asides(batch, {name: getattr(self, name) for name in _ASIDES})
        return [
            Exam(prompts[a.row] or "", a, helps[a.row] | {"aspect": aspect}, pictures[a.row])
            for a in answers
            for aspect in self.aspects or (None,)
        ]

    def _found(self, verdicts: Sequence[Verdict]) -> dict[str, Any]:
        outcome = shared_outcome(verdicts)
        found: dict[str, Any] = {f"{self.column}_outcome": outcome}
        if outcome != "ok":
            return found
        scores = [float(verdict.value) for verdict in verdicts]
        unsure = [entropy(verdict.spread) for verdict in verdicts if verdict.spread]
        return found | {
            self.column: sum(scores) / len(scores),
            f"{self.column}_entropy": sum(unsure) / len(unsure) if len(unsure) == len(verdicts) else None,
            f"{self.column}_by_aspect": scores,
        }

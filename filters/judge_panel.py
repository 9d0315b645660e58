"""`judge.panel`: several chat models, or several prompts, score answers together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Final, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column
from ..core.registry import register
from ..core.several import Chats, Names
from ..core.stage import Columns, Context, Score
from ..models.answers import Of, answers_in, columns_of, laid_out, most_answers, sides
from ..models.asking import shared_outcome
from ..models.verdict import Verdict
from .judging import asides, digests, pictures_of, template, template_faults, texts_of
from .panel import Combine, names_of, side_by_side, together, wrote
from .scoring import Exam, Examiner, Scale

_HELPS: Final = ("reference", "metrics")


@final
@register("judge.panel")
class JudgePanel(Score):
    """Have every judge score every answer with every template, and put the scores together.

    A member of the panel is a judge with a template. A judge never scores answers that are signed
    with its own name (`model` of the answer); its place then is null. `score.panel_z` brings judges
    onto one scale, `diagnose.panel` says how far they agree. PoLL (Verga et al., 2024); Panel of Peers.
    """

    reads = ("prompt", "{reference}?", "{metrics}?", "images?")
    writes = (
        Column("{column}", "the panel's score", pa.float64(), "points of the scale", None, None, "higher"),
        Column("{column}_sd", "how far the judges are apart", pa.float64(), "points of the scale", 0, None, "neither"),
        Column(
            "{column}_by_judge",
            "each member's score",
            pa.list_(pa.float64()),
            "points of the scale",
            None,
            None,
            "higher",
        ),  # noqa: E501
        Column("{column}_outcomes", "how each member's replies ended; null = its own answer", pa.list_(pa.string())),
        Column("{column}_outcome", "ok when enough members gave a score", pa.string()),
    )
    paper = "PoLL, arXiv 2404.18796; Panel of Peers, arXiv 2509.01610"

    judges: Chats = ("judge",)
    """The judges."""
    of: Of = "pair"
    """What is scored: both sides of a pair, every candidate, or the chosen answer."""
    column: str = "panel_score"
    """Name of the score: columns begin with it, after the side."""
    low: int = 1
    """Lowest score."""
    high: int = 10
    """Highest score."""
    aspects: tuple[str, ...] = ()
    """Qualities to score one by one; a member's score is their mean."""
    combine: Combine = "mean"
    """How the members' scores become one."""
    quorum: Annotated[int, Field(ge=1)] = 2
    """Least scores an answer needs, or all where fewer judges may judge it."""
    exclude_self: bool = True
    """Keep a judge from scoring answers it wrote."""
    templates: Names = ("pointwise",)
    """Templates of the package, or files: each judge is asked with each."""
    soft: bool = False
    """Read the chances of the scores off the log-probabilities, where the endpoint gives them."""
    reason: bool = False
    """Let the judges write their reasons before the score."""
    reference: str | None = None
    """Column with a good answer to compare with."""
    metrics: str | None = None
    """Column with questions to ask of the answer."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Sampling temperature."""
    max_tokens: Annotated[int | None, Field(ge=1)] = None
    """Most tokens of a reply; null = 16, or 512 with reasons."""
    most: Annotated[int, Field(ge=1)] = 16
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def faults(self) -> Sequence[str]:
        found = template_faults(*self.templates)
        return [*found, *([] if self.low < self.high else [f"low ({self.low}) is not below high ({self.high})"])]

    def materials(self) -> tuple[str, ...]:
        return digests(*self.templates)

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(Score.columns_written(self), self.of)

    def calls_a_row(self) -> float:
        answers = most_answers(self.of, self.most)
        return float(answers * max(1, len(self.aspects)) * len(self.judges) * len(self.templates))

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        answers = answers_in(batch, self.of, self.most)
        prompts, pictures = texts_of(batch, "prompt")[0], pictures_of(batch)
        helps = asides(batch, {name: getattr(self, name) for name in _HELPS})
        exams = [Exam(prompts[a.row] or "", a, helps[a.row], pictures[a.row]) for a in answers]
        members = [(judge, name) for judge in self.judges for name in self.templates]
        by_member = side_by_side(lambda member: self._member(exams, ctx, *member), members)
        found = [
            together(self.column, [v for v, _ in mine], [o for _, o in mine], self.quorum, self.combine)
            for mine in (list(member[k] for member in by_member) for k in range(len(answers)))
        ]
        return laid_out(Score.columns_written(self), self.of, batch, answers, found)

    def _member(
        self, exams: Sequence[Exam], ctx: Context, judge: str, name: str
    ) -> list[tuple[float | None, str | None]]:
        """A member's score and outcome for each exam; nothing at all for the judge's own answers."""
        own = names_of(ctx, judge) if self.exclude_self else frozenset()
        asked = [k for k, exam in enumerate(exams) if not wrote(own, [exam.answer])]
        aspects = self.aspects or (None,)
        examiner = Examiner(
            ctx.models[judge], template(name), Scale(self.low, self.high), self.reason, self.soft, 1,
            self.temperature, self.max_tokens,
        )  # fmt: skip
        questions = [replace(exams[k], asides={**exams[k].asides, "aspect": a}) for k in asked for a in aspects]
        verdicts = examiner.ask(questions)
        found: list[tuple[float | None, str | None]] = [(None, None)] * len(exams)
        for n, k in enumerate(asked):
            found[k] = _mean(verdicts[n * len(aspects) : (n + 1) * len(aspects)])
        return found


def _mean(verdicts: Sequence[Verdict]) -> tuple[float | None, str]:
    outcome = shared_outcome(verdicts)
    return (sum(v.value for v in verdicts) / len(verdicts) if outcome == "ok" else None), outcome

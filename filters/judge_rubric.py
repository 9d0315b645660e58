"""`judge.rubric`: a chat model checks answers against weighted criteria; hard rules fail the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, final

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import Answer, Of, answers_in, columns_of, laid_out, most_answers, sides
from ..models.asking import ask_by_kind, request
from ..models.readers import read_json
from ..models.verdict import Verdict
from .judging import asides, digests, pictures_of, template, template_faults, texts_of


@final
class Criterion(BaseModel):
    """One line of a rubric."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    criterion: Annotated[str, Field(min_length=1)]
    """What the answer must do or be."""
    weight: Annotated[float, Field(ge=0)] = 1.0
    """Its share in the score."""
    hard: bool = False
    """A rule whose failure fails the whole answer."""


@final
@register("judge.rubric")
class JudgeRubric(Score):
    """Score answers by a rubric: Σ weight of criteria met / Σ weight, and 0 when a hard rule is failed.

    The criteria are the row's own (`rubric`, as `synth.rubric` writes it; kinds that begin with `hard`
    are hard rules, no weight counts 1) or, with `criteria`, the same for all. One call an answer gives
    a verdict on each. A row without criteria is not judged. OpenRubrics (Liu et al., 2025).
    """

    reads = ("prompt", "{reference}?", "images?")
    writes = (
        Column("{column}", "weighted share of the criteria met", pa.float64(), "share", 0, 1, "higher"),
        Column("{column}_failed", "a hard rule is failed", pa.bool_()),
        Column("{column}_met", "which criteria are met, in their order", pa.list_(pa.bool_())),
        Column("{column}_outcome", "how the reply ended", pa.string()),
    )
    paper = "OpenRubrics, arXiv 2510.07743"

    model: Annotated[str, ModelOf("chat")] = "judge"
    """The judge."""
    of: Of = "pair"
    """What is scored: both sides of a pair, every candidate, or the chosen answer."""
    column: str = "rubric_score"
    """Name of the score: columns begin with it, after the side."""
    criteria: tuple[Criterion, ...] = ()
    """One rubric for all rows; empty = each row's column `rubric`."""
    reason: bool = True
    """Let the judge say why before each verdict."""
    reference: str | None = None
    """Column with a good answer to compare with."""
    template: str = "rubric"
    """A template of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Sampling temperature."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Most tokens of a reply."""
    most: Annotated[int, Field(ge=1)] = 16
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def faults(self) -> Sequence[str]:
        return template_faults(self.template)

    def materials(self) -> tuple[str, ...]:
        return digests(self.template)

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of), *(() if self.criteria else ("rubric",)))

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(Score.columns_written(self), self.of)

    def calls_a_row(self) -> float:
        return float(most_answers(self.of, self.most))

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        rubrics = self._rubrics(batch)
        answers = answers_in(batch, self.of, self.most)
        judged = [k for k, answer in enumerate(answers) if rubrics[answer.row]]
        requests = self._requests(batch, [answers[k] for k in judged], rubrics)
        sizes = [len(rubrics[answers[k].row]) for k in judged]
        verdicts = ask_by_kind(ctx.models[self.model], requests, sizes, lambda n: read_json(met_schema(n, False)))
        found: list[Mapping[str, Any]] = [{} for _ in answers]
        for k, verdict in zip(judged, verdicts, strict=True):
            found[k] = self._found(rubrics[answers[k].row], verdict)
        return laid_out(Score.columns_written(self), self.of, batch, answers, found)

    def _rubrics(self, batch: pa.Table) -> list[list[Criterion]]:
        if self.criteria:
            return [list(self.criteria)] * batch.num_rows
        return [[criterion_of(line) for line in lines or () if line] for lines in batch["rubric"].to_pylist()]

    def _requests(
        self, batch: pa.Table, answers: Sequence[Answer], rubrics: Sequence[Sequence[Criterion]]
    ) -> list[dict[str, Any]]:
        prompts, pictures = texts_of(batch, "prompt")[0], pictures_of(batch)
        helps, prose = asides(batch, {"reference": self.reference}), template(self.template)
        found = []
        for a in answers:
            shown = list(pictures[a.row])
            lines = [(n, c.criterion, c.hard) for n, c in enumerate(rubrics[a.row], 1)]
            values = {"prompt": prompts[a.row] or "", "answer": a.shown(shown), "criteria": lines, **helps[a.row]}
            found.append(
                request(
                    prose, values | {"reason": self.reason}, temperature=self.temperature, max_tokens=self.max_tokens,
                    schema=met_schema(len(lines), self.reason), pictures=shown,
                )
            )  # fmt: skip
        return found

    def _found(self, rubric: Sequence[Criterion], verdict: Verdict) -> dict[str, Any]:
        if not verdict.ok:
            return {f"{self.column}_outcome": verdict.outcome.value}
        met = [verdict.value[str(k)]["met"] for k in range(1, len(rubric) + 1)]
        score, failed = rubric_score(rubric, met)
        return {
            self.column: score, f"{self.column}_failed": failed, f"{self.column}_met": met,
            f"{self.column}_outcome": "ok",
        }  # fmt: skip


def rubric_score(rubric: Sequence[Criterion], met: Sequence[bool]) -> tuple[float, bool]:
    """Σ weight·met / Σ weight in [0, 1], and whether a hard rule is failed, which makes it 0.

    A rubric without any weight is 1 when no hard rule is failed.
    """
    failed = any(line.hard and not hit for line, hit in zip(rubric, met, strict=True))
    total = sum(line.weight for line in rubric)
    if failed:
        return 0.0, True
    hits = sum(line.weight for line, hit in zip(rubric, met, strict=True) if hit)
    return (hits / total if total > 0 else 1.0), False


def criterion_of(line: Mapping[str, Any]) -> Criterion:
    """A line of a row's `rubric` as a criterion."""
    weight = line.get("weight")
    hard = str(line.get("kind") or "").startswith("hard")
    return Criterion(criterion=line.get("criterion") or "", weight=1.0 if weight is None else weight, hard=hard)


def met_schema(n: int, reason: bool) -> dict[str, Any]:
    """JSON Schema of n verdicts by number; reasons are asked for, never demanded when read."""
    why: dict[str, Any] = {"why": {"type": "string"}} if reason else {}
    properties = {**why, "met": {"type": "boolean"}}
    verdict = {"type": "object", "properties": properties, "required": list(properties)}
    numbers = [str(k) for k in range(1, n + 1)]
    return {"type": "object", "properties": dict.fromkeys(numbers, verdict), "required": numbers}

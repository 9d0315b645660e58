"""`judge.reference` and `judge.metrics`: what a judge writes before it sees any answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.paid import Reply
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.asking import request
from ..models.readers import read_text
from ..models.verdict import Asker, Outcome, Reader, Verdict, ask_verdicts
from .judging import digests, pictures_of, template, template_faults, texts_of

_BULLET: Final = re.compile(r"^\s*(?:\d+[.):]|[-*•])\s*")


@final
@register("judge.reference")
class JudgeReference(Score):
    """Let the judge answer each prompt itself; its answer then helps judging (`reference: reference`).

    Equal prompts are paid for once. Zheng et al., 2023; Zeng et al., 2024.
    """

    reads = ("prompt", "images?")
    writes = (
        Column("{column}", "the judge's own answer", pa.string()),
        Column("{column}_outcome", "how the reply ended", pa.string()),
    )
    paper = "LLMBar (self-generated reference), arXiv 2310.07641"

    model: Annotated[str, ModelOf("chat")] = "judge"
    """Who answers."""
    column: str = "reference"
    """Name of the column written."""
    template: str = "reference"
    """A template of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Sampling temperature."""
    max_tokens: Annotated[int, Field(ge=1)] = 384
    """Most tokens of the answer; one cut off is not used."""

    def faults(self) -> Sequence[str]:
        return template_faults(self.template)

    def materials(self) -> tuple[str, ...]:
        return digests(self.template)

    def calls_a_row(self) -> float:
        return 1.0

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        made = _written(ctx.models[self.model], batch, self.template, {}, self.temperature, self.max_tokens, read_text)
        return _columns(self.column, made)


@final
@register("judge.metrics")
class JudgeMetrics(Score):
    """Let the judge write a few questions for each prompt, to be asked of its answers (`metrics: metrics`).

    Equal prompts are paid for once. Zeng et al., 2024.
    """

    reads = ("prompt", "images?")
    writes = (
        Column("{column}", "questions to ask of an answer, one a line", pa.string()),
        Column("{column}_outcome", "how the reply ended", pa.string()),
    )
    paper = "LLMBar (self-generated metrics), arXiv 2310.07641"

    model: Annotated[str, ModelOf("chat")] = "judge"
    """Who writes them."""
    column: str = "metrics"
    """Name of the column written."""
    most: Annotated[int, Field(ge=1, le=10)] = 3
    """Most questions kept, the first ones."""
    template: str = "metrics"
    """A template of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Sampling temperature."""
    max_tokens: Annotated[int, Field(ge=1)] = 150
    """Most tokens of a reply; one cut off is not used."""

    def faults(self) -> Sequence[str]:
        return template_faults(self.template)

    def materials(self) -> tuple[str, ...]:
        return digests(self.template)

    def calls_a_row(self) -> float:
        return 1.0

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        reader, values = questions_reader(self.most), {"most": self.most}
        made = _written(ctx.models[self.model], batch, self.template, values, self.temperature, self.max_tokens, reader)
        return _columns(self.column, made)


def questions_reader(most: int) -> Reader:
    """Reads the first `most` lines that are questions; unparsable when none is."""

    def read_it(reply: Reply) -> Verdict:
        verdict = read_text(reply)
        if not verdict.ok:
            return verdict
        lines = [_BULLET.sub("", line).strip() for line in verdict.value.splitlines()]
        questions = [line for line in lines if line.endswith(("?", "？"))][:most]
        if not questions:
            return Verdict(Outcome.UNPARSABLE, why=verdict.value[:500])
        return Verdict(Outcome.OK, "\n".join(f"{k}. {question}" for k, question in enumerate(questions, 1)))

    return read_it


def _written(
    model: Asker, batch: pa.Table, name: str, more: dict[str, Any], temperature: float, tokens: int, read: Reader
) -> list[Verdict | None]:
    prompts, pictures, prose = texts_of(batch, "prompt")[0], pictures_of(batch), template(name)
    asked = [i for i, prompt in enumerate(prompts) if prompt is not None]
    requests = [
        request(prose, {"prompt": prompts[i], **more}, temperature=temperature, max_tokens=tokens, pictures=pictures[i])
        for i in asked
    ]
    found: list[Verdict | None] = [None] * batch.num_rows
    for i, verdict in zip(asked, ask_verdicts(model, requests, read), strict=True):
        found[i] = verdict
    return found


def _columns(name: str, made: Sequence[Verdict | None]) -> Columns:
    return {
        name: pa.array([v.value if v and v.ok else None for v in made], pa.string()),
        f"{name}_outcome": pa.array([v.outcome.value if v else None for v in made], pa.string()),
    }

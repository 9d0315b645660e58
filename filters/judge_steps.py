"""`judge.steps` and `filter.productive_steps`: which steps of a long answer bring it forward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Columns, Context, Gate, Score
from ..models.asking import ask_by_kind, request, shared_outcome
from ..models.readers import read_json
from ..models.verdict import Verdict
from .judging import digests, pictures_of, template, template_faults, texts_of
from .reasons import first_reasons, floats


@final
@dataclass(frozen=True)
class Window:
    """Some neighbouring steps of one row; `start` counts from 0."""

    row: int
    start: int
    steps: tuple[str, ...]
    before: str


@final
@register("judge.steps")
class JudgeSteps(Score):
    """Ask about windows of steps which of them are productive: one call a window, not one a step.

    Reads the row's `steps`. A window without a sound verdict leaves the whole row unjudged. Language
    Feedback Models (Zhong et al., 2024).
    """

    reads = ("prompt", "steps", "images?")
    writes = (
        Column("{column}_productive", "whether each step is productive", pa.list_(pa.bool_())),
        Column("{column}_share", "share of productive steps", pa.float64(), "share", 0, 1, "higher"),
        Column("{column}_outcome", "how the replies ended", pa.string()),
    )
    paper = "Language Feedback Models, arXiv 2402.07876"

    model: Annotated[str, ModelOf("chat")] = "judge"
    """The judge."""
    column: str = "steps"
    """What the names of the columns begin with."""
    window: Annotated[int, Field(ge=1, le=100)] = 20
    """Steps a call."""
    before: Annotated[int, Field(ge=0)] = 3
    """Steps before a window that are shown with it."""
    most: Annotated[int, Field(ge=1)] = 200
    """Most steps of a row; a row with more is not judged."""
    template: str = "steps"
    """A template of the package, or a file."""
    max_tokens: Annotated[int, Field(ge=1)] = 400
    """Most tokens of a reply."""

    def faults(self) -> Sequence[str]:
        return template_faults(self.template)

    def materials(self) -> tuple[str, ...]:
        return digests(self.template)

    def calls_a_row(self) -> float:
        return float(-(-self.most // self.window))

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        steps = [[step["text"] or "" for step in row or () if step] for row in batch["steps"].to_pylist()]
        windows = [w for i, row in enumerate(steps) if len(row) <= self.most for w in self._windows(i, row)]
        prompts, pictures, prose = texts_of(batch, "prompt")[0], pictures_of(batch), template(self.template)
        requests = [
            request(
                prose, {"prompt": prompts[w.row] or "", "before": w.before, "steps": list(enumerate(w.steps, 1))},
                max_tokens=self.max_tokens, schema=productive_schema(len(w.steps)), pictures=pictures[w.row],
            )
            for w in windows
        ]  # fmt: skip
        sizes = [len(w.steps) for w in windows]
        verdicts = ask_by_kind(ctx.models[self.model], requests, sizes, lambda n: read_json(productive_schema(n)))
        by_row: dict[int, list[Verdict]] = {}
        for w, verdict in zip(windows, verdicts, strict=True):
            by_row.setdefault(w.row, []).append(verdict)
        found = [self._found(by_row.get(i, [])) for i in range(batch.num_rows)]
        return {c.name: pa.array([row.get(c.name) for row in found], c.type) for c in self.columns_written()}

    def _windows(self, row: int, steps: Sequence[str]) -> list[Window]:
        return [
            Window(row, k, tuple(steps[k : k + self.window]), "\n".join(steps[max(0, k - self.before) : k]))
            for k in range(0, len(steps), self.window)
        ]

    def _found(self, verdicts: Sequence[Verdict]) -> dict[str, Any]:
        if not verdicts:
            return {}
        outcome = shared_outcome(verdicts)
        if outcome != "ok":
            return {f"{self.column}_outcome": outcome}
        productive = [v.value[str(k)] for v in verdicts for k in range(1, len(v.value) + 1)]
        share = sum(productive) / len(productive)
        return {f"{self.column}_productive": productive, f"{self.column}_share": share, f"{self.column}_outcome": "ok"}


@final
@register("filter.productive_steps")
class ProductiveSteps(Gate):
    """Drop rows with too small a share of productive steps, and those whose steps were not judged."""

    reads = ("{column}_share",)
    paper = "Language Feedback Models, arXiv 2402.07876"

    column: str = "steps"
    """What the names of the judged columns begin with."""
    least: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Smallest share of productive steps, in [0, 1]."""

    def why_drop(self, batch: pa.Table) -> pa.Array:
        share = floats(batch[f"{self.column}_share"].combine_chunks())
        rules = [(np.isnan(share), "steps not judged"), (share < self.least, "too few productive steps")]
        return first_reasons(len(share), rules)


def productive_schema(n: int) -> dict[str, Any]:
    """JSON Schema of a truth value for each of n steps, and nothing else."""
    numbers = [str(k) for k in range(1, n + 1)]
    properties = dict.fromkeys(numbers, {"type": "boolean"})
    return {"type": "object", "properties": properties, "required": numbers, "additionalProperties": False}

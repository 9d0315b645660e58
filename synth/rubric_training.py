"""`synth.rubric_training`: rows to train who writes rubrics, and who judges by them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Final, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column
from ..core.registry import register
from ..core.stage import Context, Drop, Map, Row
from ..models.asking import request
from .making import TEMPLATES, answer, answer_of, made_by, prompt_of
from .rubric_lines import told

KINDS: Final = ("generator", "judge")


@final
@register("synth.rubric_training")
class RubricTraining(Map):
    """Make rows to train on of each pair with a rubric that passed: two models that do without the label.

    Generator: the prompt alone → the rubric, for a generator that sees answers would leak them. Judge: prompt,
    rubric and both answers → which is better; the order is the row's own chance, or both. No call is made.
    OpenRubrics (Liu et al., 2025).
    """

    reads = ("prompt", "chosen", "rejected", "rubric")
    writes = (
        Column("prompt", "what the generator or the judge sees"),
        Column("chosen", "the rubric as JSON, or the letter of the better answer"),
        Column("rejected", "always null"),
        Column("kind", "generator or judge", pa.string()),
    )
    paper = "OpenRubrics (Rubric-RM), arXiv 2510.07743; a judge's row holds the verdict, without an analysis: house"

    rows: Annotated[tuple[Literal["generator", "judge"], ...], Field(min_length=1)] = KINDS
    """Which rows are made."""
    both_orders: bool = False
    """A judge's row for each order, instead of one by chance."""
    most: Annotated[int, Field(ge=1, le=50)] = 10
    """Most criteria the generator is asked for, as `synth.rubric` has it."""
    prompts: str = "rubric"
    """A template of the package, or a file; its parts prompt and judge are used."""

    def faults(self) -> Sequence[str]:
        return TEMPLATES.faults(self.prompts)

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts)

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        lines = [line for line in row["rubric"] or () if line]
        if not lines:
            return Drop("no rubric that passed")
        prompt, pair = prompt_of(row), (answer_of(row), answer_of(row, "rejected"))
        made = []
        if "generator" in self.rows:
            items = [{"kind": line["kind"], "criterion": line["criterion"]} for line in lines]
            text = json.dumps({"items": items}, ensure_ascii=False)
            made.append(self._row("generator", "prompt", {"prompt": prompt, "most": self.most}, text))
        if "judge" in self.rows:
            swapped = ctx.rng(row["id"]).random() < 0.5
            for order in (False, True) if self.both_orders else (swapped,):
                first, second = reversed(pair) if order else pair
                values = {"prompt": prompt, "criteria": told(lines), "first": first, "second": second}
                made.append(self._row("judge", "judge", values, "B" if order else "A"))
        return made

    def _row(self, kind: str, part: str, values: Row, text: str) -> Row:
        asked = request(TEMPLATES.load(self.prompts, part), values)["messages"]
        return {
            "prompt": asked, "chosen": answer(text, made_by(self.name, kind, {}, None, None)), "rejected": None,
            "kind": kind,
        }  # fmt: skip

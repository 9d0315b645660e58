"""`synth.critique_marv`: keep a pair of critiques when revisions bear out which of them is the better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.paid import PaidModel
from ..core.registry import register
from ..core.several import Chats
from ..core.stage import Context, Drop, Dropped, Map, Row
from .confirming import PROMPTS, rated
from .kin import kin_among
from .making import TEMPLATES, Writer, answer_of, pictures_of, together

SIDES: Final = ("chosen", "rejected", "control")


@final
@register("synth.critique_marv")
class CritiqueMarv(Map):
    """Have several models revise the response under each critique, and without one; a judge rates what comes out.

    A pair stays when the better critique leads to revisions rated higher by more than `least_gap` on
    average, and higher than those made without any critique: a revision may be better by itself. A
    reviser counts when all three of its revisions have a rating. A judge of the revisers' family rates
    them too well: `revisers_kin` counts these, and a warning tells.
    """

    reads = ("question", "response", "chosen", "rejected", "images?")
    writes = (
        Column("rev_score_chosen", "mean rating of revisions under chosen", pa.float64(), "points", 1, 10, "higher"),
        Column("rev_score_rejected", "mean rating under rejected", pa.float64(), "points", 1, 10, "lower"),
        Column("rev_score_control", "mean rating without a critique", pa.float64(), "points", 1, 10, "neither"),
        Column("n_revisers", "revisers that count", pa.int32(), "models", 1, None, "higher"),
        Column("revisers_kin", "revisers of the judge's family, by name", pa.int32(), "models", 0, None, "lower"),
    )
    paper = "MARV of MultiCritique, arXiv 2410.15287; the control: house"

    revisers: Chats = ("writer",)
    """Who revises; several of different makers and sizes."""
    judge: Annotated[str, ModelOf("chat")] = "judge"
    """Who rates the revisions, from 1 to 10."""
    least_gap: Annotated[float, Field(ge=0, le=9)] = 0.5
    """The mean ratings must be further apart than this, in points."""
    beat_control: bool = True
    """Drop pairs whose better critique leads to nothing better than revising without one."""
    prompts: str = "critique_marv"
    """Template of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Of the revisers."""
    max_tokens: Annotated[int, Field(ge=16)] = 2048
    """Most tokens of a revision."""

    def faults(self) -> Sequence[str]:
        return TEMPLATES.faults(self.prompts)

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts, PROMPTS)

    def calls_a_row(self) -> float:
        return 6.0 * len(self.revisers)

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        if not row["question"] or not row["response"]:
            return Drop("no response under critique")
        critiques = (answer_of(row), answer_of(row, "rejected"), None)
        found = await together(
            *(
                together(*(self._score(row, ctx, ctx.models[name], critique) for critique in critiques))
                for name in self.revisers
            )
        )
        whole = [[score for score in scores if score is not None] for scores in found]
        complete = [scores for scores in whole if len(scores) == len(SIDES)]
        if not complete:
            return Drop("no reviser with all revisions rated")
        means = [sum(scores) / len(complete) for scores in zip(*complete, strict=True)]
        told: Row = {f"rev_score_{side}": mean for side, mean in zip(SIDES, means, strict=True)}
        names = tuple(ctx.models[name].name for name in self.revisers)
        kin = kin_among(self.name, ctx.models[self.judge].name, names)
        told |= {"n_revisers": len(complete), "revisers_kin": kin}
        fault = self._fault(*means)
        return Drop(fault, told) if fault else [told]

    def _fault(self, chosen: float, rejected: float, control: float) -> str:
        if rejected - chosen > self.least_gap:
            return "the worse critique helps more"
        if chosen - rejected <= self.least_gap:
            return "revisions differ too little"
        return "no better than without a critique" if self.beat_control and chosen <= control else ""

    async def _score(self, row: Row, ctx: Context, reviser: PaidModel, critique: str | None) -> float | None:
        """The rating of one revision; null where it, or the rating, cannot be read. Raises CallError."""
        writer = Writer(reviser, self.prompts, self.temperature, self.max_tokens)
        values = {"question": row["question"], "response": row["response"], "critique": critique}
        try:
            revision = await writer.says("revise", values, seed=ctx.seed, pictures=pictures_of(row))
            return await rated(ctx.models[self.judge], row["question"], revision, pictures_of(row))
        except Dropped:
            return None

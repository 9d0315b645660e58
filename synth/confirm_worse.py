"""`synth.confirm_worse`: keep a made pair only when a judge agrees, in both orders, that the worse is worse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, final

import pyarrow as pa

from ..core.registry import register
from ..core.stage import Column, Context, Dropped, Map, ModelOf, Row
from .confirming import PROMPTS, confirmed
from .making import TEMPLATES, answer_of, pictures_of, prompt_of


@final
@register("synth.confirm_worse")
class ConfirmWorse(Map):
    """Show a judge both answers, once in each order; a pair it does not confirm twice is dropped, saying why.

    Ties (`verdict: tie`) pass unasked: they claim nothing. The judge should not be the model that made the
    negative, for models favour what they wrote.
    """

    reads = ("prompt", "chosen", "rejected", "verdict?", "images?")
    writes = (
        Column(
            "confirmed_p",
            "the judge's chance that chosen is better, mean of both orders",
            pa.float64(),
            "probability",
            0,
            1,
            "higher: chosen better",
        ),
    )
    paper = "both orders: MT-Bench, arXiv 2306.05685; confirmation of made negatives: house"

    judge: Annotated[str, ModelOf("chat")] = "judge"
    """Who confirms."""

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(PROMPTS)

    def calls_a_row(self) -> float:
        return 2.0

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        if row.get("verdict") == "tie":
            return [{"confirmed_p": None}]
        sides = answer_of(row), answer_of(row, "rejected")
        found = await confirmed(ctx.models[self.judge], prompt_of(row), *sides, pictures_of(row))
        if found.fault:
            raise Dropped(found.fault, {"confirmed_p": found.p})
        return [{"confirmed_p": found.p}]

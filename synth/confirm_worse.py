"""`synth.confirm_worse`: keep a made pair only when a verifier or a judge agrees that the worse is worse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, final

import pyarrow as pa

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Dropped, Map, Row
from .confirming import PROMPTS, confirmed
from .kin import kin_among
from .making import TEMPLATES, answer_of, pictures_of, prompt_of
from .verifiers import MaybeVerifier, reference_columns, reference_of
from .verifying import Verifier


@final
@register("synth.confirm_worse")
class ConfirmWorse(Map):
    """Show a judge both answers, once in each order; a pair it does not confirm twice is dropped, saying why.

    With a verifier, chosen must first be right and rejected wrong; with `judge: null` that is enough.
    Ties (`verdict: tie`) pass unasked: they claim nothing; so do pairs as they were read, where made pairs
    stand among them and `made_only` is set. The judge should not be of the family of a model that made
    either side, for models favour what they and their kin write: a warning tells.
    """

    reads = ("prompt", "chosen", "rejected", "verdict?", "images?", "{reference}?")
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

    judge: Annotated[str | None, ModelOf("chat")] = "judge"
    """Who confirms; null = the verifier alone."""
    verifier: MaybeVerifier = None
    """How answers are verified first: number, formula, text, pattern, json or tests, or {by: …, its options}."""
    reference: str = "reference"
    """Column with the right answer, or with the tests, for the verifier."""
    made_only: bool = False
    """Let pairs pass unasked neither of whose answers a stage has made."""

    def columns_read(self) -> tuple[str, ...]:
        pair = ("prompt", "chosen", "rejected", "verdict?", "images?")
        return (*pair, *reference_columns(self.verifier, self.reference))

    def faults(self) -> Sequence[str]:
        if self.judge is None and self.verifier is None:
            return ["nobody confirms; give it a judge or a verifier"]
        return self.verifier.faults() if self.verifier else ()

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(PROMPTS)

    def calls_a_row(self) -> float:
        return 2.0 if self.judge else 0.0

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        origins = [origin for side in ("chosen", "rejected") if (origin := (row[side] or {}).get("made_by"))]
        if row.get("verdict") == "tie" or (self.made_only and not origins):
            return [{"confirmed_p": None}]
        sides = answer_of(row), answer_of(row, "rejected")
        if self.verifier is not None:
            await self._verified(row, self.verifier, *sides)
        if self.judge is None:
            return [{"confirmed_p": None}]
        judge = ctx.models[self.judge]
        kin_among(self.name, judge.name, tuple(origin["model"] for origin in origins if origin["model"]))
        found = await confirmed(judge, prompt_of(row), *sides, pictures_of(row))
        if found.fault:
            raise Dropped(found.fault, {"confirmed_p": found.p})
        return [{"confirmed_p": found.p}]

    async def _verified(self, row: Row, verifier: Verifier, better: str, worse: str) -> None:
        reference = reference_of(row, self.reference, verifier)
        good, bad = [await verifier.verify(text, reference) for text in (better, worse)]
        if not good.right:
            raise Dropped(f"not verified: chosen is {good.result}", {"why": good.why})
        if bad.result != "wrong":
            raise Dropped(f"not verified: rejected is {bad.result}", {"why": bad.why})

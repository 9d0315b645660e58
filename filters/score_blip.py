"""`score.blip_itc`: how well an image and its prompt go together, by BLIP."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import Of, columns_of, laid_out, sides
from .image_scoring import PLACEHOLDERS, matched, prompts_of, shown, to_prompts, told_of


@final
@register("score.blip_itc")
class BlipItc(Score):
    """Cosine of an image and its prompt by BLIP's contrastive towers, or its matching head's probability.

    ClassDiffusion reports it as BLIP2-T, but its published code runs BLIP, not BLIP-2. It notices a
    missing object of the prompt where CLIP hardly moves. The two heads have columns of their own.
    """

    reads = ("prompt",)
    writes = (
        Column("blip_{head}", "of image and prompt", pa.float64(), "cosine", -1, 1, "higher"),
        Column("blip_{head}_outcome", "ok, no image, unreadable, no prompt, or prompt too long", pa.string()),
    )
    paper = "ClassDiffusion (BLIP2-T), ICLR 2025; BLIP, arXiv 2201.12086"

    model: Annotated[str, ModelOf("image_text_matcher")] = "blip"
    """The matcher of images and texts."""
    head: Literal["itc", "itm"] = "itc"
    """itc: cosine of two towers; itm: both looked at together, slower, a probability in [0, 1]."""
    of: Of = "pair"
    """What is scored: both sides of a pair, every candidate, or the chosen answer."""
    placeholders: tuple[str, ...] = PLACEHOLDERS
    """Tokens taken out of the prompt before it is read."""
    most: Annotated[int, Field(ge=1)] = 64
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(self._columns(), self.of)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        found = shown(batch, self.of, self.most)
        if self.head == "itc":
            vectors = found.look(lambda images: ctx.models[self.model].encode(images))
            measured = to_prompts(
                batch, found, vectors, lambda texts: ctx.models[self.model].encode_text(texts), self.placeholders
            )
        else:
            measured = matched(
                found, prompts_of(batch, self.placeholders), lambda t, i: ctx.models[self.model].match(t, i)
            )
        return laid_out(self._columns(), self.of, batch, found.answers, told_of(measured, f"blip_{self.head}"))

    def _columns(self) -> tuple[Column, ...]:
        score, outcome = Score.columns_written(self)
        if self.head == "itc":
            return replace(score, doc=f"cosine {score.doc}, by {self.model}"), outcome
        doc = f"probability of a match {score.doc}, by {self.model}"
        return replace(score, doc=doc, unit="probability", low=0), outcome

"""`score.style`: how like the style of the row's reference images an image is."""

from __future__ import annotations

from typing import Annotated, Any, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import Of, columns_of, laid_out, sides
from .image_scoring import made_by, shown, to_references, told_of


@final
@register("score.style")
class Style(Score):
    """Mean cosine of an image to the row's reference images by a style encoder, such as CSD.

    Gram matrices or any image encoder can stand in; they were not trained for style, so `_by` names
    them a fallback in every row. `images` must hold the style references.
    """

    reads = ("images",)
    writes = (
        Column("{column}", "likeness of style to the reference images", pa.float64(), "cosine", -1, 1, "higher"),
        Column("{column}_by", "the style encoder, or `fallback: ` and the image encoder", pa.string()),
        Column("{column}_outcome", "ok, no image, unreadable, no reference, or reference unreadable", pa.string()),
    )
    paper = "USO, arXiv 2508.18966; contrastive style descriptors (CSD), arXiv 2404.01292"

    model: Annotated[str, ModelOf("style_encoder")] = "csd"
    """The style encoder, or an image encoder as a fallback."""
    of: Of = "pair"
    """What is scored: both sides of a pair, every candidate, or the chosen answer."""
    column: str = "style"
    """Name of the score: columns begin with it, after the side."""
    most: Annotated[int, Field(ge=1)] = 64
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(made_by(Score.columns_written(self), self.model), self.of)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        found = shown(batch, self.of, self.most)

        def encode(images: list[bytes]) -> Any:
            return ctx.models[self.model].encode(images)

        told = told_of(to_references(batch, found, found.look(encode), encode), self.column)
        by = style_by(ctx.models[self.model]) if any(entry[self.column] is not None for entry in told) else None
        named = [entry | {f"{self.column}_by": by if entry[self.column] is not None else None} for entry in told]
        return laid_out(Score.columns_written(self), self.of, batch, found.answers, named)


def style_by(encoder: Any) -> str:
    """What stands beside a style score: the encoder's name, or that it was none made for style."""
    return str(encoder.name) if getattr(encoder, "styled", False) else f"fallback: {encoder.name}"

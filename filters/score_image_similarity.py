"""`score.image_similarity`: how like the two images of a pair are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, final

import pyarrow as pa

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from .image_bytes import images_in, opened
from .image_scoring import cosine, looked

if TYPE_CHECKING:
    from ..models.base import ImageEncoder


@final
@register("score.image_similarity")
class ImageSimilarity(Score):
    """Cosine of the rejected image to the chosen one: the gap of a pair made by degrading.

    A proxy for likeness of subject and look, as good as its encoder; no measure of which image is
    better. Null, with an outcome, where an image is missing or cannot be read. `score.dino` and
    `score.clip_i` compare each side with the reference images.
    """

    reads = ("chosen", "rejected")
    writes = (
        Column("{column}", "an image-image proxy", pa.float64(), "cosine", -1, 1, "neither"),
        Column("{column}_outcome", "ok, no image, or unreadable", pa.string()),
    )
    paper = "Negative-Guided Subject Fidelity Optimization, arXiv 2506.03621 (the gap); the default encoder: house"

    model: Annotated[str, ModelOf("image_encoder")] = "efficientnet"
    """The encoder."""
    column: str = "similarity"
    """Name of the score."""

    def columns_written(self) -> tuple[Column, ...]:
        score, outcome = Score.columns_written(self)
        doc = f"cosine of the rejected image to the chosen one, by {self.model}: {score.doc}"
        return replace(score, doc=doc), outcome

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        encoder: ImageEncoder = ctx.models[self.model]
        n = batch.num_rows
        images, outcomes = opened(image for side in self.reads for image in images_in(batch[side]))
        seen = looked(images, outcomes, lambda shown: list(encoder.encode(shown)))
        both = zip(seen[:n], seen[n:], strict=True)
        found = [None if a is None or b is None else cosine(a, b) for a, b in both]
        told = [a if a != "ok" else b for a, b in zip(outcomes[:n], outcomes[n:], strict=True)]
        return {self.column: pa.array(found, pa.float64()), f"{self.column}_outcome": pa.array(told, pa.string())}

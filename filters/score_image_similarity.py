"""`score.image_similarity`: how like two images of a row are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, final

import numpy as np
import pyarrow as pa

from ..core.registry import register
from ..core.row import flat
from ..core.stage import Column, Columns, Context, ModelOf, Score
from .image_vectors import Outcome, images_in, vectors_of

if TYPE_CHECKING:
    from ..models.base import ImageEncoder


@final
@register("score.image_similarity")
class ImageSimilarity(Score):
    """Cosine of one side's image to the other side's, or its mean cosine to the row's `images`.

    A proxy for likeness of subject and look, as good as its encoder; no measure of which image is
    better. Null, with an outcome, where an image is missing or cannot be read.
    """

    reads = ("{of}", "{to}")
    writes = (
        Column("{column}", "an image-image proxy", pa.float64(), "cosine", -1, 1, "neither"),
        Column("{column}_outcome", "ok, no image, or unreadable", pa.string()),
    )
    paper = "CLIP-I and DINO of DreamBooth, arXiv 2208.12242 (the measure); the default encoder: house"

    of: Literal["rejected", "chosen"] = "rejected"
    """The side that is measured."""
    to: Literal["chosen", "rejected", "images"] = "chosen"
    """What it is compared with: the other side, or each of the reference images, whose mean is taken."""
    model: Annotated[str, ModelOf("image_encoder")] = "efficientnet"
    """The encoder."""
    column: str = "similarity"
    """Name of the score."""

    def faults(self) -> list[str]:
        return ["of and to name the same image"] if self.of == self.to else []

    def columns_written(self) -> tuple[Column, ...]:
        score, outcome = Score.columns_written(self)
        other = "images, their mean" if self.to == "images" else f"{self.to} image"
        return replace(
            score, doc=f"cosine of the {self.of} image to the {other}, by {self.model}: {score.doc}"
        ), outcome

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        encoder: ImageEncoder = ctx.models[self.model]
        own = images_in(batch[self.of])
        if self.to == "images":
            listed = [images or [] for images in flat(batch["images"]).to_pylist()]
        else:
            listed = [[image] for image in images_in(batch[self.to])]
        counts = [len(others) for others in listed]
        vectors, outcomes = vectors_of([*own, *(other for others in listed for other in others)], encoder)
        n, ends = len(own), np.cumsum([len(own), *counts])
        cosines = np.einsum("nd,nd->n", vectors[np.repeat(np.arange(n), counts)], vectors[n:], dtype=np.float64)
        found: list[float | None] = []
        told: list[Outcome] = []
        for k, (start, end) in enumerate(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)):
            met = [outcomes[k], *outcomes[start:end]] if end > start else [outcomes[k], "no image"]
            told.append(next((outcome for outcome in met if outcome != "ok"), "ok"))
            fine = told[-1] == "ok"
            found.append(float(np.clip(cosines[start - n : end - n].mean(), -1, 1)) if fine else None)
        return {self.column: pa.array(found, pa.float64()), f"{self.column}_outcome": pa.array(told, pa.string())}

"""`score.setwise`: how consistent the candidates of a row are as one set of images."""

from __future__ import annotations

from typing import Annotated, Final, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.registry import register
from ..core.stage import Column, Columns, Context, ModelOf, Score
from .image_scoring import made_by, shown

_GAIN: Final = "the set's score less that without the candidate"


@final
@register("score.setwise")
class Setwise(Score):
    """Mean cosine over all pairs of a row's candidates, and what each candidate adds to it.

    For sets that should show one subject. A candidate without a readable image takes no part; a set
    of fewer than two has no score.
    """

    reads = ("candidates",)
    writes = (
        Column("{column}", "mean cosine over pairs of candidates", pa.float64(), "cosine", -1, 1, "higher"),
        Column("{column}_gain", _GAIN, pa.list_(pa.float64()), "cosine", -2, 2, "higher"),
        Column("{column}_size", "candidates that took part", pa.int32(), "images", 0, None, "neither"),
        Column("{column}_outcome", "ok, or fewer than two images", pa.string()),
    )
    paper = "ConsiStory, arXiv 2402.03286 (consistency of a set); leaving one out: house"

    model: Annotated[str, ModelOf("image_encoder")] = "efficientnet"
    """The image encoder."""
    column: str = "setwise"
    """Name of the score."""
    most: Annotated[int, Field(ge=2)] = 64
    """Most candidates of a row that take part, the first ones."""

    def columns_written(self) -> tuple[Column, ...]:
        return made_by(Score.columns_written(self), self.model)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        found = shown(batch, "candidates", self.most)
        vectors = found.look(lambda images: ctx.models[self.model].encode(images))
        rows: list[list[tuple[int, np.ndarray]]] = [[] for _ in range(batch.num_rows)]
        for answer, vector in zip(found.answers, vectors, strict=True):
            if vector is not None:
                rows[answer.row].append((answer.place, vector))
        lengths = batch["candidates"].combine_chunks().value_lengths().to_pylist()
        told = [_of_set(members, length) for members, length in zip(rows, lengths, strict=True)]
        scores, gains, sizes = zip(*told, strict=True) if told else ((), (), ())
        outcomes = ["ok" if score is not None else "fewer than two images" for score in scores]
        columns = (scores, gains, sizes, outcomes)
        return {
            column.name: pa.array(values, column.type)
            for column, values in zip(self.columns_written(), columns, strict=True)
        }


def _of_set(
    members: list[tuple[int, np.ndarray]], length: int | None
) -> tuple[float | None, list[float | None] | None, int]:
    """Score, gain a candidate and size of one set; a gain needs three, so that two are left."""
    n = len(members)
    gains: list[float | None] | None = None if length is None else [None] * length
    if n < 2:
        return None, gains, n
    vectors = np.stack([vector for _, vector in members]).astype(np.float64)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, 0)
    score = cosines.sum() / (n * (n - 1))
    if n > 2 and gains is not None:
        left = (cosines.sum() - 2 * cosines.sum(axis=1)) / ((n - 1) * (n - 2))
        for (place, _), without in zip(members, left, strict=True):
            gains[place] = float(score - without)
    return float(np.clip(score, -1, 1)), gains, n

"""`score.setwise`: how consistent the candidates of a row are as one set of images."""

from __future__ import annotations

from typing import Annotated, Any, Final, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.errors import RowError
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import Answer
from ..models.cropping import box_of
from ..models.regions import cut
from .image_scoring import looked, made_by, shown
from .set_pairs import over_pairs, placed

_GAIN: Final = "the set's score less that without the candidate"


@final
@register("score.setwise")
class Setwise(Score):
    """Mean cosine over all pairs of a row's candidates, and what each candidate adds to it.

    For sets that should show one subject; with `boxes` only the subjects are compared, and not the scenes. A
    candidate without a readable image, or without its box, takes no part; a set of fewer than two has no score.
    How varied the sets are otherwise is `score.set_layout`'s; the two are never summed (`select.pareto`).
    """

    reads = ("candidates", "{boxes}")
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
    boxes: str = ""
    """Column of a list of boxes, one a candidate, as `score.set_layout` writes: what is compared; empty = all of it."""
    most: Annotated[int, Field(ge=2)] = 64
    """Most candidates of a row that take part, the first ones."""

    def columns_written(self) -> tuple[Column, ...]:
        return made_by(Score.columns_written(self), self.model)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        found = shown(batch, "candidates", self.most)
        boxes = batch[self.boxes].to_pylist() if self.boxes else None
        images = [self._part(*one, boxes) for one in zip(found.answers, found.images, strict=True)]
        vectors = looked(images, found.outcomes, lambda seen: ctx.models[self.model].encode(seen))
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

    def _part(self, answer: Answer, image: bytes | None, boxes: list[Any] | None) -> bytes | None:
        """What of an image is compared; None for one that cannot be opened or has no box."""
        if boxes is None or image is None:
            return image
        listed = boxes[answer.row] or ()
        box = listed[answer.place] if answer.place < len(listed) else None
        try:
            return cut(image, [box_of(box or ())])[0]
        except RowError:
            return None


def _of_set(
    members: list[tuple[int, np.ndarray]], length: int | None
) -> tuple[float | None, list[float | None] | None, int]:
    """Score, gain a candidate and size of one set."""
    places = [place for place, _ in members]
    if len(members) < 2:
        return None, placed(None, places, length), len(members)
    vectors = np.stack([vector for _, vector in members]).astype(np.float64)
    score, gains = over_pairs(vectors @ vectors.T)
    return float(np.clip(score, -1, 1)), placed(gains, places, length), len(members)

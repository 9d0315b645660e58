"""`filter.near_duplicate_images`: of images that are nearly the same, the first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.narrow import Narrow
from ..core.registry import register
from ..core.stage import Select
from .reasons import first_reasons
from .vectors import present_vectors

BLOCK: Final = 1024


@final
@register("filter.near_duplicate_images")
class NearDuplicateImages(Select):
    """Drop rows whose image vector is within `least` of that of an earlier row that is kept.

    Greedy in source order: what is near a dropped row only is kept. Rows without a vector are kept. The
    vectors are those of `embed.image`.
    """

    reads = ("{vector}",)
    paper = "SemDeDup, arXiv 2303.09540 (cosine of embeddings); greedy in source order: house"

    vector: str = "chosen_image_vector"
    """Column of vectors."""
    least: Annotated[float, Field(gt=0, le=1)] = 0.95
    """Smallest cosine at which two images are the same one. On 60 photos of 15 subjects the default encoder
    gives two photos of one subject at most 0.93, and a photo and its JPEG of quality 75 at least 0.97."""

    def select(self, narrow: Narrow) -> pa.Array:
        vectors, present = present_vectors(narrow.column(self.vector))
        present &= np.isfinite(vectors).all(axis=1) & vectors.any(axis=1)
        again = np.zeros(len(vectors), bool)
        rows = np.flatnonzero(present)
        again[rows] = repeated(vectors[rows], self.least)
        return first_reasons(len(vectors), [(again, "near duplicate of an earlier image")])


def repeated(vectors: np.ndarray, least: float) -> np.ndarray:
    """bool [n]: an earlier row that is not itself repeated has a cosine of at least `least`.

    Exact, in blocks: memory is the vectors and BLOCK² cosines, time n times the rows kept.
    """
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    kept = np.empty_like(unit)
    count = 0
    again = np.zeros(len(unit), bool)
    for start in range(0, len(unit), BLOCK):
        block = unit[start : start + BLOCK]
        near = np.zeros(len(block), bool)
        for seen in _blocks(kept[:count]):
            near |= (block @ seen.T >= least).any(axis=1)
        within = block @ block.T >= least
        for k in range(len(block)):
            near[k] |= bool((within[k, :k] & ~near[:k]).any())
        again[start : start + len(block)] = near
        fresh = block[~near]
        kept[count : count + len(fresh)] = fresh
        count += len(fresh)
    return again


def _blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    return (rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK))

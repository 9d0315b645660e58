"""The nearest other prompt of each row, and its answer: what a topic swap is made from, and a near miss."""

from __future__ import annotations

from typing import Annotated, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column
from ..core.knn import nearest
from ..core.narrow import Narrow
from ..core.registry import register
from ..core.row import answer_text, last_user_text
from ..core.stage import Columns, Context, Fit
from .vectors import present_vectors


@final
@register("embed.neighbor")
class EmbedNeighbor(Fit):
    """Find, for each row, the most similar row of a different prompt, and copy its answer and last message.

    Prompts are compared once each, at their first row that has a vector and an answer. A prompt
    more similar than `most` counts as the same prompt in other words and is passed over; when all
    `among` nearest are, or when the row lacks a vector or an answer, the columns are null.
    """

    version = 2
    reads = ("id", "prompt?", "prompt_hash", "{vector}", "{answer}?")
    writes = (
        Column("neighbor_id", "id of the row whose prompt is nearest", pa.string()),
        Column("neighbor_similarity", "cosine of the two prompts", pa.float64(), "cosine", -1, 1, "neither"),
        Column("neighbor_answer", "text of that row's answer", pa.string()),
        Column("neighbor_prompt", "text of the last message of that row's prompt", pa.string()),
    )
    paper = "Topic-level Preference Overwriting, arXiv 2411.17265 (the swap); nearest neighbour: house"

    vector: str = "prompt_vector"
    """Column of vectors to compare."""
    answer: str = "chosen"
    """Column to copy: an answer or a column of strings."""
    most: Annotated[float, Field(gt=0, le=1)] = 0.98
    """Largest cosine at which a prompt still counts as another one."""
    among: Annotated[int, Field(ge=1, le=100)] = 8
    """How many nearest prompts are looked through for one that is different enough."""

    def fit(self, narrow: Narrow, ctx: Context) -> Columns:
        n = len(narrow)
        text = self._answers(narrow)
        vectors, usable = present_vectors(narrow.column(self.vector))
        usable &= vectors.any(axis=1)
        if text is not None:
            usable &= text.is_valid().to_numpy(zero_copy_only=False)
        rows = np.flatnonzero(usable)
        partner, similarity = np.full(n, -1, np.int64), np.full(n, np.nan)
        hashes = narrow.column("prompt_hash").to_numpy()[rows]
        _, first, member = np.unique(hashes, return_index=True, return_inverse=True)
        if len(first) > 1:
            at, cosine = _different(vectors[rows[first]], self.most, self.among)
            found = at >= 0
            partner[rows] = np.where(found, rows[first][at], -1)[member]
            similarity[rows] = np.where(found, cosine, np.nan)[member]
        take = pa.array(np.maximum(partner, 0), mask=partner < 0)
        blank = pa.nulls(n, pa.string())
        asked = last_user_text(narrow.column("prompt")) if "prompt" in narrow.names else blank
        return {
            "neighbor_id": narrow.column("id").take(take),
            "neighbor_similarity": pa.array(similarity, mask=partner < 0),
            "neighbor_answer": blank if text is None else text.take(take),
            "neighbor_prompt": asked.take(take),
        }

    def _answers(self, narrow: Narrow) -> pa.Array | None:
        if self.answer not in narrow.names:
            return None
        column = narrow.column(self.answer)
        return answer_text(column) if pa.types.is_struct(column.type) else column.cast(pa.string())


def _different(vectors: np.ndarray, most: float, among: int) -> tuple[np.ndarray, np.ndarray]:
    """Index and cosine of each vector's nearest other below `most`; -1 where none of `among` is."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    found = nearest(unit, min(among, len(unit) - 1))
    cosine = 1.0 - found.distances.astype(np.float64) ** 2 / 2.0
    allowed = cosine <= most
    place = allowed.argmax(axis=1)[:, None]
    index = np.take_along_axis(found.indices, place, 1)[:, 0]
    return np.where(allowed.any(axis=1), index, -1), np.take_along_axis(cosine, place, 1)[:, 0]

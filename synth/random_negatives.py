"""`synth.random_negatives`: answers to other prompts, drawn at random, against the row's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column
from ..core.registry import register
from ..core.stage import Context, Dropped, Map, Row
from .making import answer, answer_of, made_by


@final
@register("synth.random_negatives")
class RandomNegatives(Map):
    """Pair the chosen answer with each of those that `synth.random_others` drew: k easy negatives, no call.

    An answer whose prompt is too much like the row's own may be right there too: such collisions are
    left out. How many there are to expect is what `diagnose.false_negative_risk` tells.
    """

    reads = ("chosen", "other_ids", "other_answers", "other_similarity")
    writes = (
        Column("rejected", "an answer to another prompt"),
        Column("verdict", "always prefer"),
        Column("negative_id", "id of the row the negative comes from", pa.string()),
        Column("negative_similarity", "cosine of the two prompts", pa.float64(), "cosine", -1, 1, "lower: less risky"),
        Column("negatives_left_out", "draws of the same row that collide", pa.int32(), "draws", 0, None, "neither"),
    )
    paper = "Arora et al., arXiv 1902.09229 (k negatives, collisions); the threshold: house"

    most: Annotated[float, Field(ge=-1, le=1)] = 0.6
    """Draws whose prompt has a larger cosine collide."""
    unknown: bool = True
    """Whether draws without a cosine are used."""

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        chosen = answer_of(row)
        ids, texts = row["other_ids"] or [], row["other_answers"] or []
        likeness = row["other_similarity"] or [None] * len(ids)
        if not texts:
            raise Dropped("no other answers")
        used = [
            (number, text, cosine)
            for number, text, cosine in zip(ids, texts, likeness, strict=True)
            if text and text.split() != chosen.split() and (self.unknown if cosine is None else cosine <= self.most)
        ]
        if not used:
            raise Dropped("all negatives collide", {"negatives": len(texts)})
        return [self._pair(*one, len(texts) - len(used), len(texts), ctx) for one in used]

    def _pair(self, number: str, text: str, cosine: float | None, left_out: int, k: int, ctx: Context) -> Row:
        params = {"other": number, "similarity": None if cosine is None else round(cosine, 4), "k": k}
        return {
            "rejected": answer(text, made_by(self.name, "random other prompt", params, None, ctx.seed)),
            "verdict": "prefer", "negative_id": number, "negative_similarity": cosine, "negatives_left_out": left_out,
        }  # fmt: skip

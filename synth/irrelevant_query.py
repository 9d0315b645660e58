"""`synth.irrelevant_query`: two answers under a prompt they have nothing to do with are a tie."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Dropped, Map, Row
from .causal_augment import AUGMENTATION
from .making import answer, answer_of, made_by, prompt_of


@final
@register("synth.irrelevant_query")
class IrrelevantQuery(Map):
    """Put a pair under an unrelated prompt, where both answers are worthless and only surface tells them apart.

    The first of the row's other prompts that is unlike its prompt and both its answers is taken. The
    new row has `verdict: tie`: trainers of plain preferences leave it out and say how many, those of
    ties learn that manner alone is worth nothing. Pictures of the row do not go with it. A tie has no
    margin to aim at; `ceiling` is what bounds it.
    """

    reads = (
        "prompt",
        "prompt_hash",
        "chosen",
        "rejected",
        "{query}",
        "verdict?",
        "augmentation?",
        "origin_hash?",
        "images?",
    )
    writes = (
        "prompt",
        "chosen",
        "rejected",
        Column("verdict", "tie for what is made here"),
        *AUGMENTATION,
        Column(
            "query_similarity", "largest cosine of the new prompt to the old one and to both answers", pa.float64(),
            "cosine", -1, 1, "lower: less relevant",
        ),
    )  # fmt: skip
    paper = "Robust Reward Modeling via Causal Rubrics (Crome), arXiv 2506.16507; ceiling: house"

    query: str = "other_prompts"
    """Column of other prompts, a list of strings or one string (`synth.random_others` writes it)."""
    encoder: Annotated[str, ModelOf("text_encoder")] = "static"
    """Tells accidental relevance."""
    ceiling: Annotated[float, Field(ge=-1, le=1)] = 0.3
    """Largest cosine of the new prompt to the old one and to either answer (ours). With the static encoder 76 to
    98 % of random prompts pass, on four public sets of preferences."""
    original: bool = True
    """Keep the row itself beside what is made of it."""

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        origin = row.get("origin_hash") or row["prompt_hash"]
        kept: list[Row] = []
        if self.original:
            kept = [
                {"augmentation": row.get("augmentation") or "original", "origin_hash": origin, "query_similarity": None}
            ]
        found = await self._unlike(row, ctx)
        if found is None:
            if kept:
                return kept
            raise Dropped("no irrelevant prompt")
        query, similarity = found
        params = {"similarity": round(similarity, 4), "prompt": query}
        sides = {
            side: answer(
                answer_of(row, side), made_by(self.name, "irrelevant prompt", params, row[side].get("model"), ctx.seed)
            )
            for side in ("chosen", "rejected")
        }
        prompt = [{"role": "user", "content": query, "parts": None, "tool_calls": None}]
        tie: dict[str, Any] = {"prompt": prompt, **sides, "verdict": "tie", "augmentation": "neutral"}
        tie |= {"origin_hash": origin, "query_similarity": similarity}
        return [*kept, tie | ({"images": None} if "images" in row else {})]

    async def _unlike(self, row: Row, ctx: Context) -> tuple[str, float] | None:
        """The first other prompt below the ceiling and its largest cosine; None where there is none."""
        given = row[self.query]
        queries = [text for text in ([given] if isinstance(given, str) else given or []) if text and text.strip()]
        if not queries:
            return None
        texts = [prompt_of(row), answer_of(row), answer_of(row, "rejected"), *queries]
        vectors = np.asarray(await asyncio.to_thread(ctx.models[self.encoder].encode, texts), np.float64)
        nearest = (vectors[3:] @ vectors[:3].T).max(axis=1)
        for text, similarity in zip(queries, nearest.tolist(), strict=True):
            if similarity <= self.ceiling:
                return text, similarity
        return None

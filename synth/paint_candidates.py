"""`synth.paint_candidates`: a picture of what each candidate says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Drop, Map, Row
from .making import together
from .painting import SEED_BITS, Easel, sampling


@final
@register("synth.paint_candidates")
class PaintCandidates(Map):
    """Paint what each candidate says, so that rewritten prompts can be judged by their pictures.

    All candidates of a row share a seed: the words alone differ. A candidate keeps its text and gets
    the picture; its `made_by` tells of the painting and, under `text_by`, of the text. Scored against
    the row's own prompt, the best and the worst are a pair of texts as well as of pictures. A candidate
    that cannot be painted is left out.
    """

    reads = ("candidates",)
    writes = (
        Column("candidates", "the candidates, each with its picture"),
        Column("unpainted", "how the paintings that gave no picture ended", pa.list_(pa.string())),
    )
    paper = "PromptEnhancer, arXiv 2509.04545"

    painter: Annotated[str, ModelOf("painter")] = "painter"
    """The painter."""
    negative_prompt: str | None = None
    """What to stay away from."""
    most: Annotated[int, Field(ge=1)] = 16
    """Most candidates of a row that are painted, the first ones; the others go."""

    def calls_a_row(self) -> float:
        return float(self.most)

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        seed = ctx.rng(row["id"]).getrandbits(SEED_BITS)
        easel = Easel(ctx.models[self.painter], self.painter, sampling(self.negative_prompt, None))
        texts = [one for one in row["candidates"] or () if one and (one["text"] or "").strip()][: self.most]
        if not texts:
            return Drop("no text to paint")
        paintings = await together(*(easel.paints(one["text"], seed) for one in texts))
        made, unpainted = [], []
        for one, painting in zip(texts, paintings, strict=True):
            if painting.image is None:
                unpainted.append(painting.outcome)
                continue
            origin = one["made_by"] or {}
            told = {
                "text_by": {name: origin[name] for name in ("stage", "method", "model", "seed") if origin.get(name)}
            }
            made.append(easel.answer(self.name, "paint", painting, seed, painting.image, told) | {"text": one["text"]})
        if not made:
            return Drop(f"paint: {unpainted[0]}")
        return [{"candidates": made, "unpainted": unpainted}]

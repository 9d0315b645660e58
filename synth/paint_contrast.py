"""`synth.paint_contrast`: one prompt and seed, painted with guidance away from defects and without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, final

from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Drop, Map, Row
from ..models.painter import Sampling
from .making import prompt_of, together
from .painting import SEED_BITS, Easel, NagScales, UseImage, reference_of, sampling


@final
@register("synth.paint_contrast")
class PaintContrast(Map):
    """Pair a painting guided away from a list of defects with one that is not, of the same seed.

    The rejected side is painted towards the defects (they are added to its prompt), or merely without
    guidance. Guidance does not always help: have a scorer confirm the pair before it is kept.
    """

    reads = ("prompt", "images?")
    writes = (
        Column("chosen", "painted away from the defects"),
        Column("rejected", "painted towards them, or without guidance"),
        Column("verdict", "always prefer"),
    )
    paper = "NAG, arXiv 2505.21179 (guidance); the pair: house"

    painter: Annotated[str, ModelOf("painter")] = "painter"
    """The painter of both sides."""
    defects: Annotated[str, Field(min_length=1)] = "blurry, deformed, extra limbs, bad anatomy, low quality, watermark"
    """What is wrong with bad pictures."""
    rejected: Literal["defects", "unguided"] = "defects"
    """Paint the other side towards the defects, or without guidance (scale 1)."""
    nag: NagScales | None = None
    """Guide by normalized attention guidance: scale, τ, α (say 5, 2.5, .5; α .25 for SD3 and Flux); null = by
    the painter's negative prompt."""
    use_image: UseImage = "none"
    """The row's first image as a reference to be kept, as the picture to start from, or not at all."""

    def calls_a_row(self) -> float:
        return 2.0

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        prompt, seed = prompt_of(row), ctx.rng(row["id"]).getrandbits(SEED_BITS)
        image = None if self.use_image == "none" else reference_of(row)
        model = ctx.models[self.painter]
        away = Easel(model, self.painter, sampling(self.defects, self.nag), self.use_image)
        unguided = Sampling(guidance=1.0 if self.rejected == "unguided" else None)
        towards = Easel(model, self.painter, unguided, self.use_image)
        other = f"{prompt}, {self.defects}" if self.rejected == "defects" else prompt
        (good, first), (bad, second) = await together(
            away.must("chosen", prompt, seed, image), towards.must("rejected", other, seed, image)
        )
        if good == bad:
            return Drop("guidance changes nothing")
        told = {"prompt": other}
        chosen = away.answer(self.name, "guided", first, seed, good, {})
        rejected = towards.answer(self.name, self.rejected, second, seed, bad, told)
        return [{"chosen": chosen, "rejected": rejected, "verdict": "prefer"}]

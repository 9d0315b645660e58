"""`synth.paint`: pictures for a prompt, by one painter or several."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Annotated, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column
from ..core.registry import register
from ..core.several import Painters
from ..core.stage import Context, Drop, Map, Row
from .making import prompt_of
from .painting import SEED_BITS, Easel, NagScales, UseImage, nag_faults, painted_all, reference_of, sampling


@final
@register("synth.paint")
class Paint(Map):
    """Paint candidates for the row's prompt: `n` seeds by each painter, painters in the order named.

    Painters may be models, or one model at several checkpoints, with several LoRAs, or guided in
    several ways: with shared seeds they differ in nothing else, and early checkpoints tend to follow
    the prompt, late ones the subject (DreamBlend). A painting that is refused or blank is no candidate;
    a row without any is dropped. All pictures of a batch of rows are in memory at once: let the
    recipe's `batch` be small, such as 16.
    """

    reads = ("prompt", "images?")
    writes = (
        Column("candidates", "the paintings, painter by painter"),
        Column("unpainted", "how the paintings that gave no picture ended", pa.list_(pa.string())),
    )
    paper = "DreamBlend (several checkpoints, one seed), NAG, arXiv 2505.21179 (guidance); the rest: house"

    painters: Painters = ("painter",)
    """The painters."""
    n: Annotated[int, Field(ge=1, le=256)] = 4
    """Paintings by each painter."""
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """Seeds for every row, instead of `n` drawn by the row's own chance."""
    same_seeds: bool = True
    """All painters of a row get the same seeds."""
    use_image: UseImage = "none"
    """The row's first image as a reference to be kept, as the picture to start from, or not at all."""
    strength: Annotated[float | None, Field(gt=0, le=1)] = None
    """How far a picture that is started from is painted over; null = the painter's default."""
    negative_prompt: str | None = None
    """What to stay away from."""
    nag: NagScales | None = None
    """Stay away by normalized attention guidance: scale, τ, α (say 5, 2.5, .5; α .25 for SD3 and Flux)."""

    def faults(self) -> Sequence[str]:
        found = nag_faults(self.nag, self.negative_prompt)
        if self.strength is not None and self.use_image != "start":
            found.append("strength is for use_image: start")
        if len(set(self.seeds)) < len(self.seeds):
            found.append("two of the seeds are equal: the paintings would be too")
        return found

    def calls_a_row(self) -> float:
        return float(len(self.painters) * (len(self.seeds) or self.n))

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        prompt, rng = prompt_of(row), ctx.rng(row["id"])
        image = None if self.use_image == "none" else reference_of(row)
        how = sampling(self.negative_prompt, self.nag, self.strength)
        easels = [Easel(ctx.models[name], name, how, self.use_image) for name in self.painters]
        seeds = self._seeds(rng)
        candidates, unpainted = [], []
        for easel, own, paintings in zip(easels, seeds, await painted_all(easels, prompt, seeds, image), strict=True):
            for seed, painting in zip(own, paintings, strict=True):
                if painting.image is None:
                    unpainted.append(painting.outcome)
                else:
                    candidates.append(easel.answer(self.name, "paint", painting, seed, painting.image, {}))
        if not candidates:
            return Drop(f"paint: {unpainted[0]}")
        return [{"candidates": candidates, "unpainted": unpainted}]

    def _seeds(self, rng: Random) -> list[Sequence[int]]:
        if self.seeds:
            return [self.seeds] * len(self.painters)
        drawn = [[rng.getrandbits(SEED_BITS) for _ in range(self.n)] for _ in self.painters]
        return [drawn[0] if self.same_seeds else own for own in drawn]

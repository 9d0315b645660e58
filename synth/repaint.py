"""`synth.repaint`: the flawed part of a picture painted anew, against the picture as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, final

from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.hashing import digest
from ..core.registry import register
from ..core.stage import Context, Drop, Dropped, Map, Row
from ..models.imaging import bytes_of, decoded, encoded
from ..models.offloading import offloaded
from .making import prompt_of
from .painting import SEED_BITS, Easel, NagScales, nag_faults, sampling


@final
@register("synth.repaint")
class Repaint(Map):
    """Paint the masked part of a picture anew, and prefer the mended picture to what it was.

    The painting is put back by the mask, so that every pixel outside it is the picture's own, whatever
    else the painter changed; the mended picture is a PNG. A mask of another size is fitted to the picture;
    a row without one, or whose mask marks nothing, is dropped. Mending may fail: have a scorer confirm the
    pair before it is kept.
    """

    reads = ("prompt", "chosen", "{mask}")
    writes = (
        Column("chosen", "the picture with its masked part painted anew"),
        Column("rejected", "the picture as it was"),
        Column("verdict", "always prefer"),
    )
    paper = "Rich Human Feedback (RichHF-18K), CVPR 2024 (mending by masks); seeds and putting back: house"

    painter: Annotated[str, ModelOf("painter")] = "painter"
    """The painter: one that begins from pictures, or is made for masks."""
    mask: str = "mask"
    """Column of masks, such as of `mask.from_heatmap`: white where the picture is to be painted anew."""
    strength: Annotated[float | None, Field(gt=0, le=1)] = None
    """How far the masked part is painted over; null = the painter's default."""
    negative_prompt: str | None = None
    """What to stay away from."""
    nag: NagScales | None = None
    """Stay away by normalized attention guidance: scale, τ, α (say 5, 2.5, .5; α .25 for SD3 and Flux)."""

    def faults(self) -> Sequence[str]:
        return nag_faults(self.nag, self.negative_prompt)

    def calls_a_row(self) -> float:
        return 1.0

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        prompt, flawed, region = prompt_of(row), row["chosen"], row[self.mask]
        if not (flawed or {}).get("image"):
            raise Dropped("no picture")
        if not region:
            raise Dropped("no mask")
        torn = await offloaded(masked, flawed["image"], region)
        seed = ctx.rng(row["id"]).getrandbits(SEED_BITS)
        how = sampling(self.negative_prompt, self.nag, self.strength)
        easel = Easel(ctx.models[self.painter], self.painter, how, "start")
        painted, painting = await easel.must("repainted", prompt, seed, torn.image, torn.mask)
        mended = await offloaded(put_back, torn, painted)
        told = {"mask_area": torn.area, "mask_digest": digest(torn.mask)}
        chosen = easel.answer(self.name, "repaint", painting, seed, mended, told)
        return [{"chosen": chosen, "rejected": flawed, "verdict": "prefer"}]


@final
@dataclass(frozen=True)
class Masked:
    """A picture's bytes, its mask as PNG of the same size (255 = paint anew, else 0), and the share masked."""

    image: bytes
    mask: bytes
    area: float


def masked(image: Mapping[str, Any], region: Mapping[str, Any]) -> Masked:
    """A picture and its mask, fitted. Raises Dropped for a mask that marks nothing, RowError for what is no picture."""
    data = bytes_of(image)
    size = decoded(data).size
    levels = decoded(bytes_of(region)).convert("L")
    fitted = (levels if levels.size == size else levels.resize(size)).point(lambda level: 255 * (level >= 128))
    marked = fitted.histogram()[255]
    if not marked:
        raise Dropped("a mask that marks nothing")
    return Masked(data, encoded(fitted, b""), marked / (size[0] * size[1]))


def put_back(torn: Masked, painted: bytes) -> bytes:
    """The picture as PNG, of the painting what is masked. Raises Dropped when that changes nothing."""
    from PIL import Image

    before, after = decoded(torn.image), decoded(painted)
    fitted = after if after.size == before.size else after.resize(before.size, Image.Resampling.LANCZOS)
    mended = Image.composite(fitted, before, decoded(torn.mask).convert("L"))
    if mended.tobytes() == before.tobytes():
        raise Dropped("painting anew changes nothing")
    return encoded(mended, b"")

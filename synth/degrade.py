"""`synth.degrade`: photos against copies of themselves made worse, by rule and by a known amount."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import TYPE_CHECKING, Annotated, Any, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Drop, Map, Row
from ..models.imaging import bytes_of
from ..models.offloading import offloaded
from .degrade_search import Attempt, Band, Clean, Search, nearest
from .pixel_ops import OPS, REFERENCE, side_of

if TYPE_CHECKING:
    from ..models.base import ImageEncoder

Kind = Literal["blur", "noise", "jpeg", "downsample", "occlude", "color", "crop", "patch_shuffle"]
Cosine = Annotated[float, Field(ge=-1, le=1)]
Strength = Annotated[float, Field(gt=0)]


@final
@register("synth.degrade")
class Degrade(Map):
    """Pair the chosen image with copies of it whose pixels are made worse; each says how in its `made_by`.

    Kinds, with what their strength means: blur (radius in pixels), noise (deviation, full range = 1),
    jpeg (100 - quality), downsample (factor), occlude and crop (share of the area lost), color (half
    circles of hue), patch_shuffle (patches on a side). Strengths are for a short side of 512 pixels and
    scaled to the image's own. Which kind, strength and place is the row's own chance; the copy is
    written in the original's format, with its compression.

    With `target` the strength is searched so that the copy's cosine to the original lies in a band: too
    like a copy is no negative, too unlike a one teaches nothing.
    """

    reads = ("chosen",)
    writes = (
        Column("rejected", "the chosen image made worse"),
        Column("verdict", "always prefer"),
        Column("degradation", "kind of the degradation", pa.string()),
        Column("strength", "strength of the degradation", pa.float64(), "the kind's own", 0, None, "neither"),
        Column("{measured}", "cosine of the degraded image to the clean one", pa.float64(), "cosine", -1, 1, "neither"),
    )
    paper = "Negative-Guided Subject Fidelity Optimization, arXiv 2506.03621 (blur, noise, radius at 512); rest: house"

    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)] = ("blur", "noise", "jpeg", "downsample", "occlude")
    """Kinds allowed. The default five lower the likeness of photos at every step of their strength."""
    strengths: dict[Kind, Annotated[tuple[Strength, ...], Field(min_length=1)]] = {}
    """Strengths by kind, instead of blur 2.5, 5, 10, 20; noise .1, .2, .3, .6; jpeg 80, 90, 95, 99; downsample
    4, 8, 16, 32; occlude .1, .25, .5, .75; color .25, .5, .75, 1; crop .25, .5, .75, .9; patch_shuffle 2, 4, 8, 16."""
    each: Annotated[int, Field(ge=1, le=8)] = 1
    """Copies made of one image, each of another kind."""
    sweep: bool = False
    """Make a copy of every kind and strength instead: what strength does to likeness, for the report's curves."""
    target: tuple[Cosine, Cosine] | None = None
    """Least and most cosine of the copy to the original, by `model`. Kinds that cannot reach it are passed
    over, and an image no kind can is dropped."""
    model: Annotated[str, ModelOf("image_encoder")] = "efficientnet"
    """The encoder that measures `target`; unused without one."""

    @property
    def measured(self) -> str:
        """The column of measured likeness; empty when nothing is measured."""
        return "degraded_similarity" if self.target else ""

    def faults(self) -> Sequence[str]:
        found = []
        if self.target is not None and self.target[0] >= self.target[1]:
            found.append(f"target begins at {self.target[0]}, not below its end {self.target[1]}")
        if self.sweep and (self.target is not None or self.each > 1):
            found.append("sweep makes every kind and strength: leave out target and each")
        if self.each > len(set(self.kinds)):
            found.append(f"each ({self.each}) asks for more kinds than are allowed ({len(set(self.kinds))})")
        for kind, strengths in self.strengths.items():
            op = OPS[kind]
            odd = [strength for strength in strengths if not op.low <= strength <= op.high]
            if odd:
                found.append(f"strengths.{kind}: {odd[0]} is not within {op.low} to {op.high} ({op.unit})")
        return found

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        image = (row["chosen"] or {}).get("image")
        if not image or (image["bytes"] is None and not image["path"]):
            return Drop("no image to degrade")
        return await offloaded(self._rows, bytes_of(image), ctx, ctx.rng(row["id"]))

    def _rows(self, original: bytes, ctx: Context, rng: Random) -> Sequence[Row] | Drop:
        clean = Clean.of(original)
        kinds = list(dict.fromkeys(self.kinds))
        if not self.sweep:
            rng.shuffle(kinds)
        if self.target is not None:
            return self._in_band(clean, kinds, self.target, rng, ctx.models[self.model])
        made = self._every(clean, kinds, rng) if self.sweep else self._drawn(clean, kinds, rng)
        return [self._row(attempt, clean) for attempt in made] or Drop("no degradation changes the image")

    def _ladder(self, kind: Kind) -> tuple[float, ...]:
        return self.strengths.get(kind, OPS[kind].ladder)

    def _every(self, clean: Clean, kinds: Sequence[Kind], rng: Random) -> Iterator[Attempt]:
        for kind in kinds:
            seed = rng.getrandbits(32)
            for strength in self._ladder(kind):
                image = clean.worse(kind, strength, seed)
                if image is not None:
                    yield Attempt(kind, seed, strength, image)

    def _drawn(self, clean: Clean, kinds: Sequence[Kind], rng: Random) -> Iterator[Attempt]:
        made = 0
        for kind in kinds:
            seed, strength = rng.getrandbits(32), rng.choice(self._ladder(kind))
            image = clean.worse(kind, strength, seed)
            if image is not None:
                made += 1
                yield Attempt(kind, seed, strength, image)
            if made == self.each:
                return

    def _in_band(
        self, clean: Clean, kinds: Sequence[Kind], band: Band, rng: Random, encoder: ImageEncoder
    ) -> Sequence[Row] | Drop:
        start = encoder.encode([clean.data])[0]
        made: list[Row] = []
        missed: list[Attempt] = []
        for kind in kinds:
            search = Search(clean, kind, rng.getrandbits(32), lambda images: (encoder.encode(images) @ start).tolist())
            attempt = search.found(self._ladder(kind), band)
            if not attempt.within(band):
                missed.append(attempt)
                continue
            made.append(self._row(attempt, clean))
            if len(made) == self.each:
                break
        return made or Drop(
            "no strength gives a likeness in the band", {"similarity": nearest(missed, band).similarity}
        )

    def _row(self, attempt: Attempt, clean: Clean) -> Row:
        params: dict[str, Any] = {"strength": attempt.strength, "side": side_of(clean.pixels), "seed": attempt.seed}
        if attempt.kind == "blur":
            params["radius_rel"] = attempt.strength / REFERENCE
        if self.target is not None:
            params |= {"similarity": round(attempt.similarity, 6), "encoder": self.model}
        told = json.dumps(params, sort_keys=True)
        made_by = {"stage": self.name, "method": attempt.kind, "params": told, "model": None, "seed": attempt.seed}
        rejected = {"image": {"bytes": attempt.image, "path": None}, "made_by": made_by}
        row: Row = {"rejected": rejected, "verdict": "prefer"}
        row |= {"degradation": attempt.kind, "strength": attempt.strength}
        return row if self.target is None else row | {self.measured: attempt.similarity}

"""`synth.triplets`: content, style and stylised picture, by two painters in series."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Annotated, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.row import IMAGE
from ..core.several import Names
from ..core.stage import Context, Drop, Map, Row
from ..models.painter import Sampling
from .making import prompt_of
from .painting import SEED_BITS, Easel, reference_of

STYLES = (
    "oil painting", "watercolour", "pencil sketch", "pixel art", "woodcut print", "stained glass", "charcoal drawing",
    "paper collage",
)  # fmt: skip
OTHERS = ("a mountain lake", "a street in an old town", "a bowl of fruit", "a portrait of a woman", "a sailing ship")


@final
@register("synth.triplets")
class Triplets(Map):
    """Make the two pictures that the row's first image lacks to be a (content, style, stylised) triplet.

    `start: content` takes a plain picture: a painter stylises it, and then paints another subject in
    the same style as the style reference. `start: stylised` takes a picture that has a style: a second
    painter takes the style off, and the first carries it over to another subject. The triplet is also a
    pair, the stylised picture preferred to the plain one for the style's sake, with the style reference
    in `images`. How the paper's own experts were built is not published; keep only triplets whose
    content and style are measured to hold and whose style does not leak.
    """

    reads = ("prompt", "images")
    writes = (
        Column("content_image", "the plain picture", IMAGE),
        Column("style_image", "another subject in the style", IMAGE),
        Column("stylised_image", "the content in the style", IMAGE),
        Column("style", "the style in words", pa.string()),
        Column("prompt", "what asks for the stylised picture"),
        Column("images", "the style reference"),
        Column("chosen", "the stylised picture"),
        Column("rejected", "the plain picture"),
        Column("verdict", "always prefer"),
    )
    paper = "USO, arXiv 2508.18966 (the triplet); how it is made: house"

    stylist: Annotated[str, ModelOf("painter")] = "stylist"
    """The painter that puts a style on."""
    destylist: Annotated[str, ModelOf("painter")] = "destylist"
    """The painter that takes a style off; unused with `start: content`."""
    start: Literal["content", "stylised"] = "content"
    """What the row's first image is."""
    styles: Names = STYLES
    """Styles in words, one drawn for each row."""
    others: Names = OTHERS
    """Subjects of the style reference, one drawn for each row."""
    each: Annotated[int, Field(ge=1, le=64)] = 1
    """Triplets of one row, each in another style."""
    strength: Annotated[float | None, Field(gt=0, le=1)] = 0.6
    """How far the picture that is started from is painted over; null = the painter's default."""
    carry: Literal["text", "reference", "start"] = "text"
    """How the style gets from the stylised picture to the other subject: by its words alone, or with the
    picture as a reference or to start from."""

    def models_named(self) -> tuple[str, ...]:
        return (self.stylist,) if self.start == "content" else (self.stylist, self.destylist)

    def faults(self) -> Sequence[str]:
        found = []
        if self.each > len(set(self.styles)):
            found.append(f"each ({self.each}) asks for more styles than are listed ({len(set(self.styles))})")
        if self.start == "stylised" and self.each > 1:
            found.append("start: stylised has the picture's own style only: leave out each")
        if self.start == "stylised" and self.carry == "text" and len(set(self.styles)) > 1:
            found.append("start: stylised needs the picture's style: give the one in styles, or carry: reference")
        return found

    def calls_a_row(self) -> float:
        return 2.0 * self.each

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        prompt, image, rng = prompt_of(row), reference_of(row), ctx.rng(row["id"])
        styles = list(dict.fromkeys(self.styles))
        rng.shuffle(styles)
        return [await self._triplet(prompt, image, style, ctx, rng) for style in styles[: self.each]]

    async def _triplet(self, prompt: str, image: bytes, style: str, ctx: Context, rng: Random) -> Row:
        seed, style_seed, other = rng.getrandbits(SEED_BITS), rng.getrandbits(SEED_BITS), rng.choice(self.others)
        plain = self.start == "content"
        asked = f"{prompt}, {style}" if plain else prompt
        first = self._easel(self.stylist if plain else self.destylist, "start", ctx)
        made, painting = await first.must(
            "stylised" if plain else "content", asked if plain else f"a plain photo, {prompt}", seed, image
        )
        content, stylised = (image, made) if plain else (made, image)
        words = other if self.carry != "text" and not plain else f"{other}, {style}"
        styled, _ = await self._easel(self.stylist, self.carry, ctx).must("style", words, style_seed, stylised)
        told = {"style": style, "style_prompt": words, "style_seed": style_seed}
        painted = first.answer(self.name, "stylise" if plain else "destylise", painting, seed, made, told)
        given = {"text": None, "image": _image(image)}
        return {
            "content_image": _image(content), "style_image": _image(styled), "stylised_image": _image(stylised),
            "style": style, "images": [_image(styled)], "verdict": "prefer",
            "chosen": painted if plain else given, "rejected": given if plain else painted,
            "prompt": [{"role": "user", "content": asked, "parts": None, "tool_calls": None}],
        }  # fmt: skip

    def _easel(self, nickname: str, how: Literal["text", "reference", "start"], ctx: Context) -> Easel:
        strength = self.strength if how == "start" else None
        return Easel(ctx.models[nickname], nickname, Sampling(strength=strength), "none" if how == "text" else how)


def _image(data: bytes) -> Row:
    return {"bytes": data, "path": None}

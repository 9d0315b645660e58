"""`synth.degrade_conditions`: negatives painted from worse conditions than the row's own (CDNS)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Annotated, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.errors import RowError
from ..core.hashing import digest
from ..core.registry import register
from ..core.several import Several
from ..core.stage import Context, Drop, Dropped, Map, Row
from ..models.imaging import bytes_of
from .degraded_conditions import Conditions, TextMode, VisualMode, hallucinated, shrunk, worse_picture
from .making import TEMPLATES, Writer, prompt_of, together
from .painting import SEED_BITS, Easel, reference_of

PROMPTS = "degrade_conditions"


@final
@register("synth.degrade_conditions")
class DegradeConditions(Map):
    """Paint the rejected image from a degraded reference and prompt; the row keeps its own, undegraded.

    The reference is blurred, covered with noise, swapped for a cluttered picture of the subject
    (`semantic`: the target, else another of the row's images) or left; the prompt becomes a bare
    `a photo of …` (`generic`), a description with wrong details by a chat model (`hallucinated`), or is
    left. Blur with the bare prompt was best in the paper. Each combination of modes gives a row of its
    own. The same painter that is to be trained should paint; measure the gap and keep a band of it, as
    too weak a degradation is no negative and too strong a one teaches nothing.
    """

    reads = ("prompt", "images")
    writes = (
        Column("chosen", "the target image, or one painted under the row's own conditions"),
        Column("rejected", "painted under the degraded conditions"),
        Column("verdict", "always prefer"),
        Column("degrade_visual", "what was done to the reference image", pa.string()),
        Column("degrade_text", "what was done to the prompt", pa.string()),
        Column("degradation", "both in one word", pa.string()),
        Column("strength", "blur radius or noise deviation; null for others", pa.float64(), "", 0, None, "neither"),
    )
    paper = "Negative-Guided Subject Fidelity Optimization (CDNS), arXiv 2506.03621"

    painter: Annotated[str, ModelOf("painter")] = "painter"
    """The painter of the negatives: best the very model to be trained."""
    visual: Annotated[tuple[VisualMode, ...], Several, Field(min_length=1)] = ("blur",)
    """Degradations of the reference image."""
    text: Annotated[tuple[TextMode, ...], Several, Field(min_length=1)] = ("generic",)
    """Degradations of the prompt."""
    radius: Annotated[float, Field(gt=0, le=256)] = 5.0
    """Blur: standard deviation in pixels at a short side of 512, scaled to the image's own. The paper found
    5 best of 2.5, 5, 10, 20."""
    sigma: Annotated[float, Field(gt=0, le=4)] = 0.3
    """Noise: standard deviation, the full range being 1. The paper gives none."""
    side: Annotated[int | None, Field(ge=64)] = 1024
    """Short side in pixels to which a larger reference is shrunk for the painter, degraded or not; null = never."""
    item: str = "class_name"
    """Column with what the subject is called."""
    generic: str = "a photo of {item}"
    """The bare prompt."""
    chat: Annotated[str | None, ModelOf("chat")] = None
    """The model that writes wrong details, for `hallucinated`."""
    prompts: str = PROMPTS
    """Template for it: one of the package, or a file."""
    target: Literal["row", "paint"] = "row"
    """What is chosen: the row's own chosen image, or one painted under the undegraded conditions."""
    same_seed: bool = True
    """Paint with the seed of the chosen image, where that was painted too."""
    use_image: Literal["reference", "start"] = "reference"
    """How the painter takes the reference: as a condition, or as the picture to start from."""

    def columns_read(self) -> tuple[str, ...]:
        named = {"generic", "hallucinated"} & set(self.text)
        return (
            *Map.columns_read(self),
            "chosen" if self.target == "row" else "chosen?",
            *([self.item] if named else []),
        )

    def models_named(self) -> tuple[str, ...]:
        return (self.painter, *([self.chat] if self.chat and "hallucinated" in self.text else []))

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts) if "hallucinated" in self.text else ()

    def faults(self) -> Sequence[str]:
        found = []
        if "hallucinated" in self.text:
            found += TEMPLATES.faults(self.prompts)
            if self.chat is None:
                found.append("text: hallucinated needs a chat model; name it with chat")
        if "{item}" not in self.generic:
            found.append(f"generic: {self.generic!r} has no {{item}} in it")
        if self.target == "paint" and self.same_seed and "none" in self.visual and "none" in self.text:
            found.append("both sides would be the same painting; degrade something, or set same_seed: false")
        return found

    def calls_a_row(self) -> float:
        combinations = len(set(self.visual)) * len(set(self.text))
        return float(combinations + (self.target == "paint") + ("hallucinated" in self.text))

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        clean = Conditions(prompt_of(row), await asyncio.to_thread(shrunk, reference_of(row), self.side))
        easel = Easel(ctx.models[self.painter], self.painter, use_image=self.use_image)
        rng = ctx.rng(row["id"])
        seed = self._seed(row, rng)
        chosen, target = await self._chosen(row, clean, easel, seed)
        if not self.same_seed:
            seed = rng.getrandbits(SEED_BITS)
        pictures = await self._pictures(row, clean, target, rng)
        prompts = {mode: await self._prompt(mode, row, clean, ctx) for mode in dict.fromkeys(self.text)}
        pairs = [(visual, text) for visual in pictures for text in prompts]
        made = await together(
            *(
                self._negative(easel, visual, text, Conditions(prompts[text], pictures[visual]), seed)
                for visual, text in pairs
            )
        )
        kept = [negative for negative in made if negative["rejected"]["image"]["bytes"] != target]
        if not kept:
            return Drop("the degradation changes nothing")
        return [{"chosen": chosen, "verdict": "prefer"} | negative for negative in kept]

    def _seed(self, row: Row, rng: Random) -> int:
        """The seed of the chosen side: that of its painting, where it says one."""
        origin = (row.get("chosen") or {}).get("made_by") or {}
        drawn = rng.getrandbits(SEED_BITS)
        return int(origin["seed"]) if self.target == "row" and origin.get("seed") is not None else drawn

    async def _chosen(self, row: Row, clean: Conditions, easel: Easel, seed: int) -> tuple[Row, bytes]:
        if self.target == "paint":
            image, painting = await easel.must("chosen", clean.prompt, seed, clean.reference)
            return easel.answer(self.name, "clean", painting, seed, image, {}), image
        chosen = row["chosen"] or {}
        if not chosen.get("image"):
            raise Dropped("no target image")
        return chosen, bytes_of(chosen["image"])

    async def _pictures(self, row: Row, clean: Conditions, target: bytes, rng: Random) -> dict[VisualMode, bytes]:
        """The degraded references by mode."""
        noise = rng.getrandbits(SEED_BITS)
        others = [bytes_of(image) for image in (row["images"] or ())[1:] if image]
        swaps = [target, *others] if self.target == "row" else others
        strengths = {"blur": self.radius, "noise": self.sigma}
        found: dict[VisualMode, bytes] = {}
        for mode in dict.fromkeys(self.visual):
            found[mode] = await asyncio.to_thread(
                worse_picture, mode, clean.reference, strengths.get(mode, 0.0), noise, swaps
            )
        return found

    async def _prompt(self, mode: TextMode, row: Row, clean: Conditions, ctx: Context) -> str:
        if mode == "none":
            return clean.prompt
        item = str(row.get(self.item) or "").strip()
        if not item:
            raise Dropped("no name of the subject")
        if mode == "generic":
            return self.generic.replace("{item}", item)
        if self.chat is None:
            raise RowError("no chat model to write wrong details", hint="name it with chat")
        return await hallucinated(Writer(ctx.models[self.chat], self.prompts, 0.7, 200), clean.prompt, item, ctx.seed)

    async def _negative(self, easel: Easel, visual: VisualMode, text: TextMode, worse: Conditions, seed: int) -> Row:
        image, painting = await easel.must("rejected", worse.prompt, seed, worse.reference)
        strength = {"blur": self.radius, "noise": self.sigma}.get(visual)
        told = {
            "visual": visual, "text": text, "prompt": worse.prompt, "strength": strength,
            "radius_rel": self.radius / 512 if visual == "blur" else None,
            "reference_digest": digest(worse.reference),
        }  # fmt: skip
        told = {name: value for name, value in told.items() if value is not None}
        rejected = easel.answer(self.name, f"{visual}+{text}", painting, seed, image, told)
        return {
            "rejected": rejected, "degrade_visual": visual, "degrade_text": text, "degradation": f"{visual}+{text}",
            "strength": strength,
        }  # fmt: skip

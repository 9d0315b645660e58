"""`synth.superficial_answer`: an answer that looks good and does not do what the prompt asks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Dropped, Map, Row
from .confirming import JUDGED_MARGIN, Aim, Strength, target_faults
from .confirming import PROMPTS as CONFIRM
from .making import TEMPLATES, Writer, answer, answer_of, made_by, prompt_of

DEGREES: Final[Mapping[Strength, str]] = {
    "subtle": "One demand of the instruction is not met, and only a careful reader would notice.",
    "clear": "It speaks of the matter at length, but what was asked for is not there.",
    "gross": "It says nothing that helps with the instruction, in the best of tones.",
}
"""How an answer fails behind its good looks."""


@final
@register("synth.superficial_answer")
class SuperficialAnswer(Map):
    """Reject an answer written to look at least as good as the chosen one without doing what was asked.

    It is kept when it does not give itself away: nearly as close to the prompt as the chosen answer,
    and of a similar length. Have it confirmed that it is worse (`synth.confirm_worse`).
    """

    reads = ("prompt", "chosen")
    writes = (
        Column("rejected", "the answer that only looks good"),
        Column("verdict", "always prefer"),
        Column(
            "lure",
            "cosine of rejected to the prompt less that of chosen",
            pa.float64(),
            "cosine",
            -2,
            2,
            "higher: easier to be fooled by",
        ),
        JUDGED_MARGIN,
    )
    paper = "LLMBar (GPTOut), arXiv 2310.07641; degrees and bounds: house"

    writer: Annotated[str, ModelOf("chat")] = "writer"
    """Writes the answer."""
    judge: Annotated[str | None, ModelOf("chat")] = None
    """Rates both answers where a target margin is given."""
    prompts: str = "superficial_answer"
    """The template of the method, or a file."""
    encoder: Annotated[str, ModelOf("text_encoder")] = "static"
    """Tells how close an answer is to the prompt."""
    least_lure: Annotated[float, Field(ge=-2, le=2)] = -0.15
    """Smallest lure (ours); with the static encoder nine of ten of LLMBar's GPTOut pairs are above -0.12."""
    length_ratio: Annotated[float, Field(gt=1)] = 2.0
    """Largest ratio of the words of the longer answer to those of the shorter."""
    strength: Strength = "clear"
    """How much it fails: subtle, clear or gross."""
    target_margin: tuple[float, float] | None = None
    """Least and greatest margin, in points of 10, that a judge's ratings of both answers may have: answers are
    written one after the other, failing more or less, until one fits; null = no rating."""
    tries: Annotated[int, Field(ge=1)] = 3
    """Most answers written for a target margin."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Sampling temperature."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Most tokens of an answer."""

    def faults(self) -> Sequence[str]:
        return [*TEMPLATES.faults(self.prompts), *target_faults(self.target_margin, self.judge)]

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts, *([CONFIRM] if self.target_margin else []))

    def calls_a_row(self) -> float:
        return 1.0 + 2.0 * self.tries if self.target_margin else 1.0

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        prompt, right = prompt_of(row), answer_of(row)
        values = {"prompt": prompt, "answer": right, "words": len(right.split())}

        async def make(strength: Strength, number: int) -> tuple[str, float]:
            text = await self._written(values | {"degree": DEGREES[strength]}, ctx.seed + number, ctx)
            return text, await self._lure(prompt, right, text, ctx)

        aim = Aim(ctx.models[self.judge] if self.judge else None, prompt, self.target_margin, self.tries)
        found = await aim.at(right, make, self.strength, text_of=lambda made: made[0])
        (text, lure), seed = found.made, ctx.seed + found.tries - 1
        origin = made_by(self.name, "looks good", aim.told(found), ctx.models[self.writer].name, seed)
        told = {"verdict": "prefer", "lure": lure, "judged_margin": found.margin}
        return [{"rejected": answer(text, origin), **told}]

    async def _written(self, values: Mapping[str, Any], seed: int, ctx: Context) -> str:
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens)
        return str(await writer.says("write", values, seed=seed))

    async def _lure(self, prompt: str, right: str, text: str, ctx: Context) -> float:
        """How readily one falls for the answer. Raises Dropped when it gives itself away."""
        if text.split() == right.split():
            raise Dropped("same answer")
        words = len(text.split()), len(right.split())
        if max(words) > self.length_ratio * min(words):
            raise Dropped("given away by its length", {"words": words[0], "words_chosen": words[1]})
        encoder = ctx.models[self.encoder]
        asked, good, bad = np.asarray(await asyncio.to_thread(encoder.encode, [prompt, right, text]), np.float64)
        lure = float(asked @ bad - asked @ good)
        if lure < self.least_lure:
            raise Dropped("too far from the prompt to fool", {"lure": lure})
        return lure

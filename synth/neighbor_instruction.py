"""`synth.neighbor_instruction`: a good answer to a similar instruction is a bad answer to this one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Dropped, Map, Row
from .confirming import JUDGED_MARGIN, Aim, Strength, target_faults
from .confirming import PROMPTS as CONFIRM
from .making import TEMPLATES, Writer, answer, answer_of, made_by, prompt_of, sample_seeds

DEGREES: Final[Mapping[Strength, str]] = {
    "subtle": "They differ in one demand that is easily overlooked; all else is the same.",
    "clear": "It asks for something else: another property, quantity, direction, format or purpose.",
    "gross": "They have words in common and hardly more: what serves one is of no use for the other.",
}
"""How far the other instruction is from the prompt."""


@final
@dataclass(frozen=True)
class _Neighbor:
    """Another instruction and its answer, how alike it is to the prompt, and how readily one falls for it."""

    instruction: str
    similarity: float
    text: str
    lure: float
    seed: int


@final
@register("synth.neighbor_instruction")
class NeighborInstruction(Map):
    """Reject the answer to another instruction that is like the row's own and yet asks for something else.

    The other instruction is taken from a column, or written. The pair is kept when the two
    instructions are alike but not the same, and when a judge by topic alone could be fooled: the
    rejected answer is nearly as close to the prompt as the chosen one. Have it confirmed that it is
    worse (`synth.confirm_worse`): an answer may serve both instructions.
    """

    reads = ("prompt", "chosen", "{instruction}")
    writes = (
        Column("rejected", "the answer to the other instruction"),
        Column("verdict", "always prefer"),
        Column("neighbor_instruction", "the other instruction", pa.string()),
        Column("instruction_similarity", "cosine of the two instructions", pa.float64(), "cosine", -1, 1, "neither"),
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
    paper = "LLMBar (Neighbor, GPTInst), arXiv 2310.07641; bounds: house"

    writer: Annotated[str, ModelOf("chat")] = "writer"
    """Writes the other instruction, where no column holds one."""
    answerer: Annotated[str | None, ModelOf("chat")] = None
    """Answers the other instruction, better a stronger model than the one behind chosen; the writer if not given."""
    instruction: str | None = None
    """Column of strings with another instruction for each row, such as its neighbour's; none = it is written."""
    judge: Annotated[str | None, ModelOf("chat")] = None
    """Rates both answers where a target margin is given."""
    prompts: str = "neighbor_instruction"
    """The template of the method, or a file."""
    encoder: Annotated[str, ModelOf("text_encoder")] = "static"
    """Tells how alike instructions and answers are."""
    least: Annotated[float, Field(ge=-1, le=1)] = 0.5
    """Smallest cosine of the two instructions (ours)."""
    most: Annotated[float, Field(ge=-1, le=1)] = 0.98
    """Largest cosine of the two instructions: above it they count as the same (ours)."""
    least_lure: Annotated[float, Field(ge=-2, le=2)] = -0.25
    """Smallest lure (ours); with the static encoder the lower quartile of LLMBar's Neighbor pairs is -0.21."""
    strength: Strength = "clear"
    """How far a written instruction is from the prompt: subtle, clear or gross."""
    target_margin: tuple[float, float] | None = None
    """Least and greatest margin, in points of 10, between a judge's ratings of chosen and rejected as answers to the
    prompt: instructions are written further off or nearer until one fits, those of a column fit or go; null = no
    rating."""
    tries: Annotated[int, Field(ge=1, le=16)] = 2
    """Instructions written until one lies between least and most and its answer fits the target margin."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Sampling temperature."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Most tokens of an answer."""

    def faults(self) -> Sequence[str]:
        found = [*TEMPLATES.faults(self.prompts), *target_faults(self.target_margin, self.judge)]
        return [*found, f"least ({self.least}) is above most ({self.most})"] if self.least > self.most else found

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts, *([CONFIRM] if self.target_margin else []))

    def calls_a_row(self) -> float:
        written = 0 if self.instruction else self.tries
        return 1.0 + written + (2 * max(written, 1) if self.target_margin else 0)

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        prompt, chosen = prompt_of(row), answer_of(row)

        async def make(strength: Strength, number: int) -> _Neighbor:
            seeds = sample_seeds(ctx, self.tries)
            return await self._neighbor(row, strength, seeds[number : number + 1] if self.target_margin else seeds, ctx)

        judge = ctx.models[self.judge] if self.judge else None
        aim = Aim(judge, prompt, self.target_margin, 1 if self.instruction else self.tries)
        found = await aim.at(chosen, make, self.strength, text_of=lambda one: one.text)
        one, model = found.made, ctx.models[self.answerer or self.writer].name
        params = {"instruction": one.instruction, "similarity": round(one.similarity, 4)}
        told = aim.told(found) | {"written": self.instruction is None}
        params |= {name: value for name, value in told.items() if name != "strength" or not self.instruction}
        origin = made_by(self.name, "answer to a neighbouring instruction", params, model, one.seed)
        return [
            {
                "rejected": answer(one.text, origin), "verdict": "prefer", "neighbor_instruction": one.instruction,
                "instruction_similarity": one.similarity, "lure": one.lure, "judged_margin": found.margin,
            }
        ]  # fmt: skip

    async def _neighbor(self, row: Row, strength: Strength, seeds: Sequence[int], ctx: Context) -> _Neighbor:
        """The first sound instruction and its answer. Raises Dropped when there is none, or nobody falls for it."""
        prompt, chosen = prompt_of(row), answer_of(row)
        other, similarity = await self._other(row, strength, seeds, ctx)
        answerer = Writer(ctx.models[self.answerer or self.writer], self.prompts, self.temperature, self.max_tokens)
        text = await answerer.says("answer", {"instruction": other}, seed=seeds[0])
        if text.split() == chosen.split():
            raise Dropped("same answer")
        asked, right, wrong = await self._vectors([prompt, chosen, text], ctx)
        lure = float(asked @ wrong - asked @ right)
        if lure < self.least_lure:
            raise Dropped("too far from the prompt to fool", {"lure": lure})
        return _Neighbor(other, similarity, text, lure, seeds[0])

    async def _other(self, row: Row, strength: Strength, seeds: Sequence[int], ctx: Context) -> tuple[str, float]:
        """The other instruction and its cosine to the prompt, which lies between least and most."""
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, 512) if not self.instruction else None
        prompt, similarity = prompt_of(row), 0.0
        values = {"prompt": prompt, "degree": DEGREES[strength]}
        for seed in seeds if writer else seeds[:1]:
            text = await writer.says("vary", values, seed=seed) if writer else row[str(self.instruction)]
            if not text or not text.strip():
                raise Dropped("no other instruction")
            asked, other = await self._vectors([prompt, text], ctx)
            similarity = float(asked @ other)
            if self.least <= similarity <= self.most:
                return text, similarity
        raise Dropped("instructions too alike" if similarity > self.most else "instructions too unlike",
                      {"similarity": similarity})  # fmt: skip

    async def _vectors(self, texts: Sequence[str], ctx: Context) -> np.ndarray:
        return np.asarray(await asyncio.to_thread(ctx.models[self.encoder].encode, texts), np.float64)

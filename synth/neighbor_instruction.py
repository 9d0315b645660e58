"""`synth.neighbor_instruction`: a good answer to a similar instruction is a bad answer to this one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.registry import register
from ..core.stage import Column, Context, Dropped, Map, ModelOf, Row
from .making import TEMPLATES, Writer, answer, answer_of, made_by, prompt_of, sample_seeds


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
    )
    paper = "LLMBar (Neighbor, GPTInst), arXiv 2310.07641; bounds: house"

    writer: Annotated[str, ModelOf("chat")] = "writer"
    """Writes the other instruction, where no column holds one."""
    answerer: Annotated[str | None, ModelOf("chat")] = None
    """Answers the other instruction, better a stronger model than the one behind chosen; the writer if not given."""
    instruction: str | None = None
    """Column of strings with another instruction for each row, such as its neighbour's; none = it is written."""
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
    tries: Annotated[int, Field(ge=1, le=16)] = 2
    """Instructions written until one lies between least and most."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Sampling temperature."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Most tokens of an answer."""

    def faults(self) -> Sequence[str]:
        found = TEMPLATES.faults(self.prompts)
        return [*found, f"least ({self.least}) is above most ({self.most})"] if self.least > self.most else found

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts)

    def calls_a_row(self) -> float:
        return 1.0 + (0 if self.instruction else self.tries)

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        prompt, chosen = prompt_of(row), answer_of(row)
        other, similarity = await self._other(prompt, row, ctx)
        answerer = Writer(ctx.models[self.answerer or self.writer], self.prompts, self.temperature, self.max_tokens)
        text = await answerer.says("answer", {"instruction": other}, seed=ctx.seed)
        if text.split() == chosen.split():
            raise Dropped("same answer")
        asked, right, wrong = await self._vectors([prompt, chosen, text], ctx)
        lure = float(asked @ wrong - asked @ right)
        if lure < self.least_lure:
            raise Dropped("too far from the prompt to fool", {"lure": lure})
        params = {"instruction": other, "similarity": round(similarity, 4), "written": self.instruction is None}
        origin = made_by(self.name, "answer to a neighbouring instruction", params, answerer.model.name, ctx.seed)
        return [
            {
                "rejected": answer(text, origin), "verdict": "prefer", "neighbor_instruction": other,
                "instruction_similarity": similarity, "lure": lure,
            }
        ]  # fmt: skip

    async def _other(self, prompt: str, row: Row, ctx: Context) -> tuple[str, float]:
        """The other instruction and its cosine to the prompt, which lies between least and most."""
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, 512) if not self.instruction else None
        similarity = 0.0
        for seed in sample_seeds(ctx, self.tries if writer else 1):
            text = await writer.says("vary", {"prompt": prompt}, seed=seed) if writer else row[str(self.instruction)]
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

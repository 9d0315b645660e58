"""`synth.hallucinate`: plausible wrong answers by stated patterns, the most believable of several kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Annotated, Any, Final, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.registry import register
from ..core.stage import Column, Context, Dropped, Map, ModelOf, Row
from ..models.readers import read_choice
from .making import TEMPLATES, Writer, answer, answer_of, made_by, prompt_of
from .overlap import words_of

Pattern = Literal["comprehension", "factualness", "specificity", "inference"]
PATTERNS: Final[Mapping[Pattern, str]] = {
    "comprehension": "The question's context or intention is misunderstood.",
    "factualness": "A fact is contradicted or made up.",
    "specificity": "It is too general or too specific for what is asked.",
    "inference": "It is reasoned out wrongly and does not follow from what is known.",
}
"""Patterns of hallucination and what each means."""


@final
@dataclass(frozen=True)
class _Tale:
    """A wrong answer, its pattern and the seed it was sampled with."""

    text: str
    pattern: Pattern
    seed: int


@final
@register("synth.hallucinate")
class Hallucinate(Map):
    """Write `samples` wrong answers to the prompt, each by a pattern of chance, and reject the most believable.

    The row's own answer is chosen. Wrong answers with the right one's words are left out, and so are those
    that are much longer: length must not give them away.
    """

    reads = ("prompt", "chosen", "{knowledge}?")
    writes = (
        Column("rejected", "the most believable wrong answer"),
        Column("verdict", "always prefer"),
        Column("hallucination", "its pattern: comprehension, factualness, specificity or inference", pa.string()),
        Column("n_hallucinations", "sound wrong answers it was chosen from", pa.int32()),
    )
    paper = "HaluEval, arXiv 2305.11747: sampling then filtering, its four patterns of question answering"

    writer: Annotated[str, ModelOf("chat")] = "writer"
    """Who writes wrong answers."""
    judge: Annotated[str | None, ModelOf("chat")] = None
    """Who picks the most believable; null = the writer."""
    knowledge: str = "knowledge"
    """Column with a text the answer follows from, where there is one."""
    patterns: Annotated[tuple[Pattern, ...], Field(min_length=1)] = (
        "comprehension",
        "factualness",
        "specificity",
        "inference",
    )
    """Patterns to draw from; no pattern comes again before all have come."""
    samples: Annotated[int, Field(ge=1, le=26)] = 2
    """Wrong answers asked for."""
    longer: Annotated[int, Field(ge=0)] | None = 5
    """Most words a wrong answer may have beyond the right one; null = any."""
    prompts: str = "hallucinate"
    """A template of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Sampling temperature of wrong answers."""
    max_tokens: Annotated[int, Field(ge=1)] = 256
    """Most tokens of a wrong answer."""

    def faults(self) -> Sequence[str]:
        return TEMPLATES.faults(self.prompts)

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts)

    def calls_a_row(self) -> float:
        return float(self.samples + (self.samples > 1))

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        right = answer_of(row)
        most = None if self.longer is None else len(words_of(right)) + self.longer
        values = {"prompt": prompt_of(row), "answer": right, "knowledge": row.get(self.knowledge) or "", "most": most}
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens)
        rng = ctx.rng(row["id"])
        drawn = [
            p for _ in range(0, self.samples, len(self.patterns)) for p in rng.sample(self.patterns, len(self.patterns))
        ]
        tales = await asyncio.gather(*(
            self._tale(writer, values, pattern, ctx.seed + k) for k, pattern in enumerate(drawn[: self.samples])
        ))  # fmt: skip
        sound = list({tale.text: tale for tale in tales if tale is not None}.values())
        if not sound:
            raise Dropped("no sound wrong answer", {"asked": self.samples})
        best = await self._best(sound, values, rng, ctx) if len(sound) > 1 else sound[0]
        origin = made_by(self.name, best.pattern, {"of": len(sound)}, writer.model.name, best.seed)
        return [{
            "rejected": answer(best.text, origin), "verdict": "prefer", "hallucination": best.pattern,
            "n_hallucinations": len(sound),
        }]  # fmt: skip

    async def _tale(self, writer: Writer, values: Mapping[str, Any], pattern: Pattern, seed: int) -> _Tale | None:
        said = await writer.verdict("write", {**values, "meaning": PATTERNS[pattern]}, seed=seed)
        if not said.ok:
            return None
        words = words_of(said.value)
        much = values["most"] is not None and len(words) > values["most"]
        return None if much or words == words_of(values["answer"]) else _Tale(said.value, pattern, seed)

    async def _best(self, tales: Sequence[_Tale], values: Mapping[str, Any], rng: Random, ctx: Context) -> _Tale:
        shown = rng.sample(tales, len(tales))
        letters = [chr(ord("A") + k) for k in range(len(shown))]
        options = [{"letter": letter, "text": tale.text} for letter, tale in zip(letters, shown, strict=True)]
        judge = Writer(ctx.models[self.judge or self.writer], self.prompts, temperature=0.0, max_tokens=16)
        letter = await judge.says("choose", {**values, "options": options}, read_choice(letters))
        return shown[letters.index(letter)]

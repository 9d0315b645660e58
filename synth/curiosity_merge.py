"""`synth.curiosity_merge`: an answer that says what lies beyond the model, and helps all the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Final, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Dropped, Map, Row
from ..models.pictures import Part
from .making import TEMPLATES, Writer, answer, answer_of, made_by, pictures_of, prompt_of, read_answer, sample_seeds
from .overlap import words_of

_NOTHING: Final = re.compile(r"\A\W*nothing\W*\Z", re.IGNORECASE)
_DRAFT: Final = re.compile(
    r"\b(?:(?:raw|first|previous|earlier|original|initial|above) (?:answer|response|reply|version)|drafts?|"
    r"(?:my|the) confusion|as (?:mentioned|noted|said) (?:above|before|earlier))\b",
    re.IGNORECASE,
)


@final
@register("synth.curiosity_merge")
class CuriosityMerge(Map):
    """Answer, ask the model what confuses it or exceeds its ability, merge both: limits, reasons, guidance.

    The merged answer is preferred to the raw one. It must not speak of the raw answer; one that does is
    written anew. A request nothing about which is beyond the model gives no pair. Judge the pairs by
    `judge.h2`. HonestLLM (Gao et al., 2024).
    """

    reads = ("prompt", "{answer}", "images?")
    writes = (
        Column("chosen", "limits, reasons and guidance in one answer"),
        Column("rejected", "the raw answer"),
        Column("verdict", "always prefer"),
        Column("confusion", "what confuses the model or exceeds its ability", pa.string()),
    )
    paper = "HonestLLM (HoneSet), arXiv 2406.00380"

    writer: Annotated[str, ModelOf("chat")] = "writer"
    """Who answers, tells what it cannot do, and merges."""
    answer: str | None = None
    """Column with the raw answer; null = the writer answers."""
    tries: Annotated[int, Field(ge=1, le=8)] = 2
    """Most merged answers written until one does not speak of the raw one."""
    prompts: str = "curiosity_merge"
    """A template of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Sampling temperature."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Most tokens of a reply."""

    def faults(self) -> Sequence[str]:
        return TEMPLATES.faults(self.prompts)

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts)

    def calls_a_row(self) -> float:
        return 1.0 + self.tries + (self.answer is None)

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens)
        prompt, pictures = prompt_of(row), pictures_of(row)
        if self.answer is None:
            raw: str = await writer.says("answer", {"prompt": prompt}, read_answer, pictures=pictures)
            worse = answer(raw, made_by(self.name, "answer", {}, writer.model.name, None))
        else:
            raw, worse = answer_of(row, self.answer), row[self.answer]
        confusion: str = await writer.says("confusion", {"prompt": prompt}, read_answer, pictures=pictures)
        if _NOTHING.match(confusion):
            raise Dropped("nothing is beyond the model")
        merged, seed = await self._merged(writer, {"prompt": prompt, "raw": raw, "confusion": confusion}, pictures, ctx)
        if words_of(merged) == words_of(raw):
            raise Dropped("merge: unchanged")
        better = answer(merged, made_by(self.name, "merge", {"confusion": confusion}, writer.model.name, seed))
        return [{"chosen": better, "rejected": worse, "verdict": "prefer", "confusion": confusion}]

    async def _merged(self, writer: Writer, values: Row, pictures: Sequence[Part], ctx: Context) -> tuple[str, int]:
        for seed in sample_seeds(ctx, self.tries):
            merged: str = await writer.says("merge", values, read_answer, seed=seed, pictures=pictures)
            if not speaks_of_draft(merged, values["prompt"]):
                return merged, seed
        raise Dropped("merge: speaks of the raw answer", {"tries": self.tries})


def speaks_of_draft(text: str, prompt: str) -> bool:
    """Whether a text speaks of an earlier answer, in words that are not the prompt's own."""
    own = {match.casefold() for match in _DRAFT.findall(prompt)}
    return any(match.casefold() not in own for match in _DRAFT.findall(text))

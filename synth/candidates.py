"""`synth.candidates`: several answers to each prompt, by models, settings and personas, each with its origin."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Annotated, Literal, final

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from ..core.declared import Column
from ..core.registry import register
from ..core.several import Chats
from ..core.stage import Context, Dropped, Map, Row
from ..models.readers import read_text
from .making import TEMPLATES, answer, answered, made_by, messages_of, read_answer, sample_seeds, together


@final
class Setting(BaseModel):
    """One point of a sampling grid."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Sampling temperature."""
    top_p: Annotated[float | None, Field(gt=0, le=1)] = None
    """Mass of the tokens sampled from; null = the endpoint's own."""


@final
@register("synth.candidates")
class Candidates(Map):
    """Answer each prompt `samples` times by every model, at every setting, as every persona.

    Answers the row has already stay, in front. Replies that are empty or cut off are left out, and so
    are repeats of an earlier text. A row with fewer than `least` candidates is dropped.
    """

    reads = ("prompt", "candidates?", "images?")
    writes = (
        Column("candidates", "answers, each with its origin"),
        Column("candidates_lost", "replies that were no answer (empty, cut off, refused)", pa.int32()),
        Column("candidates_repeated", "replies that repeat an earlier answer", pa.int32()),
    )
    paper = "sampling as in ReST-EM, arXiv 2312.06585; grid and personas: house"

    writers: Chats = ("writer",)
    """Chat models that answer, by nickname."""
    samples: Annotated[int, Field(ge=1, le=1024)] = 4
    """Answers asked of each model at each setting and persona."""
    grid: Annotated[tuple[Setting, ...], Field(min_length=1)] = (Setting(),)
    """Sampling settings, each {temperature, top_p}."""
    personas: tuple[str, ...] = ()
    """Who answers, each told to the model in a system message; empty = nobody in particular."""
    prompts: str = "candidates"
    """The template that tells the persona: one of the package, or a file."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Most tokens of an answer."""
    refusals: Literal["keep", "leave_out"] = "keep"
    """Whether a refusal counts as an answer."""
    repeats: Literal["keep", "leave_out"] = "leave_out"
    """Whether an answer may stand twice."""
    least: Annotated[int, Field(ge=1)] = 2
    """Fewest candidates of a row that goes on."""

    def faults(self) -> Sequence[str]:
        return TEMPLATES.faults(self.prompts)

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts)

    def calls_a_row(self) -> float:
        return float(len(self.writers) * len(self.grid) * max(len(self.personas), 1) * self.samples)

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        ways = list(product(self.writers, self.grid, self.personas or ("",), sample_seeds(ctx, self.samples)))
        said = await together(*(self._answer(row, ctx, *way) for way in ways))
        found = [one for one in row.get("candidates") or () if one]
        lost, repeated = said.count(None), 0
        texts = {one["text"] for one in found}
        for one in said:
            if one is None:
                continue
            if one["text"] in texts and self.repeats == "leave_out":
                repeated += 1
                continue
            texts.add(one["text"])
            found.append(one)
        if len(found) < self.least:
            raise Dropped("too few answers", {"answers": len(found), "lost": lost, "repeated": repeated})
        return [{"candidates": found, "candidates_lost": lost, "candidates_repeated": repeated}]

    async def _answer(self, row: Row, ctx: Context, nick: str, at: Setting, persona: str, seed: int) -> Row | None:
        model, system = ctx.models[nick], ""
        if persona:
            system = TEMPLATES.load(self.prompts).messages({"persona": persona})[0]["content"]
        verdict = await answered(
            model, messages_of(row, system), read_answer if self.refusals == "keep" else read_text,
            temperature=at.temperature, top_p=at.top_p, max_tokens=self.max_tokens, seed=seed,
        )  # fmt: skip
        if not verdict.ok:
            return None
        params = at.model_dump() | {"persona": persona or None, "max_tokens": self.max_tokens}
        return answer(verdict.value, made_by(self.name, "sample", params, model.name, seed))

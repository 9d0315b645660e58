"""`synth.route_by_difficulty`: a critique for easy prompts, a refinement for medium, a preference for hard ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Drop, Dropped, Map, Row
from ..models.asking import request
from .making import TEMPLATES, Writer, answer, made_by, pictures_of, prompt_of
from .overlap import words_of


@final
@register("synth.route_by_difficulty")
class RouteByDifficulty(Map):
    """Give each row the feedback its difficulty calls for, all in one training set.

    Easy: what the critic saw → a critique of the best candidate. Medium: prompt → the best candidate refined by
    a critique. Hard: the best candidate over the worst, by score. The bins are `score.difficulty`'s; they hold
    for the model that wrote the candidates, which is kept. CDF, 2023.
    """

    reads = ("prompt", "candidates", "{score}", "{bin}", "images?")
    writes = (
        Column("prompt", "of a critique, what the critic saw"),
        Column("chosen", "critique, refined answer or best candidate"),
        Column("rejected", "worst candidate; null for a critique or refinement"),
        Column("verdict", "prefer for a preference, else null"),
        Column("critique", "the critique; null for a preference"),
        Column("kind", "critique, refinement or preference", pa.string()),
        Column("margin", "lead in the score, of a preference", pa.float64(), "of the score", 0, None, "higher"),
        Column("difficulty_model", "who wrote the candidates", pa.string()),
        Column("candidates", "null: their part is played"),
        Column("{score}", "null: their part is played", pa.list_(pa.float64())),
    )
    paper = "Alignment with constructive and diverse feedback (CDF), 2023 (best candidate, prompts: house)"

    score: str
    """Column with one score a candidate."""
    better: Literal["higher", "lower"] = "higher"
    """Which end of the score is the better."""
    bin: str = "difficulty_bin"
    """Column that says easy, medium or hard."""
    writer: Annotated[str, ModelOf("chat")] = "writer"
    """Who criticises and refines."""
    least_gap: Annotated[float, Field(ge=0)] = 0.0
    """Smallest lead of the best candidate over the worst, above 0, in the score's unit."""
    prompts: str = "critique_revise"
    """A template of the package, or a file; its parts critique and revise are used."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Sampling temperature."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Most tokens of a reply."""

    def faults(self) -> Sequence[str]:
        return TEMPLATES.faults(self.prompts)

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts)

    def calls_a_row(self) -> float:
        return 2.0

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        ranked = self._ranked(row)
        models = {str(candidate["model"]) for candidate, _ in ranked if candidate.get("model")}
        shared = {
            "rejected": None, "verdict": None, "critique": None, "margin": None, "candidates": None, self.score: None,
            "difficulty_model": ", ".join(sorted(models)) or None,
        }  # fmt: skip
        if row[self.bin] == "hard":
            return [shared | self._preference(ranked)]
        if row[self.bin] not in ("easy", "medium"):
            return Drop("neither easy, medium nor hard", {self.bin: row[self.bin]})
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens)
        return [shared | await self._written(writer, row, ranked[0][0])]

    def _ranked(self, row: Row) -> list[tuple[Row, float]]:
        """Candidates that have a text and a score, best first. Raises Dropped without any."""
        sign = 1.0 if self.better == "higher" else -1.0
        scored = [
            (candidate, sign * float(score))
            for candidate, score in zip(row["candidates"] or (), row[self.score] or (), strict=False)
            if candidate and (candidate.get("text") or "").strip() and score is not None and math.isfinite(score)
        ]
        if not scored:
            raise Dropped("no scored candidate")
        return sorted(scored, key=lambda item: -item[1])

    def _preference(self, ranked: Sequence[tuple[Row, float]]) -> Row:
        (best, high), (worst, low) = ranked[0], ranked[-1]
        if high - low <= 0 or high - low < self.least_gap:
            raise Dropped("gap below least", {"gap": high - low})
        return {"kind": "preference", "chosen": best, "rejected": worst, "verdict": "prefer", "margin": high - low}

    async def _written(self, writer: Writer, row: Row, best: Row) -> Row:
        values = {"prompt": prompt_of(row), "answer": best["text"]}
        critique: str = await writer.says("critique", values, pictures=pictures_of(row))
        told = {"text": critique, "critic": writer.model.name, "score": None, "verdict": None}
        if row[self.bin] == "easy":
            asked = request(TEMPLATES.load(self.prompts, "critique"), values)["messages"]
            text, method, extra = critique, "critique", {"kind": "critique", "prompt": asked}
        else:
            text = await writer.says("revise", values | {"critique": critique}, pictures=pictures_of(row))
            if words_of(text) == words_of(best["text"]):
                raise Dropped("revise: unchanged")
            method, extra = "refine", {"kind": "refinement"}
        origin = made_by(self.name, method, {"difficulty": row[self.bin]}, writer.model.name, None)
        return {"chosen": answer(text, origin), "critique": told, **extra}

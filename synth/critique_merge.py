"""`synth.critique_merge`: from many critiques of both answers of a pair to the ones worth learning from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Drop, Dropped, Map, Row
from ..models.score_reader import read_score
from .critique_records import ABOUT, CRITIQUES, critic_prompt, critique_value, question_of
from .making import TEMPLATES, Writer, answer, answer_of, made_by, together

Kept = tuple[str, float, float | None]


@final
@register("synth.critique_merge")
class CritiqueMerge(Map):
    """Turn the critiques of a pair's answers into rows that train a critic: merged, ranked, or as they are.

    `summ` has one critique of an answer written from all of them, with their mean score; `rank` has each
    rated and keeps the best `top`; `none` keeps all. The new prompt asks for a critique that ends in a
    score. Gate the pairs with `filter.critique_consistency` first.
    """

    reads = ("prompt", "chosen", "rejected", "chosen_critiques", "rejected_critiques")
    writes = (
        "prompt",
        "chosen",
        "rejected",
        "verdict",
        "critique",
        *ABOUT,
        Column("merge", "how the critique came out of several: none, summ or rank", pa.string()),
        Column("meta_score", "what the judge gives the critique", pa.float64(), "points", 1, 10, "higher"),
        Column("chosen_critiques", "null: told apart by now", CRITIQUES),
        Column("rejected_critiques", "null: told apart by now", CRITIQUES),
    )
    paper = "Critic-RM, arXiv 2411.16646"

    merge: Literal["none", "summ", "rank"] = "summ"
    """Keep all critiques, write one from all, or keep the best."""
    top: Annotated[int, Field(ge=1)] = 1
    """Critiques of an answer kept by `rank`."""
    writer: Annotated[str, ModelOf("chat")] = "writer"
    """Who merges, and who rates critiques."""
    prompts: str = "critique_merge"
    """Templates of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.3
    """Of the merging; critiques are rated at 0."""
    max_tokens: Annotated[int, Field(ge=16)] = 1024
    """Most tokens of a merged critique."""
    most: Annotated[int, Field(ge=1)] = 10
    """Most critiques of an answer that are looked at."""

    def faults(self) -> Sequence[str]:
        return TEMPLATES.faults(self.prompts)

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts, "critique_record")

    def calls_a_row(self) -> float:
        return {"none": 0.0, "summ": 2.0, "rank": 2.0 * self.most}[self.merge]

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        question = question_of(row)
        rows = await together(*(self._rows(row, ctx, question, side) for side in ("chosen", "rejected")))
        return [each for side in rows for each in side] or Drop("no critiques")

    async def _rows(self, row: Row, ctx: Context, question: str, side: str) -> list[Row]:
        critiques = (row[f"{side}_critiques"] or [])[: self.most]
        response = answer_of(row, side)
        if not critiques:
            return []
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens)
        kept = await self._kept(writer, critiques, {"question": question, "response": response})
        return [self._row(row, question, response, side, each, writer.model.name, ctx.seed) for each in kept]

    async def _kept(self, writer: Writer, critiques: Sequence[Row], values: Row) -> list[Kept]:
        """(text, score, rating) of the critiques that stay."""
        texts = [_unscored(critique["text"]) for critique in critiques]
        scores = [float(critique["score"]) for critique in critiques]
        if self.merge == "none":
            return [(text, score, None) for text, score in zip(texts, scores, strict=True)]
        if self.merge == "summ":
            merged = await writer.says("merge", values | {"critiques": texts})
            return [(_unscored(merged), sum(scores) / len(scores), None)]
        ratings = await together(
            *(writer.verdict("rate", values | {"critique": t}, read_score(1, 10), temperature=0.0) for t in texts)
        )
        rated: list[Kept] = [(t, s, float(v.value)) for t, s, v in zip(texts, scores, ratings, strict=True) if v.ok]
        if not rated:
            raise Dropped(f"rate: {ratings[0].outcome.value}")
        return sorted(rated, key=lambda each: -(each[2] or 0.0))[: self.top]

    def _row(self, row: Row, question: str, response: str, side: str, kept: Kept, writer: str, seed: int) -> Row:
        body, score, rating = kept
        text = f"{body}\nScore: {score:.0f}"
        critic = row[f"{side}_critiques"][0]["critic"]
        origin = made_by(self.name, self.merge, {"side": side, "top": self.top}, writer, seed)
        return {
            "prompt": critic_prompt(question, response, "score"), "chosen": answer(text, origin), "rejected": None,
            "verdict": None, "critique": critique_value(text, critic, score=score), "question": question,
            "response": response, "response_from": (row[side] or {}).get("model") or side, "merge": self.merge,
            "meta_score": rating, "chosen_critiques": None, "rejected_critiques": None,
        }  # fmt: skip


def _unscored(text: str) -> str:
    """The critique without a last line that tells its score."""
    body, _, last = text.rstrip().rpartition("\n")
    return body.rstrip() if last.strip(" *_").lower().startswith("score") and body.strip() else text.strip()

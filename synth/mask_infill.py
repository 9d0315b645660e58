"""`synth.mask_infill`: an answer against copies of it whose words were masked and filled in anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Annotated, Any, Final, final

import pyarrow as pa
from pydantic import Field

from ..core.registry import register
from ..core.stage import Column, Context, Dropped, Map, ModelOf, Row
from ..models.readers import read_json
from .listing import TEXT, record
from .making import TEMPLATES, Writer, answer, answer_of, made_by, together
from .masking import MASK, masked, smoothed

SIMILARITY: Final = record(reason=TEXT, similarity={"type": "number", "minimum": 0, "maximum": 1})
Rate = Annotated[float, Field(ge=0, le=1)]


@final
@register("synth.mask_infill")
class MaskInfill(Map):
    """Negatives of graded hardness: the larger the share of words masked, the further from the answer.

    At rate 0 the answer is said again in other words, which is a tie. A judge says how alike each copy
    is to the answer; copies without a number, with masks left in them, equal to the answer or to each
    other are left out. Drawn answers of other prompts may stand beside them as texts of likeness 0.
    """

    reads = ("chosen", "other_answers?")
    writes = (
        Column("rejected", "the copy filled in, or another prompt's answer"),
        Column("verdict", "tie at rate 0, else prefer"),
        Column("mask_rate", "share of words masked; null for another's answer", pa.float64(), "share", 0, 1, "neither"),
        Column("similarity", "likeness as trained on", pa.float64(), "likeness", 0, 1, "neither"),
        Column("similarity_raw", "likeness as judged; null where not", pa.float64(), "likeness", 0, 1, "neither"),
        Column("mask_faults", "why other copies of the same answer were left out", pa.list_(pa.string())),
    )
    paper = "CLAIF, Improving Contrastive Learning of Sentence Embeddings from AI Feedback, arXiv 2305.01918"

    writer: Annotated[str, ModelOf("chat")] = "writer"
    """Says again and fills in."""
    judge: Annotated[str, ModelOf("chat")] = "judge"
    """Says how alike two texts are."""
    prompts: str = "mask_infill"
    """The template of the method, or a file."""
    rates: Annotated[tuple[Rate, ...], Field(min_length=1)] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    """Shares of words masked, one copy each; 0 = say it again in other words."""
    merge: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Chance that a mask next to another is merged into it."""
    smooth: bool = True
    """Draw judged likeness in to 0.8 · s + 0.1."""
    per_label: Annotated[int, Field(ge=1)] = 2
    """Most copies of an answer with the same judged likeness."""
    random: Annotated[int, Field(ge=0)] = 2
    """Answers of other prompts (`synth.random_others`) added with likeness 0, which is never smoothed."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Sampling temperature."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Mass of the tokens sampled from."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Most tokens of a copy."""

    def faults(self) -> Sequence[str]:
        return TEMPLATES.faults(self.prompts)

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts)

    def calls_a_row(self) -> float:
        return 2.0 * len(self.rates)

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        text, rng = answer_of(row), ctx.rng(row["id"])
        gapped = [masked(text, rate, Random(rng.random()), self.merge) if rate else text for rate in self.rates]
        copies = await together(*(self._copy(text, *one, ctx) for one in zip(self.rates, gapped, strict=True)))
        kept, wrong = sifted(copies, self.per_label)
        kept += self._others(row, text, ctx)
        if not kept:
            raise Dropped(wrong[0], dict(Counter(wrong)))
        return [one | {"mask_faults": wrong} for one in kept]

    async def _copy(self, text: str, rate: float, gapped: str, ctx: Context) -> Row | str:
        """The copy at one rate with its likeness, or why there is none."""
        part = "fill" if rate else "paraphrase"
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens, self.top_p)
        copy = await writer.verdict(part, {"text": gapped}, seed=ctx.seed)
        if not copy.ok:
            return f"{part}: {copy.outcome.value}"
        if MASK in copy.value:
            return "a mask is left"
        if copy.value.split() == text.split():
            return "nothing changed"
        judge = Writer(ctx.models[self.judge], self.prompts, 0.0, 128)
        values = {"first": text, "second": copy.value}
        said = await judge.verdict("similarity", values, read_json(SIMILARITY), schema=SIMILARITY)
        if not said.ok:
            return f"similarity: {said.outcome.value}"
        raw = float(said.value["similarity"])
        params = {"mask_rate": rate, "masked": gapped if rate else None, "similarity": raw}
        return {
            "rejected": answer(copy.value, made_by(self.name, part, params, writer.model.name, ctx.seed)),
            "verdict": "prefer" if rate else "tie", "mask_rate": rate, "similarity_raw": raw,
            "similarity": smoothed(raw) if self.smooth else raw,
        }  # fmt: skip

    def _others(self, row: Row, text: str, ctx: Context) -> list[Row]:
        origin = made_by(self.name, "random other prompt", {"similarity": 0}, None, ctx.seed)
        drawn = [other for other in row.get("other_answers") or () if other and other.split() != text.split()]
        blank: dict[str, Any] = {"verdict": "prefer", "mask_rate": None, "similarity_raw": None, "similarity": 0.0}
        return [{"rejected": answer(other, origin), **blank} for other in drawn[: self.random]]


def sifted(copies: Sequence[Row | str], per_label: int) -> tuple[list[Row], list[str]]:
    """The copies that are no repeat and not too many of one likeness, and why the others are left out."""
    kept, wrong, labels, seen = list[Row](), list[str](), Counter[float](), set[str]()
    for copy in copies:
        if isinstance(copy, str):
            wrong.append(copy)
            continue
        said = " ".join(copy["rejected"]["text"].split())
        if said in seen:
            wrong.append("repeats another copy")
        elif labels[copy["similarity_raw"]] == per_label:
            wrong.append("one more of its likeness")
        else:
            kept.append(copy)
            labels[copy["similarity_raw"]] += 1
        seen.add(said)
    return kept, wrong

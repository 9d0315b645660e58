"""`synth.mask_infill`: an answer against copies of it whose words were masked and filled in anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Annotated, Final, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Dropped, Map, Row
from ..models.readers import read_json
from .confirming import JUDGED_MARGIN, Aim, target_faults
from .confirming import PROMPTS as CONFIRM
from .listing import TEXT, record
from .making import TEMPLATES, Writer, answer, answer_of, made_by, pictures_of, prompt_of, tried
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
    A target margin picks the rates, and other prompts' answers, that leave an answer so much worse;
    a tie has no margin to aim at and stays.
    """

    reads = ("prompt", "chosen", "other_answers?", "images?")
    writes = (
        Column("rejected", "the copy filled in, or another prompt's answer"),
        Column("verdict", "tie at rate 0, else prefer"),
        Column("mask_rate", "share of words masked; null for another's answer", pa.float64(), "share", 0, 1, "neither"),
        Column("similarity", "likeness as trained on", pa.float64(), "likeness", 0, 1, "neither"),
        Column("similarity_raw", "likeness as judged; null where not", pa.float64(), "likeness", 0, 1, "neither"),
        JUDGED_MARGIN,
        Column("mask_faults", "why other copies of the same answer were left out", pa.list_(pa.string())),
    )
    paper = "CLAIF, Improving Contrastive Learning of Sentence Embeddings from AI Feedback, arXiv 2305.01918"

    writer: Annotated[str, ModelOf("chat")] = "writer"
    """Says again and fills in."""
    judge: Annotated[str, ModelOf("chat")] = "judge"
    """Says how alike two texts are, and rates for a target margin."""
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
    target_margin: tuple[float, float] | None = None
    """Least and greatest margin, in points of 10, that the judge's ratings of the answer and of a negative may have:
    of all rates, and of other prompts' answers, those that fit are kept; null = no rating."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Sampling temperature."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Mass of the tokens sampled from."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Most tokens of a copy."""

    def columns_read(self) -> tuple[str, ...]:
        return ("chosen", "other_answers?", *(("prompt", "images?") if self.target_margin else ()))

    def faults(self) -> Sequence[str]:
        return [*TEMPLATES.faults(self.prompts), *target_faults(self.target_margin, self.judge)]

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts, *([CONFIRM] if self.target_margin else []))

    def calls_a_row(self) -> float:
        ratings = 1 + sum(rate > 0 for rate in self.rates) + self.random if self.target_margin else 0
        return 2.0 * len(self.rates) + ratings

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        text, rng = answer_of(row), ctx.rng(row["id"])
        gapped = [masked(text, rate, Random(rng.random()), self.merge) if rate else text for rate in self.rates]
        aim = Aim(None, "", None, 1)
        if self.target_margin:
            aim = Aim(ctx.models[self.judge], prompt_of(row), self.target_margin, 1, pictures_of(row))
        copies, gone = await tried(*(self._copy(text, *one, aim, ctx) for one in zip(self.rates, gapped, strict=True)))
        kept, wrong = sifted(copies, self.per_label)
        others, off = await tried(*(self._other(text, other, aim, ctx) for other in self._drawn(row, text)))
        wrong = [*(drop.reason for drop in (*gone, *off)), *wrong]
        if not kept and not others:
            margin = {k: v for drop in (*gone, *off) for k, v in (drop.values or {}).items() if k == "margin"}
            raise Dropped(wrong[0], dict(Counter(wrong)) | margin)
        return [one | {"mask_faults": wrong} for one in (*kept, *others)]

    async def _copy(self, text: str, rate: float, gapped: str, aim: Aim, ctx: Context) -> Row:
        """The copy at one rate with its likeness. Raises Dropped, saying why there is none."""
        part = "fill" if rate else "paraphrase"
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens, self.top_p)
        copy: str = await writer.says(part, {"text": gapped}, seed=ctx.seed)
        if MASK in copy:
            raise Dropped("a mask is left")
        if copy.split() == text.split():
            raise Dropped("nothing changed")
        margin = await aim.fit(text, copy) if rate else None
        judge = Writer(ctx.models[self.judge], self.prompts, 0.0, 128)
        values = {"first": text, "second": copy}
        said = await judge.says("similarity", values, read_json(SIMILARITY), schema=SIMILARITY)
        raw = float(said["similarity"])
        params = {"mask_rate": rate, "masked": gapped if rate else None, "similarity": raw, **aim.fitted(margin)}
        return {
            "rejected": answer(copy, made_by(self.name, part, params, writer.model.name, ctx.seed)),
            "verdict": "prefer" if rate else "tie", "mask_rate": rate, "similarity_raw": raw,
            "similarity": smoothed(raw) if self.smooth else raw, "judged_margin": margin,
        }  # fmt: skip

    def _drawn(self, row: Row, text: str) -> list[str]:
        drawn = [other for other in row.get("other_answers") or () if other and other.split() != text.split()]
        return drawn[: self.random]

    async def _other(self, text: str, other: str, aim: Aim, ctx: Context) -> Row:
        margin = await aim.fit(text, other)
        origin = made_by(self.name, "random other prompt", {"similarity": 0, **aim.fitted(margin)}, None, ctx.seed)
        return {
            "rejected": answer(other, origin), "verdict": "prefer", "mask_rate": None, "similarity_raw": None,
            "similarity": 0.0, "judged_margin": margin,
        }  # fmt: skip


def sifted(copies: Sequence[Row], per_label: int) -> tuple[list[Row], list[str]]:
    """The copies that are no repeat and not too many of one likeness, and why the others are left out."""
    kept, wrong, labels, seen = list[Row](), list[str](), Counter[float](), set[str]()
    for copy in copies:
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

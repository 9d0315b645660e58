"""`synth.causal_augment`: an answer rewritten along one attribute that matters, better or worse."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Dropped, Map, Row
from ..models.pictures import Part
from ..models.readers import read_choice, read_yes_no
from .causal_attributes import Attribute, causal_attributes
from .confirming import JUDGED_MARGIN, Aim, Strength, target_faults
from .confirming import PROMPTS as CONFIRM
from .making import TEMPLATES, Writer, answer, made_by, pictures_of, prompt_of, tried

Side = Literal["chosen", "rejected"]
AUGMENTATION: Final = (
    Column("augmentation", "original, causal or neutral", pa.string()),
    Column("origin_hash", "hash of the prompt of the row it was made from", pa.uint64()),
)


@final
@register("synth.causal_augment")
class CausalAugment(Map):
    """Rewrite a pair's answers in one attribute each: a weak answer upgraded, a strong one degraded.

    Attributes are listed from the prompt alone, without naming anything spurious. A judge says where
    an answer stands and whether the edit did what was ordered; an edit that changes the length too
    much is no pair. An upgraded answer is preferred to its base, a base to its degraded form.
    """

    reads = ("prompt", "prompt_hash", "chosen", "rejected", "verdict?", "images?")
    writes = (
        Column("chosen", "the base answer or its upgraded form"),
        Column("rejected", "the base answer or its degraded form"),
        Column("verdict", "prefer for what is made here; the row's own for the original"),
        *AUGMENTATION,
        Column("attribute", "the attribute that was changed", pa.string()),
        Column("direction", "upgrade or degrade", pa.string()),
        Column("base_side", "which answer of the original was rewritten: chosen or rejected", pa.string()),
        Column(
            "length_log_ratio", "ln(words after / words before)", pa.float64(), "log ratio", None, None, "0 is best"
        ),
        JUDGED_MARGIN,
        Column("augment_faults", "why other edits of the same row were not kept", pa.list_(pa.string())),
    )
    paper = "Robust Reward Modeling via Causal Rubrics (Crome), arXiv 2506.16507; bounds and counts: house"

    writer: Annotated[str, ModelOf("chat")] = "writer"
    """Lists attributes and rewrites."""
    judge: Annotated[str, ModelOf("chat")] = "judge"
    """Says where an answer stands, and whether an edit was carried out."""
    prompts: str = "causal_augment"
    """The template of the method, or a file."""
    attributes: Annotated[int, Field(ge=1, le=20)] = 5
    """Most attributes listed for a prompt."""
    refine: bool = True
    """Have the list of attributes revised once."""
    each: Annotated[int, Field(ge=1, le=20)] = 1
    """Attributes along which each answer is rewritten, drawn from the list for the row."""
    strength: Strength = "clear"
    """How much better or worse an edit is to be: subtle, clear or gross."""
    target_margin: tuple[float, float] | None = None
    """Least and greatest margin, in points of 10, between the judge's ratings of an edit and its base: an answer is
    rewritten more or less thoroughly until one fits; null = no rating."""
    tries: Annotated[int, Field(ge=1)] = 3
    """Most rewrites of an answer for a target margin."""
    sides: Annotated[tuple[Side, ...], Field(min_length=1)] = ("chosen", "rejected")
    """Which answers are rewritten."""
    length_ratio: Annotated[float, Field(gt=1)] = 1.5
    """Largest ratio of the words of the longer to those of the shorter of an edit and its base."""
    original: bool = True
    """Keep the row itself beside what is made of it."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Of lists and rewrites."""
    max_tokens: Annotated[int, Field(ge=1)] = 2048
    """Most tokens of a rewrite."""

    def faults(self) -> Sequence[str]:
        return [*TEMPLATES.faults(self.prompts), *target_faults(self.target_margin, self.judge)]

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts, *([CONFIRM] if self.target_margin else []))

    def calls_a_row(self) -> float:
        an_edit = 2 + 3 * self.tries if self.target_margin else 3
        return 1.0 + self.refine + an_edit * len(set(self.sides)) * self.each

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        prompt, pictures, rng = prompt_of(row), pictures_of(row), ctx.rng(row["id"])
        known = await self._attributes(prompt, pictures, ctx)
        plans = [
            (side, attribute)
            for side in dict.fromkeys(self.sides)
            for attribute in rng.sample(known, min(self.each, len(known)))
            if (row[side] or {}).get("text", "")
        ]
        found, wrong = await tried(*(self._pair(row[side], side, at, prompt, pictures, ctx) for side, at in plans))
        if self.original:
            blank = dict.fromkeys(("attribute", "direction", "base_side", "length_log_ratio", "judged_margin"))
            found.insert(0, {"augmentation": "original", "verdict": row.get("verdict") or "prefer", **blank})
        if not found:
            raise Dropped(wrong[0].reason, wrong[0].values) if wrong else Dropped("no answer to rewrite")
        shared = {"origin_hash": row["prompt_hash"], "augment_faults": [fault.reason for fault in wrong]}
        return [child | shared for child in found]

    async def _attributes(self, prompt: str, pictures: Sequence[Part], ctx: Context) -> list[Attribute]:
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, 1024)
        return await causal_attributes(writer, prompt, self.attributes, self.refine, pictures, ctx.seed)

    async def _pair(
        self, base: Row, side: Side, attribute: Attribute, prompt: str, pictures: Sequence[Part], ctx: Context
    ) -> Row:
        """A pair of the base answer and its edit. Raises Dropped, saying why there is none."""
        judge = Writer(ctx.models[self.judge], self.prompts, 0.0, 8)
        values = {"prompt": prompt, "answer": base["text"], **attribute}
        standing = await judge.says("standing", values, read_choice(("weak", "strong")), pictures=pictures)
        direction = "upgrade" if standing == "weak" else "degrade"

        async def make(strength: Strength, number: int) -> str:
            return await self._edit(direction, values | {"strength": strength}, number, pictures, ctx)

        aim = Aim(judge.model, prompt, self.target_margin, self.tries, pictures)
        found = await aim.at(base["text"], make, self.strength, better=direction == "upgrade")
        ratio = _log_ratio(found.made, base["text"])
        params = {"attribute": attribute, "base": side, "log_ratio": round(ratio, 4), **aim.told(found)}
        seed, writer = ctx.seed + found.tries - 1, ctx.models[self.writer].name
        other = answer(found.made, made_by(self.name, direction, params, writer, seed))
        chosen, rejected = (other, base) if direction == "upgrade" else (base, other)
        return {
            "chosen": chosen, "rejected": rejected, "verdict": "prefer", "augmentation": "causal",
            "attribute": attribute["name"], "direction": direction, "base_side": side, "length_log_ratio": ratio,
            "judged_margin": found.margin,
        }  # fmt: skip

    async def _edit(
        self, direction: str, values: Mapping[str, Any], number: int, pictures: Sequence[Part], ctx: Context
    ) -> str:
        """The answer rewritten and found to be so. Raises Dropped when it is not."""
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens)
        text: str = await writer.says(direction, values, seed=ctx.seed + number, pictures=pictures)
        if text.split() == values["answer"].split():
            raise Dropped("nothing rewritten")
        if abs(_log_ratio(text, values["answer"])) > math.log(self.length_ratio):
            raise Dropped("length ratio out of bounds")
        judge = Writer(ctx.models[self.judge], self.prompts, 0.0, 8)
        asked = {**values, "before": values["answer"], "after": text, "direction": direction}
        if not await judge.says("verify", asked, read_yes_no(), pictures=pictures):
            raise Dropped("edit not verified")
        return text


def _log_ratio(after: str, before: str) -> float:
    return math.log(max(len(after.split()), 1) / max(len(before.split()), 1))

"""`synth.causal_augment`: an answer rewritten along one attribute that matters, better or worse."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.registry import register
from ..core.stage import Column, Context, Dropped, Map, ModelOf, Row
from ..models.pictures import Part
from ..models.readers import read_choice, read_json, read_text, read_yes_no
from .confirming import Strength
from .listing import TEXT, listed, record
from .making import TEMPLATES, Writer, answer, made_by, pictures_of, prompt_of, together

Attribute = Mapping[str, str]
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
        return TEMPLATES.faults(self.prompts)

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts)

    def calls_a_row(self) -> float:
        return 1.0 + self.refine + 3 * len(set(self.sides)) * self.each

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        prompt, pictures, rng = prompt_of(row), pictures_of(row), ctx.rng(row["id"])
        known = await self._attributes(prompt, pictures, ctx)
        plans = [
            (side, attribute)
            for side in dict.fromkeys(self.sides)
            for attribute in rng.sample(known, min(self.each, len(known)))
            if (row[side] or {}).get("text", "")
        ]
        made = await together(*(self._edited(row[side], side, at, prompt, pictures, ctx) for side, at in plans))
        found = [child for child in made if not isinstance(child, str)]
        wrong = [fault for fault in made if isinstance(fault, str)]
        if self.original:
            blank = dict.fromkeys(("attribute", "direction", "base_side", "length_log_ratio"))
            found.insert(0, {"augmentation": "original", "verdict": row.get("verdict") or "prefer", **blank})
        if not found:
            raise Dropped(wrong[0] if wrong else "no answer to rewrite")
        return [child | {"origin_hash": row["prompt_hash"], "augment_faults": wrong} for child in found]

    async def _attributes(self, prompt: str, pictures: Sequence[Part], ctx: Context) -> list[Attribute]:
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, 1024)
        schema = listed(record(name=TEXT, meaning=TEXT))
        values: dict[str, Any] = {"prompt": prompt, "most": self.attributes}
        for part in ("attributes", "refine") if self.refine else ("attributes",):
            reply = await writer.says(part, values, read_json(schema), seed=ctx.seed, schema=schema, pictures=pictures)
            values["attributes"] = reply["items"][: self.attributes]
        return list({item["name"]: item for item in values["attributes"] if item["name"].strip()}.values())

    async def _edited(
        self, base: Row, side: Side, attribute: Attribute, prompt: str, pictures: Sequence[Part], ctx: Context
    ) -> Row | str:
        """A pair of the base answer and its edit, or why there is none."""
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens)
        judge = Writer(ctx.models[self.judge], self.prompts, 0.0, 8)
        values = {"prompt": prompt, "answer": base["text"], "strength": self.strength, **attribute}
        standing = await judge.verdict("standing", values, read_choice(("weak", "strong")), pictures=pictures)
        if not standing.ok:
            return f"standing: {standing.outcome.value}"
        direction = "upgrade" if standing.value == "weak" else "degrade"
        edit = await writer.verdict(direction, values, read_text, seed=ctx.seed, pictures=pictures)
        if not edit.ok:
            return f"{direction}: {edit.outcome.value}"
        ratio = math.log(max(len(edit.value.split()), 1) / max(len(base["text"].split()), 1))
        if edit.value.split() == base["text"].split():
            return "nothing rewritten"
        if abs(ratio) > math.log(self.length_ratio):
            return "length ratio out of bounds"
        asked = {"prompt": prompt, "before": base["text"], "after": edit.value, "direction": direction, **attribute}
        check = await judge.verdict("verify", asked, read_yes_no(), pictures=pictures)
        if not (check.ok and check.value):
            return "edit not verified" if check.ok else f"verify: {check.outcome.value}"
        params = {"attribute": attribute, "base": side, "strength": self.strength, "log_ratio": round(ratio, 4)}
        other = answer(edit.value, made_by(self.name, direction, params, writer.model.name, ctx.seed))
        chosen, rejected = (other, base) if direction == "upgrade" else (base, other)
        return {
            "chosen": chosen, "rejected": rejected, "verdict": "prefer", "augmentation": "causal",
            "attribute": attribute["name"], "direction": direction, "base_side": side, "length_log_ratio": ratio,
        }  # fmt: skip

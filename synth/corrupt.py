"""Typed negatives by rule: no model, no call, every change written down."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Annotated, Any, Literal, final

from pydantic import Field

from ..core.registry import register
from ..core.stage import Column, Context, Drop, Map, Row
from .corruptions import (
    Corruption,
    negation,
    shuffled_steps,
    topic_swap,
    truncation,
    wrong_entity,
    wrong_number,
)
from .entities import entity_pool
from .lexicon import KNOWN

Kind = Literal["topic_swap", "wrong_number", "negation", "wrong_entity", "truncation", "shuffled_steps"]


@final
@register("synth.corrupt")
class Corrupt(Map):
    """Pair an answer with copies of it made worse by rule; each says how in its `made_by`.

    Which rules are tried, and in what order, is the row's own chance. A row no rule applies to is
    dropped with the reason "no corruption applies".
    """

    reads = ("prompt", "chosen", "neighbor_answer?", "neighbor_similarity?")
    writes = (Column("rejected", "the answer made worse by rule"), Column("verdict", "always prefer"))
    paper = "FactCC, Kryściński et al. 2020 (numbers, names, negation); the other rules: house"

    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)] = (
        "topic_swap",
        "wrong_number",
        "negation",
        "wrong_entity",
        "truncation",
        "shuffled_steps",
    )
    """Rules allowed. topic_swap needs the columns of `embed.neighbor`."""
    each: Annotated[int, Field(ge=1, le=6)] = 1
    """Negatives made of one row, each by another rule."""

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        answer = (row["chosen"] or {}).get("text")
        if not answer:
            return Drop("no answer to corrupt")
        rng = ctx.rng(row["id"])
        kinds = list(self.kinds)
        rng.shuffle(kinds)
        made: list[Row] = []
        for kind in kinds:
            corruption = _corrupted(kind, answer, row, rng)
            if corruption is not None:
                made.append(self._pair(kind, corruption, ctx))
            if len(made) == self.each:
                break
        return made or Drop("no corruption applies")

    def _pair(self, kind: str, corruption: Corruption, ctx: Context) -> Row:
        params = json.dumps(dict(corruption.params), sort_keys=True, ensure_ascii=False)
        made_by = {"stage": self.name, "method": kind, "params": params, "model": None, "seed": ctx.seed}
        rejected = {"text": corruption.text, "turns": None, "image": None, "model": None, "made_by": made_by}
        return {"rejected": rejected, "verdict": "prefer"}


def _corrupted(kind: str, answer: str, row: Row, rng: Random) -> Corruption | None:
    match kind:
        case "topic_swap":
            neighbor = row.get("neighbor_answer")
            return topic_swap(answer, neighbor) if neighbor else None
        case "wrong_number":
            return wrong_number(answer, rng)
        case "negation":
            return negation(answer, rng)
        case "wrong_entity":
            return wrong_entity(answer, rng, _names(row))
        case "truncation":
            return truncation(answer, rng)
    return shuffled_steps(answer, rng)


def _names(row: Row) -> dict[str, Sequence[str]]:
    """Names to choose from: those of the nearest other answer first, then the lexicon's."""
    near: dict[str, Any] = dict(entity_pool([row.get("neighbor_answer") or ""]))
    return {kind: (*near.get(kind, ()), *sorted(KNOWN.get(kind, ()))) for kind in {*near, *KNOWN}}

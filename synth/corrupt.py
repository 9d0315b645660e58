"""`synth.corrupt`: typed negatives by rule, every change written down; no model, unless a margin is aimed at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Annotated, Any, Literal, final

from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Drop, Dropped, Map, Row
from .confirming import JUDGED_MARGIN, PROMPTS, Aim, target_faults
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
from .making import TEMPLATES, prompt_of

Kind = Literal["topic_swap", "wrong_number", "negation", "wrong_entity", "truncation", "shuffled_steps"]


@final
@register("synth.corrupt")
class Corrupt(Map):
    """Pair an answer with copies of it made worse by rule; each says how in its `made_by`.

    Which rules are tried, and in what order, is the row's own chance. A row no rule applies to is
    dropped with the reason "no corruption applies". A rule has no degrees: a target margin picks among rules.
    """

    reads = ("prompt", "chosen", "neighbor_answer?", "neighbor_similarity?")
    writes = (Column("rejected", "the answer made worse by rule"), Column("verdict", "always prefer"), JUDGED_MARGIN)
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
    judge: Annotated[str | None, ModelOf("chat")] = None
    """Rates both answers where a target margin is given."""
    target_margin: tuple[float, float] | None = None
    """Least and greatest margin, in points of 10, that a judge's ratings of both answers may have: rules are tried in
    turn until `each` of them have made a negative that fits; null = no rating."""

    def columns_written(self) -> tuple[Column, ...]:
        return tuple(one for one in Map.columns_written(self) if self.target_margin or one.name != JUDGED_MARGIN.name)

    def faults(self) -> Sequence[str]:
        return target_faults(self.target_margin, self.judge)

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(PROMPTS) if self.target_margin else ()

    def calls_a_row(self) -> float:
        return 1.0 + len(set(self.kinds)) if self.target_margin else 0.0

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        answer = (row["chosen"] or {}).get("text")
        if not answer:
            return Drop("no answer to corrupt")
        rng = ctx.rng(row["id"])
        kinds = list(self.kinds)
        rng.shuffle(kinds)
        judge = ctx.models[self.judge] if self.judge else None
        aim = Aim(judge, prompt_of(row) if self.target_margin else "", self.target_margin, 1)
        made, far = list[Row](), list[Drop]()
        for kind in kinds:
            corruption = _corrupted(kind, answer, row, rng)
            if corruption is None:
                continue
            try:
                made.append(self._pair(kind, corruption, await aim.fit(answer, corruption.text), aim, ctx))
            except Dropped as dropped:
                far.append(dropped.drop)
            if len(made) == self.each:
                break
        return made or (far[-1] if far else Drop("no corruption applies"))

    def _pair(self, kind: str, corruption: Corruption, margin: float | None, aim: Aim, ctx: Context) -> Row:
        params = json.dumps({**corruption.params, **aim.fitted(margin)}, sort_keys=True, ensure_ascii=False)
        made_by = {"stage": self.name, "method": kind, "params": params, "model": None, "seed": ctx.seed}
        rejected = {"text": corruption.text, "turns": None, "image": None, "model": None, "made_by": made_by}
        told = {"judged_margin": margin} if self.target_margin else {}
        return {"rejected": rejected, "verdict": "prefer", **told}


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

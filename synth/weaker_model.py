"""`synth.weaker_model`: the worse answer comes from a weaker model, or from a good one with less to work with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final, Literal, final

from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.paid import Reply
from ..core.registry import register
from ..core.stage import Context, Dropped, Map, Row
from ..models.readers import read_text
from ..models.verdict import Verdict
from .confirming import JUDGED_MARGIN, PROMPTS, Aim, Strength, target_faults
from .making import TEMPLATES, answer, answer_of, answered, made_by, messages_of, pictures_of, prompt_of

DEGREES: Final[Mapping[Strength, float]] = {"subtle": 0.5, "clear": 1.0, "gross": 1.5}
"""Times the temperature given, and one over it times the tokens where running out of them is kept."""


@final
@register("synth.weaker_model")
class WeakerModel(Map):
    """Have a weaker model answer the prompt: its answer is rejected, the row's own or a stronger model's chosen.

    The same model may serve both when it is given fewer tokens or a higher temperature here. That one model
    is the weaker on average says nothing of a single answer: have pairs confirmed (`synth.confirm_worse`).
    """

    reads = ("prompt", "chosen?", "images?")
    writes = (
        Column("chosen", "the better answer"),
        Column("rejected", "the weaker model's answer"),
        Column("verdict", "always prefer"),
        JUDGED_MARGIN,
    )
    paper = "house: a stronger model's answer over a weaker one's"

    weak: Annotated[str, ModelOf("chat")] = "weak"
    """Who writes the worse answer."""
    writer: Annotated[str | None, ModelOf("chat")] = None
    """Who writes the better answer; null = it is the row's chosen."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Sampling temperature of the worse answer; the better one is sampled at 0.7."""
    top_p: Annotated[float | None, Field(gt=0, le=1)] = None
    """Mass of the tokens the worse answer is sampled from; null = the endpoint's own."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Most tokens of the worse answer."""
    cut_off: Literal["keep", "drop"] = "drop"
    """Whether a worse answer that ran out of tokens is kept: with few tokens that is what makes it worse."""
    most_tokens: Annotated[int, Field(ge=1)] = 2048
    """Most tokens of the better answer."""
    judge: Annotated[str | None, ModelOf("chat")] = None
    """Rates both answers where a target margin is given."""
    strength: Strength = "clear"
    """How much the weaker model is held back: clear is as given here; subtle halves the temperature, gross has half as
    much again, at most 2; where `cut_off` is keep, subtle has twice the tokens and gross two thirds."""
    target_margin: tuple[float, float] | None = None
    """Least and greatest margin, in points of 10, that a judge's ratings of both answers may have: the weaker model is
    asked again, held back more or less, until an answer fits; null = no rating."""
    tries: Annotated[int, Field(ge=1)] = 3
    """Most answers of the weaker model for a target margin."""

    def faults(self) -> Sequence[str]:
        return target_faults(self.target_margin, self.judge)

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(PROMPTS) if self.target_margin else ()

    def columns_read(self) -> tuple[str, ...]:
        return ("prompt", "images?") if self.writer else ("prompt", "chosen", "images?")

    def calls_a_row(self) -> float:
        return float(self.writer is not None) + (1 + 2 * self.tries if self.target_margin else 1)

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        messages = messages_of(row)
        better = await self._better(row, messages, ctx)

        async def make(strength: Strength, number: int) -> tuple[str, dict[str, Any]]:
            said, params = await self._worse(messages, strength, ctx.seed + number, ctx)
            if better["text"].split() == said.split():
                raise Dropped("both answers are the same")
            return said, params

        judge = ctx.models[self.judge] if self.judge else None
        aim = Aim(judge, prompt_of(row), self.target_margin, self.tries, pictures_of(row))
        found = await aim.at(better["text"], make, self.strength, text_of=lambda made: made[0])
        (text, params), seed = found.made, ctx.seed + found.tries - 1
        origin = made_by(self.name, "weaker", params | aim.told(found), ctx.models[self.weak].name, seed)
        worse = answer(text, origin)
        return [{"chosen": better, "rejected": worse, "verdict": "prefer", "judged_margin": found.margin}]

    async def _better(self, row: Row, messages: Sequence[dict[str, Any]], ctx: Context) -> Row:
        if self.writer is None:
            answer_of(row)
            return dict(row["chosen"])
        model = ctx.models[self.writer]
        params = {"temperature": 0.7, "max_tokens": self.most_tokens}
        verdict = await answered(model, messages, temperature=0.7, max_tokens=self.most_tokens, seed=ctx.seed)
        said = _sound("chosen", verdict)
        return answer(said, made_by(self.name, "stronger", params, model.name, ctx.seed))

    async def _worse(
        self, messages: Sequence[dict[str, Any]], strength: Strength, seed: int, ctx: Context
    ) -> tuple[str, dict[str, Any]]:
        """What the weaker model says, and how it was sampled."""
        cut, degree = self.cut_off == "keep", DEGREES[strength]
        temperature = min(self.temperature * degree, 2.0)
        tokens = max(1, round(self.max_tokens / degree)) if cut else self.max_tokens
        read, weak = _read_cut if cut else read_text, ctx.models[self.weak]
        verdict = await answered(
            weak, messages, read, temperature=temperature, top_p=self.top_p, max_tokens=tokens, seed=seed
        )
        return _sound("rejected", verdict), {"temperature": temperature, "top_p": self.top_p, "max_tokens": tokens}


def _sound(side: str, verdict: Verdict) -> str:
    if not verdict.ok:
        raise Dropped(f"{side}: {verdict.outcome.value}", {"reply": verdict.why[:500]})
    return str(verdict.value)


def _read_cut(reply: Reply) -> Verdict:
    return read_text(replace(reply, finish="stop") if reply.finish == "length" else reply)

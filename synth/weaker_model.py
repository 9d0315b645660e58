"""`synth.weaker_model`: the worse answer comes from a weaker model, or from a good one with less to work with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, final

from pydantic import Field

from ..core.paid import Reply
from ..core.registry import register
from ..core.stage import Column, Context, Dropped, Map, ModelOf, Row
from ..models.readers import read_text
from ..models.verdict import Verdict
from .making import answer, answer_of, answered, made_by, messages_of, together


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

    def columns_read(self) -> tuple[str, ...]:
        return ("prompt", "images?") if self.writer else ("prompt", "chosen", "images?")

    def calls_a_row(self) -> float:
        return 2.0 if self.writer else 1.0

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        messages = messages_of(row)
        if self.writer is None:
            answer_of(row)
        better, worse = await together(self._better(row, messages, ctx), self._worse(messages, ctx))
        if " ".join(better["text"].split()) == " ".join(worse["text"].split()):
            raise Dropped("both answers are the same")
        return [{"chosen": better, "rejected": worse, "verdict": "prefer"}]

    async def _better(self, row: Row, messages: Sequence[dict[str, Any]], ctx: Context) -> Row:
        if self.writer is None:
            return dict(row["chosen"])
        model = ctx.models[self.writer]
        params = {"temperature": 0.7, "max_tokens": self.most_tokens}
        verdict = await answered(model, messages, temperature=0.7, max_tokens=self.most_tokens, seed=ctx.seed)
        said = _sound("chosen", verdict)
        return answer(said, made_by(self.name, "stronger", params, model.name, ctx.seed))

    async def _worse(self, messages: Sequence[dict[str, Any]], ctx: Context) -> Row:
        model = ctx.models[self.weak]
        params = {"temperature": self.temperature, "top_p": self.top_p, "max_tokens": self.max_tokens}
        read = _read_cut if self.cut_off == "keep" else read_text
        verdict = await answered(
            model, messages, read, temperature=self.temperature, top_p=self.top_p, max_tokens=self.max_tokens,
            seed=ctx.seed,
        )  # fmt: skip
        said = _sound("rejected", verdict)
        return answer(said, made_by(self.name, "weaker", params, model.name, ctx.seed))


def _sound(side: str, verdict: Verdict) -> str:
    if not verdict.ok:
        raise Dropped(f"{side}: {verdict.outcome.value}", {"reply": verdict.why[:500]})
    return str(verdict.value)


def _read_cut(reply: Reply) -> Verdict:
    return read_text(replace(reply, finish="stop") if reply.finish == "length" else reply)

"""`score.reward_model` and `score.logprob`: what a model in this process makes of each answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import Answer, Of, answers_in, columns_of, laid_out, sides
from ..models.talks import Talk


@final
@register("score.reward_model")
class RewardModelScore(Score):
    """The reward a published reward model gives each answer, higher is better.

    Rewards are comparable within a prompt; `filter.margin` takes their difference by `score`. An
    answer the model cannot read to its end has none. Written as chosen_<column> and
    rejected_<column>, or as lists with one value a candidate.
    """

    reads = ("prompt",)
    writes = (
        Column("{column}", "reward of the answer", pa.float64(), "the model's own", None, None, "higher"),
        Column("{column}_outcome", "ok, or truncated: longer than the model reads", pa.string()),
    )
    paper = "Ouyang et al., arXiv 2203.02155"

    model: Annotated[str, ModelOf("reward_model")] = "reward_model"
    """The reward model."""
    of: Of = "pair"
    """What is scored: both sides of a pair, every candidate, or the chosen answer."""
    column: str = "reward"
    """Name of the score: columns begin with it, after the side."""
    most: Annotated[int, Field(ge=1)] = 64
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(Score.columns_written(self), self.of)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        answers, prompts, said = talks_in(batch, self.of, self.most)
        rewards = ctx.models[self.model].rewards(prompts, said)
        found = [_read({self.column: reward}, self.column) for reward in rewards.tolist()]
        return laid_out(Score.columns_written(self), self.of, batch, answers, found)


@final
@register("score.logprob")
class LogProb(Score):
    """How probable a language model finds each answer: the sum of log p over its tokens, and their mean.

    With the reference model of a later DPO run this is the reference log-probability; the gap between
    the sides is what `filter.reference_gap` decides on. A higher number is no better answer.
    """

    reads = ("prompt",)
    writes = (
        Column("{column}", "log-probability of the answer, summed", pa.float64(), "nats", None, 0, "neither"),
        Column("{column}_mean", "the same per token", pa.float64(), "nats a token", None, 0, "neither"),
        Column("{column}_tokens", "tokens of the answer, its end included", pa.int32(), "tokens", 0, None, "neither"),
        Column("{column}_outcome", "ok, or truncated: longer than the model reads", pa.string()),
    )
    paper = "Direct Preference Optimization, arXiv 2305.18290"

    model: Annotated[str, ModelOf("causal_lm")] = "causal_lm"
    """The language model, such as the one training will start from."""
    of: Of = "pair"
    """What is scored: both sides of a pair, every candidate, or the chosen answer."""
    column: str = "ref_logp"
    """Name of the score: columns begin with it, after the side."""
    most: Annotated[int, Field(ge=1)] = 64
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(Score.columns_written(self), self.of)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        answers, prompts, said = talks_in(batch, self.of, self.most)
        sums, counts = ctx.models[self.model].logprobs(prompts, said)
        found = [self._found(total, n) for total, n in zip(sums.tolist(), counts.tolist(), strict=True)]
        return laid_out(Score.columns_written(self), self.of, batch, answers, found)

    def _found(self, total: float, tokens: float) -> dict[str, Any]:
        told: dict[str, Any] = {self.column: total}
        if not np.isnan(total):
            mean = total / tokens if tokens else None
            told |= {f"{self.column}_mean": mean, f"{self.column}_tokens": int(tokens)}
        return _read(told, self.column)


def talks_in(batch: pa.Table, of: Of, most: int) -> tuple[list[Answer], list[Talk], list[Talk]]:
    """The answers of a batch that have a prompt, their prompts and themselves as messages {role, content}."""
    prompts = [_messages(prompt) for prompt in batch["prompt"].to_pylist()]
    answers = [answer for answer in answers_in(batch, of, most) if prompts[answer.row]]
    turns = _turns(batch, of)
    said = [turns.get((a.row, a.place)) or [{"role": "assistant", "content": a.text}] for a in answers]
    return answers, [prompts[a.row] for a in answers], said


def _turns(batch: pa.Table, of: Of) -> dict[tuple[int, int], Talk]:
    """The turns of answers that have several, by row and place."""
    columns = [batch[side].combine_chunks() for side in sides(of)]
    if of == "candidates":
        rows = pc.list_parent_indices(columns[0]).to_pylist()
        first: dict[int, int] = {}
        keys = [(row, k - first.setdefault(row, k)) for k, row in enumerate(rows)]
        columns = [columns[0].flatten()]
    else:
        keys = [(row, place) for place in range(len(columns)) for row in range(batch.num_rows)]
    every = [turns for column in columns for turns in pc.struct_field(column, "turns").to_pylist()]
    return {key: _messages(turns) for key, turns in zip(keys, every, strict=True) if turns}


def _messages(turns: Sequence[dict[str, Any]] | None) -> Talk:
    return [{"role": m["role"] or "user", "content": m["content"] or ""} for m in turns or ()]


def _read(told: dict[str, Any], column: str) -> dict[str, Any]:
    if np.isnan(told[column]):
        return {f"{column}_outcome": "truncated"}
    return told | {f"{column}_outcome": "ok"}

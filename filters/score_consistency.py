"""`score.self_consistency` and `score.p_ik`: what repeated answers of one model say about a prompt."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.final_answer import final_answer, plain
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import Of, answers_in, columns_of, laid_out, sides
from .drawing import UNSURE, drawn
from .judging import texts_of


@final
@register("score.self_consistency")
class SelfConsistency(Score):
    """Draw answers from a model and let their ends vote: each answer's score is the share that ends like it.

    `_answer` is the most frequent end (of equal ones the first drawn), `_top` its share. For prompts
    with one short right answer. Wang et al., 2022; as preferences: ScPO (Prasad et al., 2024).
    """

    reads = ("prompt", "images?")
    writes = (
        Column("{column}_answer", "the end most drawn answers have", pa.string()),
        Column("{column}_top", "share of drawn answers with that end", pa.float64(), "share", 0, 1, "higher"),
        Column("{column}_outcome", "how the reply ended", pa.string()),
        Column("{column}", "share of drawn answers that end like this one", pa.float64(), "share", 0, 1, "higher"),
    )
    paper = "Self-consistency, arXiv 2203.11171; ScPO, arXiv 2411.04109"

    model: Annotated[str, ModelOf("chat")] = "judge"
    """Who answers."""
    of: Of = "pair"
    """What is scored: both sides of a pair, every candidate, or the chosen answer."""
    column: str = "consistency"
    """Name of the score: columns begin with it, after the side."""
    samples: Annotated[int, Field(ge=2, le=128)] = 8
    """Answers drawn a prompt."""
    temperature: Annotated[float, Field(gt=0, le=2)] = 1.0
    """Sampling temperature."""
    max_tokens: Annotated[int, Field(ge=1)] = 512
    """Most tokens of a drawn answer; one cut off is left out."""

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        columns = Score.columns_written(self)
        return (*columns[:-1], *columns_of(columns[-1:], self.of))

    def calls_a_row(self) -> float:
        return 1.0

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        draws = drawn(ctx.models[self.model], batch, self.samples, self.temperature, self.max_tokens)
        votes = [Counter(map(final_answer, d.value)) if d is not None and d.ok else None for d in draws]
        answers = answers_in(batch, self.of)
        found: list[dict[str, Any]] = []
        for answer in answers:
            vote = votes[answer.row]
            share = vote[final_answer(answer.text)] / vote.total() if vote else None
            found.append({self.column: share})
        tops = [vote.most_common(1)[0] if vote else None for vote in votes]
        shares = [top[1] / vote.total() if top and vote else None for top, vote in zip(tops, votes, strict=True)]
        return {
            f"{self.column}_answer": pa.array([top[0] if top else None for top in tops], pa.string()),
            f"{self.column}_top": pa.array(shares, pa.float64()),
            f"{self.column}_outcome": pa.array([d.outcome.value if d else None for d in draws], pa.string()),
            **laid_out(Score.columns_written(self)[-1:], self.of, batch, answers, found),
        }


@final
@register("score.p_ik")
class PIK(Score):
    """P(I know): the share of a model's drawn answers to a prompt that are right.

    Right is an answer whose end equals the reference's, or that contains the reference. A refusal is
    not right. How hard the prompt is for this model, and the target its own P(IK) head would learn.
    Kadavath et al., 2022.
    """

    reads = ("prompt", "{reference}", "images?")
    writes = (
        Column("{column}", "share of drawn answers that are right", pa.float64(), "share", 0, 1, "higher: known"),
        Column("{column}_refused", "share of drawn answers that decline", pa.float64(), "share", 0, 1, "neither"),
        Column("{column}_outcome", "how the reply ended", pa.string()),
    )
    paper = "Language Models (Mostly) Know What They Know, arXiv 2207.05221"

    model: Annotated[str, ModelOf("chat")] = "judge"
    """Whose knowledge is measured."""
    reference: str = "reference"
    """Column with the right answer, as text or as an answer."""
    column: str = "p_ik"
    """Name of the score."""
    match: Literal["end", "contains"] = "end"
    """An answer is right when it ends like the reference, or when it contains it."""
    samples: Annotated[int, Field(ge=1, le=128)] = 30
    """Answers drawn a prompt."""
    temperature: Annotated[float, Field(gt=0, le=2)] = 1.0
    """Sampling temperature."""
    max_tokens: Annotated[int, Field(ge=1)] = 256
    """Most tokens of a drawn answer; one cut off is left out."""

    def calls_a_row(self) -> float:
        return 1.0

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        draws = drawn(ctx.models[self.model], batch, self.samples, self.temperature, self.max_tokens)
        references = texts_of(batch, self.reference)[0]
        shares: list[float | None] = [None] * batch.num_rows
        declined: list[float | None] = [None] * batch.num_rows
        for i, draw in enumerate(draws):
            reference = references[i]
            if draw is not None and draw.ok and reference is not None:
                shares[i] = sum(self._right(text, reference) for text in draw.value) / len(draw.value)
                declined[i] = draw.value.count(UNSURE) / len(draw.value)
        outcomes = [d.outcome.value if d and references[i] is not None else None for i, d in enumerate(draws)]
        return {
            self.column: pa.array(shares, pa.float64()), f"{self.column}_refused": pa.array(declined, pa.float64()),
            f"{self.column}_outcome": pa.array(outcomes, pa.string()),
        }  # fmt: skip

    def _right(self, text: str, reference: str) -> bool:
        if text == UNSURE:
            return False
        return plain(reference) in plain(text) if self.match == "contains" else _same_end(text, reference)


def _same_end(text: str, reference: str) -> bool:
    return final_answer(text) == final_answer(reference)

"""`synth.self_critique`: both answers criticised and scored often, and whether the scores bear out the label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Drop, Map, Row
from ..models.critiques import Critique, read_scored
from .critique_records import CRITIQUES, critique_value, question_of
from .making import TEMPLATES, Writer, answer_of, pictures_of, sample_seeds, together

DRAWS = 1000
"""Bootstrap samples behind `noise_score`."""


@final
@register("synth.self_critique")
class SelfCritique(Map):
    """Sample critiques of both answers, each ending in a score, and compare the mean scores.

    `consistency` is `agree` where the chosen answer's mean is the higher, `conflict` where it is the
    lower, `tie` where they are equal, and null where either side has fewer than `least` sound critiques:
    a score that cannot be read is none, never a low one. `noise_score` tells of wrong labels without any
    training. The critiques stay in `chosen_critiques` and `rejected_critiques` for `synth.critique_merge`.
    """

    reads = ("prompt", "chosen", "rejected", "verdict?", "images?")
    writes = (
        Column("chosen_critiques", "sound critiques of the chosen answer", CRITIQUES),
        Column("rejected_critiques", "sound critiques of the rejected answer", CRITIQUES),
        Column("chosen_critique_score", "their mean score", pa.float64(), "of the critic", None, None, "higher"),
        Column("rejected_critique_score", "their mean score", pa.float64(), "of the critic", None, None, "higher"),
        Column("consistency", "agree, conflict or tie: mean scores against the label", pa.string()),
        Column(
            "noise_score", "1 - P(chosen's mean score is the higher), by bootstrap over critiques; ties count half",
            pa.float64(), "probability", 0, 1, "lower",
        ),
    )  # fmt: skip
    paper = "Critic-RM, arXiv 2411.16646; noise_score: house"

    n: Annotated[int, Field(ge=1, le=64)] = 10
    """Critiques of each answer."""
    least: Annotated[int, Field(ge=1)] = 3
    """Fewest sound critiques of an answer that make a mean."""
    low: int = 1
    """Lowest score."""
    high: int = 10
    """Highest score."""
    writer: Annotated[str, ModelOf("chat")] = "writer"
    """The critic; in the paper the model that is trained."""
    prompts: str = "self_critique"
    """Template of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.9
    """Of the critic."""
    max_tokens: Annotated[int, Field(ge=16)] = 1024
    """Most tokens of a critique."""

    def faults(self) -> Sequence[str]:
        found = list(TEMPLATES.faults(self.prompts))
        if self.least > self.n:
            found.append(f"least ({self.least}) is above n ({self.n})")
        if self.low >= self.high:
            found.append(f"low ({self.low}) is not below high ({self.high})")
        return found

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts)

    def calls_a_row(self) -> float:
        return 2.0 * self.n

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        if row.get("verdict") == "tie":
            return Drop("tie")
        question = question_of(row)
        sides = answer_of(row), answer_of(row, "rejected")
        found = await together(*(self._critiques(row, ctx, question, side) for side in sides))
        scores = [np.array([c.score for c in critiques], np.float64) for critiques in found]
        told: Row = {"consistency": None, "noise_score": None}
        critic = ctx.models[self.writer].name
        for side, critiques, values in zip(("chosen", "rejected"), found, scores, strict=True):
            told[f"{side}_critiques"] = [critique_value(c.text, critic, score=c.score) for c in critiques]
            told[f"{side}_critique_score"] = float(values.mean()) if len(values) >= self.least else None
        if min(map(len, scores)) >= self.least:
            rng = np.random.default_rng(ctx.rng(row["id"]).getrandbits(64))
            told["consistency"] = consistency(scores[0], scores[1])
            told["noise_score"] = noise_score(scores[0], scores[1], rng)
        return [told]

    async def _critiques(self, row: Row, ctx: Context, question: str, response: str) -> list[Critique]:
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens)
        values = {"question": question, "response": response, "low": self.low, "high": self.high}
        found = await together(
            *(
                writer.verdict(
                    "critique", values, read_scored(self.low, self.high), seed=seed, pictures=pictures_of(row)
                )
                for seed in sample_seeds(ctx, self.n)
            )
        )
        return [verdict.value for verdict in found if verdict.ok]


def consistency(chosen: np.ndarray, rejected: np.ndarray) -> str:
    """Whether the mean score of the chosen side's critiques [n] is above (agree), below (conflict) or equal."""
    gap = np.sign(float(chosen.mean()) - float(rejected.mean()))
    return {1.0: "agree", -1.0: "conflict", 0.0: "tie"}[float(gap)]


def noise_score(chosen: np.ndarray, rejected: np.ndarray, rng: np.random.Generator, draws: int = DRAWS) -> float:
    """1 - P(mean of chosen > mean of rejected) in [0, 1] over bootstrap samples of both; equal means count half."""
    means = [scores[rng.integers(0, len(scores), (draws, len(scores)))].mean(axis=1) for scores in (chosen, rejected)]
    gap = means[0] - means[1]
    return 1.0 - float((gap > 0).mean() + 0.5 * (gap == 0).mean())

"""Pairs and questions that are decided without their picture: they teach nothing about seeing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Final, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.final_answer import final_answer
from ..core.registry import register
from ..core.row import flat
from ..core.stage import Columns, Context, Gate, Score
from ..models.answers import answers_in, by_row
from ..models.asking import shared_outcome
from ..models.comparing import Match, Referee, mean_lead
from ..models.verdict import Verdict
from .drawing import drawn
from .judging import digests, template, template_faults, texts_of
from .reasons import first_reasons, floats

_PAPER: Final = "DatBench (items solved without the image); the rule for preferences: house"


@final
@register("score.blind_preference")
class BlindPreference(Score):
    """Have a pair judged without its pictures, in both orders: `blind_p` is the chance for chosen.

    A judge that is sure without seeing decides by language alone. Without log-probabilities a verdict
    is 1, ½ or 0, so that `blind_p` is 1 only when both orders agree.
    """

    reads = ("prompt", "chosen", "rejected")
    writes = (
        Column(
            "blind_p",
            "chance that chosen is better, judged without pictures",
            pa.float64(),
            "probability",
            0,
            1,
            "higher: chosen better",
        ),
        Column("blind_p_outcome", "how the replies ended, or no text", pa.string()),
    )
    paper = _PAPER

    model: Annotated[str, ModelOf("chat")] = "judge"
    """The judge."""
    soft: bool = False
    """Read the chances of A and B off the log-probabilities of the verdict's token."""
    reason: bool = False
    """Let the judge write its reasons before the verdict."""
    samples: Annotated[int, Field(ge=1, le=64)] = 1
    """Replies a question, more than half of which must be sound: their shares are the chances."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Sampling temperature; above 0 when there are several samples."""
    template: str = "pairwise"
    """A template of the package, or a file."""

    def faults(self) -> Sequence[str]:
        found = template_faults(self.template)
        if self.samples > 1 and self.temperature == 0:
            found.append("several samples at temperature 0 are all alike: give a temperature such as 1")
        return found

    def materials(self) -> tuple[str, ...]:
        return digests(self.template)

    def calls_a_row(self) -> float:
        return 2.0

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        rows = by_row(answers_in(batch, "pair"), batch.num_rows)
        prompts = texts_of(batch, "prompt")[0]
        judged = [i for i, two in enumerate(rows) if len(two) == 2 and all(one.text.strip() for one in two)]
        matches = [
            Match(prompts[i] or "", replace(rows[i][0], picture=None), replace(rows[i][1], picture=None))
            for i in judged
        ]
        referee = Referee(
            ctx.models[self.model], template(self.template), True, self.reason, True, self.soft, self.temperature,
            None, self.samples,
        )  # fmt: skip
        found: list[dict[str, Any]] = [{"blind_p_outcome": "no text"} for _ in rows]
        for i, both in zip(judged, referee.both(matches), strict=True):
            found[i] = {"blind_p": mean_lead(both), "blind_p_outcome": shared_outcome(both)}
        return {c.name: pa.array([row.get(c.name) for row in found], c.type) for c in self.columns_written()}


@final
@register("score.blind_accuracy")
class BlindAccuracy(Score):
    """Share of answers drawn without the picture that come to the reference's result.

    Answers and reference are compared by their end results. A refusal is a wrong answer; null where
    fewer than half of the answers can be read.
    """

    reads = ("prompt", "{reference}")
    writes = (
        Column("blind_accuracy", "share of right answers without the picture", pa.float64(), "share", 0, 1, "lower"),
        Column("blind_accuracy_outcome", "how the replies ended, or no prompt or reference", pa.string()),
    )
    paper = _PAPER

    model: Annotated[str, ModelOf("chat")] = "judge"
    """Who answers."""
    reference: str = "reference"
    """Column with the right answer, as text."""
    samples: Annotated[int, Field(ge=1, le=64)] = 4
    """Answers drawn a row."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Sampling temperature; above 0 when there are several samples."""
    max_tokens: Annotated[int, Field(ge=1)] = 512
    """Most tokens of an answer."""

    def faults(self) -> Sequence[str]:
        alike = self.samples > 1 and self.temperature == 0
        return ["several samples at temperature 0 are all alike: give a temperature such as 0.7"] if alike else []

    def calls_a_row(self) -> float:
        return 1.0

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        blind = batch.drop_columns(["images"]) if "images" in batch.column_names else batch
        found = drawn(ctx.models[self.model], blind, self.samples, self.temperature, self.max_tokens)
        references = flat(batch[self.reference]).cast(pa.string()).to_pylist()
        told = [self._told(verdict, reference) for verdict, reference in zip(found, references, strict=True)]
        return {
            "blind_accuracy": pa.array([share for share, _ in told], pa.float64()),
            "blind_accuracy_outcome": pa.array([outcome for _, outcome in told], pa.string()),
        }

    def _told(self, verdict: Verdict | None, reference: str | None) -> tuple[float | None, str]:
        if verdict is None or not final_answer(reference or ""):
            return None, "no prompt" if verdict is None else "no reference"
        if not verdict.ok:
            return None, verdict.outcome.value
        right = [final_answer(text) == final_answer(reference or "") for text in verdict.value]
        return sum(right) / len(right), "ok"


@final
@register("filter.blind_solvable")
class BlindSolvable(Gate):
    """Drop rows that are decided without their picture; rows that could not be judged so are kept.

    For pairs: `blind_p` of at least `least`, and with `seen` only where the judge that saw the picture
    decided for the same side. For questions: `column: blind_accuracy`.
    """

    reads = ("{column}", "{seen}")
    paper = _PAPER

    column: str = "blind_p"
    """Column that says how sure the answer is without the picture."""
    least: Annotated[float, Field(gt=0.5, le=1)] = 1.0
    """Smallest value at which a row is decided; 1 = every order, or every sample."""
    seen: str = ""
    """Column of the chance that chosen is better, judged with the picture (judge_p); empty = not asked."""
    unjudged: bool = True
    """Keep rows without a value."""

    def why_drop(self, batch: pa.Table) -> pa.Array:
        blind = floats(batch[self.column])
        decided = blind >= self.least
        if self.seen:
            decided &= floats(batch[self.seen]) > 0.5
        rules = [(decided, "decided without the picture")]
        if not self.unjudged:
            rules.insert(0, (np.isnan(blind), "not judged without the picture"))
        return first_reasons(len(blind), rules)

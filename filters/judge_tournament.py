"""`judge.tournament`: the best of a row's candidates by a knock-out of N - 1 matches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import Answer, answers_in, by_row
from ..models.asking import shared_outcome
from ..models.comparing import Match, Referee, mean_lead
from .judging import asides, digests, pictures_of, template, template_faults, texts_of


@final
@dataclass
class Bracket:
    """One row's knock-out: who is still in, rounds survived by place, and why it stopped early."""

    still_in: list[Answer]
    rounds: dict[int, int] = field(default_factory=dict)
    outcome: str = "ok"

    def open(self) -> bool:
        """Whether a match is still to be played."""
        return self.outcome == "ok" and len(self.still_in) > 1

    def next_matches(self) -> list[tuple[Answer, Answer]]:
        """Neighbours meet; an odd one out goes through without a match."""
        return list(zip(self.still_in[::2], self.still_in[1::2], strict=False))

    def enter(self, winners: Sequence[Answer]) -> None:
        """Take the round's winners on, with the odd one out behind them."""
        self.still_in = [*winners, *self.still_in[2 * len(winners) :]]
        for answer in self.still_in:
            self.rounds[answer.place] = self.rounds.get(answer.place, 0) + 1


@final
@register("judge.tournament")
class JudgeTournament(Score):
    """Find a row's best candidate by a knock-out: N - 1 matches, each the mean of both orders.

    The draw depends on (seed, stage, row) alone; at equal chances the one drawn first goes on. Writes
    the winner's place and the rounds each candidate survived, with a match or without one (the
    winner's are the most), from which `pair.extremes` makes pairs. SELF-JUDGE (Lee et al., 2024).
    """

    reads = ("id", "prompt", "candidates", "{reference}?", "images?")
    writes = (
        Column("{column}_rounds", "rounds survived", pa.list_(pa.float64()), "rounds", 0, None, "higher"),
        Column(
            "{column}_best", "place of the winner among the candidates, from 0", pa.int32(), "place", 0, None, "neither"
        ),  # noqa: E501
        Column("{column}_outcome", "how the replies ended", pa.string()),
    )
    paper = "SELF-JUDGE, arXiv 2402.11253"

    model: Annotated[str, ModelOf("chat")] = "judge"
    """The judge."""
    column: str = "tournament"
    """What the names of the columns begin with."""
    rules: bool = True
    """Put the rules of judging into the prompt."""
    reason: bool = False
    """Let the judge write its reasons before the verdict."""
    ties: bool = True
    """Allow the verdict tie."""
    soft: bool = False
    """Read the chances of A and B off the log-probabilities."""
    reference: str | None = None
    """Column with a good answer to compare with."""
    template: str = "pairwise"
    """A template of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Sampling temperature."""
    max_tokens: Annotated[int | None, Field(ge=1)] = None
    """Most tokens of a reply; null = 16, or 512 with reasons."""
    most: Annotated[int, Field(ge=2, le=1024)] = 16
    """Most candidates of a row that take part, the first ones; the others stay null."""

    def faults(self) -> Sequence[str]:
        return template_faults(self.template)

    def materials(self) -> tuple[str, ...]:
        return digests(self.template)

    def calls_a_row(self) -> float:
        return 2.0 * (self.most - 1)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        rows = by_row(answers_in(batch, "candidates", self.most), batch.num_rows)
        brackets = {
            i: Bracket(ctx.rng(batch["id"][i].as_py()).sample(answers, len(answers)))
            for i, answers in enumerate(rows)
            if len(answers) > 1
        }
        self._play(batch, brackets, ctx)
        lengths = batch["candidates"].combine_chunks().value_lengths().to_pylist()
        rounds: list[list[float | None] | None] = [None if k is None else [None] * k for k in lengths]
        best: list[int | None] = [None] * batch.num_rows
        for i, bracket in brackets.items():
            row = rounds[i]
            if bracket.outcome == "ok" and row is not None:
                best[i] = bracket.still_in[0].place
                for answer in rows[i]:
                    row[answer.place] = float(bracket.rounds.get(answer.place, 0))
        outcomes = [brackets[i].outcome if i in brackets else None for i in range(batch.num_rows)]
        found = {"rounds": rounds, "best": best, "outcome": outcomes}
        types = {column.name: column.type for column in self.columns_written()}
        return {f"{self.column}_{n}": pa.array(v, types[f"{self.column}_{n}"]) for n, v in found.items()}

    def _play(self, batch: pa.Table, brackets: dict[int, Bracket], ctx: Context) -> None:
        """Round after round, all rows at once."""
        prompts, pictures = texts_of(batch, "prompt")[0], pictures_of(batch)
        helps = asides(batch, {"reference": self.reference})
        referee = Referee(
            ctx.models[self.model], template(self.template), self.rules, self.reason, self.ties, self.soft,
            self.temperature, self.max_tokens,
        )  # fmt: skip
        while any(bracket.open() for bracket in brackets.values()):
            drawn = {i: bracket.next_matches() for i, bracket in brackets.items() if bracket.open()}
            verdicts = iter(
                referee.both([
                    Match(prompts[i] or "", a, b, helps[i], pictures[i]) for i, pairs in drawn.items() for a, b in pairs
                ])
            )  # fmt: skip
            for i, pairs in drawn.items():
                winners = []
                for a, b in pairs:
                    both = next(verdicts)
                    p = mean_lead(both)
                    if p is None:
                        brackets[i].outcome = shared_outcome(both)
                    winners.append(a if p is None or p >= 0.5 else b)
                brackets[i].enter(winners)

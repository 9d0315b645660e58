"""`judge.all_ordered`: every ordered pair of a row's candidates is judged; net wins."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Annotated, Any, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import answers_in, by_row, columns_of, laid_out
from ..models.asking import shared_outcome
from ..models.comparing import Match, Referee
from ..models.verdict import Verdict
from .judging import asides, digests, pictures_of, template, template_faults, texts_of


@final
@register("judge.all_ordered")
class JudgeAllOrdered(Score):
    """Judge all K·(K - 1) ordered pairs of candidates: score = matches won minus matches lost.

    Each two candidates meet twice, once in each order, so that a bias for a position cancels out. Ties
    count 0. A candidate has no score when one of its matches has no verdict. LLaVA-Critic.
    """

    reads = ("prompt", "candidates", "{reference}?", "images?")
    writes = (
        Column("{column}", "matches won minus matches lost", pa.float64(), "matches", None, None, "higher"),
        Column("{column}_outcome", "how the replies to its matches ended", pa.string()),
    )
    paper = "LLaVA-Critic, arXiv 2410.02712"

    model: Annotated[str, ModelOf("chat")] = "judge"
    """The judge."""
    column: str = "net_wins"
    """Name of the list of numbers, one a candidate."""
    rules: bool = True
    """Put the rules of judging into the prompt."""
    reason: bool = False
    """Let the judge write its reasons before the verdict."""
    ties: bool = True
    """Allow the verdict tie."""
    reference: str | None = None
    """Column with a good answer to compare with."""
    template: str = "pairwise"
    """A template of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Sampling temperature."""
    max_tokens: Annotated[int | None, Field(ge=1)] = None
    """Most tokens of a reply; null = 16, or 512 with reasons."""
    most: Annotated[int, Field(ge=2, le=32)] = 5
    """Most candidates of a row that are judged, the first ones; the others stay null."""

    def faults(self) -> Sequence[str]:
        return template_faults(self.template)

    def materials(self) -> tuple[str, ...]:
        return digests(self.template)

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(Score.columns_written(self), "candidates")

    def calls_a_row(self) -> float:
        return float(self.most * (self.most - 1))

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        answers = answers_in(batch, "candidates", self.most)
        prompts, pictures = texts_of(batch, "prompt")[0], pictures_of(batch)
        helps = asides(batch, {"reference": self.reference})
        pairs = [pair for row in by_row(answers, batch.num_rows) for pair in permutations(row, 2)]
        referee = Referee(
            ctx.models[self.model], template(self.template), self.rules, self.reason, self.ties, False,
            self.temperature, self.max_tokens,
        )  # fmt: skip
        verdicts = referee.ask([Match(prompts[a.row] or "", a, b, helps[a.row], pictures[a.row]) for a, b in pairs])
        met: dict[tuple[int, int], list[tuple[Verdict, int]]] = {}
        for (a, b), verdict in zip(pairs, verdicts, strict=True):
            met.setdefault((a.row, a.place), []).append((verdict, 1))
            met.setdefault((b.row, b.place), []).append((verdict, -1))
        found = [self._found(met.get((a.row, a.place), [])) for a in answers]
        return laid_out(Score.columns_written(self), "candidates", batch, answers, found)

    def _found(self, matches: Sequence[tuple[Verdict, int]]) -> dict[str, Any]:
        """A candidate's columns from its matches: each verdict, and +1 where it was shown first, else -1."""
        if not matches:
            return {}
        outcome = shared_outcome([verdict for verdict, _ in matches])
        if outcome != "ok":
            return {f"{self.column}_outcome": outcome}
        won = {"A": 1, "B": -1}
        return {
            self.column: float(sum(won.get(verdict.value, 0) * sign for verdict, sign in matches)),
            f"{self.column}_outcome": "ok",
        }

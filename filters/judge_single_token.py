"""`judge.single_token`: the chances of A and B at one token, by principle and in both orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.paid import Reply
from ..core.prose import Prose
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import answers_in, by_row
from ..models.asking import request, shared_outcome
from ..models.comparing import Match, mean_lead
from ..models.spreads import choice_spread
from ..models.verdict import Outcome, Verdict, ask_verdicts
from .judging import digests, pictures_of, template, template_faults, texts_of

PRINCIPLES = (
    "It helps with what was asked.",
    "It is honest about what it knows and does not know.",
    "It follows the instruction exactly.",
    "What it says is true.",
)


@final
@dataclass(frozen=True)
class Ruling:
    """What the principles come to: the mean chance of chosen, how many it wins, and the verdict."""

    p: float
    wins: int
    verdict: str


@final
@register("judge.single_token")
class JudgeSingleToken(Score):
    """Softmax over A and B at the verdict's token, mean of both orders, for each principle.

    An answer wins a principle by the larger chance, and the pair by more than half of the principles;
    where neither has that, the mean chance over principles decides (equal = tie). Needs an endpoint
    that gives log-probabilities: a reply without them is `unparsable`. SELF-JUDGE, Lee et al., 2024.
    """

    reads = ("prompt", "chosen", "rejected", "images?")
    writes = (
        Column(
            "{column}",
            "chance that chosen is better, mean over principles",
            pa.float64(),
            "probability",
            0,
            1,
            "higher: chosen better",
        ),  # noqa: E501
        Column(
            "{column}_by_principle",
            "that chance for each principle",
            pa.list_(pa.float64()),
            "probability",
            0,
            1,
            "higher: chosen better",
        ),  # noqa: E501
        Column(
            "{column}_wins",
            "principles by which chosen is better",
            pa.int32(),
            "principles",
            0,
            None,
            "higher: chosen better",
        ),  # noqa: E501
        Column("{column}_verdict", "chosen, rejected or tie", pa.string()),
        Column("{column}_outcome", "how the replies ended", pa.string()),
    )
    paper = "SELF-JUDGE (Aligning LLMs by On-Policy Self-Judgment), arXiv 2402.11253"

    model: Annotated[str, ModelOf("chat")] = "judge"
    """The judge; for self-judging the model that wrote the answers."""
    column: str = "self_p"
    """Name of the chance: columns begin with it."""
    principles: Annotated[tuple[str, ...], Field(min_length=1)] = PRINCIPLES
    """Principles, one question each."""
    template: str = "single_token"
    """A template of the package, or a file; it is given `principle`."""
    top: Annotated[int, Field(ge=2, le=20)] = 20
    """Log-probabilities asked for at the token."""

    def faults(self) -> Sequence[str]:
        return template_faults(self.template)

    def materials(self) -> tuple[str, ...]:
        return digests(self.template)

    def calls_a_row(self) -> float:
        return 2.0 * len(self.principles)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        rows = by_row(answers_in(batch, "pair"), batch.num_rows)
        judged = [i for i, answers in enumerate(rows) if len(answers) == 2]
        prompts, pictures = texts_of(batch, "prompt")[0], pictures_of(batch)
        matches = [
            Match(prompts[i] or "", rows[i][0], rows[i][1], {"principle": principle}, pictures[i])
            for i in judged
            for principle in self.principles
        ]
        prose = template(self.template)
        requests = [self._request(prose, shown) for match in matches for shown in (match, match.swapped())]
        verdicts = ask_verdicts(ctx.models[self.model], requests, read_letter)
        found: list[dict[str, Any]] = [{} for _ in rows]
        each = 2 * len(self.principles)
        for k, i in enumerate(judged):
            found[i] = self._found(verdicts[each * k : each * (k + 1)])
        return {c.name: pa.array([row.get(c.name) for row in found], c.type) for c in self.columns_written()}

    def _request(self, prose: Prose, match: Match) -> dict[str, Any]:
        shown = list(match.pictures)
        values = {"prompt": match.prompt, "first": match.first.shown(shown), "second": match.second.shown(shown)}
        return request(prose, {**values, **match.asides}, max_tokens=1, logprobs=self.top, pictures=shown)

    def _found(self, verdicts: Sequence[Verdict]) -> dict[str, Any]:
        outcome = shared_outcome(verdicts)
        if outcome != "ok":
            return {f"{self.column}_outcome": outcome}
        chances = [mean_lead((verdicts[k], verdicts[k + 1])) for k in range(0, len(verdicts), 2)]
        by_principle = [chance for chance in chances if chance is not None]
        ruling = ruled(by_principle)
        return {
            self.column: ruling.p, f"{self.column}_by_principle": by_principle, f"{self.column}_wins": ruling.wins,
            f"{self.column}_verdict": ruling.verdict, f"{self.column}_outcome": "ok",
        }  # fmt: skip


def ruled(chances: Sequence[float]) -> Ruling:
    """The ruling on the chances of chosen by principle: more than half of them, else their mean."""
    p = sum(chances) / len(chances)
    wins, losses = sum(c > 0.5 for c in chances), sum(c < 0.5 for c in chances)
    lead = (2 * wins > len(chances)) - (2 * losses > len(chances)) or (p > 0.5) - (p < 0.5)
    return Ruling(p, wins, {1: "chosen", -1: "rejected"}.get(lead, "tie"))


def read_letter(reply: Reply) -> Verdict:
    """The chances of A and B at the verdict's token; the text itself is not looked at."""
    spread = choice_spread(replace(reply, finish="stop"), ("A", "B"))
    if spread is None:
        return Verdict(Outcome.UNPARSABLE, why="no log-probability of A or B in the reply")
    return Verdict(Outcome.OK, max(spread, key=lambda letter: spread[letter]), spread=spread)

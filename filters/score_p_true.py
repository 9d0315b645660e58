"""`score.p_true`: the chance a model gives to an answer being true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import Answer, Of, answers_in, columns_of, laid_out, most_answers, sides
from ..models.asking import request, shared_outcome
from ..models.comparing import choice_reader, lead
from ..models.verdict import Verdict, ask_verdicts
from .drawing import drawn
from .judging import digests, pictures_of, template, template_faults, texts_of


@final
@register("score.p_true")
class PTrue(Score):
    """P(True) = p(A) / (p(A) + p(B)) at the answer to "is it (A) true or (B) false?".

    The model first draws a few answers of its own, which are shown beside the proposed one. Chances
    are read off log-probabilities or, with several votes, are the share of votes. Kadavath et al., 2022.
    """

    reads = ("prompt", "images?")
    writes = (
        Column("{column}", "chance that the answer is true", pa.float64(), "probability", 0, 1, "higher"),
        Column("{column}_outcome", "how the replies ended", pa.string()),
    )
    paper = "Language Models (Mostly) Know What They Know, arXiv 2207.05221"

    model: Annotated[str, ModelOf("chat")] = "judge"
    """Who is asked."""
    of: Of = "pair"
    """What is scored: both sides of a pair, every candidate, or the chosen answer."""
    column: str = "p_true"
    """Name of the score: columns begin with it, after the side."""
    ideas: Annotated[int, Field(ge=0, le=32)] = 5
    """Answers the model draws at temperature 1 and is shown; 0 = none."""
    idea_tokens: Annotated[int, Field(ge=1)] = 128
    """Most tokens of such an answer."""
    soft: bool = True
    """Read the chances off log-probabilities, where the endpoint gives them."""
    votes: Annotated[int, Field(ge=1, le=64)] = 1
    """Replies to the question; several are drawn at temperature 1 and counted where chances are not given."""
    template: str = "p_true"
    """A template of the package, or a file."""
    most: Annotated[int, Field(ge=1)] = 16
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def faults(self) -> Sequence[str]:
        found = template_faults(self.template)
        if not self.soft and self.votes == 1:
            found.append("without log-probabilities (soft: false) one vote is no chance: give votes, such as 10")
        return found

    def materials(self) -> tuple[str, ...]:
        return digests(self.template)

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(Score.columns_written(self), self.of)

    def calls_a_row(self) -> float:
        return float((self.ideas > 0) + most_answers(self.of, self.most))

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        model = ctx.models[self.model]
        answers = answers_in(batch, self.of, self.most)
        ideas: list[Verdict | None] = [None] * batch.num_rows
        if self.ideas:
            ideas = drawn(model, batch, self.ideas, 1.0, self.idea_tokens)
        verdicts = ask_verdicts(model, self._requests(batch, answers, ideas), choice_reader(("A", "B"), self.soft))
        found = [self._found(ideas[a.row], verdict) for a, verdict in zip(answers, verdicts, strict=True)]
        return laid_out(Score.columns_written(self), self.of, batch, answers, found)

    def _requests(
        self, batch: pa.Table, answers: Sequence[Answer], ideas: Sequence[Verdict | None]
    ) -> list[dict[str, Any]]:
        prompts, pictures, prose = texts_of(batch, "prompt")[0], pictures_of(batch), template(self.template)
        found = []
        for a in answers:
            shown, idea = list(pictures[a.row]), ideas[a.row]
            values = {"prompt": prompts[a.row] or "", "answer": a.shown(shown)}
            values["ideas"] = idea.value if idea is not None and idea.ok else []
            found.append(
                request(
                    prose, values, temperature=1.0 if self.votes > 1 else 0.0, max_tokens=4, n=self.votes,
                    logprobs=20 if self.soft else None, pictures=shown,
                )
            )  # fmt: skip
        return found

    def _found(self, idea: Verdict | None, verdict: Verdict) -> dict[str, Any]:
        outcome = shared_outcome([v for v in (idea, verdict) if v is not None])
        chance = lead(verdict) if outcome == "ok" and verdict.spread else None
        if outcome == "ok" and chance is None:
            outcome = "unparsable"  # one letter without its chance
        return {self.column: chance, f"{self.column}_outcome": outcome}

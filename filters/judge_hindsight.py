"""`judge.hindsight`: answers are rated after their consequences are simulated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import Answer, Of, answers_in, columns_of, laid_out, most_answers, sides
from ..models.asking import request, shared_outcome
from ..models.readers import read_text
from ..models.verdict import Verdict, ask_verdicts
from .judging import asides, digests, template, template_faults, texts_of
from .scoring import Exam, Examiner, Scale

TEMPLATES: Final = ("hindsight_decision", "hindsight_result", "hindsight_rate")
_SCALE: Final = Scale(1, 5)


@final
@register("judge.hindsight")
class JudgeHindsight(Score):
    """Simulate what a user does after each answer and what comes of it, then let the user rate it, 1 to 5.

    The rating before the outcome is known (`_foresight`) is asked for too: `_gap`, foresight minus
    hindsight, is how much the answer promises beyond what it does. Who simulates the outcome sees the
    decision and the facts, never the answer. RLHS (Liang et al., 2025).
    """

    reads = ("prompt", "{facts}?")
    writes = (
        Column("{column}", "rating once the outcome is known", pa.float64(), "points", 1, 5, "higher"),
        Column("{column}_foresight", "rating before the outcome is known", pa.float64(), "points", 1, 5, "higher"),
        Column("{column}_gap", "foresight minus hindsight", pa.float64(), "points", -4, 4, "lower"),
        Column("{column}_decision", "what the user does", pa.string()),
        Column("{column}_result", "what comes of it", pa.string()),
        Column("{column}_outcome", "how the replies ended", pa.string()),
    )
    paper = "RLHS, arXiv 2501.08617"

    model: Annotated[str, ModelOf("chat")] = "judge"
    """Who plays the user and rates."""
    world: Annotated[str, ModelOf("chat")] = "judge"
    """Who says what comes of a decision."""
    of: Of = "pair"
    """What is rated: both sides of a pair, every candidate, or the chosen answer."""
    column: str = "hindsight"
    """Name of the rating: columns begin with it, after the side."""
    facts: str | None = None
    """Column with what is true, as text; without one the world model goes by what it knows."""
    reveal: Literal["partial", "oracle"] = "partial"
    """Tell the user what becomes of the choice made, or of the other choices too."""
    soft: bool = False
    """Take expected ratings by log-probabilities, where the endpoint gives them."""
    most: Annotated[int, Field(ge=1)] = 8
    """Most candidates of a row that are rated, the first ones; the others stay null."""

    def faults(self) -> Sequence[str]:
        return template_faults(*TEMPLATES)

    def materials(self) -> tuple[str, ...]:
        return digests(*TEMPLATES)

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(Score.columns_written(self), self.of)

    def calls_a_row(self) -> float:
        return 4.0 * most_answers(self.of, self.most)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        answers = answers_in(batch, self.of, self.most)
        prompts = [prompt or "" for prompt in texts_of(batch, "prompt")[0]]
        facts = [aside["facts"] for aside in asides(batch, {"facts": self.facts})]
        decisions = self._decisions(answers, prompts, ctx)
        able = [k for k, decision in enumerate(decisions) if decision.ok]
        results = dict(zip(able, self._results(answers, prompts, facts, decisions, able, ctx), strict=True))
        ratings = self._ratings(answers, prompts, decisions, results, ctx)
        found = [
            self._found(decisions[k], results.get(k), ratings[k], ratings.get(len(answers) + k))
            for k in range(len(answers))
        ]
        return laid_out(Score.columns_written(self), self.of, batch, answers, found)

    def _decisions(self, answers: Sequence[Answer], prompts: Sequence[str], ctx: Context) -> list[Verdict]:
        prose = template(TEMPLATES[0])
        requests = [request(prose, {"prompt": prompts[a.row], "answer": a.text}, max_tokens=128) for a in answers]
        return ask_verdicts(ctx.models[self.model], requests, read_text)

    def _results(
        self, answers: Sequence[Answer], prompts: Sequence[str], facts: Sequence[str | None],
        decisions: Sequence[Verdict], able: Sequence[int], ctx: Context,
    ) -> list[Verdict]:  # fmt: skip
        prose, oracle = template(TEMPLATES[1]), self.reveal == "oracle"
        rows = [answers[k].row for k in able]
        values = [
            {"prompt": prompts[row], "facts": facts[row], "decision": decisions[k].value, "oracle": oracle}
            for k, row in zip(able, rows, strict=True)
        ]
        requests = [request(prose, value, max_tokens=256) for value in values]
        return ask_verdicts(ctx.models[self.world], requests, read_text)

    def _ratings(
        self, answers: Sequence[Answer], prompts: Sequence[str], decisions: Sequence[Verdict],
        results: dict[int, Verdict], ctx: Context,
    ) -> dict[int, Verdict]:  # fmt: skip
        """Foresight by number of the answer, hindsight by the number of answers beyond it."""
        exams = {k: Exam(prompts[a.row], a, {"result": None}) for k, a in enumerate(answers)}
        for k, result in results.items():
            if result.ok:
                known = {"result": result.value, "decision": decisions[k].value}
                exams[len(answers) + k] = Exam(prompts[answers[k].row], answers[k], known)
        examiner = Examiner(ctx.models[self.model], template(TEMPLATES[2]), _SCALE, soft=self.soft)
        return dict(zip(exams, examiner.ask(list(exams.values())), strict=True))

    def _found(
        self, decision: Verdict, result: Verdict | None, before: Verdict, after: Verdict | None
    ) -> dict[str, Any]:
        outcome = shared_outcome([v for v in (decision, result, after, before) if v is not None])
        found: dict[str, Any] = {f"{self.column}_outcome": outcome, f"{self.column}_decision": decision.value}
        found[f"{self.column}_result"] = result.value if result else None
        if outcome == "ok" and after is not None:
            found |= {self.column: after.value, f"{self.column}_foresight": before.value}
            found[f"{self.column}_gap"] = before.value - after.value
        return found

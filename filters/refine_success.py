"""`score.refine_success` and `filter.refine_success`: does a critique help to get it right?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.final_answer import final_answer
from ..core.registry import register
from ..core.stage import Columns, Context, Gate, Score
from ..models.answers import Answer, Of, answers_in, columns_of, laid_out, most_answers, sides
from ..models.asking import request
from ..models.readers import read_text
from ..models.verdict import Verdict, ask_verdicts
from .judging import digests, pictures_of, template, template_faults, texts_of
from .reasons import first_reasons, floats

_FIRST_STEP: Final = re.compile(r"^[#* \t]{0,20}step[ \t]{1,20}1\b", re.IGNORECASE | re.MULTILINE)


@final
@register("score.refine_success")
class RefineSuccess(Score):
    """Have an actor revise the response with the critique in hand, and count how often it comes out right.

    The critiques are the row's answers; `question` and `response` are what they are about. Usefulness is
    the share of right revisions less the share of right fresh answers to the question, so that a strong
    actor earns a critique nothing. Replies that are no answer do not count; where most are none the
    figures are null. Text of a critique before its first step is not shown. A critique `leaks` when it
    tells the reference's result and neither question nor response does.
    """

    reads = ("question", "response", "{reference}", "images?")
    writes = (
        Column("{column}", "right revisions less right fresh answers", pa.float64(), "share", -1, 1, "higher"),
        Column("{column}_refined", "share of right revisions", pa.float64(), "share", 0, 1, "higher"),
        Column("{column}_baseline", "share of right fresh answers", pa.float64(), "share", 0, 1, "neither"),
        Column("{column}_changed", "share of revisions with another result", pa.float64(), "share", 0, 1, "neither"),
        Column("{column}_leaks", "whether the critique tells the result", pa.bool_()),
        Column("{column}_outcome", "how the replies ended", pa.string()),
    )
    paper = "AutoMathCritique, arXiv 2411.16579; the baseline: house"

    model: Annotated[str, ModelOf("chat")] = "actor"
    """Who revises: the model the critiques are meant for."""
    of: Of = "chosen"
    """Which critiques are tried: the chosen one, both of a pair, or every candidate."""
    column: str = "usefulness"
    """Name of the score: columns begin with it, after the side."""
    reference: str = "reference"
    """Column with the right answer, compared by its end result."""
    k: Annotated[int, Field(ge=1, le=64)] = 10
    """Revisions of a critique."""
    baseline: Annotated[int, Field(ge=1, le=64)] = 10
    """Fresh answers to the question, asked once for all critiques."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Of revisions and fresh answers."""
    template: str = "refine_success"
    """Templates of the package, or a file."""
    max_tokens: Annotated[int, Field(ge=16)] = 1024
    """Most tokens of a revision."""
    most: Annotated[int, Field(ge=1)] = 16
    """Most candidates of a row that are tried, the first ones; the others stay null."""

    def faults(self) -> Sequence[str]:
        return template_faults(self.template)

    def materials(self) -> tuple[str, ...]:
        return digests(self.template)

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(Score.columns_written(self), self.of)

    def calls_a_row(self) -> float:
        return float(self.baseline + self.k * most_answers(self.of, self.most))

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        questions, responses, references = texts_of(batch, "question", "response", self.reference)
        complete = [all(texts) for texts in zip(questions, responses, references, strict=True)]
        critiques = [answer for answer in answers_in(batch, self.of, self.most) if complete[answer.row]]
        asked = sorted({critique.row for critique in critiques})
        fresh = self._asked(batch, ctx, "resample", [{"question": questions[i]} for i in asked], asked, self.baseline)
        values = [
            {"question": questions[c.row], "response": responses[c.row], "critique": from_first_step(c.text)}
            for c in critiques
        ]
        revised = self._asked(batch, ctx, "refine", values, [c.row for c in critiques], self.k)
        baselines = dict(zip(asked, fresh, strict=True))
        found = [
            self._found(c, said, baselines[c.row], *(str(texts[c.row]) for texts in (questions, responses, references)))
            for c, said in zip(critiques, revised, strict=True)
        ]  # fmt: skip
        return laid_out(Score.columns_written(self), self.of, batch, critiques, found)

    def _asked(
        self, batch: pa.Table, ctx: Context, part: str, values: Sequence[Mapping[str, Any]], rows: Sequence[int], n: int
    ) -> list[list[Verdict]]:
        """n verdicts on each filled template; `rows` are those the pictures come from."""
        prose, pictures = template(self.template, part), pictures_of(batch)
        requests = [
            request(
                prose, filled, temperature=self.temperature, max_tokens=self.max_tokens, seed=ctx.seed + k,
                pictures=pictures[row],
            )
            for filled, row in zip(values, rows, strict=True)
            for k in range(n)
        ]  # fmt: skip
        verdicts = ask_verdicts(ctx.models[self.model], requests, read_text)
        return [verdicts[start : start + n] for start in range(0, len(verdicts), n)]

    def _found(
        self, critique: Answer, said: Sequence[Verdict], fresh: Sequence[Verdict], *texts: str
    ) -> Mapping[str, Any]:
        question, response, reference = texts
        told: dict[str, Any] = {f"{self.column}_leaks": leaks(critique.text, reference, f"{question}\n{response}")}
        for verdicts in (said, fresh):
            if 2 * sum(v.ok for v in verdicts) <= len(verdicts):
                return told | {f"{self.column}_outcome": next(v.outcome.value for v in verdicts if not v.ok)}
        refined, baseline = (share_ending(verdicts, final_answer(reference)) for verdicts in (said, fresh))
        return told | {
            self.column: refined - baseline, f"{self.column}_refined": refined, f"{self.column}_baseline": baseline,
            f"{self.column}_changed": 1.0 - share_ending(said, final_answer(response)), f"{self.column}_outcome": "ok",
        }  # fmt: skip


@final
@register("filter.refine_success")
class RefineSuccessGate(Gate):
    """Drop critiques that do not lead a wrong response right, that break a right one, or that tell the result.

    Decides on the columns `score.refine_success` wrote and on `response_right`.
    """

    reads = ("response_right", "chosen_{column}", "chosen_{column}_refined", "chosen_{column}_leaks")
    paper = "AutoMathCritique, arXiv 2411.16579"

    column: str = "usefulness"
    """What the names of the columns begin with, after the side."""
    least: Annotated[float, Field(ge=0, le=1)] = 0.3
    """Smallest share of right revisions of a response that was wrong."""
    least_gain: Annotated[float, Field(ge=-1, le=1)] = 0.0
    """Smallest usefulness of a critique of a response that was wrong."""
    least_kept: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Smallest share of right revisions of a response that was right already."""
    leaking: bool = False
    """Keep critiques that tell the result."""

    def why_drop(self, batch: pa.Table) -> pa.Array:
        names = [f"chosen_{self.column}", f"chosen_{self.column}_refined", f"chosen_{self.column}_leaks"]
        useful, refined, leaking = (floats(batch[name]) for name in names)
        right = floats(batch["response_right"])
        rules = [
            (np.isnan(refined), "revisions not judged"),
            (np.isnan(right), "not known whether the response is right"),
            ((leaking == 1) & (not self.leaking), "tells the result"),
            ((right == 1) & (refined < self.least_kept), "breaks a right response"),
            ((right == 0) & (refined < self.least), "too few right revisions"),
            ((right == 0) & (useful < self.least_gain), "no better than answering anew"),
        ]
        return first_reasons(batch.num_rows, rules)


def share_ending(verdicts: Sequence[Verdict], end: str) -> float:
    """Share of the sound replies, of which there is one at least, whose result is `end`."""
    sound = [final_answer(verdict.value) for verdict in verdicts if verdict.ok]
    return sum(found == end for found in sound) / len(sound)


def leaks(critique: str, reference: str, shown: str) -> bool:
    """Whether the critique tells the reference's result in a text that was not `shown` with it."""
    result = final_answer(reference)
    pattern = re.compile(rf"(?<![\w.]){re.escape(result)}(?!\w|\.\d)")

    def holds(text: str) -> bool:
        return bool(result) and pattern.search(" ".join(text.casefold().replace(",", "").split())) is not None

    return holds(critique) and not holds(shown)


def from_first_step(critique: str) -> str:
    """The critique from the line of its first step on; whole where it has no steps."""
    found = _FIRST_STEP.search(critique)
    return critique[found.start() :].lstrip() if found else critique

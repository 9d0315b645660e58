"""`score.keypoints`: which requirements of its prompt a picture meets, kind by kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import Of, answers_in, columns_of, laid_out, most_answers, sides
from ..models.asking import request, shared_outcome
from ..models.readers import read_json, read_yes_no
from ..models.verdict import Asker, Verdict, ask_verdicts
from .judging import digests, template, template_faults, texts_of
from .keypoints import POINTS, grouped_mean

TAGS: Final = {
    "type": "object",
    "properties": {"points": {"type": "array", "items": {"type": "string", "enum": list(POINTS)}}},
    "required": ["points"],
}


@final
@register("score.keypoints")
class Keypoints(Score):
    """Ask of each picture, for every key point its prompt touches on, whether it is met: yes or no.

    The score is the mean within each of six groups, then over groups. Which of the 24 points a prompt
    touches on stands in a column, or the judge is asked, once a prompt. One answer that cannot be read
    leaves the picture without a score. The paper's own judge is not published: any that sees stands in.
    """

    reads = ("prompt", "{points}")
    writes = (
        Column("{column}", "requirements met, mean over groups of means", pa.float64(), "share", 0, 1, "higher"),
        Column("{column}_unmet", "key points that are not met", pa.list_(pa.string())),
        Column("{column}_outcome", "how the replies ended; no image, no prompt or no key points", pa.string()),
    )
    paper = "PromptEnhancer, arXiv 2509.04545 (24 key points, grouped mean); the judge: house"

    model: Annotated[str, ModelOf("chat")] = "judge"
    """The judge; it must see pictures."""
    of: Of = "pair"
    """What is scored: both sides of a pair, every candidate, or the chosen answer."""
    points: str = ""
    """Column of the key points of each prompt, a list of their names; empty = the judge tells them."""
    column: str = "keypoints"
    """Name of the score: columns begin with it, after the side."""
    tag_template: str = "keypoints_tag"
    """Template that asks for a prompt's key points, of the package or a file."""
    template: str = "keypoints_check"
    """Template that asks about one key point, of the package or a file."""
    max_tokens: Annotated[int, Field(ge=1)] = 400
    """Most tokens of a list of key points."""
    most: Annotated[int, Field(ge=1)] = 16
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def faults(self) -> Sequence[str]:
        return template_faults(self.tag_template, self.template)

    def materials(self) -> tuple[str, ...]:
        return digests(self.tag_template, self.template)

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(Score.columns_written(self), self.of)

    def calls_a_row(self) -> float:
        answers = most_answers(self.of, self.most)
        return float((not self.points) + answers * len(POINTS))

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        judge, answers = ctx.models[self.model], answers_in(batch, self.of, self.most)
        prompts = texts_of(batch, "prompt")[0]
        rows = sorted({answer.row for answer in answers if answer.picture is not None and prompts[answer.row]})
        told = self._points(batch, judge, {row: prompts[row] or "" for row in rows})
        asked = [
            (k, point)
            for k, answer in enumerate(answers)
            if answer.picture is not None
            for point in told.get(answer.row, ([], ""))[0]
        ]
        prose = template(self.template)
        requests = [
            request(
                prose, {"prompt": prompts[answers[k].row], "name": point, "meaning": POINTS[point]}, max_tokens=8,
                pictures=[part for part in (answers[k].picture,) if part is not None],
            )
            for k, point in asked
        ]  # fmt: skip
        by_answer: dict[int, dict[str, Verdict]] = {}
        for (k, point), verdict in zip(asked, ask_verdicts(judge, requests, read_yes_no()), strict=True):
            by_answer.setdefault(k, {})[point] = verdict
        found = []
        for k, answer in enumerate(answers):
            why = "no image" if answer.picture is None else told.get(answer.row, ([], "no prompt"))[1]
            found.append(self._found(by_answer.get(k, {}), why))
        return laid_out(Score.columns_written(self), self.of, batch, answers, found)

    def _points(self, batch: pa.Table, judge: Asker, prompts: Mapping[int, str]) -> dict[int, tuple[list[str], str]]:
        """The key points of these rows' prompts, each once, and why there are none."""
        if self.points:
            listed = batch[self.points].to_pylist()
            return {row: _known(listed[row] or ()) for row in prompts}
        prose, rows = template(self.tag_template), list(prompts)
        requests = [
            request(
                prose, {"prompt": prompts[row], "points": list(POINTS.items())}, max_tokens=self.max_tokens, schema=TAGS
            )
            for row in rows
        ]
        verdicts = ask_verdicts(judge, requests, read_json(TAGS))
        return {
            row: _known(verdict.value["points"]) if verdict.ok else ([], verdict.outcome.value)
            for row, verdict in zip(rows, verdicts, strict=True)
        }

    def _found(self, verdicts: Mapping[str, Verdict], why: str) -> dict[str, Any]:
        outcome = shared_outcome(list(verdicts.values())) if verdicts else why
        if outcome != "ok":
            return {f"{self.column}_outcome": outcome}
        met = {point: bool(verdict.value) for point, verdict in verdicts.items()}
        return {
            self.column: grouped_mean(met), f"{self.column}_unmet": [point for point, yes in met.items() if not yes],
            f"{self.column}_outcome": "ok",
        }  # fmt: skip


def _known(names: Sequence[str | None]) -> tuple[list[str], str]:
    """The names that are key points, each once, and an outcome: ok, no key points, or a name that is none."""
    plain = list(dict.fromkeys((name or "").strip().lower() for name in names))
    if any(name not in POINTS for name in plain):
        return [], "unknown key point"
    return plain, "ok" if plain else "no key points"

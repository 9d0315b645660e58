"""`score.hypothesis_cross`: candidates scored under several readings of what is wanted, agreed on or explored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.errors import InputError
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import answers_in, by_row
from ..models.asking import request
from ..models.readers import read_text
from ..models.score_reader import read_score
from ..models.verdict import Asker, Verdict, ask_verdicts
from .hypotheses import crossing
from .judging import JUDGES, asides, digests, pictures_of, template_faults, texts_of

_MATRIX: Final = pa.list_(pa.list_(pa.float64()))


@final
@register("score.hypothesis_cross")
class HypothesisCross(Score):
    """Score every candidate (action) under every hypothesis of what a good answer is, and cross the scores.

    Hypotheses are a column's texts (critiques, readings of feedback) or drawn from the model. Where one
    candidate is best under all of them there is consensus; otherwise the most optimistic hypotheses decide, and
    the row wants more feedback. A hypothesis under which a candidate has no sound score is left out.
    Provably Learning from Language Feedback (HELiX, 2025).
    """

    reads = ("prompt", "candidates", "{hypotheses}", "{feedback}", "images?")
    writes = (
        Column("{column}", "mean lead under the hypotheses kept", pa.list_(pa.float64()), "points", -9, 9, "higher"),
        Column("{column}_pick", "number of the candidate to take, from 0", pa.int32(), better="neither"),
        Column("{column}_consensus", "whether it is best under every hypothesis", pa.bool_()),
        Column("{column}_hypotheses", "the hypotheses crossed", pa.list_(pa.string())),
        Column(
            "{column}_matrix", "scores, a list of candidates for each hypothesis", _MATRIX, "points", 1, 10, "higher"
        ),
        Column("{column}_outcome", "ok, or how a reply that was needed ended", pa.string()),
    )
    paper = "Provably Learning from Language Feedback (HELiX), arXiv 2506.10341 (hypotheses drawn, 1 to 10: house)"

    model: Annotated[str, ModelOf("chat")] = "judge"
    """Who draws hypotheses and scores."""
    column: str = "helix"
    """Name of the score."""
    hypotheses: str | None = None
    """Column with a list of hypotheses; null = the model draws them."""
    feedback: str | None = None
    """Column with feedback that drawn hypotheses must explain."""
    draws: Annotated[int, Field(ge=2, le=16)] = 3
    """Hypotheses drawn, or the first so many of the column."""
    baseline: Annotated[int, Field(ge=0)] = 0
    """How many candidates, the last ones, are random and serve for comparison alone."""
    template: str = "hypothesis_cross"
    """A template of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Sampling temperature of hypotheses; scores are given at 0."""
    max_tokens: Annotated[int, Field(ge=1)] = 256
    """Most tokens of a hypothesis."""
    most: Annotated[int, Field(ge=2)] = 8
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def faults(self) -> Sequence[str]:
        found = list(template_faults(self.template))
        if self.baseline >= self.most:
            found.append(f"baseline ({self.baseline}) leaves no candidate of the {self.most} that are scored")
        return found

    def materials(self) -> tuple[str, ...]:
        return digests(self.template)

    def calls_a_row(self) -> float:
        return float(self.draws * self.most + (self.draws if self.hypotheses is None else 0))

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        model, prompts = ctx.models[self.model], [text or "" for text in texts_of(batch, "prompt")[0]]
        actions = by_row(answers_in(batch, "candidates", self.most), batch.num_rows)
        found, outcomes = self._hypotheses(batch, model, prompts, [bool(a) for a in actions])
        pictures, prose = pictures_of(batch), JUDGES.load(self.template, "score")
        requests = []
        for i, row in enumerate(actions):
            for hypothesis in found[i]:
                for action in row:
                    shown = list(pictures[i])
                    values = {"prompt": prompts[i], "hypothesis": hypothesis, "answer": action.shown(shown)}
                    requests.append(request(prose, values, temperature=0.0, max_tokens=16, pictures=shown))
        verdicts = iter(ask_verdicts(model, requests, read_score(1, 10)))
        sizes = batch["candidates"].combine_chunks().value_lengths().to_pylist()
        rows = []
        for i, row in enumerate(actions):
            scored = [(text, [next(verdicts) for _ in row]) for text in found[i]]
            rows.append(self._row(scored, [a.place for a in row], sizes[i], outcomes[i]))
        return {c.name: pa.array([row.get(c.name) for row in rows], c.type) for c in self.columns_written()}

    def _hypotheses(
        self, batch: pa.Table, model: Asker, prompts: Sequence[str], wanted: Sequence[bool]
    ) -> tuple[list[list[str]], list[str]]:
        """Each row's different hypotheses, and how asking for them ended."""
        if self.hypotheses is not None:
            column = batch[self.hypotheses]
            if not pa.types.is_list(column.type) or not pa.types.is_string(column.type.value_type):
                raise InputError(f"{self.hypotheses} is no list of texts", hint="a hypothesis is a sentence or two")
            lists = [[text.strip() for text in texts or () if text and text.strip()] for texts in column.to_pylist()]
            return [list(dict.fromkeys(texts))[: self.draws] for texts in lists], [""] * batch.num_rows
        prose, helps = JUDGES.load(self.template, "hypothesis"), asides(batch, {"feedback": self.feedback})
        asked = [i for i, want in enumerate(wanted) if want for _ in range(self.draws)]
        requests = [
            request(
                prose, {"prompt": prompts[i], **helps[i]}, temperature=self.temperature, max_tokens=self.max_tokens,
                seed=k % self.draws,
            )
            for k, i in enumerate(asked)
        ]  # fmt: skip
        found: list[list[str]] = [[] for _ in wanted]
        outcomes = [""] * len(wanted)
        for i, verdict in zip(asked, ask_verdicts(model, requests, read_text), strict=True):
            if verdict.ok and verdict.value not in found[i]:
                found[i].append(verdict.value)
            elif not verdict.ok:
                outcomes[i] = outcomes[i] or verdict.outcome.value
        return found, outcomes

    def _row(
        self, scored: Sequence[tuple[str, Sequence[Verdict]]], places: Sequence[int], size: int | None, outcome: str
    ) -> dict[str, Any]:
        """The columns of one row; scores stand at the candidates' own places."""
        if not places:
            return {}
        sound = [(text, [float(v.value) for v in verdicts]) for text, verdicts in scored if all(v.ok for v in verdicts)]
        if not sound or len(places) <= self.baseline:
            faults = [v.outcome.value for _, verdicts in scored for v in verdicts if not v.ok]
            return {f"{self.column}_outcome": outcome or next(iter(faults), "nothing to cross")}
        crossed = crossing(np.array([scores for _, scores in sound]), self.baseline)
        worth: list[float | None] = [None] * (size or 0)
        for place, value in zip(places, crossed.worth, strict=False):
            worth[place] = value
        return {
            self.column: worth, f"{self.column}_pick": places[crossed.pick],
            f"{self.column}_consensus": crossed.consensus, f"{self.column}_outcome": "ok",
            f"{self.column}_hypotheses": [text for text, _ in sound],
            f"{self.column}_matrix": [scores for _, scores in sound],
        }  # fmt: skip

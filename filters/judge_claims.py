"""`judge.claims`: answers are taken apart into facts, each fact is asked as a question by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import Answer, Of, answers_in, columns_of, laid_out, most_answers, sides
from ..models.asking import request, shared_outcome
from ..models.comparing import choice_reader
from ..models.readers import read_json
from ..models.verdict import Verdict, ask_verdicts
from .judging import asides, digests, pictures_of, template, template_faults, texts_of

_CLAIM: Final = {
    "type": "object",
    "properties": {"fact": {"type": "string"}, "question": {"type": "string"}},
    "required": ["fact", "question"],
}
CLAIMS: Final = {
    "type": "object",
    "properties": {"claims": {"type": "array", "items": _CLAIM}},
    "required": ["claims"],
}


@final
@register("judge.claims")
class JudgeClaims(Score):
    """Split each answer into facts and ask about each alone: score = -(number of facts denied).

    A fact is denied when no is likelier than yes. The score favours short answers, as in the paper;
    `normalise: per_claim` divides by the number of facts. An answer that states no fact has score 0.
    The pictures of the row go with each question. Splits are paid for once an answer, whatever is
    asked about them later. RLAIF-V (Yu et al., 2024).
    """

    reads = ("prompt", "{context}?", "images?")
    writes = (
        Column(
            "{column}",
            "minus the facts denied, or minus their share",
            pa.float64(),
            "facts or share",
            None,
            0,
            "higher",
        ),  # noqa: E501
        Column("{column}_claims", "facts the answer states", pa.int32(), "facts", 0, None, "neither"),
        Column("{column}_rejected", "the facts denied", pa.list_(pa.string())),
        Column("{column}_outcome", "how the replies ended", pa.string()),
    )
    paper = "RLAIF-V, arXiv 2405.17220"

    model: Annotated[str, ModelOf("chat")] = "judge"
    """Who answers the questions; it should see what the prompt shows."""
    splitter: Annotated[str, ModelOf("chat")] = "judge"
    """Who takes answers apart."""
    of: Of = "candidates"
    """What is scored: every candidate, both sides of a pair, or the chosen answer."""
    column: str = "claims_score"
    """Name of the score: columns begin with it, after the side."""
    normalise: Literal["none", "per_claim"] = "none"
    """Count denied facts, or divide by the facts stated."""
    soft: bool = False
    """Compare the chances of yes and no by log-probabilities, where the endpoint gives them."""
    context: str | None = None
    """Column with a source text the facts must stand in."""
    facts: Annotated[int, Field(ge=1, le=64)] = 16
    """Most facts an answer; those beyond are not asked about."""
    split_template: str = "claims_split"
    """Template that takes an answer apart, of the package or a file."""
    template: str = "claims_check"
    """Template that asks about one fact, of the package or a file."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Most tokens of a split."""
    most: Annotated[int, Field(ge=1)] = 16
    """Most candidates of a row that are scored, the first ones; the others stay null."""

    def faults(self) -> Sequence[str]:
        return template_faults(self.split_template, self.template)

    def materials(self) -> tuple[str, ...]:
        return digests(self.split_template, self.template)

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(Score.columns_written(self), self.of)

    def calls_a_row(self) -> float:
        return float(most_answers(self.of, self.most) * (1 + self.facts))

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        answers = answers_in(batch, self.of, self.most)
        splits = self._splits(batch, answers, ctx)
        claims = [self._claims(split) for split in splits]
        verdicts = iter(self._checks(batch, answers, claims, ctx))
        found = []
        for split, mine in zip(splits, claims, strict=True):
            checks = [next(verdicts) for _ in mine]
            found.append(self._found(split, mine, checks))
        return laid_out(Score.columns_written(self), self.of, batch, answers, found)

    def _splits(self, batch: pa.Table, answers: Sequence[Answer], ctx: Context) -> list[Verdict]:
        prompts, prose = texts_of(batch, "prompt")[0], template(self.split_template)
        requests = [
            request(
                prose, {"prompt": prompts[a.row] or "", "answer": a.text, "most": self.facts},
                max_tokens=self.max_tokens, schema=CLAIMS,
            )
            for a in answers
        ]  # fmt: skip
        return ask_verdicts(ctx.models[self.splitter], requests, read_json(CLAIMS))

    def _claims(self, split: Verdict) -> list[Mapping[str, str]]:
        if not split.ok:
            return []
        return [claim for claim in split.value["claims"] if claim["question"].strip()][: self.facts]

    def _checks(
        self, batch: pa.Table, answers: Sequence[Answer], claims: Sequence[Sequence[Mapping[str, str]]], ctx: Context
    ) -> list[Verdict]:
        prompts, pictures = texts_of(batch, "prompt")[0], pictures_of(batch)
        helps, prose = asides(batch, {"context": self.context}), template(self.template)
        requests = [
            request(
                prose, {"prompt": prompts[a.row] or "", "question": claim["question"], **helps[a.row]},
                max_tokens=8, logprobs=20 if self.soft else None, pictures=pictures[a.row],
            )
            for a, mine in zip(answers, claims, strict=True)
            for claim in mine
        ]  # fmt: skip
        return ask_verdicts(ctx.models[self.model], requests, choice_reader(("yes", "no"), self.soft))

    def _found(self, split: Verdict, claims: Sequence[Mapping[str, str]], checks: Sequence[Verdict]) -> dict[str, Any]:
        outcome = shared_outcome([split, *checks])
        if outcome != "ok":
            return {f"{self.column}_outcome": outcome}
        rejected = [claim["fact"] for claim, check in zip(claims, checks, strict=True) if denied(check)]
        share = len(rejected) / len(claims) if claims else 0.0
        return {
            self.column: 0.0 - (share if self.normalise == "per_claim" else len(rejected)),
            f"{self.column}_claims": len(claims), f"{self.column}_rejected": rejected, f"{self.column}_outcome": "ok",
        }  # fmt: skip


def denied(check: Verdict) -> bool:
    """Whether no is likelier than yes; at equal chances a fact stands."""
    if check.spread:
        return check.spread.get("no", 0.0) > check.spread.get("yes", 0.0)
    return bool(check.value == "no")

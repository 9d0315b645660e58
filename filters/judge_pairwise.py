"""`judge.pairwise`: a chat model compares chosen and rejected, in both orders."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Final, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import Answer, answers_in, by_row
from ..models.asking import shared_outcome
from ..models.comparing import Match, Referee, lead, mean_lead
from ..models.verdict import Verdict
from .judging import asides, digests, pictures_of, template, template_faults, texts_of

_HELPS: Final = ("reference", "metrics")
_DEBATE: Final = "pairwise_debate"
_LABEL: Final = re.compile(
    r"(?i:\b(?:answers?|response|output|option|verdict)[\s:*\"'(]+)([AB])\b(?:(?i:\s+(?:and|or|vs\.?)\s+)([AB])\b)?"
)


@final
@register("judge.pairwise")
class JudgePairwise(Score):
    """Ask which of a pair's answers is better, once in each order, and keep both verdicts.

    A verdict that follows the position is a flip, not a preference. `judge_p` is the mean of both
    orders' chance for the chosen answer: without log-probabilities each is 1, ½ (tie) or 0, so that a
    flip comes to one half. `conflict` says what else may become of orders that disagree. Zheng et
    al., 2023 (both orders); Zeng et al., 2024 (rules, reference, metrics, swap and synthesise).
    """

    reads = ("prompt", "chosen", "rejected", "{reference}?", "{metrics}?", "images?")
    writes = (
        Column(
            "judge_p",
            "chance that chosen is better, mean of both orders",
            pa.float64(),
            "probability",
            0,
            1,
            "higher: chosen better",
        ),  # noqa: E501
        Column("judge_first", "verdict with chosen shown first: chosen, rejected or tie", pa.string()),
        Column("judge_second", "verdict with chosen shown second: chosen, rejected or tie", pa.string()),
        Column("judge_flip", "the two orders contradict each other", pa.bool_()),
        Column("judge_p_outcome", "how the replies ended", pa.string()),
    )
    paper = "MT-Bench, arXiv 2306.05685; LLMBar, arXiv 2310.07641"

    model: Annotated[str, ModelOf("chat")] = "judge"
    """The judge."""
    template: str = "pairwise"
    """A template of the package, or a file."""
    rules: bool = True
    """Put the rules of judging into the prompt."""
    reason: bool = False
    """Let the judge write its reasons before the verdict."""
    ties: bool = True
    """Allow the verdict tie."""
    soft: bool = False
    """Read the chances of A and B off the log-probabilities of the verdict's token."""
    reference: str | None = None
    """Column with a good answer to compare with (`judge.reference` makes one)."""
    metrics: str | None = None
    """Column with questions to ask of each answer (`judge.metrics` makes them)."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Sampling temperature."""
    max_tokens: Annotated[int | None, Field(ge=1)] = None
    """Most tokens of a reply; null = 16, or 512 with reasons."""
    samples: Annotated[int, Field(ge=1, le=64)] = 1
    """Replies a question, more than half of which must be sound: their shares are the chances."""
    orders: Literal["both", "given"] = "both"
    """Judge in both orders, or only with chosen first (cheaper, and blind to position bias)."""
    conflict: Literal["half_credit", "agree_or_tie", "synthesise"] = "half_credit"
    """Where the orders disagree: the mean of both; 1 or 0 only when both say so, else ½; or show
    the judge both of its reasonings and let it decide anew, again in both orders (needs `reason`)."""

    def faults(self) -> Sequence[str]:
        found = template_faults(self.template)
        if self.conflict == "synthesise" and not self.reason:
            found.append("conflict: synthesise shows the judge its own reasons: set reason: true")
        if self.conflict != "half_credit" and self.orders == "given":
            found.append(f"conflict: {self.conflict} needs orders: both")
        if self.samples > 1 and self.temperature == 0:
            found.append("several samples at temperature 0 are all alike: give a temperature such as 1")
        return found

    def materials(self) -> tuple[str, ...]:
        return digests(self.template, *([_DEBATE] if self.conflict == "synthesise" else []))

    def calls_a_row(self) -> float:
        return {"half_credit": 2.0, "agree_or_tie": 2.0, "synthesise": 4.0}[self.conflict] / (
            2 if self.orders == "given" else 1
        )

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        rows = by_row(answers_in(batch, "pair"), batch.num_rows)
        judged = [i for i, answers in enumerate(rows) if len(answers) == 2]
        matches = self._matches(batch, rows, judged)
        referee = Referee(
            ctx.models[self.model], template(self.template), self.rules, self.reason, self.ties, self.soft,
            self.temperature, self.max_tokens, self.samples,
        )  # fmt: skip
        if self.orders == "given":
            results = [_of_one(verdict) for verdict in referee.ask(matches)]
        else:
            results = self._of_both(referee, matches)
        found: list[dict[str, Any]] = [{} for _ in rows]
        for i, result in zip(judged, results, strict=True):
            found[i] = result
        return {c.name: pa.array([row.get(c.name) for row in found], c.type) for c in self.columns_written()}

    def _matches(self, batch: pa.Table, rows: list[list[Answer]], judged: list[int]) -> list[Match]:
        prompts, pictures = texts_of(batch, "prompt")[0], pictures_of(batch)
        helps = asides(batch, {name: getattr(self, name) for name in _HELPS})
        return [Match(prompts[i] or "", rows[i][0], rows[i][1], helps[i], pictures[i]) for i in judged]

    def _of_both(self, referee: Referee, matches: list[Match]) -> list[dict[str, Any]]:
        verdicts = referee.both(matches)
        results = [_of_two(pair) for pair in verdicts]
        split = [k for k, r in enumerate(results) if r["judge_p_outcome"] == "ok" and not _agree(verdicts[k])]
        if self.conflict == "agree_or_tie":
            for result in results:
                if result["judge_p"] is not None:
                    result["judge_p"] = _decided(result)
        elif self.conflict == "synthesise" and split:
            debate = Referee(
                referee.model, template(_DEBATE), self.rules, True, self.ties, self.soft, self.temperature,
                self.max_tokens,
            )  # fmt: skip
            for k, again in zip(split, _debated(debate, matches, verdicts, split), strict=True):
                results[k] |= {"judge_p": mean_lead(again), "judge_p_outcome": shared_outcome(again)}
        return results


def mirrored(text: str) -> str:
    """A judge's reasons with the names of the two answers changed over, for showing them the other way round."""
    other = {"A": "B", "B": "A"}

    def swap(found: re.Match[str]) -> str:
        whole, start = found.group(0), found.start()
        for group in (1, 2):
            if found.group(group):
                at = found.start(group) - start
                whole = whole[:at] + other[whole[at]] + whole[at + 1 :]
        return whole

    return _LABEL.sub(swap, text)


def _debated(
    referee: Referee, matches: list[Match], verdicts: Sequence[tuple[Verdict, Verdict]], split: list[int]
) -> list[tuple[Verdict, Verdict]]:
    """Matches decided anew with both reasonings in view, each told in the names of the order shown."""
    shown = []
    for k in split:
        given, swapped = verdicts[k]
        for match, views in (
            (matches[k], [given.why, mirrored(swapped.why)]),
            (matches[k].swapped(), [mirrored(given.why), swapped.why]),
        ):
            shown.append(replace(match, asides={**match.asides, "views": views}))
    again = referee.ask(shown)
    return list(zip(again[::2], again[1::2], strict=True))


def _of_one(verdict: Verdict) -> dict[str, Any]:
    named = _named(verdict, False)
    return {
        "judge_p": lead(verdict) if verdict.ok else None, "judge_first": named, "judge_p_outcome": verdict.outcome.value
    }  # fmt: skip


def _of_two(verdicts: tuple[Verdict, Verdict]) -> dict[str, Any]:
    first, second = _named(verdicts[0], False), _named(verdicts[1], True)
    p = mean_lead(verdicts)
    return {
        "judge_p": p, "judge_first": first, "judge_second": second,
        "judge_flip": None if p is None else {first, second} == {"chosen", "rejected"},
        "judge_p_outcome": shared_outcome(verdicts),
    }  # fmt: skip


def _named(verdict: Verdict, swapped: bool) -> str | None:
    if not verdict.ok:
        return None
    return "tie" if verdict.value == "tie" else ("chosen", "rejected")[(verdict.value == "B") ^ swapped]


def _agree(verdicts: tuple[Verdict, Verdict]) -> bool:
    return _named(verdicts[0], False) == _named(verdicts[1], True)


def _decided(result: dict[str, Any]) -> float:
    """1 or 0 when both orders name the same answer, else ½ (MT-Bench)."""
    same = result["judge_first"] == result["judge_second"]
    return {"chosen": 1.0, "rejected": 0.0}.get(result["judge_first"], 0.5) if same else 0.5

"""`synth.rubric`: the criteria that tell a better answer to a prompt from a worse one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Final, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.errors import CallError
from ..core.paid import PaidModel
from ..core.registry import register
from ..core.row import COLUMNS
from ..core.stage import Context, Dropped, Map, Row
from ..models.answers import Answer
from ..models.asking import shared_outcome
from ..models.comparing import Match, Referee
from ..models.pictures import Part
from ..models.readers import read_json
from ..models.verdict import Outcome
from .causal_attributes import causal_attributes
from .making import TEMPLATES, Writer, answer_of, made_by, pictures_of, prompt_of, sample_seeds
from .overlap import words_of
from .rubric_lines import CONTRAST, KINDS, PROMPT_ONLY, lines_of, sound_lines, told

ATTRIBUTES: Final = "causal_augment"
"""The template that lists causal attributes."""


@final
@dataclass(frozen=True)
class _Pair:
    """A prompt with the better and the worse answer to it; both are empty where a row has none."""

    prompt: str
    better: str = ""
    worse: str = ""
    pictures: tuple[Part, ...] = ()


@final
@dataclass(frozen=True)
class _Try:
    """One rubric and what is wrong with it: nothing when `fault` is empty."""

    consistency: str
    fault: str = ""
    lines: list[Row] = field(default_factory=list)


@final
@register("synth.rubric")
class Rubric(Map):
    """Write hard rules (what the prompt demands) and principles (what makes the better answer better).

    `contrast` shows the writer both answers and which is preferred; `prompt` shows it the prompt alone,
    as a rubric generator in use; `attributes` lists what decides how good an answer to the prompt is and has
    the list revised, all as principles (Crome's causal attributes). A rubric counts when a judge who sees the
    answers and the rubric, but not the label, prefers the same answer in both orders; otherwise another is
    written, `max_tries` in all. One that lets the judge decide from the answers' lengths alone fails, too.
    OpenRubrics (Liu et al., 2025).
    """

    reads = ("prompt", "images?")
    writes = (
        Column("rubric", "criteria that passed; null where none did"),
        Column("consistency", "pass, fail or parse_error; null = not checked", pa.string()),
        Column("n_tries", "rubrics written until one passed", pa.int32()),
        Column("rubric_fault", "why the last rubric did not pass", pa.string()),
        Column("failed_rubric", "the last rubric that did not pass, kept apart", COLUMNS["rubric"]),
        Column("made_by", "how the rubric came about"),
    )
    paper = "OpenRubrics, arXiv 2510.07743 (both orders, tries, leak and length checks: house); Crome, arXiv 2506.16507"

    writer: Annotated[str, ModelOf("chat")] = "writer"
    """Who writes the criteria."""
    judge: Annotated[str | None, ModelOf("chat")] = "judge"
    """Who checks that they lead to the label; null = not checked."""
    source: Literal["contrast", "prompt", "attributes"] = "contrast"
    """What the writer sees: prompt and both answers, the prompt alone, or that alone to list causal attributes."""
    max_tries: Annotated[int, Field(ge=1, le=32)] = 4
    """Most rubrics written for a row."""
    inconsistent: Literal["drop", "keep"] = "drop"
    """A row without a rubric that passes: drop it, or keep it with `rubric` null and the last one apart."""
    most: Annotated[int, Field(ge=1, le=50)] = 10
    """Most criteria of a rubric, the first ones."""
    leak_words: Annotated[int, Field(ge=1)] = 7
    """Longest run of words a criterion may share with an answer alone; others are left out."""
    length_ratio: Annotated[float | None, Field(ge=1)] = 1.2
    """Check for length alone where one answer has this many times the other's words; null = never."""
    prompts: str = "rubric"
    """A template of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Sampling temperature of the writer."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Most tokens of a rubric."""

    def faults(self) -> Sequence[str]:
        return TEMPLATES.faults(self.prompts)

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts, *([ATTRIBUTES] if self.source == "attributes" else []))

    def columns_read(self) -> tuple[str, ...]:
        pair = ("chosen", "rejected") if self._sees_pair else ()
        return (*Map.columns_read(self), *pair)

    @property
    def _sees_pair(self) -> bool:
        return self.source == "contrast" or self.judge is not None

    def calls_a_row(self) -> float:
        check = 0.0 if self.judge is None else 2.0 if self.length_ratio is None else 4.0
        return self.max_tries * (1.0 + (self.source == "attributes") + check)

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        pair = _Pair(prompt_of(row), pictures=pictures_of(row))
        if self._sees_pair:
            pair = _Pair(pair.prompt, answer_of(row), answer_of(row, "rejected"), pair.pictures)
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens)
        judge = ctx.models[self.judge] if self.judge else None
        for seed in sample_seeds(ctx, self.max_tries):
            found = await self._try(writer, judge, pair, seed)
            if not found.fault:
                break
        tries = seed - ctx.seed + 1
        if found.fault and self.inconsistent == "drop":
            raise Dropped(f"rubric: {found.fault}", {"n_tries": tries, "consistency": found.consistency})
        return [self._row(found, tries, made_by(self.name, self.source, {"try": tries}, writer.model.name, seed))]

    async def _try(self, writer: Writer, judge: PaidModel | None, pair: _Pair, seed: int) -> _Try:
        try:
            lines = await self._lines(writer, pair, seed)
        except Dropped as dropped:
            return _Try("parse_error", dropped.drop.reason)
        answers = [text for text in (pair.better, pair.worse) if text] if self.source == "contrast" else []
        lines = sound_lines(lines, pair.prompt, answers, self.leak_words)
        if not lines:
            return _Try("fail", "every criterion points at an answer")
        if judge is None:
            return _Try("", lines=lines)
        return await self._checked(judge, pair, lines)

    async def _lines(self, writer: Writer, pair: _Pair, seed: int) -> list[Row]:
        """The criteria as written. Raises Dropped for a reply that holds none."""
        if self.source == "attributes":
            lister = replace(writer, prompts=ATTRIBUTES)
            found = await causal_attributes(lister, pair.prompt, self.most, True, pair.pictures, seed)
            items = [{"kind": KINDS[1], "criterion": f"{one['name']}: {one['meaning']}"} for one in found]
            return lines_of({"items": items}, self.most)
        schema = CONTRAST if self.source == "contrast" else PROMPT_ONLY
        values = {"prompt": pair.prompt, "better": pair.better, "worse": pair.worse, "most": self.most}
        said = await writer.verdict(
            self.source, values, read_json(schema), seed=seed, schema=schema, pictures=pair.pictures
        )
        if not said.ok:
            raise Dropped(said.outcome.value)
        return lines_of(said.value, self.most)

    async def _checked(self, judge: PaidModel, pair: _Pair, lines: list[Row]) -> _Try:
        outcome = await self._judged(judge, pair, lines)
        if outcome != "agrees":
            consistency = "fail" if outcome == "inconsistent" else "parse_error"
            return _Try(consistency, outcome, lines)
        sizes = sorted(len(words_of(text)) for text in (pair.better, pair.worse))
        if self.length_ratio is not None and sizes[1] >= self.length_ratio * sizes[0]:
            masked = _Pair(pair.prompt, _masked(pair.better), _masked(pair.worse))
            if await self._judged(judge, masked, lines) == "agrees":
                return _Try("fail", "length alone decides", lines)
        return _Try("pass", lines=lines)

    async def _judged(self, judge: PaidModel, pair: _Pair, lines: Sequence[Row]) -> str:
        """`agrees` when the better answer wins in both orders, `inconsistent`, or how a reply ended."""
        sides = Answer(0, 0, pair.better), Answer(0, 1, pair.worse)
        match = Match(pair.prompt, *sides, {"criteria": told(lines)}, pair.pictures)
        verdicts = await Referee(judge, TEMPLATES.load(self.prompts, "judge")).one(match)
        outcome = shared_outcome(verdicts)
        if outcome == Outcome.FAILED:
            raise CallError(next(v.why for v in verdicts if v.outcome is Outcome.FAILED) or "the call failed")
        if outcome != Outcome.OK:
            return f"judge {outcome}"
        return "agrees" if (verdicts[0].value, verdicts[1].value) == ("A", "B") else "inconsistent"

    def _row(self, found: _Try, tries: int, origin: Row) -> Row:
        return {
            "rubric": None if found.fault else found.lines, "consistency": found.consistency or None,
            "n_tries": tries, "rubric_fault": found.fault or None,
            "failed_rubric": found.lines or None if found.fault else None, "made_by": origin,
        }  # fmt: skip


def _masked(text: str) -> str:
    return f"(not shown; {len(words_of(text))} words)"

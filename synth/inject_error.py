"""`synth.inject_error`: one error at a known step of a right solution, and what noticing it would look like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Final, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Dropped, Map, Row
from .confirming import JUDGED_MARGIN, Aim, Strength, target_faults
from .confirming import PROMPTS as CONFIRM
from .critique_records import labelled
from .injecting import ErrorKind, Injected, Order, Solution, injected, pieces_of, result_of
from .making import TEMPLATES, Writer, answer, answer_of, made_by, prompt_of, sample_seeds
from .verifiers import AnyVerifier
from .verifiers_text import Formula

MARKERS: Final = ("Wait", "But", "However", "Hold on", "Actually")


@final
@register("synth.inject_error")
class InjectError(Map):
    """Spoil the row's right solution at a step and by a kind of error that chance picks; the answer must change.

    Pairs hold the clean solution over the spoilt one. Corrections begin alike, with the error: chosen then
    notices it, with a marker such as "Wait", and comes to the right answer; rejected goes on as if nothing were.
    """

    reads = ("prompt", "chosen", "{reference}?")
    writes = (
        Column("chosen", "the clean solution, or the one that corrects itself"),
        Column("rejected", "the solution with the error"),
        Column("verdict", "always prefer"),
        Column("row_kind", "injected or correction", pa.string()),
        Column("steps", "the spoilt solution's steps: true before the error, false at it, null after"),
        Column("mistake_step", "the step with the error", pa.int32(), "place from 1"),
        Column("mistake_type", "representation, planning or execution", pa.string()),
        Column("mistake_description", "what is wrong, in a sentence", pa.string()),
        Column("wrong_answer", "the result the spoilt solution comes to", pa.string()),
        Column("flawed", "the spoilt solution up to its error, or with its wrong answer", pa.string()),
        JUDGED_MARGIN,
    )
    paper = "Self-Correction Bench, arXiv 2507.02778"

    writer: Annotated[str, ModelOf("chat")] = "writer"
    """Who puts the error in, and corrects."""
    judge: Annotated[str | None, ModelOf("chat")] = None
    """Rates both solutions where a target margin is given."""
    reference: str = "reference"
    """Column with the right answer; without one, the answer the row's own solution comes to."""
    verifier: AnyVerifier = Formula()
    """How it is seen that the answer changed, and that a correction is right."""
    kinds: Annotated[tuple[ErrorKind, ...], Field(min_length=1)] = ("representation", "planning", "execution")
    """Kinds of error to pick from."""
    strength: Strength = "clear"
    """How easily the error is noticed: subtle, clear or gross."""
    target_margin: tuple[float, float] | None = None
    """Least and greatest margin, in points of 10, between a judge's ratings of the clean and the spoilt solution:
    errors are put in one after the other, plainer or harder to see, until one fits; null = no rating."""
    emit: Literal["pairs", "corrections", "both"] = "pairs"
    """Clean over spoilt, corrections, or a row of each."""
    until: Literal["error", "answer"] = "error"
    """Where corrections set in: right after the step with the error, or after the wrong answer."""
    markers: Annotated[tuple[str, ...], Field(min_length=1)] = MARKERS
    """What a correction begins with; chance takes one."""
    tries: Annotated[int, Field(ge=1)] = 2
    """Attempts at a sound error, and at a right correction."""
    prompts: str = "inject_error"
    """A template of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.4
    """Sampling temperature."""
    max_tokens: Annotated[int, Field(ge=1)] = 2048
    """Most tokens of a reply."""

    def faults(self) -> Sequence[str]:
        return [
            *TEMPLATES.faults(self.prompts),
            *self.verifier.faults(),
            *target_faults(self.target_margin, self.judge),
        ]

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts, *([CONFIRM] if self.target_margin else []))

    def calls_a_row(self) -> float:
        ratings = 1 + self.tries if self.target_margin else 0
        return float(ratings + self.tries * (1 if self.emit == "pairs" else 2))

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        clean, prompt = answer_of(row), prompt_of(row)
        pieces = pieces_of(clean)
        if len(pieces) < 2:
            raise Dropped("a single step")
        rng = ctx.rng(row["id"])
        order = Order(rng.randrange(len(pieces)), rng.choice(self.kinds), self.strength)
        solution = Solution(prompt, pieces, result_of(clean, row.get(self.reference)))
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens)
        one, told = await self._spoilt(writer, solution, order, ctx)
        shared = self._told(solution, one)
        rows = [shared | {"row_kind": "injected", "chosen": row["chosen"], **told}]
        if self.emit == "pairs":
            return rows
        corrected = await self._corrected(
            writer, solution, one, rng.choice(self.markers), sample_seeds(ctx, self.tries)
        )
        correction = shared | {"row_kind": "correction", "chosen": corrected, **told, "judged_margin": None}
        return [correction] if self.emit == "corrections" else [*rows, correction]

    async def _spoilt(self, writer: Writer, solution: Solution, order: Order, ctx: Context) -> tuple[Injected, Row]:
        """The spoilt solution, as `rejected` and with its margin."""
        seeds = sample_seeds(ctx, self.tries)

        async def make(strength: Strength, number: int) -> tuple[Injected, int]:
            tried = seeds[number : number + 1] if self.target_margin else seeds
            return await injected(writer, solution, replace(order, strength=strength), self.verifier, tried)

        aim = Aim(ctx.models[self.judge] if self.judge else None, solution.prompt, self.target_margin, self.tries)
        found = await aim.at("".join(solution.pieces), make, self.strength, text_of=lambda made: made[0].text)
        one, seed = found.made
        params = {"step": one.number, "type": one.kind, **aim.told(found)}
        origin = made_by(self.name, "injected", params, writer.model.name, seed)
        return one, {"rejected": answer(one.text, origin), "judged_margin": found.margin}

    def _told(self, solution: Solution, one: Injected) -> Row:
        before = solution.steps[: one.number - 1]
        labels = [True] * len(before) + [False] + [None] * (len(one.steps) - 1)
        return {
            "verdict": "prefer", "steps": labelled([*before, *one.steps], labels), "mistake_step": one.number,
            "mistake_type": one.kind, "mistake_description": one.description, "wrong_answer": one.wrong_answer,
            "flawed": one.flawed if self.until == "error" else one.text,
        }  # fmt: skip

    async def _corrected(
        self, writer: Writer, solution: Solution, one: Injected, marker: str, seeds: Sequence[int]
    ) -> Row:
        flawed = one.flawed if self.until == "error" else one.text
        values = {"prompt": solution.prompt, "flawed": flawed, "description": one.description, "marker": marker}
        fault = ""
        for seed in seeds:
            said = await writer.verdict("correct", values, seed=seed)
            if not said.ok:
                fault = f"correct: {said.outcome.value}"
                continue
            text = f"{flawed.rstrip()}{one.between}{marker}, {said.value.removeprefix(marker).lstrip(' ,.')}"
            if (await self.verifier.verify(text, solution.result)).right:
                params = {"step": one.number, "type": one.kind, "marker": marker, "until": self.until}
                return answer(text, made_by(self.name, "correction", params, writer.model.name, seed))
            fault = "the correction is not right"
        raise Dropped(fault, {"step": one.number, "kind": one.kind})

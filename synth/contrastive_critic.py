"""`synth.contrastive_critic`: critiques drawn from a reference solution, kept where their own correction holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Final, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.final_answer import final_answer
from ..core.registry import register
from ..core.stage import Context, Drop, Dropped, Map, Row
from ..models.answers import Of, most_answers, sides
from ..models.readers import read_text, read_yes_no
from .critique_corrected import Corrected, changed, read_corrected
from .critique_records import ABOUT, Subject, critic_prompt, critique_value, labelled, question_of, steps_of, subjects
from .critique_truth import same_end
from .making import TEMPLATES, Writer, answer, made_by, pictures_of, tried

_TOLD: Final = re.compile(
    r"\b(?:reference (?:solution|answer|analysis)|(?:given|provided) (?:analysis|reference|key concepts))\b",
    re.IGNORECASE,
)


@final
@register("synth.contrastive_critic")
class ContrastiveCritic(Map):
    """Study the reference, then criticise a solution step by step and correct it; keep what corrects itself.

    The critic first puts the reference's concepts and strategy in its own words and sees only those when
    it criticises: without a reference it would approve of everything, with the reference itself it would
    copy. A critique is valid when the solution it ends up with (its correction, or the response where
    it finds nothing wrong) comes to the reference's result and a check of that solution alone finds no
    error. The prompt of the new rows holds neither reference nor analysis. `steps_changed` tells lucky
    corrections: one that leaves no step as it was has not been led by the critique.
    """

    reads = ("prompt", "{reference}", "images?")
    writes = (
        "prompt",
        "candidates",
        "chosen",
        "rejected",
        "verdict",
        "critique",
        "steps",
        *ABOUT,
        Column("critique_verdict", "what the critique says of the response: right or wrong", pa.string()),
        Column("verdict_ok", "whether that is so, by the reference's result", pa.bool_()),
        Column("first_error_step", "the first step called wrong", pa.int32(), "place", 1, None, "neither"),
        Column("reference_analysis", "concepts and strategy, from the reference", pa.string()),
        Column("correction", "the corrected solution; null where the response is called right", pa.string()),
        Column("corrected_answer", "the result of the correction", pa.string()),
        Column("steps_changed", "share of the correction's steps that are new", pa.float64(), "share", 0, 1, "neither"),
        Column("valid_answer", "whether the correction comes to the reference's result", pa.bool_()),
        Column("valid_check", "whether a check of the correction alone finds no error", pa.bool_()),
    )
    paper = "SCRIT, arXiv 2501.05727"

    of: Of = "chosen"
    """Which answers are criticised: the chosen one, both of a pair, or every candidate. Right and wrong
    ones should be mixed: a critic that has seen wrong ones alone finds fault with everything."""
    most: Annotated[int, Field(ge=1)] = 4
    """Most answers of a row that are criticised, the first ones, so that no problem dominates."""
    reference: str = "reference"
    """Column with the reference solution."""
    keep_invalid: bool = False
    """Keep critiques whose correction fails, with `valid_answer` and `valid_check` saying so."""
    writer: Annotated[str, ModelOf("chat")] = "writer"
    """The critic, which also checks its corrections: the model to be trained."""
    prompts: str = "contrastive_critic"
    """Templates of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Of analysis and critique; the check is asked at 0."""
    max_tokens: Annotated[int, Field(ge=16)] = 2048
    """Most tokens of a critique."""

    def faults(self) -> Sequence[str]:
        return TEMPLATES.faults(self.prompts)

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts, "critique_record")

    def columns_read(self) -> tuple[str, ...]:
        return (*Map.columns_read(self), *sides(self.of))

    def calls_a_row(self) -> float:
        answers = min(most_answers(self.of, self.most), self.most)
        return 1.0 + 2.0 * answers

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        question, reference = question_of(row), row[self.reference]
        if not reference or not reference.strip():
            return Drop("no reference")
        found = subjects(row, self.of, self.most)
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens)
        values = {"question": question, "reference": reference}
        analysis = await writer.says("study", values, read_text, seed=ctx.seed, pictures=pictures_of(row))
        rows, drops = await tried(*(self._criticised(writer, row, ctx, analysis, each) for each in found))
        return rows or drops[0]

    async def _criticised(self, writer: Writer, row: Row, ctx: Context, analysis: str, subject: Subject) -> Row:
        question, reference, pictures = question_of(row), row[self.reference], pictures_of(row)
        steps = steps_of(subject.text)
        values = {"question": question, "steps": steps, "analysis": analysis}
        reader = read_corrected(len(steps))
        said: Corrected = await writer.says("critique", values, reader, seed=ctx.seed, pictures=pictures)
        if _TOLD.search(said.text):
            raise Dropped("critique: tells of the reference")
        ending = said.correction or subject.text
        valid_answer = same_end(ending, reference)
        valid_check = await writer.says(
            "check", {"question": question, "solution": ending}, read_yes_no(),
            seed=ctx.seed, temperature=0.0, max_tokens=512, pictures=pictures,
        )  # fmt: skip
        if not self.keep_invalid and not (valid_answer and valid_check):
            raise Dropped("correction: another result" if not valid_answer else "correction: the check finds an error")
        told = {"reference_analysis": analysis, "valid_answer": valid_answer, "valid_check": valid_check}
        return self._row(writer, question, subject, said, ctx.seed) | told | self._verdict(said, subject, reference)

    def _verdict(self, said: Corrected, subject: Subject, reference: str) -> Row:
        right = same_end(subject.text, reference)
        return {"critique_verdict": said.verdict, "verdict_ok": (said.verdict == "right") == right}

    def _row(self, writer: Writer, question: str, subject: Subject, said: Corrected, seed: int) -> Row:
        steps, critic = steps_of(subject.text), writer.model.name
        origin = made_by(self.name, "contrastive", {"of": self.of, "temperature": self.temperature}, critic, seed)
        return {
            **subject.about(question), "prompt": critic_prompt(question, subject.text), "candidates": None,
            "chosen": answer(said.text, origin), "rejected": None, "verdict": None,
            "critique": critique_value(said.text, critic, said.verdict), "steps": labelled(steps, said.labels),
            "first_error_step": said.first_error, "correction": said.correction,
            "corrected_answer": final_answer(said.correction) if said.correction else None,
            "steps_changed": changed(steps, steps_of(said.correction)) if said.correction else None,
        }  # fmt: skip

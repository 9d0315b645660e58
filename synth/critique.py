"""`synth.critique`: what is right and wrong about an answer, ending in a verdict that can be read by machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Drop, Map, Row
from ..models.answers import Of, most_answers, sides
from ..models.verdict import Verdict
from .critique_making import Format, Grain, Made, criticised
from .critique_records import ABOUT, Subject, critic_prompt, critique_value, labelled, question_of, steps_of, subjects
from .critique_truth import truth_of
from .critique_units import SPANS, located
from .making import TEMPLATES, Writer, answer, made_by, pictures_of, sample_seeds, together


@final
@register("synth.critique")
class CritiqueStage(Map):
    """Have an answer criticised, once or often, and give the critiques back as answers to a critic's prompt.

    The new `prompt` asks, in constant words, whether a solution is right; `question` and `response` are
    what it is about, so that the rows train a critic (`dialect: cft` or `trl_sft`). The critic is not
    shown the truth unless told so; `verdict_ok` says whether its verdict agrees with it. Teachers err
    in a noticeable share of critiques: keep the column. Critiques that mostly say "wrong" teach a
    prejudice: `select.balance` on `critique_verdict` evens them out.
    """

    reads = ("prompt", "{reference}?", "{hint}?", "verdict?", "images?")
    writes = (
        "prompt",
        "candidates",
        "chosen",
        "rejected",
        "verdict",
        "critique",
        *ABOUT,
        Column("response_right", "whether the response is right, where known", pa.bool_()),
        Column("rationale_format", "how deep the critique goes and whether it names its grounds", pa.string()),
        Column("critique_verdict", "what the critique says of the response: right or wrong", pa.string()),
        Column("verdict_ok", "whether that is so, where known", pa.bool_()),
    )
    paper = "Critique Fine-Tuning, arXiv 2501.17703; steps: AutoMathCritique, arXiv 2411.16579"

    of: Of = "chosen"
    """Which answers are criticised: the chosen one, both of a pair, or every candidate."""
    grain: Grain = "answer"
    """The answer as a whole, its steps up to the first wrong one, or its flaws with quotes and their places."""
    form: Literal["rows", "pairs", "candidates"] = "rows"
    """One row a critique; one a pair of opposite verdicts, the true one chosen; or one an answer, with its
    critiques as candidates and `verdict_ok` as their score (1 or 0)."""
    rationale_format: Annotated[tuple[Format, ...], Field(min_length=1)] = ("full",)
    """Depth of the reasons, with or without the grounds of each; several are asked for side by side."""
    n: Annotated[int, Field(ge=1, le=64)] = 1
    """Critiques of an answer in each format."""
    most: Annotated[int, Field(ge=1)] = 8
    """Most answers of a row that are criticised, the first ones."""
    truth: Literal["unknown", "sides", "column"] = "unknown"
    """Whence it is known whether an answer is right: from nowhere, from its side (chosen is, rejected is not;
    not known of a tie), or from the column `reference`."""
    reference: str = "reference"
    """Column with the right answer, compared by its end result, or with whether the answer is right."""
    tell_reference: bool = False
    """Show the critic the right answer too; critique fine-tuning does not, AutoMathCritique does."""
    hint: str | None = None
    """Column that says what is known of the error, such as `mistake_description`; shown to the critic of a
    response that is not known to be right."""
    writer: Annotated[str, ModelOf("chat")] = "writer"
    """The critic."""
    prompts: str = "critique"
    """Templates of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.3
    """Of the critic."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    """Of the critic."""
    max_tokens: Annotated[int, Field(ge=16)] = 3200
    """Most tokens of a critique."""

    def faults(self) -> Sequence[str]:
        found = list(TEMPLATES.faults(self.prompts))
        if self.truth == "sides" and self.of == "candidates":
            found.append("candidates have no sides: give truth: column")
        if self.form == "pairs" and (self.truth == "unknown" or self.n * len(self.rationale_format) < 2):
            found.append("form: pairs needs a truth and n of 2 or more")
        if self.tell_reference and self.truth != "column":
            found.append("tell_reference needs truth: column")
        return found

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts, "critique_record")

    def columns_read(self) -> tuple[str, ...]:
        return (*Map.columns_read(self), *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        columns = Map.columns_written(self)
        if self.form == "candidates":
            kinds = {"critique_verdict": pa.list_(pa.string()), "verdict_ok": pa.list_(pa.float64())}
            return tuple(replace(c, type=kinds.get(c.name, c.type)) for c in columns if c.name != "critique")
        if self.form == "pairs":
            return tuple(c for c in columns if c.name != "critique")
        if self.grain == "spans":
            return (*columns, *SPANS)
        if self.grain == "steps":
            first = Column("first_error_step", "the first step called wrong", pa.int32(), "place", 1, None, "neither")
            return (*columns, Column("steps"), first)
        return columns

    def calls_a_row(self) -> float:
        answers = most_answers(self.of, self.most)
        return float(min(answers, self.most) * self.n * len(self.rationale_format))

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        question = question_of(row)
        asked = [
            (subject, kind, seed)
            for subject in subjects(row, self.of, self.most)
            for kind in self.rationale_format
            for seed in sample_seeds(ctx, self.n)
        ]
        found = await together(*(self._asked(row, ctx, question, *each) for each in asked))
        made = [each for each in found if isinstance(each, Made)]
        if not made:
            return Drop(f"critique: {next(v.outcome.value for v in found if isinstance(v, Verdict))}")
        rows = list(self._rows(question, made, ctx.models[self.writer].name))
        return rows or Drop(self._unpaired(made))

    async def _asked(
        self, row: Row, ctx: Context, question: str, subject: Subject, kind: Format, seed: int
    ) -> Made | Verdict:
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens, self.top_p)
        truth = row.get(self.reference) if self.truth == "column" else None
        right = truth_of(truth, subject.text)
        if self.truth == "sides" and row.get("verdict") != "tie":
            right = subject.place == 0
        values = {
            "question": question, "response": subject.text,
            "steps": steps_of(subject.text) if self.grain == "steps" else [],
            "reference": truth if self.tell_reference else None,
            "hint": row.get(self.hint) if self.hint and right is not True else None,
        }  # fmt: skip
        found = await criticised(writer, self.grain, kind, values, seed, pictures_of(row))
        if isinstance(found, Verdict):
            return found
        return Made(subject, kind, seed, *found, right=right)

    def _rows(self, question: str, made: Sequence[Made], critic: str) -> Iterator[Row]:
        groups: dict[int, list[Made]] = {}
        for each in made:
            groups.setdefault(each.subject.place, []).append(each)
        for group in groups.values():
            if self.form == "rows":
                yield from (self._row(question, each, critic) for each in group)
            elif self.form == "candidates":
                yield self._about(question, group[0]) | self._candidates(group, critic)
            else:
                true = next((each for each in group if each.ok), None)
                false = next((each for each in group if each.ok is False), None)
                if true and false:
                    yield self._about(question, true) | self._pair(true, false, critic)

    def _about(self, question: str, each: Made) -> Row:
        return {
            **each.subject.about(question), "prompt": critic_prompt(question, each.subject.text),
            "response_right": each.right, "rationale_format": each.format, "candidates": None, "chosen": None,
            "rejected": None, "verdict": None, "critique_verdict": each.said.verdict, "verdict_ok": each.ok,
        }  # fmt: skip

    def _row(self, question: str, each: Made, critic: str) -> Row:
        row = self._about(question, each) | {
            "chosen": self._answer(each, critic),
            "critique": critique_value(each.said.text, critic, each.said.verdict),
        }
        if self.grain == "spans":
            return row | located(each.units, each.subject.text)
        if self.grain == "steps":
            row |= {"steps": labelled(steps_of(each.subject.text), each.said.labels)}
            return row | {"first_error_step": each.said.first_error}
        return row

    def _pair(self, true: Made, false: Made, critic: str) -> Row:
        return {
            "chosen": self._answer(true, critic), "rejected": self._answer(false, critic), "verdict": "prefer",
        }  # fmt: skip

    def _candidates(self, group: Sequence[Made], critic: str) -> Row:
        return {
            "candidates": [self._answer(each, critic) for each in group],
            "critique_verdict": [each.said.verdict for each in group],
            "verdict_ok": [None if each.ok is None else float(each.ok) for each in group],
        }

    def _answer(self, each: Made, critic: str) -> Row:
        params = {
            "grain": self.grain, "format": each.format, "of": self.of, "temperature": self.temperature,
            "top_p": self.top_p, "reference_shown": self.tell_reference, "hint": self.hint,
        }  # fmt: skip
        return answer(each.said.text, made_by(self.name, "critique", params, critic, each.seed))

    def _unpaired(self, made: Sequence[Made]) -> str:
        if all(each.ok is None for each in made):
            return "not known whether the response is right"
        return "no critiques of opposite verdicts"

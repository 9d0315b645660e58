"""`synth.lookback`: an answer about a picture is criticised by looking at the picture again, fact by fact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.final_answer import final_answer, marked_answer
from ..core.registry import register
from ..core.stage import Context, Dropped, Map, Row
from ..models.pictures import Part
from .critique_truth import same_end
from .making import TEMPLATES, Writer, answer, answer_of, made_by, pictures_of, prompt_of, together
from .numbered import numbered, read_numbered
from .steplists import find_steps

_ASKED: Final = numbered(questions={"type": "array", "items": {"type": "string"}})
_FOUND: Final = numbered(right={"type": "boolean"}, why={"type": "string"})
NOTES: Final = pa.list_(pa.struct([("step", pa.int32()), ("question", pa.string()), ("seen", pa.string())]))


@final
@dataclass(frozen=True)
class _Looked:
    """What came of looking: the steps, the notes, an own answer, and an entry for each step and the result."""

    steps: tuple[str, ...]
    notes: tuple[tuple[int, str, str], ...]
    own: str
    entries: tuple[dict[str, Any], ...]

    @property
    def text(self) -> str:
        """What is wrong, a line an entry; empty when nothing is."""
        names = [f"Step {k}" for k in range(1, len(self.steps) + 1)] + ["The result"]
        pairs = zip(names, self.entries, strict=True)
        return "\n".join(f"{name}: {each['why'].strip() or 'wrong'}" for name, each in pairs if not each["right"])


@final
@register("synth.lookback")
class Lookback(Map):
    """Turn each step into small questions, answer them from the picture, and criticise the answer by that.

    Three parts see the picture: the questions one by one, an own answer, and the correction. The critique
    itself goes by what they said. `emit: pairs` has the answer corrected and keeps (corrected, original)
    where the reference says that the original is wrong and the correction right: unchecked critiques can
    make answers worse. Steps are the row's, or the answer's numbered list, or its lines.
    """

    reads = ("prompt", "{answer}", "images", "steps?")
    writes = (
        "steps",
        "critique",
        Column("critique_verdict", "what the critique says of the result: right or wrong", pa.string()),
        Column("step_reasons", "why each step is wrong, empty where it is right", pa.list_(pa.string())),
        Column("lookback", "questions about the picture, by step from 1, and what was seen", NOTES),
        Column("lookback_answer", "the critic's own answer", pa.string()),
        Column("chosen", "with pairs, the corrected answer"),
        Column("rejected", "with pairs, the answer that was corrected"),
        Column("verdict", "prefer, with pairs"),
    )
    paper = "VISCO and LookBack, CVPR 2025; how steps are found, the check by reference: house"

    writer: Annotated[str, ModelOf("chat")] = "writer"
    """The critic, who must see pictures; it asks, looks, answers and criticises."""
    answer: str = "chosen"
    """Column with the answer to be criticised."""
    emit: Literal["critiques", "pairs"] = "critiques"
    """One critique a row, or pairs of a verified correction and the original."""
    reference: str = "reference"
    """Column with the right answer; pairs alone read it."""
    questions: Annotated[int, Field(ge=1, le=8)] = 2
    """Most questions a step."""
    most: Annotated[int, Field(ge=1, le=40)] = 12
    """Most steps; a row with more is dropped."""
    prompts: str = "lookback"
    """A template of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Sampling temperature."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Most tokens of a reply."""

    def faults(self) -> Sequence[str]:
        return TEMPLATES.faults(self.prompts)

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts)

    def columns_read(self) -> tuple[str, ...]:
        known = (self.reference,) if self.emit == "pairs" else ()
        return (*Map.columns_read(self), *known)

    def columns_written(self) -> tuple[Column, ...]:
        columns = Map.columns_written(self)
        return columns if self.emit == "pairs" else columns[:-3]

    def calls_a_row(self) -> float:
        return 3.0 + self.questions * self.most + (self.emit == "pairs")

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        prompt, text, pictures = prompt_of(row), answer_of(row, self.answer), pictures_of(row)
        if not pictures:
            raise Dropped("no picture")
        steps = _steps(row.get("steps"), text)
        if len(steps) > self.most:
            raise Dropped("too many steps", {"steps": len(steps)})
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens)
        looked = await self._look(writer, prompt, text, steps, pictures)
        made = self._row(looked, writer.model.name)
        if self.emit == "critiques":
            return [made]
        if not looked.text:
            raise Dropped("nothing found wrong")
        values = {"prompt": prompt, "answer": text, "critique": looked.text}
        corrected = await writer.says("correct", values, pictures=pictures)
        return [made | self._pair(row, corrected, looked, writer)]

    async def _look(
        self, writer: Writer, prompt: str, text: str, steps: tuple[str, ...], pictures: Sequence[Part]
    ) -> _Looked:
        values: dict[str, Any] = {"prompt": prompt, "steps": steps}
        asking: dict[str, Any] = values | {"most": self.questions}
        solved, asked = await together(
            writer.says("solve", {"prompt": prompt}, pictures=pictures),
            writer.says("questions", asking, read_numbered(_ASKED, len(steps)), schema=_ASKED),
        )
        wanted = [
            (k, question.strip())
            for k, entry in enumerate(asked, 1)
            for question in entry["questions"][: self.questions]
            if question.strip()
        ]
        looks = (writer.says("look", {"question": q}, pictures=pictures, max_tokens=120) for _, q in wanted)
        seen = await together(*looks)
        notes = tuple((k, q, what) for (k, q), what in zip(wanted, seen, strict=True))
        result = marked_answer(text) or final_answer(text)
        told = values | {"notes": notes, "own": solved, "result": result}
        entries = await writer.says("critique", told, read_numbered(_FOUND, len(steps) + 1), schema=_FOUND)
        return _Looked(steps, notes, solved, tuple(entries))

    def _row(self, looked: _Looked, critic: str) -> Row:
        verdict = "right" if looked.entries[-1]["right"] else "wrong"
        per_step = list(zip(looked.steps, looked.entries, strict=False))
        return {
            "steps": [{"text": step, "label": entry["right"]} for step, entry in per_step],
            "step_reasons": ["" if entry["right"] else entry["why"].strip() for _, entry in per_step],
            "critique": {
                "text": looked.text or "Nothing is wrong.", "critic": critic, "score": None, "verdict": verdict
            },
            "critique_verdict": verdict,
            "lookback": [{"step": k, "question": q, "seen": seen} for k, q, seen in looked.notes],
            "lookback_answer": looked.own,
        }  # fmt: skip

    def _pair(self, row: Row, corrected: str, looked: _Looked, writer: Writer) -> Row:
        reference, text = row[self.reference], answer_of(row, self.answer)
        if not reference or not reference.strip():
            raise Dropped("no reference")
        if same_end(text, reference):
            raise Dropped("the original is right")
        if not same_end(corrected, reference):
            raise Dropped("the correction is wrong")
        params = {"steps": len(looked.steps), "wrong": sum(not entry["right"] for entry in looked.entries)}
        origin = made_by(self.name, "correction by lookback", params, writer.model.name, None)
        return {"chosen": answer(corrected, origin), "rejected": row[self.answer], "verdict": "prefer"}


def _steps(known: Sequence[dict[str, Any]] | None, text: str) -> tuple[str, ...]:
    """The row's own steps, else those of a numbered list, else the lines."""
    listed = find_steps(text)
    found = [step["text"] or "" for step in known or () if step] or list(listed.bodies if listed else text.splitlines())
    return tuple(step.strip() for step in found if step.strip())

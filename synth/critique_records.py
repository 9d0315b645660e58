"""What stages that make critiques share: what a critic is asked, and the answers of a row it is asked about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, final

import pyarrow as pa

from ..core.declared import Column
from ..core.row import COLUMNS
from ..core.stage import Dropped, Row
from ..models.answers import Of, sides
from .injecting import pieces_of
from .making import TEMPLATES

PROMPTS: Final = "critique_record"
Record = Literal["verdict", "score"]
ABOUT: Final = (
    Column("question", "what the answer under critique was asked", pa.string()),
    Column("response", "the answer under critique", pa.string()),
    Column("response_from", "who wrote that answer, or which of the row's answers it was", pa.string()),
)
"""Columns of a row that is about an answer: its prompt is what a critic is asked."""


@final
@dataclass(frozen=True)
class Subject:
    """An answer to be criticised; `place` is its side (0 = chosen, 1 = rejected) or number among the candidates."""

    place: int
    text: str
    origin: str

    def about(self, question: str) -> Row:
        """The columns of `ABOUT`."""
        return {"question": question, "response": self.text, "response_from": self.origin}


def subjects(row: Row, of: Of, most: int) -> list[Subject]:
    """The row's answers that have a text, at most `most`. Raises Dropped where there is none."""
    answers = row["candidates"] or () if of == "candidates" else [row[side] for side in sides(of)]
    names = [f"candidate {k}" for k in range(len(answers))] if of == "candidates" else sides(of)
    found = [
        Subject(place, answer["text"], answer.get("model") or name)
        for place, (answer, name) in enumerate(zip(answers, names, strict=True))
        if answer and (answer.get("text") or "").strip()
    ][:most]
    if not found:
        raise Dropped("no answer to criticise")
    return found


def question_of(row: Row) -> str:
    """The prompt as text, every turn of it; who speaks is said where there are several. Raises Dropped without one."""
    turns = [turn for turn in row["prompt"] or () if (turn["content"] or "").strip()]
    if not turns:
        raise Dropped("no prompt")
    if len(turns) == 1:
        return str(turns[0]["content"])
    return "\n\n".join(f"{turn['role'].capitalize()}: {turn['content']}" for turn in turns)


def instruction(kind: Record = "verdict") -> str:
    """The constant request a critic is trained on: to say whether a solution is right, or how good an answer is."""
    return TEMPLATES.load(PROMPTS, kind).messages({})[0]["content"]


def critic_prompt(question: str, response: str, kind: Record = "verdict") -> list[Row]:
    """The one message a critic is trained on: the instruction, a line break, question and solution."""
    return [message("user", f"{instruction(kind)}\n{critic_input(question, response)}")]


def critic_input(question: str, response: str) -> str:
    """Question and solution as the records of critique fine-tuning lay them out."""
    return f"Question:\n{question}\n\nSolution:\n{response}"


def message(role: str, content: str) -> Row:
    """A `core.row.MESSAGE` of plain text."""
    return {"role": role, "content": content, "parts": None, "tool_calls": None}


def critique_value(text: str, critic: str, verdict: str | None = None, score: float | None = None) -> Row:
    """A value of the column `critique`."""
    return {"text": text, "critic": critic, "score": score, "verdict": verdict}


def steps_of(text: str) -> list[str]:
    """The steps of a worked answer without the space around them, numbered as `synth.inject_error` numbers them."""
    return [piece.strip() for piece in pieces_of(text)]


def labelled(steps: Sequence[str], labels: Sequence[bool | None]) -> list[Row]:
    """A value of the column `steps`."""
    return [{"text": text, "label": label} for text, label in zip(steps, labels, strict=True)]


CRITIQUES: Final = pa.list_(COLUMNS["critique"])
"""The type of a column with several critiques of one answer."""

"""`synth.faithful_explanation`: an answer explained, and the explanation made truer to what decided the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Drop, Map, Row
from ..models.critiques import mentions
from ..models.readers import read_json, read_text
from .critique_records import message, question_of
from .making import TEMPLATES, Writer, answer, answer_of, made_by, pictures_of

WORDS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"words": {"type": "array", "minItems": 1, "items": {"type": "string"}}},
    "required": ["words"],
}
CONTENT: Final = "NOTHING TO CHANGE"


@final
@register("synth.faithful_explanation")
class FaithfulExplanation(Map):
    """Explain an answer after the fact, then revise the explanation by feedback, at most `rounds` times.

    Feedback is the model's own critique, or the words of the question it calls most important. It ends
    early when there is nothing to change. The new prompt asks for the explanation, `chosen` is the last
    and `rejected` the first one. With `inserted_word` (by `synth.counterfactual_word`) an explanation is
    faithful when it mentions that word: the faithful one is chosen, and equals are a tie. Without it
    nothing says that the last one is better: confirm with `synth.confirm_worse`.
    """

    reads = ("prompt", "chosen", "inserted_word?", "images?")
    writes = (
        "prompt",
        "chosen",
        "rejected",
        "verdict",
        Column("first_explanation", "the explanation before any feedback", pa.string()),
        Column("refined_explanation", "the last explanation", pa.string()),
        Column("explanation_rounds", "revisions made", pa.int32(), "rounds", 0, None, "neither"),
        Column("explanation_feedback", "the feedback of each round", pa.list_(pa.string())),
        Column("explained_answer", "the answer that is explained", pa.string()),
    )
    paper = "SR-NLE, arXiv 2505.22823"

    feedback: Literal["critique", "words"] = "critique"
    """What a revision goes by: the model's critique, or the most important words."""
    rounds: Annotated[int, Field(ge=1, le=10)] = 3
    """Most revisions."""
    words: Annotated[int, Field(ge=1, le=50)] = 5
    """Words named by `feedback: words`."""
    writer: Annotated[str, ModelOf("chat")] = "writer"
    """The model that gave the answer: only it can explain itself."""
    prompts: str = "faithful_explanation"
    """Templates of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Of explanations; feedback is asked for at 0."""
    max_tokens: Annotated[int, Field(ge=16)] = 512
    """Most tokens of an explanation."""

    def faults(self) -> Sequence[str]:
        return TEMPLATES.faults(self.prompts)

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts)

    def calls_a_row(self) -> float:
        return 1.0 + 2.0 * self.rounds

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        values = {"question": question_of(row), "answer": answer_of(row)}
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens)
        pictures = pictures_of(row)
        explanations = [await writer.says("explain", values, read_text, seed=ctx.seed, pictures=pictures)]
        told: list[str] = []
        for _ in range(self.rounds):
            values["explanation"] = explanations[-1]
            feedback = await self._feedback(writer, values, row)
            if feedback is None:
                break
            told.append(feedback)
            refined = await writer.says(
                "refine", values | {"feedback": feedback}, read_text, seed=ctx.seed, pictures=pictures
            )
            if refined == explanations[-1]:
                break
            explanations.append(refined)
        return [self._row(values, explanations, told, row.get("inserted_word"), writer.model.name, ctx.seed)]

    async def _feedback(self, writer: Writer, values: Row, row: Row) -> str | None:
        """What to change; null where that is nothing."""
        if self.feedback == "critique":
            said: str = await writer.says("criticise", values, read_text, temperature=0.0, pictures=pictures_of(row))
            return None if CONTENT in said.upper() else said
        found = await writer.says(
            "words", values | {"words": self.words}, read_json(WORDS), temperature=0.0, schema=WORDS
        )
        words = [word.strip() for word in found["words"] if mentions(values["question"], word)][: self.words]
        missing = [word for word in words if not mentions(values["explanation"], word)]
        return f"These words mattered for the answer: {', '.join(words)}." if missing else None

    def _row(
        self, values: Row, explanations: Sequence[str], told: Sequence[str], word: str | None, writer: str, seed: int
    ) -> Row:
        first, last = explanations[0], explanations[-1]
        better, worse, verdict = _sides(first, last, word)
        asked = TEMPLATES.load(self.prompts, "explain").messages(values)
        params = {"feedback": self.feedback, "rounds": len(explanations) - 1}

        def written(text: str) -> Row:
            return answer(text, made_by(self.name, "first" if text == first else "refined", params, writer, seed))

        return {
            "prompt": [message(m["role"], m["content"]) for m in asked], "chosen": written(better),
            "rejected": None if worse is None else written(worse), "verdict": verdict, "first_explanation": first,
            "refined_explanation": last, "explanation_rounds": len(explanations) - 1,
            "explanation_feedback": list(told), "explained_answer": values["answer"],
        }  # fmt: skip


def _sides(first: str, last: str, word: str | None) -> tuple[str, str | None, str | None]:
    """(chosen, rejected, verdict) of the first and the last explanation."""
    if first == last:
        return last, None, None
    if word is None:
        return last, first, "prefer"
    was, now = mentions(first, word), mentions(last, word)
    if was == now:
        return last, first, "tie"
    return (last, first, "prefer") if now else (first, last, "prefer")

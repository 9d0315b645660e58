"""`synth.counterfactual_word`: a word put into a question so that the model's answer becomes another one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.final_answer import final_answer
from ..core.registry import register
from ..core.stage import Context, Drop, Map, Row
from ..models.critiques import mentions
from ..models.readers import read_choice, read_json, read_text
from .making import TEMPLATES, Writer, answer, made_by, pictures_of, prompt_of, together

_WORD: Final = re.compile(r"[^\W\d_]+(?:[-'][^\W\d_]+)*")
INSERTIONS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "insertions": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"word": {"type": "string"}, "before": {"type": "string"}},
                "required": ["word", "before"],
            },
        }
    },
    "required": ["insertions"],
}


@final
@register("synth.counterfactual_word")
class CounterfactualWord(Map):
    """Put one word into the prompt's last message, keep the row when the model then answers otherwise.

    The word has then decided the answer, so an explanation of that answer which does not mention it is
    unfaithful. `prompt` becomes the changed prompt, `chosen` the model's answer to it. A row that no word
    flips is dropped. Answers are alike when they are the same of `choices`, or come to the same result.
    """

    reads = ("prompt", "images?")
    writes = (
        "prompt",
        "chosen",
        Column("inserted_word", "the word put in", pa.string()),
        Column("flipped_from", "the answer without it", pa.string()),
    )
    paper = "the counterfactual test of SR-NLE, arXiv 2505.22823"

    words: Annotated[int, Field(ge=1, le=32)] = 4
    """Words that are tried."""
    choices: tuple[str, ...] = ()
    """The answers allowed, such as yes and no; empty = any."""
    writer: Annotated[str, ModelOf("chat")] = "writer"
    """The model whose explanations are tested: it answers, and proposes the words."""
    prompts: str = "counterfactual_word"
    """Templates of the package, or a file."""
    max_tokens: Annotated[int, Field(ge=1)] = 256
    """Most tokens of an answer."""

    def faults(self) -> Sequence[str]:
        return TEMPLATES.faults(self.prompts)

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts)

    def calls_a_row(self) -> float:
        return 2.0 + self.words

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        prompt_of(row)
        writer = Writer(ctx.models[self.writer], self.prompts, 0.0, self.max_tokens)
        last = row["prompt"][-1]["content"] or ""
        before, proposed = await together(
            self._answer(writer, row, last),
            writer.says(
                "propose", {"question": last, "words": self.words}, read_json(INSERTIONS), schema=INSERTIONS,
                temperature=1.0, max_tokens=512, seed=ctx.seed,
            ),
        )  # fmt: skip
        texts = changed_texts(last, [(i["word"], i["before"]) for i in proposed["insertions"]])[: self.words]
        if not texts:
            return Drop("no word fits in")
        after = await together(*(self._answer(writer, row, text) for _, text in texts))
        for (word, text), said in zip(texts, after, strict=True):
            if not self._alike(before, said):
                origin = made_by(self.name, "flip", {"word": word}, writer.model.name, ctx.seed)
                prompt = [*row["prompt"][:-1], {**row["prompt"][-1], "content": text}]
                told = {"inserted_word": word, "flipped_from": before}
                return [{"prompt": prompt, "chosen": answer(said, origin), **told}]
        return Drop("no word flips the answer", {"tried": len(texts)})

    async def _answer(self, writer: Writer, row: Row, text: str) -> str:
        earlier = [turn["content"] or "" for turn in row["prompt"][:-1]]
        values = {"question": "\n\n".join([*earlier, text]), "choices": self.choices}
        reader = read_choice(self.choices) if self.choices else read_text
        said: str = await writer.says("answer", values, reader, pictures=pictures_of(row))
        return said

    def _alike(self, one: str, other: str) -> bool:
        return one == other if self.choices else final_answer(one) == final_answer(other)


def changed_texts(text: str, insertions: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """(word, text with the word before the first place of the other) of those that fit: one word, not there yet."""
    found = []
    for word, before in insertions:
        word, before = word.strip(), before.strip()
        place = re.search(rf"(?<!\w){re.escape(before)}(?!\w)", text) if before else None
        if _WORD.fullmatch(word) and place is not None and not mentions(text, word):
            found.append((word, f"{text[: place.start()]}{word} {text[place.start() :]}"))
    return list(dict.fromkeys(found))

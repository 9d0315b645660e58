"""`synth.reference_feedback`: what makes one good example good, used to write many new ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Dropped, Map, Row
from ..models.readers import read_json
from .listing import listed
from .making import TEMPLATES, Writer, answer, answer_of, made_by, prompt_of, together
from .overlap import without_repeats, words_of


@final
@dataclass(frozen=True)
class _Seed:
    """A good example and what is good about its prompt and about its answer."""

    prompt: str
    answer: str
    prompt_feedback: str
    answer_feedback: str


@final
@register("synth.reference_feedback")
class ReferenceFeedback(Map):
    """Say once what makes a seed's prompt and answer good; write new prompts and answers by that.

    Each new prompt gets a draft and its revision by the seed's feedback on answers: the revision is chosen,
    the draft rejected. New prompts nearly equal to the seed's or to one another are left out, as are
    replies that say nothing and revisions that change no word. REFED, 2025.
    """

    reads = ("prompt", "chosen")
    writes = (
        Column("prompt", "the new prompt"),
        Column("chosen", "the draft revised by the seed's feedback"),
        Column("rejected", "the draft"),
        Column("verdict", "always prefer"),
        Column("seed_id", "id of the seed", pa.string()),
        Column("seed_prompt", "the seed's prompt", pa.string()),
        Column("seed_answer", "the seed's answer", pa.string()),
        Column("prompt_feedback", "what makes the seed's prompt good", pa.string()),
        Column("answer_feedback", "what makes the seed's answer good", pa.string()),
        Column("seed_repeats", "new prompts of this seed left out as repeats", pa.int32()),
        Column("seed_failures", "new prompts of this seed without a sound draft and revision", pa.int32()),
    )
    paper = "Reference-Level Feedback (REFED), 2025 (prompts, repeat filter, draft as rejected: house)"

    writer: Annotated[str, ModelOf("chat")] = "writer"
    """Who gives feedback and writes."""
    new: Annotated[int, Field(ge=1, le=100)] = 10
    """New prompts asked for a seed."""
    repeat: Annotated[float, Field(gt=0, le=1)] = 0.7
    """ROUGE-L, 0 to 1, from which a new prompt repeats the seed's or an earlier one."""
    prompts: str = "reference_feedback"
    """A template of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Sampling temperature of drafts and revisions; feedback is given at 0."""
    variety: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Sampling temperature of new prompts."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Most tokens of a draft or revision."""
    feedback_tokens: Annotated[int, Field(ge=1)] = 512
    """Most tokens of feedback."""

    def faults(self) -> Sequence[str]:
        return TEMPLATES.faults(self.prompts)

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts)

    def calls_a_row(self) -> float:
        return 3.0 + 2.0 * self.new

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens)
        seed = await self._feedback(writer, prompt_of(row), answer_of(row))
        new, repeats = await self._prompts(writer, seed)
        answers = await together(*(self._answers(writer, seed, prompt) for prompt in new))
        made = [(prompt, pair) for prompt, pair in zip(new, answers, strict=True) if pair is not None]
        if not made:
            raise Dropped("no sound new pair", {"prompts": len(new), "repeats": repeats})
        shared = {
            "verdict": "prefer", "seed_id": row["id"], "seed_prompt": seed.prompt, "seed_answer": seed.answer,
            "prompt_feedback": seed.prompt_feedback, "answer_feedback": seed.answer_feedback,
            "seed_repeats": repeats, "seed_failures": len(new) - len(made),
        }  # fmt: skip
        return [shared | self._pair(writer, prompt, pair, row["id"]) for prompt, pair in made]

    async def _feedback(self, writer: Writer, prompt: str, good: str) -> _Seed:
        values = {"prompt": prompt, "answer": good}
        told = (
            writer.says(part, values, temperature=0.0, max_tokens=self.feedback_tokens)
            for part in ("prompt_feedback", "answer_feedback")
        )
        return _Seed(prompt, good, *await together(*told))

    async def _prompts(self, writer: Writer, seed: _Seed) -> tuple[list[str], int]:
        """At most `new` prompts that repeat nothing, and how many were left out."""
        schema = listed()
        values = {"prompt": seed.prompt, "feedback": seed.prompt_feedback, "n": self.new}
        said = await writer.says(
            "prompts", values, read_json(schema), schema=schema, temperature=self.variety,
            max_tokens=max(self.max_tokens, 160 * self.new),
        )  # fmt: skip
        asked = [text.strip() for text in said["items"] if text.strip()][: self.new]
        new = without_repeats(asked, [seed.prompt], self.repeat)
        if not new:
            raise Dropped("no new prompt", {"repeats": len(asked)})
        return new, len(asked) - len(new)

    async def _answers(self, writer: Writer, seed: _Seed, prompt: str) -> tuple[str, str] | None:
        """Draft and revision; None when either is unsound or they have the same words."""
        draft = await writer.verdict("draft", {"prompt": prompt})
        if not draft.ok:
            return None
        values = {"prompt": prompt, "draft": draft.value, "feedback": seed.answer_feedback}
        revised = await writer.verdict("refine", values)
        if not revised.ok or words_of(revised.value) == words_of(draft.value):
            return None
        return draft.value, revised.value

    def _pair(self, writer: Writer, prompt: str, pair: tuple[str, str], seed_id: str) -> Row:
        origins = (
            made_by(self.name, method, {"seed_id": seed_id, "step": step}, writer.model.name, None)
            for step, method in enumerate(("draft", "refine"), 1)
        )
        rejected, chosen = (answer(text, origin) for text, origin in zip(pair, origins, strict=True))
        message = {"role": "user", "content": prompt, "parts": None, "tool_calls": None}
        return {"prompt": [message], "chosen": chosen, "rejected": rejected}

"""`synth.rewrite_prompt`: image prompts written out by a chat model, with a fall-back that is named."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Final, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.paid import Reply
from ..core.registry import register
from ..core.stage import Context, Drop, Map, Row
from ..models.readers import read_text
from ..models.verdict import Outcome, Verdict
from .making import TEMPLATES, Writer, answer, made_by, prompt_of, sample_seeds, together

PROMPTS: Final = "rewrite_prompt"
_ANSWER: Final = re.compile(r"<answer>(.*?)</answer>", re.DOTALL | re.IGNORECASE)
KEYPOINTS: Final[dict[str, tuple[str, ...]]] = {
    "language": ("negation", "attribute consistency", "pronoun resolution"),
    "visual attributes": ("counting", "size", "material", "expression", "artistic style"),
    "action and interaction": (
        "full-body action", "hand action", "animal action", "interaction with contact", "interaction without contact",
        "state",
    ),
    "relations and structure": (
        "comparison", "composition", "containment", "similarity", "binding across entities", "layout of entities",
    ),
    "world knowledge": ("applied knowledge", "counterfactual"),
    "text in the picture": ("rendering of text", "layout of text"),
}  # fmt: skip
"""The 24 key points of a prompt in their six groups (PromptEnhancer)."""


@final
@register("synth.rewrite_prompt")
class RewritePrompt(Map):
    """Have a chat model think about an image prompt's key points and write it out.

    `prompt` puts the rewrite in the prompt's place and keeps the original beside it; a reply without
    sound text leaves the prompt as it was, and `rewritten_by` says so. `candidates` gives `n` rewrites
    as text answers to the untouched prompt: painted and scored against the *original*, the best and the
    worst of them are a preference pair of text. Over-specified rewrites drift: compare them with what
    was asked for, never with themselves.
    """

    reads = ("prompt",)
    writes = (
        Column("prompt", "the rewrite"),
        Column("original_prompt", "the prompt before it was rewritten", pa.string()),
        Column("rewritten_by", "answer (tagged), text (untagged), or original and why", pa.string()),
        Column("candidates", "the rewrites"),
    )
    paper = "PromptEnhancer, arXiv 2509.04545"

    writer: Annotated[str, ModelOf("chat")] = "writer"
    """The model that rewrites."""
    write: Literal["prompt", "candidates"] = "prompt"
    """Put the rewrite in the prompt's place, or give several as candidates."""
    n: Annotated[int, Field(ge=1, le=64)] = 8
    """Rewrites asked for as candidates."""
    prompts: str = PROMPTS
    """A template of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Sampling temperature."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Most tokens of a reply, thinking included."""

    def columns_written(self) -> tuple[Column, ...]:
        *replaced, listed = Map.columns_written(self)
        return tuple(replaced) if self.write == "prompt" else (listed,)

    def faults(self) -> Sequence[str]:
        found = TEMPLATES.faults(self.prompts)
        if self.write == "candidates" and self.n > 1 and self.temperature == 0:
            found.append("several rewrites at temperature 0 are all alike: give a temperature such as 0.7")
        return found

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts)

    def calls_a_row(self) -> float:
        return float(self.n if self.write == "candidates" else 1)

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        prompt = prompt_of(row)
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens)
        values = {"prompt": prompt, "keypoints": KEYPOINTS}
        seeds = sample_seeds(ctx, self.n if self.write == "candidates" else 1)
        verdicts = await together(*(writer.verdict("rewrite", values, read_rewrite, seed=seed) for seed in seeds))
        if self.write == "prompt":
            return [_replaced(prompt, verdicts[0])]
        found: dict[str, Row] = {}
        for seed, verdict in zip(seeds, verdicts, strict=True):
            if verdict.ok:
                text, how = verdict.value
                origin = made_by(self.name, "rewrite", {"read": how}, writer.model.name, seed)
                found.setdefault(text, answer(text, origin))
        if not found:
            return Drop(f"rewrite: {verdicts[0].outcome.value}", {"reply": verdicts[0].why[:500]})
        return [{"candidates": list(found.values())}]


def read_rewrite(reply: Reply) -> Verdict:
    """(text, "answer") of the last tagged answer after the thinking, else (the whole text, "text").

    Anything that is no sound text (empty, refused, cut off before the answer ends) has no value.
    """
    tagged = _ANSWER.findall(reply.text.rpartition("</think>")[2])
    text = " ".join(tagged[-1].split()) if tagged else ""
    if text:
        return Verdict(Outcome.OK, (text, "answer"))
    verdict = read_text(reply)
    if not verdict.ok:
        return verdict
    plain = re.sub(r"</?answer>", " ", verdict.value, flags=re.IGNORECASE)
    if not plain.strip():
        return Verdict(Outcome.UNPARSABLE, why=reply.text)
    return Verdict(Outcome.OK, (" ".join(plain.split()), "text"))


def _replaced(prompt: str, verdict: Verdict) -> Row:
    text, how = verdict.value if verdict.ok else (prompt, f"original: {verdict.outcome.value}")
    message = {"role": "user", "content": text, "parts": None, "tool_calls": None}
    return {"prompt": [message], "original_prompt": prompt, "rewritten_by": how}

"""`synth.counterfactual_swap`: pairs with something changed that must not change the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Drop, Map, Row
from .making import TEMPLATES, Writer, answer, answer_of, made_by, prompt_of, together
from .swaps import padded, swapped_names

Kind = Literal["names", "length", "tone"]
Side = Literal["chosen", "rejected"]
RATIO: Final = 3.0
"""A text in another tone has at most this many times the words of the text, and at least their third part."""


@final
@register("synth.counterfactual_swap")
class CounterfactualSwap(Map):
    """Set beside each pair the same pair with other names, idle length, or another tone.

    Names are exchanged alike in the prompt and both answers; length and tone change one answer. The
    label stays what it was. Score all rows with a judge, then have `diagnose.invariance` count the
    verdicts that changed; as training data the rows teach that these things do not matter.
    """

    reads = ("prompt", "chosen", "rejected", "verdict?")
    writes = (
        "prompt",
        "chosen",
        "rejected",
        Column("verdict", "the row's own"),
        Column("swap", "original, names, length or tone", pa.string()),
        Column("swap_of", "id of the row it was made from; the original has its own", pa.string()),
        Column("swap_side", "what was changed: both answers and the prompt, chosen, or rejected", pa.string()),
        Column("swap_faults", "why other swaps of the same row are missing", pa.list_(pa.string())),
    )
    paper = (
        "A Survey on Trustworthy ML from a data-centric causal view, arXiv 2307.16851 (counterfactuals); rules: house"
    )

    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)] = ("names", "length")
    """What is changed, one row each. tone asks the writer, the others are rules."""
    side: Side = "rejected"
    """The answer whose length and tone change."""
    writer: Annotated[str | None, ModelOf("chat")] = None
    """Changes the tone; needed for that only."""
    prompts: str = "counterfactual_swap"
    """The template of the method, or a file."""
    tone: str = "confident, warm and eager to help"
    """The tone asked for."""
    longer: Annotated[float, Field(gt=1)] = 1.5
    """How many times its words an answer is to have, as far as idle sentences go."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Of changes of tone."""
    max_tokens: Annotated[int, Field(ge=1)] = 2048
    """Most tokens of an answer in another tone."""

    def faults(self) -> Sequence[str]:
        found = TEMPLATES.faults(self.prompts)
        missing = "tone" in self.kinds and self.writer is None
        return [*found, "the tone is changed by a model: give writer, or leave tone out of kinds"] if missing else found

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts)

    def calls_a_row(self) -> float:
        return float("tone" in self.kinds)

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        found = await together(*(self._swapped(kind, row, ctx) for kind in dict.fromkeys(self.kinds)))
        wrong = [one for one in found if isinstance(one, str)]
        made = [one for one in found if not isinstance(one, str)]
        if not made:
            return Drop(wrong[0])
        shared = {"verdict": row.get("verdict") or "prefer", "swap_of": row["id"], "swap_faults": wrong}
        return [{"swap": "original", "swap_side": None, **shared}, *(one | shared for one in made)]

    async def _swapped(self, kind: Kind, row: Row, ctx: Context) -> Row | str:
        """The row with one thing changed, or why not."""
        if kind == "names":
            return self._renamed(row, ctx)
        text, rng = answer_of(row, self.side), ctx.rng(f"{row['id']} {kind}")
        if kind == "length":
            longer = padded(text, self.longer, rng)
            origin = made_by(self.name, kind, {"longer": self.longer}, row[self.side].get("model"), ctx.seed)
            return {self.side: answer(longer, origin), "swap": kind, "swap_side": self.side}
        writer = Writer(ctx.models[str(self.writer)], self.prompts, self.temperature, self.max_tokens)
        said = await writer.verdict("tone", {"text": text, "tone": self.tone}, seed=ctx.seed)
        if not said.ok:
            return f"tone: {said.outcome.value}"
        ratio = len(said.value.split()) / len(text.split())
        if said.value.split() == text.split() or not 1 / RATIO <= ratio <= RATIO:
            return "tone: nothing changed" if ratio == 1 else "tone: another length"
        origin = made_by(self.name, kind, {"tone": self.tone}, writer.model.name, ctx.seed)
        return {self.side: answer(said.value, origin), "swap": kind, "swap_side": self.side}

    def _renamed(self, row: Row, ctx: Context) -> Row | str:
        prompt_of(row)
        messages = row["prompt"]
        texts = [message["content"] or "" for message in messages]
        sides = [answer_of(row), answer_of(row, "rejected")]
        found = swapped_names([*texts, *sides], ctx.rng(f"{row['id']} names"))
        if found is None:
            return "no names"
        (*texts, chosen, rejected), swaps = found
        made: Row = {
            side: answer(text, made_by(self.name, "names", {"swaps": swaps}, row[side].get("model"), ctx.seed))
            for side, text in (("chosen", chosen), ("rejected", rejected))
        }
        prompt = [message | {"content": text} for message, text in zip(messages, texts, strict=True)]
        return {"prompt": prompt, **made, "swap": "names", "swap_side": "both"}

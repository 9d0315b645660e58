"""`synth.swap_prompt`: prompts for the same picture that are wrong in exactly one slot."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Annotated, Any, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column
from ..core.registry import register
from ..core.several import Several
from ..core.stage import Context, Drop, Map, Row
from .making import answer, made_by, prompt_of
from .prompt_slots import SLOTS, Slot, Swap, swaps

_LOGGED = pa.list_(
    pa.struct([("prompt", pa.string()), ("slot", pa.string()), ("before", pa.string()), ("after", pa.string())])
)


@final
@register("synth.swap_prompt")
class SwapPrompt(Map):
    """Change one slot of an image prompt by rule: a colour, a count, a relation, an attribute, a place.

    Grammar is kept (number, a or an), synonyms are never put for one another, and what was changed is
    logged. `negatives` gives each row its list of wrong prompts, for a classifier of prompts; `pair`
    gives rows for a model that sees: the picture, the true prompt preferred to a swapped one. A
    picture must show its prompt for either to hold: score it first. A prompt without a slot known here
    is dropped.
    """

    reads = ("prompt",)
    writes = (
        Column("prompts_neg", "prompts with one slot changed, and which", _LOGGED),
        Column("images", "the picture both captions are about"),
        Column("chosen", "the true prompt"),
        Column("rejected", "the swapped prompt"),
        Column("verdict", "always prefer"),
        "prompt",
    )
    paper = "Aligning Text-to-Image Models using Human Feedback, arXiv 2302.12192; the rules: house"

    write: Literal["negatives", "pair"] = "negatives"
    """A list of wrong prompts beside the row, or rows of a picture and two captions."""
    slots: Annotated[tuple[Slot, ...], Several, Field(min_length=1)] = SLOTS
    """Kinds of slots that may be changed."""
    most: Annotated[int, Field(ge=1, le=64)] = 3
    """Most wrong prompts of a row: one of each kind of slot by turns."""
    image: Literal["chosen", "images"] = "chosen"
    """Where the picture of a pair is: the chosen answer, or the row's first image."""
    question: Annotated[str, Field(min_length=1)] = "Describe the picture in one sentence."
    """What both captions of a pair answer."""

    def columns_read(self) -> tuple[str, ...]:
        return (*Map.columns_read(self), *([self.image] if self.write == "pair" else []))

    def columns_written(self) -> tuple[Column, ...]:
        listed, *pair = Map.columns_written(self)
        return tuple(pair) if self.write == "pair" else (listed,)

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        prompt = prompt_of(row)
        found = self._found(prompt, ctx.rng(row["id"]))
        if not found:
            return Drop("no slot to change")
        if self.write == "negatives":
            logged = [{"prompt": s.prompt, "slot": s.slot, "before": s.before, "after": s.after} for s in found]
            return [{"prompts_neg": logged}]
        picture = self._picture(row)
        if picture is None:
            return Drop("no picture")
        return [self._pair(prompt, swap, picture, ctx.seed) for swap in found]

    def _found(self, prompt: str, rng: Random) -> list[Swap]:
        """At most `most` swaps, the kinds of slots taking turns in an order by chance."""
        kinds = list(dict.fromkeys(self.slots))
        rng.shuffle(kinds)
        waiting = [swaps(prompt, kind, rng) for kind in kinds]
        found = [own[turn] for turn in range(self.most) for own in waiting if turn < len(own)]
        return found[: self.most]

    def _picture(self, row: Row) -> Any:
        if self.image == "chosen":
            return (row["chosen"] or {}).get("image")
        return next((image for image in row["images"] or () if image), None)

    def _pair(self, prompt: str, swap: Swap, picture: Any, seed: int) -> Row:
        params = {"slot": swap.slot, "before": swap.before, "after": swap.after}
        parts = [{"type": "image", "text": None, "image": 0}, {"type": "text", "text": self.question, "image": None}]
        asked = {"role": "user", "content": self.question, "parts": parts, "tool_calls": None}
        origin = made_by(self.name, f"swap_{swap.slot}", params, None, seed)
        return {
            "prompt": [asked], "images": [picture], "chosen": answer(prompt), "rejected": answer(swap.prompt, origin),
            "verdict": "prefer",
        }  # fmt: skip
